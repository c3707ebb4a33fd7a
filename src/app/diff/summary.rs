//! The end of a comparison in words and counts.

use crate::cli::hosts::Diff;
use crate::config::SourceConfig;
use crate::domain::compare_logs::{Comparison, Count, KINDS, Outcome, Paging, Pair, Side, Tally, Walk, kind_name};
use crate::domain::time::rfc3339_ms;
use std::fmt::Write;

/// The counts of one row.
type Row<'a> = (String, &'a Count);

/// The summary of `comparison`; `outcome` is `None` when it was interrupted.
pub(super) fn text(
    comparison: &Comparison,
    options: &Diff,
    walks: &Pair<Option<Walk>>,
    outcome: Option<Outcome>,
) -> String {
    let tally = &comparison.tally;
    let range = comparison.range;
    let mut out = String::new();
    for (side, host) in [(Side::A, &options.a), (Side::B, &options.b)] {
        out.push_str(&host_line(side, host, walks.of(side).as_ref(), tally));
    }
    // Writing into a string cannot fail.
    let _ = writeln!(out, "createdAt from {} to {}\n", rfc3339_ms(range.from_ms), rfc3339_ms(range.to_ms));
    out.push_str(&table(&rows(tally), options.by_kind));
    for note in notes(tally, walks) {
        let _ = writeln!(out, "{note}");
    }
    if let Some(outcome) = outcome {
        let _ = writeln!(out, "\n{}", sentence(tally, outcome));
    }
    out
}

fn host_line(side: Side, host: &SourceConfig, walk: Option<&Walk>, tally: &Tally) -> String {
    let how = match walk.map(|walk| walk.paging) {
        Some(Paging::Seq) => "paged by its own numbers",
        Some(Paging::Time) => "paged by time",
        None => "not read",
    };
    format!("{}  {}  {} operations, {how}\n", side.name(), host.web_address(), tally.listed.of(side).all())
}

fn rows(tally: &Tally) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = vec![
        ("in both".to_owned(), &tally.both),
        ("only in a".to_owned(), &tally.only.a),
        ("only in b".to_owned(), &tally.only.b),
        ("createdAt differs".to_owned(), &tally.created_at),
        ("nullified differs".to_owned(), &tally.nullified),
        ("content differs".to_owned(), &tally.content),
    ];
    for side in Side::BOTH {
        let repeated = tally.repeated.of(side);
        if repeated.all() > 0 {
            rows.push((format!("repeated in {}", side.name()), repeated));
        }
    }
    rows
}

fn table(rows: &[Row<'_>], by_kind: bool) -> String {
    let kinds = if by_kind { KINDS } else { 0 };
    let mut out = format!("{:<18}{:>12}", "", "operations");
    for kind in 0..kinds {
        let _ = write!(out, "{:>15}", kind_name(kind));
    }
    let _ = writeln!(out, "  {:<24}  last", "first");
    for (name, count) in rows {
        let _ = write!(out, "{name:<18}{:>12}", count.all());
        for number in count.by_kind.iter().take(kinds) {
            let _ = write!(out, "{number:>15}");
        }
        let at = |ms: Option<i64>| ms.map_or("–".to_owned(), rfc3339_ms);
        let _ = writeln!(out, "  {:<24}  {}", at(count.first_ms), at(count.last_ms));
    }
    out
}

/// What limits the result.
fn notes(tally: &Tally, walks: &Pair<Option<Walk>>) -> Vec<String> {
    let mut notes = Vec::new();
    if tally.nullified_compared < tally.both.all() {
        let of = tally.both.all();
        notes.push(format!(
            "nullified: stated by both for {} of {of}; --paging time asks for it",
            tally.nullified_compared
        ));
    }
    for side in Side::BOTH {
        let name = side.name();
        let unreadable = *tally.unreadable.of(side);
        if unreadable > 0 {
            let why = tally.unreadable_why.of(side).as_deref().unwrap_or_default();
            notes.push(format!("{name}: {unreadable} lines cannot be read (the first: {why})"));
        }
        let Some(walk) = walks.of(side) else { continue };
        if walk.is_disordered() {
            notes.push(format!(
                "{name}: its numbers do not follow createdAt, so that a range of time is no range of its log; try --paging time"
            ));
        }
        if walk.crowded {
            notes.push(format!("{name}: more operations share a millisecond than a page can bring"));
        }
    }
    if tally.decided_early > 0 || tally.came_late > 0 {
        notes.push(format!(
            "{} operations were decided before the end, {} came far behind their place: some may be in both logs, far apart",
            tally.decided_early, tally.came_late
        ));
    }
    notes
}

/// The result in one line.
fn sentence(tally: &Tally, outcome: Outcome) -> String {
    let count = |name: &str, count: u64| (count > 0).then(|| format!("{count} {name}"));
    let parts = [
        count("only in a", tally.only.a.all()),
        count("only in b", tally.only.b.all()),
        count("with another createdAt", tally.created_at.all()),
        count("nullified in one alone", tally.nullified.all()),
        count("with other content", tally.content.all()),
        count("repeated in a", tally.repeated.a.all()),
        count("repeated in b", tally.repeated.b.all()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match outcome {
        Outcome::Same => format!("same: {} operations, alike in both logs", tally.both.all()),
        Outcome::Differs => format!("differs: {}", parts.join(", ")),
        Outcome::CannotTell if tally.listed.a.all() + tally.listed.b.all() == 0 => {
            "cannot tell: neither log lists an operation in this range".to_owned()
        }
        Outcome::CannotTell if parts.is_empty() => {
            "cannot tell: what was read is alike, and some could not be read".to_owned()
        }
        Outcome::CannotTell => {
            format!("cannot tell: {}, which may be the reading's fault", parts.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::op::Kind;

    fn count(kind: Kind, at_ms: i64) -> Count {
        let mut count = Count::default();
        count.add(kind, at_ms);
        count
    }

    #[test]
    fn kinds_are_columns_on_request() {
        let tally = Tally {
            both: count(Kind::Genesis, 0),
            only: Pair { a: count(Kind::Update, 5), ..Pair::default() },
            ..Tally::default()
        };
        let plain = table(&rows(&tally), false);
        assert!(plain.contains("only in a                    1  1970-01-01T00:00:00.005Z"), "{plain}");
        let by_kind = table(&rows(&tally), true);
        assert!(
            by_kind.contains("legacy_create")
                && by_kind.contains("only in a                    1              0              1"),
            "{by_kind}"
        );
        assert!(!plain.contains("repeated"));
    }

    #[test]
    fn the_sentence_says_what_the_exit_code_says() {
        let mut tally = Tally {
            both: count(Kind::Genesis, 0),
            listed: Pair { a: count(Kind::Genesis, 0), b: count(Kind::Genesis, 0) },
            ..Tally::default()
        };
        assert_eq!(sentence(&tally, Outcome::Same), "same: 1 operations, alike in both logs");
        assert!(sentence(&tally, Outcome::CannotTell).contains("some could not be read"));
        tally.created_at = count(Kind::Genesis, 0);
        assert_eq!(sentence(&tally, Outcome::Differs), "differs: 1 with another createdAt");
        assert!(sentence(&Tally::default(), Outcome::CannotTell).contains("neither log lists"));
    }
}
