//! What a connection exchanges: where that comes from which it sends, and where that goes which it receives.

use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::LocalBoxStream;

use super::peer::Beside;
use super::{NodesDoor, Present};
use crate::logux::message::Protocol;
use crate::logux::options::Authenticate;
use crate::logux::subprotocol::Subprotocol;
use crate::logux::{Credentials, Entry, Json, Options, Page, Role};
use crate::ports::log_book::LogError;

/// The user that no client can be.
const SERVER_USER: &str = "server";

/// See the module's words.
pub(super) trait Exchange: Unpin + 'static {
    /// What is read for a page.
    type Found: 'static;

    /// Whom the node lets in, as whom, and what it knows at its begin.
    fn options(&self) -> Options;

    /// Who is in at the same address.
    fn clients(&self) -> &Present;

    /// A node of this name is in, which said so of itself; what it is to be sent beside what is exchanged, where there is
    /// something.
    fn let_in(&mut self, node_id: &str, headers: Option<&Json>) -> Option<LocalBoxStream<'static, Beside>>;

    /// What is said of us to a node that is let in and `said` this of itself; before anything else.
    fn headers(&self, _said: Option<&Json>) -> Option<Json> {
        None
    }

    /// The connection is over.
    fn left(&mut self) {}

    /// Takes what was received; whether it may be confirmed.
    fn keep(&mut self, entries: Vec<Entry>) -> impl Future<Output = bool> + 'static;

    /// Reads what the next page needs.
    fn read(&mut self, after: u64, limit: usize) -> impl Future<Output = Result<Self::Found, LogError>> + 'static;

    /// The next page, of what was read for it.
    fn page(&mut self, found: Self::Found, limit: usize) -> Page;

    /// The number up to which there is something to send.
    fn head(&self) -> u64;

    /// One item whenever that may have changed.
    fn news(&self) -> impl Stream<Item = ()> + 'static;
}

/// The options of a server at `door`, which is `node_id` and has sent or has to send what is up to `head`.
pub(super) fn options(door: &NodesDoor, node_id: String, head: u64, authenticate: Arc<Authenticate>) -> Options {
    let subprotocol = i64::from(door.subprotocol);
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Options {
        node_id,
        role: Role::Server,
        speaks: Protocol::Seven,
        subprotocol: Subprotocol { major: subprotocol, minor: 0, said: Json::from(subprotocol) },
        token: None,
        authenticate,
        ping_ms: millis(door.ping),
        timeout_ms: millis(door.timeout),
        last_sent: 0,
        last_received: 0,
        head,
    }
}

/// The user that a name says to be of.
pub(super) fn user_of<'a>(who: &Credentials<'a>) -> Option<&'a str> {
    who.node_id.split(':').next().filter(|user| *user != SERVER_USER && !user.is_empty())
}
