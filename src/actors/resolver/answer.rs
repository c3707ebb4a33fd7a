//! What a host's answer about one DID shows.

use crate::domain::audit_log;
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::look_out::{Listed, Shown};
use crate::ports::export::LookUp;

/// Which page is asked for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(in crate::actors) enum Page {
    /// `/{did}/log/audit`.
    Audit,
    /// `/{did}/log/last`, for hosts without the other.
    Last,
}

impl Page {
    pub(in crate::actors) fn path(self, did: Did) -> String {
        match self {
            Page::Audit => format!("/{did}/log/audit"),
            Page::Last => format!("/{did}/log/last"),
        }
    }
}

/// What came of asking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::actors) enum Answer {
    /// This.
    Shown(Shown),
    /// Nothing that says anything, and why.
    Failed(String),
}

/// Reads an answer.
pub(in crate::actors) fn read(page: Page, look_up: &LookUp) -> Answer {
    if let Some(error) = &look_up.error {
        return Answer::Failed(error.to_string());
    }
    let body = look_up.body.as_deref().unwrap_or_default();
    match look_up.status {
        Some(200) => shown(page, body).map_or_else(Answer::Failed, Answer::Shown),
        Some(404) => Answer::Shown(Shown::Absent),
        Some(410) => Answer::Shown(Shown::Gone),
        status => Answer::Failed(format!("http: {} for {}", status.unwrap_or_default(), look_up.url)),
    }
}

fn shown(page: Page, body: &[u8]) -> Result<Shown, String> {
    match page {
        Page::Audit => {
            let log = audit_log::parse(body).map_err(|e| format!("http: /log/audit: {e}"))?;
            Ok(Shown::Log(log.iter().map(Listed::from).collect()))
        }
        Page::Last => {
            let text = std::str::from_utf8(body).map_err(|_| "http: /log/last: not UTF-8".to_owned())?;
            // Any JSON value has a CID; only an object is an operation.
            if !text.trim_start().starts_with('{') {
                return Err("http: /log/last: not an object".to_owned());
            }
            let (cid, _) = Cid::of_operation(text).map_err(|e| format!("http: /log/last: {e}"))?;
            Ok(Shown::Last(cid))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENESIS_CID: &str = "bafyreihqa4o4gsyai22ydms6j4cua6yr6tuc7trq2temvnycadk2daniru";
    const GENESIS: &str = r#"{"sig":"ZznbxHinpBI3NgEYWzXUXLA65s2U1ezJooreZlscHYQRfd4EMlijqhpikGMabs-81Tsy4Mt9Iscpmk7Uz13aAg","prev":null,"type":"plc_operation","services":{},"alsoKnownAs":["at://op0"],"rotationKeys":["did:key:zQ3shmWf4f6ZwzNyjUDYw4oFQjgHWZoYZDjJYtz75YfYYrphB","did:key:zQ3shr2PwdoF6kbuYYymyZq6YbGWShiTXAkdMioCPdSdPL9NV"],"verificationMethods":{}}"#;

    #[test]
    fn logs_and_last_operations_are_read_and_statuses_told_apart() {
        let cid = Cid::parse(GENESIS_CID).unwrap();
        let entry = |cid: &str| {
            format!(
                r#"[{{"did":"did:plc:6adr3q2labdllanslzhqkqd3","operation":{GENESIS},"cid":"{cid}","nullified":false,"createdAt":"2025-07-25T15:50:58.440Z"}}]"#
            )
        };
        let audit = |status, body: &str| read(Page::Audit, &LookUp::answered(status, body));
        let did = Did::parse("did:plc:6adr3q2labdllanslzhqkqd3").unwrap();
        let listed = Listed { cid, claimed: Some(cid), did, created_ms: 1_753_458_658_440 };
        assert_eq!(audit(200, &entry(GENESIS_CID)), Answer::Shown(Shown::Log(vec![listed])));
        let other = "bafyreifafe44xylxagcom47xb3lrya5pysu3b7zfjmmmitiuimhmgmerze";
        let untrue = Listed { claimed: Cid::parse(other), ..listed };
        assert_eq!(audit(200, &entry(other)), Answer::Shown(Shown::Log(vec![untrue])), "a claim that is not true");
        assert!(untrue.claim().is_some() && listed.claim().is_none());
        assert_eq!(read(Page::Last, &LookUp::answered(200, GENESIS)), Answer::Shown(Shown::Last(cid)));
        assert_eq!(audit(404, ""), Answer::Shown(Shown::Absent));
        assert_eq!(audit(410, ""), Answer::Shown(Shown::Gone));
        for (status, body) in [(200, "<html>"), (200, "{}"), (429, ""), (500, ""), (302, "")] {
            assert!(matches!(audit(status, body), Answer::Failed(_)), "{status} {body}");
        }
        assert!(matches!(read(Page::Last, &LookUp::answered(200, "[]")), Answer::Failed(_)));
    }
}
