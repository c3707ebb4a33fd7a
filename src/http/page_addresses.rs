//! Where the page can be opened: it is one document, which reads its own address.

/// The addresses, as patterns of routes.
pub(super) const PAGES: [&str; 16] = [
    "/",
    "/misses",
    "/compare",
    "/events",
    "/incidents",
    "/incidents/{id}",
    "/vantages",
    "/methodology",
    "/internals",
    "/nodes",
    "/readiness",
    "/docs",
    "/docs/errors",
    "/mirrors/{id}",
    "/did/{did}",
    "/op/{did}/{cid}",
];
