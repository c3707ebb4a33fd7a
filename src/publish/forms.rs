//! The other forms of one body: made when one is first asked for, once, and gone with the body.
//!
//! Most revisions are never read as a table, so nobody makes tables of them ahead; however many ask for one at the same
//! time, it is made once. What is held is at most two bodies more for each page that was asked for.

use tokio::sync::OnceCell;

use super::Encoded;

/// A form besides JSON.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Form {
    /// RFC 4180.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Form {
    /// Every form.
    pub const ALL: [Form; 2] = [Form::Csv, Form::Ndjson];

    /// How addresses and files in this form end.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Form::Csv => ".csv",
            Form::Ndjson => ".ndjson",
        }
    }

    /// Its media type, in lower case.
    #[must_use]
    pub const fn media(self) -> &'static str {
        match self {
            Form::Csv => "text/csv",
            Form::Ndjson => "application/x-ndjson",
        }
    }
}

/// See the module's words.
#[derive(Debug, Default)]
pub struct Forms {
    csv: OnceCell<Encoded>,
    ndjson: OnceCell<Encoded>,
}

impl Forms {
    /// Where the body in this form stands, or will.
    pub fn of(&self, form: Form) -> &OnceCell<Encoded> {
        match form {
            Form::Csv => &self.csv,
            Form::Ndjson => &self.ndjson,
        }
    }
}
