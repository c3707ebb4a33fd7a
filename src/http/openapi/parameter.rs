//! One parameter of an address: where it stands and what it may be.

use serde_json::{Value, json};

use super::super::ops_query::OPS_LIMIT_MAX;
use crate::domain::window_kind::WindowKind;

/// A parameter as the document has it.
#[derive(Clone, Debug)]
pub struct Parameter(Value);

/// Puts a field into an object.
pub(super) fn put(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(key.to_owned(), value.into());
    }
}

impl Parameter {
    fn new(place: &str, name: &str, about: &str, schema: &Value) -> Self {
        let mut made = json!({ "name": name, "in": place, "description": about, "schema": schema });
        if place == "path" {
            put(&mut made, "required", true);
        }
        Parameter(made)
    }

    /// A part of the path.
    pub fn path(name: &str, about: &str, schema: &Value) -> Self {
        Self::new("path", name, about, schema)
    }

    /// A part of the query; it may be left out.
    pub fn query(name: &str, about: &str, schema: &Value) -> Self {
        Self::new("query", name, about, schema)
    }

    /// A header; it may be left out.
    pub fn header(name: &str, about: &str, schema: &Value) -> Self {
        Self::new("header", name, about, schema)
    }

    /// It may not be left out.
    #[must_use]
    pub fn required(mut self) -> Self {
        put(&mut self.0, "required", true);
        self
    }

    /// With a value that shows what it looks like.
    #[must_use]
    pub fn example(mut self, value: &str) -> Self {
        put(&mut self.0, "example", value);
        self
    }

    /// What the document holds.
    pub fn told(&self) -> &Value {
        &self.0
    }
}

/// The schema of a word out of a closed list.
pub fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    json!({ "type": "string", "enum": words.into_iter().collect::<Vec<_>>() })
}

/// `window`, out of these.
pub fn window(known: &[WindowKind], default: WindowKind) -> Parameter {
    let mut schema = one_of(known.iter().map(|window| window.name()));
    put(&mut schema, "default", default.name());
    Parameter::query("window", "How far back from now.", &schema)
}

/// `from` and `to`, in place of `window`.
pub fn range() -> [Parameter; 2] {
    let instant = json!({ "type": "string", "format": "date-time" });
    let from = "Begin of a range, in place of `window`: widened to whole intervals, or to whole hours or days where nothing \
                shorter is kept. 400 days at most.";
    [Parameter::query("from", from, &instant), Parameter::query("to", "Its end, later than `from`.", &instant)]
}

/// The id of a mirror in the path.
pub fn mirror_id() -> Parameter {
    let schema = json!({ "type": "string", "minLength": 1 });
    Parameter::path("id", "Id of a mirror, as in `/api/v1/mirrors`.", &schema)
}

/// A DID in the path.
pub fn did() -> Parameter {
    Parameter::path("did", "A DID of did:plc.", &json!({ "$ref": "#/components/schemas/DidText" }))
}

/// The CID of an operation in the path.
pub fn cid() -> Parameter {
    Parameter::path("cid", "CID of the operation.", &json!({ "$ref": "#/components/schemas/CidText" }))
}

/// `limit`.
pub fn limit() -> Parameter {
    let schema = json!({ "type": "integer", "minimum": 1, "maximum": OPS_LIMIT_MAX, "default": 100 });
    Parameter::query("limit", "Entries of a page at most.", &schema)
}

/// `cursor`.
pub fn cursor() -> Parameter {
    let schema = json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$", "maxLength": 512 });
    Parameter::query("cursor", "Where the page begins: as given out in `links.next`, and nothing else.", &schema)
}
