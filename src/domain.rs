//! The pure half: everything hard is decided here.
//!
//! Nothing below this module names an actor, a runtime, a file, a socket or a clock; the present is always an argument.

pub mod address;
pub mod audit_log;
pub mod cid;
pub mod compare_logs;
pub mod compare_plc;
pub mod confirm;
pub mod coverage;
pub mod did;
pub mod digits;
pub mod evidence;
pub mod fill;
pub mod finding;
pub mod frame;
pub mod impair;
pub mod interval;
pub mod lag;
pub mod ledger;
pub mod link;
pub mod look_out;
pub mod mempool;
pub mod mirror_state;
pub mod numbering;
pub mod op;
pub mod poll;
pub mod proof;
pub mod refused;
pub mod ring;
pub mod rollup;
pub mod rtt;
pub mod sample;
pub mod sampling;
pub mod sessions;
pub mod sketch;
pub mod source;
pub mod tally;
pub mod text;
pub mod throttle;
pub mod time;
pub mod transport;
pub mod validity;
pub mod verdict;
pub mod view;
pub mod window;
pub mod window_kind;
