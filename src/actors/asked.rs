//! What a request for the log of a DID says of how its host answers.

use crate::domain::probes::{Outcome, Probe};
use crate::domain::time::SECOND;
use crate::ports::export::LookUp;
use crate::ports::export_error::ExportClass;

/// No request takes longer, nanoseconds: one that was not sent to its end may have begun so long before it failed.
const LONGEST_NS: i64 = 30 * SECOND;

/// A request that was made; `is_served` tells whether the answer is of use to whoever wants the log. Nothing where the host
/// wants to be asked less, and where it is our doing: none was tried, its name could not be looked up, its address is none
/// that we ask, the answer is more than we take.
pub(super) fn probe_of(look_up: &LookUp, is_served: bool) -> Option<Probe> {
    let class = look_up.error.as_ref().map(|error| error.class);
    let is_ours = matches!(
        class,
        Some(
            ExportClass::Paused { .. } | ExportClass::TooLarge { .. } | ExportClass::Dns | ExportClass::RefusedPrivate
        )
    );
    if is_ours || look_up.status == Some(429) {
        return None;
    }
    let ended = look_up.received_at;
    let outcome = match look_up.asked_at {
        Some(began) if is_served => Outcome::Answered(ended.since(began)),
        _ => Outcome::Failed,
    };
    Some(Probe { began: look_up.asked_at.unwrap_or(ended.plus(-LONGEST_NS)), ended, outcome })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Tau;
    use crate::ports::export_error::ExportError;

    #[test]
    fn answers_are_timed_and_what_is_our_doing_is_none() {
        let probe = |outcome| Some(Probe { began: Tau(0), ended: Tau(1), outcome });
        let answer = LookUp::answered(200, "[]");
        assert_eq!(probe_of(&answer, true), probe(Outcome::Answered(1)));
        assert_eq!(probe_of(&answer, false), probe(Outcome::Failed));
        assert_eq!(probe_of(&LookUp::answered(429, ""), false), None);
        let refused = probe_of(&LookUp { asked_at: None, ..LookUp::answered(200, "") }, false).unwrap();
        assert_eq!((refused.began, refused.outcome), (Tau(1 - LONGEST_NS), Outcome::Failed));
        for (class, told) in [
            (ExportClass::Timeout, probe(Outcome::Failed)),
            (ExportClass::Broken, probe(Outcome::Failed)),
            (ExportClass::Paused { retry_after_s: 1 }, None),
            (ExportClass::TooLarge { limit: 1 }, None),
            (ExportClass::Dns, None),
            (ExportClass::RefusedPrivate, None),
        ] {
            let error = Some(ExportError { class, text: String::new() });
            assert_eq!(
                probe_of(&LookUp { error, status: None, ..LookUp::answered(200, "") }, false),
                told,
                "{class:?}"
            );
        }
    }
}
