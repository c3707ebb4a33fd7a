//! Tables as text: CSV by RFC 4180 and one JSON object a line.

use std::borrow::Cow;

use serde_json::Value;

use super::Table;
use crate::domain::text::no_formula;

/// Why a table could not be written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// As CSV.
    #[error("cannot write CSV")]
    Csv(#[from] csv::Error),
    /// As JSON.
    #[error("cannot write JSON")]
    Json(#[from] serde_json::Error),
}

/// CSV: a line for the names of the columns, one for each row, ended by CR LF; `null` is an empty cell. A text that a
/// spreadsheet might take for a formula has `'` before it; numbers are as they are.
///
/// # Errors
/// [`TableError::Csv`]; none is known for writing to memory.
pub fn csv(table: &Table) -> Result<Vec<u8>, TableError> {
    let mut bytes = Vec::new();
    {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(&mut bytes);
        writer.write_record(&table.columns)?;
        for row in &table.rows {
            for value in row {
                writer.write_field(cell(value)?.as_bytes())?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
        writer.flush().map_err(csv::Error::from)?;
    }
    Ok(bytes)
}

/// A value as a cell.
fn cell(value: &Value) -> Result<Cow<'_, str>, TableError> {
    Ok(match value {
        Value::Null => Cow::Borrowed(""),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::String(text) => no_formula(text),
        Value::Array(_) | Value::Object(_) => Cow::Owned(serde_json::to_string(value)?),
    })
}

/// One object a line with every column, in the order of the columns, ended by LF.
///
/// # Errors
/// [`TableError::Json`]; none is known for writing to memory.
pub fn ndjson(table: &Table) -> Result<Vec<u8>, TableError> {
    let names = table.columns.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    let mut bytes = Vec::new();
    for row in &table.rows {
        for (i, (name, value)) in names.iter().zip(row).enumerate() {
            bytes.push(if i == 0 { b'{' } else { b',' });
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(b':');
            serde_json::to_writer(&mut bytes, value)?;
        }
        bytes.extend_from_slice(b"}\n");
    }
    Ok(bytes)
}
