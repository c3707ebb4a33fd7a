//! One address and method: what may be asked, and all that may be answered.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use super::parameter::{self, Parameter, put};
use super::shape::envelope::{Links, Meta};
use crate::domain::window_kind::WindowKind;
use crate::publish::Form;

/// What answers are made of: described, written and read.
pub trait Shape: ToSchema + Serialize + DeserializeOwned {}

impl<T: ToSchema + Serialize + DeserializeOwned> Shape for T {}

/// Data with what stands around it.
#[derive(Serialize, Deserialize)]
struct Enveloped<T> {
    data: T,
    meta: Meta,
    links: Links,
}

/// Reads an answer into its type and writes it again: what comes out differs where the answer is not of that type.
pub type ReadBack = fn(Value) -> Result<Value, serde_json::Error>;

fn read_back<T: Serialize + DeserializeOwned>(answer: Value) -> Result<Value, serde_json::Error> {
    serde_json::from_value::<T>(answer).and_then(serde_json::to_value)
}

/// Headers of a finished page, and of an answer that was computed for the request.
const CACHED: &[&str] = &["ETag", "Last-Modified", "Cache-Control", "Vary", "Server-Timing"];
/// Headers of an answer that must not be kept.
const UNKEPT: &[&str] = &["Cache-Control"];

/// One address and method.
pub struct Endpoint {
    /// `get` or `post`.
    pub method: &'static str,
    /// Its path, with `{parameters}`.
    pub path: &'static str,
    /// How an answer is read; `None` where it is no JSON.
    pub read_back: Option<ReadBack>,
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
    id: &'static str,
    summary: &'static str,
    about: Option<&'static str>,
    tag: &'static str,
    parameters: Vec<Parameter>,
    /// Whether only the operator may, unless he allows it to all.
    is_operators: bool,
    responses: BTreeMap<u16, Value>,
    /// Codes by the status of problems.
    problems: BTreeMap<u16, Vec<&'static str>>,
}

impl Endpoint {
    /// An address of which nothing is known but its name and what it is for; `id` is unique.
    pub fn new(method: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Endpoint {
            method,
            path,
            read_back: None,
            schemas: Vec::new(),
            id,
            summary,
            about: None,
            tag: "now",
            parameters: Vec::new(),
            is_operators: false,
            responses: BTreeMap::new(),
            problems: BTreeMap::new(),
        }
    }

    /// A finished page in the envelope.
    pub fn page<T: Shape>(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Endpoint::new("get", path, id, summary).finished().enveloped::<T>(CACHED)
    }

    /// A finished page that stands alone.
    pub fn bare<T: Shape>(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Endpoint::new("get", path, id, summary).finished().answer::<T>(200, "The page.", CACHED)
    }

    /// A finished page that is no JSON, and is given whatever the request takes.
    pub fn document(path: &'static str, id: &'static str, summary: &'static str, media: &'static str) -> Self {
        let mut made = Endpoint::new("get", path, id, summary).finished().text(200, "The document.", media, CACHED);
        made.problems.remove(&406);
        made
    }

    /// An answer in the envelope that is computed for the request, within the limit of requests.
    pub fn detail<T: Shape>(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Endpoint::new("get", path, id, summary)
            .kept()
            .enveloped::<T>(CACHED)
            .problem(429, &["rate_limited"])
            .problem(503, &["overloaded"])
    }

    /// What holds for every answer that may be kept.
    fn kept(self) -> Self {
        self.strict().problem(406, &["not_acceptable"]).known(CACHED)
    }

    fn finished(self) -> Self {
        self.kept().problem(503, &["not_ready"])
    }

    /// Parameters are read strictly.
    #[must_use]
    pub fn strict(self) -> Self {
        self.problem(400, &["unknown_parameter", "repeated_parameter"])
    }

    /// 304 with these headers.
    fn known(mut self, names: &[&str]) -> Self {
        let answer = json!({ "description": "Known already by `If-None-Match`.", "headers": headers(names) });
        self.responses.insert(304, answer);
        self.with(Parameter::header("If-None-Match", "Tags that are known already.", &json!({ "type": "string" })))
    }

    fn enveloped<T: Shape>(mut self, names: &[&str]) -> Self {
        let data = self.describe::<T>();
        let (meta, links) = (self.describe::<Meta>(), self.describe::<Links>());
        let schema = json!({
            "type": "object",
            "required": ["data", "meta", "links"],
            "properties": { "data": data, "meta": meta, "links": links },
        });
        self.read_back = Some(read_back::<Enveloped<T>>);
        self.respond(200, "The answer.", &json!({ "application/json": { "schema": schema } }), names)
    }

    /// Answers with this as JSON.
    #[must_use]
    pub fn answer<T: Shape>(mut self, status: u16, about: &str, names: &[&str]) -> Self {
        let schema = self.describe::<T>();
        self.read_back = Some(read_back::<T>);
        self.respond(status, about, &json!({ "application/json": { "schema": schema } }), names)
    }

    /// Answers with this as JSON, not to be kept.
    #[must_use]
    pub fn answer_unkept<T: Shape>(self, status: u16, about: &str) -> Self {
        self.answer::<T>(status, about, UNKEPT)
    }

    /// Answers with text of another type.
    #[must_use]
    pub fn text(self, status: u16, about: &str, media: &str, names: &[&str]) -> Self {
        let content = json!({ (media): { "schema": { "type": "string" } } });
        self.respond(status, about, &content, names)
    }

    /// Answers with what has these types of content.
    #[must_use]
    pub fn respond(mut self, status: u16, about: &str, content: &Value, names: &[&str]) -> Self {
        let mut answer = json!({ "description": about });
        if !names.is_empty() {
            put(&mut answer, "headers", headers(names));
        }
        if !content.is_null() {
            put(&mut answer, "content", content.clone());
        }
        self.responses.insert(status, answer);
        self
    }

    /// Its answer with this status has this header too.
    #[must_use]
    pub fn header(mut self, status: u16, name: &'static str) -> Self {
        if let Some(held) =
            self.responses.get_mut(&status).and_then(|answer| answer.get_mut("headers")?.as_object_mut())
            && let Value::Object(added) = headers(&[name])
        {
            held.extend(added);
        }
        self
    }

    /// The reference to a type, which the document describes from now on.
    pub(super) fn describe<T: ToSchema>(&mut self) -> Value {
        T::schemas(&mut self.schemas);
        self.schemas.push((T::name().into_owned(), T::schema()));
        json!({ "$ref": format!("#/components/schemas/{}", T::name()) })
    }

    /// May answer with a problem of one of these codes.
    #[must_use]
    pub fn problem(mut self, status: u16, codes: &[&'static str]) -> Self {
        let held = self.problems.entry(status).or_default();
        held.extend(codes.iter().filter(|code| !held.contains(code)).collect::<Vec<_>>());
        self
    }

    /// Is a table too: the same data as CSV and as one object a line.
    #[must_use]
    pub fn tabular(mut self) -> Self {
        let content = self.responses.get_mut(&200).and_then(|answer| answer["content"].as_object_mut());
        if let Some(content) = content {
            content.extend(Form::ALL.map(|form| (form.media().to_owned(), json!({ "schema": { "type": "string" } }))));
        }
        self
    }

    /// Takes a parameter.
    #[must_use]
    pub fn with(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Takes `window`.
    #[must_use]
    pub fn windowed(self, default: WindowKind) -> Self {
        self.windowed_of(&WindowKind::ALL, default)
    }

    /// Takes `window`, out of these.
    #[must_use]
    pub fn windowed_of(self, known: &[WindowKind], default: WindowKind) -> Self {
        self.with(parameter::window(known, default)).problem(400, &["bad_window"])
    }

    /// Takes `from` and `to` in place of `window`; the answer is then computed for the request.
    #[must_use]
    pub fn ranged(self) -> Self {
        parameter::range()
            .into_iter()
            .fold(self, Self::with)
            .problem(400, &["bad_time", "missing_parameter", "range_too_long", "window_and_range"])
            .problem(429, &["rate_limited"])
            .problem(503, &["overloaded"])
    }

    /// Takes the id of a mirror in its path.
    #[must_use]
    pub fn of_mirror(self) -> Self {
        self.with(parameter::mirror_id()).problem(404, &["no_such_mirror"])
    }

    /// Is one of these.
    #[must_use]
    pub fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    /// With more words about it.
    #[must_use]
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = Some(about);
        self
    }

    /// Only the operator may, unless he allows it to all.
    #[must_use]
    pub fn operators(mut self) -> Self {
        self.is_operators = true;
        self
    }

    /// The operation as the document has it.
    pub(super) fn told(&self) -> Value {
        let mut told = json!({
            "tags": [self.tag],
            "operationId": self.id,
            "summary": self.summary,
            "responses": self.told_responses(),
        });
        if let Some(about) = self.about {
            put(&mut told, "description", about);
        }
        if !self.parameters.is_empty() {
            put(
                &mut told,
                "parameters",
                self.parameters.iter().map(|parameter| parameter.told().clone()).collect::<Vec<_>>(),
            );
        }
        if self.is_operators {
            put(&mut told, "security", json!([{ "operator": [] }, {}]));
        }
        told
    }

    fn told_responses(&self) -> Value {
        let mut all: Map<String, Value> = EVERYWHERE
            .iter()
            .map(|(status, name, ..)| (status.to_string(), json!({ "$ref": format!("#/components/responses/{name}") })))
            .collect();
        all.extend(self.problems.iter().map(|(status, codes)| (status.to_string(), problem(*status, codes))));
        all.extend(self.responses.iter().map(|(status, answer)| (status.to_string(), answer.clone())));
        all.into()
    }
}

/// Problems that any address may answer with: status, name in the document, codes.
pub(super) const EVERYWHERE: [(u16, &str, &[&str]); 5] = [
    (413, "BodyTooLarge", &["body_too_large"]),
    (414, "UriTooLong", &["uri_too_long"]),
    (421, "WrongHost", &["wrong_host"]),
    (431, "HeadersTooLarge", &["headers_too_large"]),
    (500, "Internal", &["internal"]),
];

/// An answer with a problem of one of these codes.
pub(super) fn problem(status: u16, codes: &[&str]) -> Value {
    let words: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
    let mut answer = json!({
        "description": format!("A problem: {}.", words.join(", ")),
        "headers": headers(UNKEPT),
        "content": { "application/problem+json": { "schema": {
            "allOf": [
                { "$ref": "#/components/schemas/ProblemDetails" },
                { "type": "object", "properties": { "code": { "type": "string", "enum": codes } } },
            ],
        } } },
    });
    let more: &[&str] = match status {
        401 => &["WWW-Authenticate"],
        405 => &["Allow"],
        426 => &["Upgrade"],
        429 => &["Retry-After", "RateLimit", "RateLimit-Policy"],
        503 => &["Retry-After"],
        _ => &[],
    };
    if let (Some(held), Value::Object(added)) =
        (answer.get_mut("headers").and_then(Value::as_object_mut), headers(more))
    {
        held.extend(added);
    }
    answer
}

/// Headers by their names, described once for all.
fn headers(names: &[&str]) -> Value {
    let all: Map<String, Value> = names
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") })))
        .collect();
    all.into()
}
