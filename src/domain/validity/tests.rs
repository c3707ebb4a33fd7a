//! Each rule kept and broken by operations that are signed here, and the public test logs where they are at hand.

mod chain;
mod interop;
pub(super) mod make;
mod single;

use super::*;
use make::{Key, Log, op, sign};
