//! Every address, by groups: one entry each. Only pages for people are left out.

mod analytics;
mod live;
mod now;
mod operations;
mod operator;
mod outside;

use super::endpoint::Endpoint;
use std::sync::LazyLock;

static ALL: LazyLock<Vec<Endpoint>> = LazyLock::new(|| {
    let groups = [now::all(), analytics::all(), operations::all(), live::all(), operator::all(), outside::all()];
    groups.into_iter().flatten().collect()
});

/// All addresses.
pub fn all() -> &'static [Endpoint] {
    &ALL
}

/// The address with `method` (lower case) that a request for `path` (without query) is for.
pub fn find(method: &str, path: &str) -> Option<&'static Endpoint> {
    let is_meant = |endpoint: &&Endpoint| {
        let (have, want): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), endpoint.path.split('/').collect());
        let is_same = |(have, want): (&&str, &str)| want.starts_with('{') || **have == *want;
        endpoint.method == method && have.len() == want.len() && have.iter().zip(want).all(is_same)
    };
    // A path that is written out goes before one with parameters.
    all().iter().filter(is_meant).min_by_key(|endpoint| endpoint.path.matches('{').count())
}
