//! The version of what actions mean: a number, `[major, minor]`, or a `SemVer` text. Only equal majors understand each other.

use super::json::Json;

/// What a node says of its version.
#[derive(Clone, PartialEq, Debug)]
pub struct Subprotocol {
    /// The part that must be equal.
    pub major: i64,
    /// The part that may differ.
    pub minor: i64,
    /// As it was said.
    pub said: Json,
}

impl Subprotocol {
    /// Reads what a node said; `None` when it is none of the three forms.
    #[must_use]
    pub fn parse(said: &Json) -> Option<Subprotocol> {
        let whole = |n: f64| (0.0..1e15).contains(&n).then_some(n as i64);
        let (major, minor) = match said {
            Json::Number(_) => (whole(said.as_f64()?)?, 0),
            Json::String(text) => {
                let mut parts = text.splitn(3, '.');
                let major = parts.next()?.parse().ok()?;
                (major, parts.next().map_or(Some(0), |minor| minor.parse().ok())?)
            }
            Json::Array(items) => match items.as_slice() {
                [major, minor] => (whole(major.as_f64()?)?, whole(minor.as_f64()?)?),
                _ => return None,
            },
            _ => return None,
        };
        Some(Subprotocol { major, minor, said: said.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms() {
        for (text, want) in [("3", (3, 0)), ("[2,5]", (2, 5)), ("\"1.4.9-beta\"", (1, 4)), ("\"7\"", (7, 0))] {
            let read = Subprotocol::parse(&Json::parse(text).unwrap()).unwrap();
            assert_eq!((read.major, read.minor), want, "{text}");
        }
        for bad in ["null", "{}", "[1]", "[1,2,3]", "\"x\"", "-1", "[1,\"2\"]"] {
            assert_eq!(Subprotocol::parse(&Json::parse(bad).unwrap()), None, "{bad}");
        }
    }
}
