//! Whether a host's histories of a few DIDs agree with the primary's.
//!
//! Both are asked at once; an operation that is less than a minute old may still be missing at the host.

use super::host::Host;
use super::report::{Agreement, DidRow, Feature, State};
use crate::domain::audit_log::{self, LogAgreement, LogEntry, LogError};
use crate::domain::compare_logs::Item;
use crate::domain::did::Did;
use crate::ports::export::Answer;

/// DIDs that are compared.
const DIDS: usize = 5;
/// Operations younger than this may be missing at the host, milliseconds.
const SETTLE_MS: i64 = 60_000;

/// What was found out about the histories.
pub(super) struct Histories {
    pub(super) rows: Vec<DidRow>,
    pub(super) audit: Feature,
    pub(super) last: Feature,
}

/// A few DIDs of these operations, spread over those that are old enough.
pub(super) fn choose(recent: &[Item], now_ms: i64) -> Vec<String> {
    let mut dids: Vec<Did> = Vec::new();
    for item in recent.iter().filter(|item| item.created_ms <= now_ms - SETTLE_MS) {
        if !dids.contains(&item.key.did) {
            dids.push(item.key.did);
        }
    }
    let step = (dids.len() / DIDS).max(1);
    dids.iter().rev().step_by(step).take(DIDS).map(Did::to_string).collect()
}

/// The state of the pages about DIDs, over all that were asked for.
#[derive(Default)]
struct Seen {
    answered: usize,
    refused: Option<String>,
}

impl Seen {
    fn note(&mut self, answer: &Answer) {
        match answer.status {
            Some(200) => self.answered += 1,
            _ => {
                if let Err(error) = answer.clone().ok() {
                    self.refused.get_or_insert(error.text);
                }
            }
        }
    }

    fn feature(self, name: &'static str, title: &'static str) -> Feature {
        let (state, says) = match (self.answered, self.refused) {
            (0, None) => (State::Unknown, "not asked for".to_owned()),
            (0, Some(why)) => (State::No, why),
            (_, why) => (State::Yes, why.unwrap_or_default()),
        };
        Feature { name, title, state, says }
    }
}

/// Compares the histories of `dids`, one after the other.
pub(super) async fn compare(host: &Host, primary: &Host, dids: &[String]) -> Histories {
    let (mut audits, mut lasts, mut rows) = (Seen::default(), Seen::default(), Vec::new());
    for did in dids {
        let path = format!("/{did}/log/audit");
        let (ours, theirs) = tokio::join!(primary.ask(&path), host.ask(&path));
        audits.note(&theirs);
        let ours = match sound_log(ours, did) {
            Ok(log) => log,
            Err(why) => {
                rows.push(row(did, Agreement::Unknown, "unknown", format!("the primary: {why}")));
                continue;
            }
        };
        rows.push(match theirs.status {
            Some(200) => by_audit(did, &ours, theirs, host.now_ms()),
            Some(404 | 410 | 405 | 501) => {
                let last = host.ask(&format!("/{did}/log/last")).await;
                lasts.note(&last);
                by_last(did, &ours, &theirs, last, host.now_ms())
            }
            _ => row(did, Agreement::Unknown, "unknown", theirs.ok().err().map(|e| e.text).unwrap_or_default()),
        });
    }
    if lasts.answered == 0
        && lasts.refused.is_none()
        && let Some(did) = dids.first()
    {
        lasts.note(&host.ask(&format!("/{did}/log/last")).await);
    }
    doubt(&mut rows, audits.answered + lasts.answered > 0);
    Histories {
        rows,
        audit: audits.feature("audit_log", "/{did}/log/audit"),
        last: lasts.feature("last_operation", "/{did}/log/last"),
    }
}

/// Where no page about any DID is served, none is lacking.
fn doubt(rows: &mut [DidRow], is_any_served: bool) {
    for row in rows.iter_mut().filter(|row| row.result == "lacks") {
        if !is_any_served && !row.says.contains("not registered") {
            row.agreement = Agreement::Unknown;
            row.says = format!("{}; it may serve no such pages at all", row.says);
        }
    }
}

fn row(did: &str, agreement: Agreement, result: &'static str, says: String) -> DidRow {
    DidRow { did: did.to_owned(), agreement, result, says }
}

/// The primary's log, if it is one.
fn sound_log(answer: Answer, did: &str) -> Result<Vec<LogEntry>, String> {
    let body = answer.ok().map_err(|error| error.text)?;
    let log = audit_log::parse(&body).map_err(|error| error.to_string())?;
    let is_sound = Did::parse(did).is_some_and(|did| audit_log::is_sound(&log, did));
    if is_sound && !log.is_empty() { Ok(log) } else { Err("its log of this DID contradicts itself".to_owned()) }
}

fn by_audit(did: &str, ours: &[LogEntry], theirs: Answer, now_ms: i64) -> DidRow {
    // What broke off, is too much for us or is another page says nothing of the log.
    let body = match theirs.ok() {
        Err(error) => return row(did, Agreement::Unknown, "unknown", error.text),
        Ok(body) => body,
    };
    let theirs = match audit_log::parse(&body) {
        Err(why @ LogError::BadEntries { .. }) => {
            return row(did, Agreement::Disagrees, LogAgreement::Invalid.name(), why.to_string());
        }
        Err(why) => return row(did, Agreement::Unknown, "unknown", why.to_string()),
        Ok(log) => log,
    };
    let agreement = audit_log::compare(ours, &theirs, now_ms, SETTLE_MS);
    let says = match agreement {
        LogAgreement::Same => format!("{} operations", theirs.len()),
        LogAgreement::NullifiedDiffers => {
            let nullified = |log: &[LogEntry]| log.iter().filter(|entry| entry.nullified).count();
            format!("{} nullified there, {} at the primary", nullified(&theirs), nullified(ours))
        }
        _ => format!("{} operations there, {} at the primary", theirs.len(), ours.len()),
    };
    let agrees = if agreement == LogAgreement::Same { Agreement::Agrees } else { Agreement::Disagrees };
    row(did, agrees, agreement.name(), says)
}

/// What the newest operation tells, where the host does not serve the whole log.
fn by_last(did: &str, ours: &[LogEntry], audit: &Answer, last: Answer, now_ms: i64) -> DidRow {
    if audit_log::is_tombstoned(ours) {
        return row(did, Agreement::Unknown, "unknown", "tombstoned, and not served there".to_owned());
    }
    let is_fresh = |entry: &LogEntry| entry.created_ms > now_ms - SETTLE_MS;
    let status = last.status;
    let said = |answer: &Answer| {
        let body = answer.body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned()).unwrap_or_default();
        format!("{} {}", answer.status.unwrap_or_default(), crate::telemetry::Capped(body.trim()))
    };
    let Ok(body) = last.ok() else {
        if ours.first().is_some_and(is_fresh) || !matches!(status, Some(404 | 410)) {
            return row(did, Agreement::Unknown, "unknown", said(audit));
        }
        return row(did, Agreement::Disagrees, "lacks", said(audit));
    };
    let Some((cid, _)) = audit_log::parse_last(&body) else {
        return row(did, Agreement::Unknown, "unknown", "what stands at its /log/last is no operation".to_owned());
    };
    let mut standing = ours.iter().filter(|entry| !entry.nullified).rev();
    let settled_or_newer = standing.by_ref().find(|entry| entry.cid == cid || !is_fresh(entry));
    if settled_or_newer.is_some_and(|entry| entry.cid == cid) {
        return row(did, Agreement::Agrees, "same", "by its last operation".to_owned());
    }
    let (result, says) = if ours.iter().any(|entry| entry.cid == cid) {
        (LogAgreement::Behind.name(), "its last operation is an older one")
    } else {
        (LogAgreement::Fork.name(), "the primary does not list its last operation")
    };
    row(did, Agreement::Disagrees, result, says.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit_log::tests::{chain, entry_text, operation};
    use crate::domain::cid::Cid;
    use crate::domain::op::{Kind, OpKey};
    use crate::domain::time::Tau;
    use bytes::Bytes;

    const NOW: i64 = 10_000_000;
    const DID: &str = "did:plc:6adr3q2labdllanslzhqkqd3";

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            asked: format!("/{DID}/log/last"),
            asked_at: Tau(0),
            asked_utc_ms: 0,
            received_at: Tau(0),
            peer: None,
            status: Some(status),
            retry_after_s: None,
            date_ms: None,
            head_ns: 0,
            body: Ok(Bytes::copy_from_slice(body.as_bytes())),
        }
    }

    /// The bodies of the operations of [`chain`].
    fn bodies(n: u32) -> Vec<String> {
        let log = chain(n);
        (0..n).map(|i| operation(i, i.checked_sub(1).map(|before| log[before as usize].cid))).collect()
    }

    #[test]
    fn the_last_operation_tells_where_the_log_is_not_served() {
        let (ours, bodies) = (chain(3), bodies(3));
        let last = |status, body: &str| {
            let row = by_last(DID, &ours, &answer(404, "no"), answer(status, body), NOW);
            (row.result, row.agreement)
        };
        assert_eq!(last(200, &bodies[2]), ("same", Agreement::Agrees));
        assert_eq!(last(200, &bodies[1]), ("behind", Agreement::Disagrees));
        assert_eq!(last(200, &operation(9, None)), ("fork", Agreement::Disagrees));
        assert_eq!(last(200, "<html>"), ("unknown", Agreement::Unknown));
        assert_eq!(last(404, ""), ("lacks", Agreement::Disagrees));
        assert_eq!(last(500, ""), ("unknown", Agreement::Unknown));
        // The newest is too fresh to be missed.
        let row = by_last(DID, &ours, &answer(404, ""), answer(200, &bodies[1]), SETTLE_MS + 1_500);
        assert_eq!((row.result, row.agreement), ("same", Agreement::Agrees));
    }

    #[test]
    fn histories_agree_or_not_by_name() {
        let ours = chain(2);
        let bodies = bodies(2);
        let text = |nullified: bool, n: usize| {
            let entries = (0..n).map(|i| entry_text(ours[0].did, &bodies[i], nullified, ours[i].created_ms));
            format!("[{}]", entries.collect::<Vec<_>>().join(","))
        };
        let rows = [
            (text(false, 2), "same", Agreement::Agrees),
            (text(true, 2), "nullified_differs", Agreement::Disagrees),
            (text(false, 1), "behind", Agreement::Disagrees),
            ("[7]".to_owned(), "invalid", Agreement::Disagrees),
            ("{}".to_owned(), "unknown", Agreement::Unknown),
            ("<!doctype html>".to_owned(), "unknown", Agreement::Unknown),
            (text(false, 2)[..90].to_owned(), "unknown", Agreement::Unknown),
        ];
        for (body, result, agreement) in rows {
            let row = by_audit(DID, &ours, answer(200, &body), NOW);
            assert_eq!((row.result, row.agreement), (result, agreement), "{body}");
        }
    }

    #[test]
    fn a_host_without_pages_about_dids_lacks_none() {
        let lacks = |says: &str| row(DID, Agreement::Disagrees, "lacks", says.to_owned());
        let mut rows = [lacks("404 nothing here"), lacks("404 DID not registered")];
        doubt(&mut rows, false);
        assert_eq!(rows.clone().map(|row| row.agreement), [Agreement::Unknown, Agreement::Disagrees]);
        let mut rows = [lacks("404 nothing here")];
        doubt(&mut rows, true);
        assert_eq!(rows[0].agreement, Agreement::Disagrees);
    }

    #[test]
    fn dids_are_spread_and_none_is_fresh() {
        let item = |n: u8, created_ms| {
            let cid = Cid::of_cbor(&[n]);
            let key = OpKey { did: Did::of_genesis(cid), cid };
            Item { key, content: cid, kind: Kind::Genesis, created_ms, nullified: None, seq: None }
        };
        let recent: Vec<Item> = (0..20).map(|n| item(n, i64::from(n))).collect();
        let chosen = choose(&recent, SETTLE_MS + 10);
        assert_eq!(chosen.len(), DIDS);
        assert_eq!(chosen[0], recent[10].key.did.to_string());
        assert!(choose(&recent, 0).is_empty());
        assert_eq!(choose(&[item(1, 0), item(1, 0)], NOW).len(), 1);
    }
}
