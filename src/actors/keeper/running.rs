//! The way in use as its keeper holds it, and from where the next one goes on.

use crate::actors::message::{Beat, Stop};
use crate::domain::fill::Anchor;
use crate::domain::transport::Transport;
use actix::{Actor, Addr, Context, Handler, Recipient};
use futures_util::future::LocalBoxFuture;

/// The way in use.
pub(super) struct Running {
    pub(super) transport: Transport,
    pub(super) stop: Recipient<Stop>,
    pub(super) beat: Recipient<Beat>,
}

impl Running {
    pub(super) fn new<A>(address: Addr<A>, transport: Transport) -> Running
    where
        A: Actor<Context = Context<A>> + Handler<Stop> + Handler<Beat>,
    {
        Running { transport, stop: address.clone().recipient(), beat: address.recipient() }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.stop.connected()
    }

    pub(super) fn stop(self) -> LocalBoxFuture<'static, ()> {
        Box::pin(async move {
            if self.stop.send(Stop).await.is_err() {
                tracing::debug!("it had ended already");
            }
        })
    }
}

/// What a way goes on from that follows another one: the numbers of a host's stream and of its `/export` are the same, and
/// whoever takes an operation for the last one known sees for itself whether it is.
pub(super) fn handed_on(ended: Option<(Transport, Option<Anchor>)>, to: Transport) -> Option<Anchor> {
    let by_number = |transport| matches!(transport, Transport::Stream | Transport::Export);
    let (from, anchor) = ended?;
    anchor.filter(|anchor| from == to || (by_number(from) && by_number(to) && anchor.is_numbered()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::did::Did;
    use crate::domain::op::OpKey;

    #[test]
    fn a_way_goes_on_from_where_another_one_with_the_same_numbers_ended() {
        let of = |seq| Anchor { seq, key: OpKey { did: Did([1; 15]), cid: Cid([1; 32]) } };
        let (number, time, none) = (of(81_000_000), of(1_700_000_000_000), of(0));
        let handed = |from, anchor, to| handed_on(Some((from, Some(anchor))), to);
        assert_eq!(handed(Transport::Stream, number, Transport::Export), Some(number));
        assert_eq!(handed(Transport::Export, number, Transport::Stream), Some(number));
        assert_eq!(handed(Transport::Export, time, Transport::Export), Some(time));
        assert_eq!(handed(Transport::Export, time, Transport::Stream), None, "a stream has no times");
        assert_eq!(handed(Transport::PlcBundle, none, Transport::Export), None, "a mempool has no numbers");
        assert_eq!(handed(Transport::Stream, number, Transport::Resolve), None);
        assert_eq!(handed_on(Some((Transport::Stream, None)), Transport::Stream), None, "it panicked");
    }
}
