//! Exit codes, as BSD's sysexits has them, so that a service manager can tell a bad configuration from a full disk.

/// Done.
pub const OK: u8 = 0;
/// What was compared differs.
pub const DIFFERS: u8 = 1;
/// It cannot be told whether what was compared differs.
pub const CANNOT_TELL: u8 = 2;
/// The command line or the environment is wrong.
pub const USAGE: u8 = 64;
/// Saved data is of a kind that this version cannot read.
pub const DATA: u8 = 65;
/// A file that was asked for does not exist.
pub const NO_INPUT: u8 = 66;
/// A service that is needed cannot be had, as a port that is taken.
pub const UNAVAILABLE: u8 = 69;
/// An error of this program.
pub const SOFTWARE: u8 = 70;
/// A file or directory cannot be created.
pub const CANNOT_CREATE: u8 = 73;
/// Reading or writing failed.
pub const IO: u8 = 74;
/// For now only: another instance holds the data directory.
pub const TEMPORARY: u8 = 75;
/// The system does not permit it.
pub const NO_PERMISSION: u8 = 77;
/// The configuration is wrong.
pub const CONFIG: u8 = 78;
