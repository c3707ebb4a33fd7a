//! How differences are written: for people, as one JSON object a line, or as CSV.
//!
//! CSV keeps to RFC 4180, and no field of it can be taken for a formula by a spreadsheet.

use crate::cli::hosts::Format;
use crate::domain::compare_logs::{Difference, Item, Side};
use crate::domain::text::no_formula;
use crate::domain::time::rfc3339_ms;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, Write};

/// Differences that are listed for people.
const LISTED_MAX: u64 = 100;
/// The columns of the CSV.
const COLUMNS: [&str; 13] = [
    "difference",
    "fields",
    "did",
    "cid",
    "kind",
    "a_created_at",
    "b_created_at",
    "a_nullified",
    "b_nullified",
    "a_content_cid",
    "b_content_cid",
    "a_seq",
    "b_seq",
];

/// Where differences go.
pub(super) struct Output {
    format: Format,
    /// Whether something was written before, by this run or by the one that was interrupted.
    begun: bool,
    listed: u64,
}

/// One difference as both machine formats have it.
struct Row<'a> {
    name: &'static str,
    fields: Vec<&'static str>,
    op: &'a Item,
    a: Option<&'a Item>,
    b: Option<&'a Item>,
}

impl<'a> Row<'a> {
    fn of(difference: &'a Difference) -> Row<'a> {
        let fields = difference.fields();
        let one = |name, side: Side, op: &'a Item| match side {
            Side::A => Row { name, fields: Vec::new(), op, a: Some(op), b: None },
            Side::B => Row { name, fields: Vec::new(), op, a: None, b: Some(op) },
        };
        match difference {
            Difference::OnlyIn(Side::A, op) => one("only_in_a", Side::A, op),
            Difference::OnlyIn(Side::B, op) => one("only_in_b", Side::B, op),
            Difference::Repeated(Side::A, op) => one("repeated_in_a", Side::A, op),
            Difference::Repeated(Side::B, op) => one("repeated_in_b", Side::B, op),
            Difference::Differs { a, b } => Row { name: "differs", fields, op: a, a: Some(a), b: Some(b) },
        }
    }

    fn json(&self) -> Value {
        let side = |item: Option<&Item>| {
            item.map(|item| {
                json!({
                    "created_at": rfc3339_ms(item.created_ms), "nullified": item.nullified, "seq": item.seq,
                    "content_cid": item.content, "sound": item.is_sound(),
                })
            })
        };
        json!({
            "difference": self.name, "fields": self.fields, "did": self.op.key.did, "cid": self.op.key.cid,
            "kind": self.op.kind.name(), "a": side(self.a), "b": side(self.b),
        })
    }

    fn csv(&self) -> String {
        let of = |text: &dyn Fn(&Item) -> Option<String>| {
            [self.a, self.b].map(|item| item.and_then(text).unwrap_or_default())
        };
        let created = of(&|item| Some(rfc3339_ms(item.created_ms)));
        let nullified = of(&|item| item.nullified.map(|nullified| nullified.to_string()));
        let content = of(&|item| Some(item.content.to_string()));
        let seq = of(&|item| item.seq.map(|seq| seq.to_string()));
        let key = self.op.key;
        let head = [
            self.name.to_owned(),
            self.fields.join(" "),
            key.did.to_string(),
            key.cid.to_string(),
            self.op.kind.name().to_owned(),
        ];
        record(head.iter().chain(&created).chain(&nullified).chain(&content).chain(&seq).map(String::as_str))
    }

    fn text(&self) -> String {
        let key = self.op.key;
        let mut line = format!("{:<13} {} {} {:<13}", self.name, key.did, key.cid, self.op.kind.name());
        let at = |item: Option<&Item>| item.map(|item| rfc3339_ms(item.created_ms)).unwrap_or_default();
        if self.fields.is_empty() {
            line.push_str(&rfc3339_ms(self.op.created_ms));
        }
        for field in &self.fields {
            let said = |item: Option<&Item>| match *field {
                "created_at" => at(item),
                "nullified" => item.and_then(|item| item.nullified).unwrap_or_default().to_string(),
                _ => item.map(|item| item.content.to_string()).unwrap_or_default(),
            };
            // Writing into a string cannot fail.
            let _ = write!(line, "{field}: a {} b {} ", said(self.a), said(self.b));
        }
        line.trim_end().to_owned()
    }
}

impl Output {
    /// Where the differences of this run go; `is_resumed` when another run has written the first of them.
    pub(super) fn new(format: Format, is_resumed: bool) -> Output {
        Output { format, begun: is_resumed, listed: 0 }
    }

    /// Writes one difference to standard output.
    ///
    /// # Errors
    /// As writing there; whoever stopped reading did not want the rest.
    pub(super) fn difference(&mut self, difference: &Difference) -> io::Result<()> {
        print(&self.written(difference))
    }

    /// What one difference becomes.
    fn written(&mut self, difference: &Difference) -> String {
        let row = Row::of(difference);
        self.listed += 1;
        let is_first = !std::mem::replace(&mut self.begun, true);
        match self.format {
            Format::Csv if is_first => format!("{}{}", record(COLUMNS.into_iter()), row.csv()),
            Format::Csv => row.csv(),
            Format::Ndjson | Format::Json => format!("{}\n", row.json()),
            Format::Text if self.listed <= LISTED_MAX => format!("{}\n", row.text()),
            Format::Text if self.listed == LISTED_MAX + 1 => {
                "more differences are counted and not listed; --format ndjson lists all\n".to_owned()
            }
            Format::Text => String::new(),
        }
    }

    /// Writes the summary: where the differences went, if people read them, else to standard error.
    ///
    /// # Errors
    /// As writing to standard output.
    pub(super) fn summary(&mut self, text: &str) -> io::Result<()> {
        if self.format == Format::Text {
            let separator = if self.listed > 0 { "\n" } else { "" };
            return print(&format!("{separator}{text}"));
        }
        let is_bare = self.format == Format::Csv && !self.begun;
        let head = if is_bare { record(COLUMNS.into_iter()) } else { String::new() };
        // Nothing more can be done where this cannot be written.
        let _ = io::stderr().write_all(text.as_bytes());
        print(&head)
    }
}

/// Writes to standard output, unless nobody reads it any more.
fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// One record of a CSV.
fn record<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    let fields: Vec<String> = fields.map(field).collect();
    format!("{}\r\n", fields.join(","))
}

/// One field of a CSV: quoted where it must be, and with an apostrophe before what a spreadsheet would compute.
fn field(text: &str) -> String {
    let safe = no_formula(text);
    if safe.contains([',', '"', '\r', '\n', '\t']) {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::did::Did;
    use crate::domain::op::{Kind, OpKey};

    fn item() -> Item {
        let cid = Cid::of_cbor(b"1");
        let key = OpKey { did: Did::of_genesis(cid), cid };
        Item { key, content: cid, kind: Kind::Genesis, created_ms: 1_000, nullified: Some(false), seq: Some(7) }
    }

    #[test]
    fn csv_has_one_header_and_as_many_fields_everywhere() {
        let mut output = Output::new(Format::Csv, false);
        let text = output.written(&Difference::OnlyIn(Side::B, item()));
        let rows: Vec<&str> = text.split("\r\n").collect();
        assert_eq!((rows.len(), rows[0].split(',').count(), rows[1].split(',').count()), (3, 13, 13));
        assert!(rows[0].starts_with("difference,fields,did,") && rows[1].starts_with("only_in_b,,did:plc:"));
        assert!(rows[1].contains(",genesis,,1970-01-01T00:00:01.000Z,,false,,") && rows[1].ends_with(",,7"));
        assert_eq!(output.written(&Difference::OnlyIn(Side::B, item())).matches("\r\n").count(), 1);
        assert_eq!(Output::new(Format::Csv, true).written(&Difference::OnlyIn(Side::B, item())).lines().count(), 1);
    }

    #[test]
    fn no_field_is_a_formula_or_ends_early() {
        let rows = [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\r\nb", "\"a\r\nb\""),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("\t=1", "\"'\t=1\""),
            ("=HYPERLINK(\"x\",1)", "\"'=HYPERLINK(\"\"x\"\",1)\""),
        ];
        for (text, expected) in rows {
            assert_eq!(field(text), expected, "{text:?}");
        }
    }

    #[test]
    fn ndjson_says_what_each_side_lists() {
        let b = Item { created_ms: 2_000, nullified: Some(true), ..item() };
        let text = Output::new(Format::Ndjson, false).written(&Difference::Differs { a: item(), b });
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["fields"], json!(["created_at", "nullified"]));
        assert_eq!((&value["difference"], &value["a"]["sound"]), (&json!("differs"), &json!(true)));
        assert_eq!(value["b"]["created_at"], "1970-01-01T00:00:02.000Z");
        let text = Output::new(Format::Ndjson, false).written(&Difference::Repeated(Side::A, item()));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["b"], Value::Null);
    }

    #[test]
    fn people_are_shown_a_hundred() {
        let mut output = Output::new(Format::Text, false);
        let lines: Vec<String> = (0..105).map(|_| output.written(&Difference::OnlyIn(Side::A, item()))).collect();
        assert!(
            lines[0].starts_with("only_in_a     did:plc:")
                && lines[0].ends_with("genesis      1970-01-01T00:00:01.000Z\n")
        );
        assert!(lines[100].contains("--format ndjson lists all"));
        assert!(lines[101..].iter().all(String::is_empty));
    }
}
