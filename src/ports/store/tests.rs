//! The store as a whole: what was acknowledged is there, once, whatever happened in between.

mod damage;
mod disk;
mod import;
mod log;
mod round_trip;
mod sample;
