//! What was found out about a host, and how it is told: one screen, or one JSON object.

use crate::domain::time::rfc3339_ms;
use serde::Serialize;
use std::fmt::Write;

/// Whether a host offers something.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It says so and does not.
    False,
    /// It cannot be told.
    Unknown,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            State::Yes => "yes",
            State::No => "no",
            State::False => "false",
            State::Unknown => "?",
        }
    }
}

/// One thing that a host may offer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Feature {
    /// Its stable name.
    pub(super) name: &'static str,
    /// What people know it as.
    #[serde(skip)]
    pub(super) title: &'static str,
    /// Whether it is offered.
    pub(super) state: State,
    /// In the host's words, or about its answer.
    pub(super) says: String,
}

/// How far the host's clock is ahead of this machine's.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Skew {
    /// Milliseconds; negative when it is behind.
    pub(super) ahead_ms: i64,
    /// Half of the width of what it can be.
    pub(super) uncertainty_ms: i64,
}

/// The newest operation that a host lists.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Newest {
    /// Its `createdAt`, milliseconds since 1970.
    pub(super) created_ms: i64,
    /// How old it was when it was read, milliseconds of this machine's clock.
    pub(super) age_ms: i64,
}

/// How the host's history of one DID agrees with the primary's.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Agreement {
    /// It does.
    Agrees,
    /// It does not.
    Disagrees,
    /// It cannot be told.
    Unknown,
}

/// One DID.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct DidRow {
    /// Whose history.
    pub(super) did: String,
    /// What it comes to.
    pub(super) agreement: Agreement,
    /// How exactly: a name of the audit log's comparison, `lacks`, or `unknown`.
    pub(super) result: &'static str,
    /// More about it.
    pub(super) says: String,
}

/// What a look at a host comes to.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// At least one history agrees, and none does not.
    Agrees,
    /// One does not.
    Disagrees,
    /// None could be compared.
    CannotTell,
}

/// Everything that was found out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Report {
    pub(super) url: String,
    pub(super) primary: String,
    /// When, milliseconds since 1970.
    pub(super) at_ms: i64,
    pub(super) features: Vec<Feature>,
    pub(super) clock: Option<Skew>,
    pub(super) newest: Option<Newest>,
    pub(super) primary_newest: Option<Newest>,
    pub(super) dids: Vec<DidRow>,
    /// Why nothing was compared, where that is so.
    pub(super) not_compared: Option<String>,
}

impl Report {
    /// What it comes to.
    pub(super) fn verdict(&self) -> Verdict {
        if self.count(Agreement::Disagrees) > 0 {
            Verdict::Disagrees
        } else if self.count(Agreement::Agrees) > 0 {
            Verdict::Agrees
        } else {
            Verdict::CannotTell
        }
    }

    fn count(&self, agreement: Agreement) -> usize {
        self.dids.iter().filter(|row| row.agreement == agreement).count()
    }

    /// The verdict in one line.
    fn sentence(&self) -> String {
        let compared = self.count(Agreement::Agrees) + self.count(Agreement::Disagrees);
        match self.verdict() {
            Verdict::Agrees => format!("agrees with the primary on {compared} of {} DIDs asked for", self.dids.len()),
            Verdict::Disagrees => {
                format!(
                    "disagrees with the primary on {} of {compared} DIDs compared",
                    self.count(Agreement::Disagrees)
                )
            }
            Verdict::CannotTell => {
                let why = self.not_compared.as_deref().unwrap_or("no history could be compared");
                format!("cannot tell: {why}")
            }
        }
    }

    /// One screen of text.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        // Writing into a string cannot fail.
        let _ = writeln!(out, "{} against {}, {}\n", self.url, self.primary, rfc3339_ms(self.at_ms));
        for feature in &self.features {
            let _ = writeln!(out, "{:<20} {:<6} {}", feature.title, feature.state.word(), feature.says);
        }
        let _ = writeln!(out, "{:<27} {}", "clock", self.clock_text());
        let _ = writeln!(out, "{:<27} {}", "newest operation", self.head_text());
        for row in &self.dids {
            let _ = writeln!(out, "{}  {:<21} {}", row.did, row.result, row.says);
        }
        let _ = writeln!(out, "\n{}", self.sentence());
        out.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
    }

    fn clock_text(&self) -> String {
        let Some(Skew { ahead_ms, uncertainty_ms }) = self.clock else {
            return "not known: no Date in its answers".to_owned();
        };
        if ahead_ms.abs() <= uncertainty_ms {
            return format!("as ours, within {uncertainty_ms} ms");
        }
        let way = if ahead_ms < 0 { "behind" } else { "ahead of" };
        format!("{} ms {way} ours, ± {uncertainty_ms} ms", ahead_ms.abs())
    }

    fn head_text(&self) -> String {
        let age = |newest: Newest| format!("{:.1} s old", newest.age_ms as f64 / 1e3);
        let primary = self.primary_newest.map_or("not known".to_owned(), age);
        match self.newest {
            Some(newest) => format!("{}, {}; the primary's: {primary}", rfc3339_ms(newest.created_ms), age(newest)),
            None => format!("not known; the primary's: {primary}"),
        }
    }

    /// One JSON object.
    pub(super) fn json(&self) -> String {
        let newest = |newest: Option<Newest>| {
            newest.map(
                |newest| serde_json::json!({ "created_at": rfc3339_ms(newest.created_ms), "age_ms": newest.age_ms }),
            )
        };
        let value = serde_json::json!({
            "url": self.url, "primary": self.primary, "at": rfc3339_ms(self.at_ms), "features": self.features,
            "clock": self.clock, "newest": newest(self.newest), "primary_newest": newest(self.primary_newest),
            "dids": self.dids, "verdict": self.verdict(), "says": self.sentence(),
        });
        format!("{value:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(dids: &[Agreement]) -> Report {
        let row = |agreement: &Agreement| DidRow {
            did: "did:plc:6adr3q2labdllanslzhqkqd3".into(),
            agreement: *agreement,
            result: "same",
            says: String::new(),
        };
        Report {
            url: "https://plc.wtf".into(),
            primary: "https://plc.directory".into(),
            at_ms: 1_700_000_000_000,
            features: vec![Feature {
                name: "stream",
                title: "/export/stream",
                state: State::False,
                says: "101".into(),
            }],
            clock: Some(Skew { ahead_ms: -2_000, uncertainty_ms: 600 }),
            newest: Some(Newest { created_ms: 1_699_999_998_500, age_ms: 1_500 }),
            primary_newest: None,
            dids: dids.iter().map(row).collect(),
            not_compared: None,
        }
    }

    #[test]
    fn one_disagreement_outweighs_what_agrees_and_nothing_is_no_agreement() {
        use Agreement::{Agrees, Disagrees, Unknown};
        let rows = [
            (&[Agrees, Unknown][..], Verdict::Agrees, "agrees with the primary on 1 of 2 DIDs asked for"),
            (&[Agrees, Disagrees], Verdict::Disagrees, "disagrees with the primary on 1 of 2 DIDs compared"),
            (&[Unknown], Verdict::CannotTell, "cannot tell: no history could be compared"),
            (&[], Verdict::CannotTell, "cannot tell: no history could be compared"),
        ];
        for (dids, verdict, says) in rows {
            let report = report(dids);
            assert_eq!((report.verdict(), report.sentence().as_str()), (verdict, says));
        }
    }

    #[test]
    fn a_report_fits_a_screen_and_a_machine() {
        let report = report(&[Agreement::Agrees]);
        let text = report.text();
        assert!(text.contains("/export/stream       false  101\n"), "{text}");
        assert!(
            text.contains("2000 ms behind ours, ± 600 ms\n") && text.contains("1.5 s old; the primary's: not known")
        );
        assert!(text.contains("did:plc:6adr3q2labdllanslzhqkqd3  same\n") && text.ends_with("asked for\n"));
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!((&json["verdict"], &json["features"][0]["state"]), (&"agrees".into(), &"false".into()));
        assert_eq!((&json["newest"]["age_ms"], &json["primary_newest"]), (&1_500.into(), &serde_json::Value::Null));
    }
}
