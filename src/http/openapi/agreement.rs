//! Whether an answer is what the document says: for the tests, and for whoever changes a view.

use serde_json::Value;

use super::endpoints::find;

/// Reads an answer to GET of `path` (without query) into its type and writes it again.
///
/// # Errors
/// Every place at which the answer is not what the document says, or that the document knows of no JSON there.
pub fn check(path: &str, answer: &Value) -> Result<(), Vec<String>> {
    let read_back = find("get", path).and_then(|endpoint| endpoint.read_back);
    let read_back = read_back.ok_or_else(|| vec![format!("{path}: the document knows of no JSON there")])?;
    let written = read_back(answer.clone()).map_err(|error| vec![format!("{path}: {error}")])?;
    let mut places = Vec::new();
    differences(path, answer, &written, &mut places);
    if places.is_empty() { Ok(()) } else { Err(places) }
}

fn differences(place: &str, answer: &Value, written: &Value, places: &mut Vec<String>) {
    match (answer, written) {
        (Value::Object(a), Value::Object(b)) => {
            let unknown =
                a.keys().filter(|key| !b.contains_key(*key)).map(|key| format!("{place}/{key}: not in the type"));
            places.extend(unknown);
            for (key, value) in b {
                match a.get(key) {
                    Some(held) => differences(&format!("{place}/{key}"), held, value, places),
                    None => places.push(format!("{place}/{key}: not in the answer")),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{place}/{i}"), a, b, places);
            }
        }
        // A number that happens to be whole is the same number.
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        (a, b) if a == b => {}
        (a, b) => places.push(format!("{place}: {a} is read as {b}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_missing_and_what_is_more_is_told() {
        let problem = |answer: Value| check("/healthz", &answer).map_err(|places| places.join("; "));
        assert_eq!(problem(json!({ "status": "ok" })), Ok(()));
        assert!(problem(json!({})).unwrap_err().contains("missing field `status`"));
        let more = problem(json!({ "status": "ok", "more": 1 })).unwrap_err();
        assert_eq!(more, "/healthz/more: not in the type");
        let page = |last: Value| json!({ "name": "a", "interval_s": 1, "runs": 1, "failures": 0, "bytes": 0, "age_ms": 1, "last_error": null, "last_compute_ms": last });
        let mut places = Vec::new();
        let (whole, mut less) = (page(json!(1.5)), page(Value::Null));
        differences("x", &whole, &whole, &mut places);
        assert_eq!(places, Vec::<String>::new());
        less.as_object_mut().unwrap().remove("last_compute_ms");
        differences("x", &less, &page(Value::Null), &mut places);
        assert_eq!(places, ["x/last_compute_ms: not in the answer"], "a null that is left out is missing");
    }
}
