//! The configuration: what a user may set, checked once and then a plain value.
//!
//! Layers, weakest first: the defaults, `config.json`, `MIRRORWATCH_…` variables, the command line. The `config` crate
//! merges them into one tree; [`Config`] is what is left after every key has been read from it and checked. All
//! problems are reported at once, each in one line that says where it stands and how to mend it. One struct a concern,
//! each in its own file with the meaning, unit, default and bounds of its keys.
//!
//! This never resolves a name and never opens a socket; of files it reads the configuration and the admin token.

mod address;
mod analytics;
mod audit;
mod http;
mod judging;
mod layers;
mod limits;
mod log;
mod nodes;
mod position;
mod problem;
mod reader;
mod retention;
mod rtt;
mod source;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

pub use address::{in_words_of_the_command_line, is_this_machine};
pub use analytics::{Analytics, RECOMPUTERS};
pub use audit::Audit;
pub use http::{Http, secret_in};
pub use judging::Judging;
pub use layers::{FILE_BYTES_MAX, FileChoice, Inputs};
pub use limits::Limits;
pub use log::{Log, LogFormat};
pub use nodes::{NodeRole, NodeToken, Nodes, Peer};
pub use problem::{ConfigError, Origin, Problem, SHOWN_CHARS, SHOWN_PROBLEMS, did_you_mean, quoted};
pub use reader::Setting;
pub use retention::Retention;
pub use rtt::Rtt;
pub use source::{SourceConfig, Transport};

use reader::Reader;
use tree::Layers;

/// The file that is read when it is there and none is asked for.
pub const DEFAULT_FILE: &str = "config.json";

/// Everything that can be set, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the server listens. Default 127.0.0.1:7331.
    pub listen: SocketAddr,
    /// Where the store lives. Default `data`, below the working directory.
    pub data_dir: PathBuf,
    /// The directory that mirrors are compared with. Default plc.directory.
    pub primary: SourceConfig,
    /// The mirrors, in the file's order. Default plc.klbr.net alone.
    pub mirrors: Vec<SourceConfig>,
    /// Limits of the verdicts.
    pub judging: Judging,
    /// Measuring of distance.
    pub rtt: Rtt,
    /// Intervals of recomputing.
    pub analytics: Analytics,
    /// How long what is saved stays.
    pub retention: Retention,
    /// Bounds of memory and work.
    pub limits: Limits,
    /// The server.
    pub http: Http,
    /// Asking hosts for the history of a DID.
    pub audit: Audit,
    /// This node among others; `None` (the default) keeps it alone.
    pub nodes: Option<Nodes>,
    /// The log.
    pub log: Log,
}

/// A configuration and how it came about.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Every effective setting with its origin, in the order of the example file.
    pub settings: Vec<Setting>,
    /// What is worth a word and no reason to stop, one line each.
    pub warnings: Vec<String>,
}

impl Loaded {
    /// The effective configuration for people: one line a key, `KEY = JSON  (ORIGIN)`.
    pub fn report(&self) -> String {
        let line = |s: &Setting| format!("{} = {}  ({})\n", s.path, s.value, s.origin);
        self.settings.iter().map(line).collect()
    }
}

/// Builds the configuration from its layers.
///
/// # Errors
/// [`ConfigError`]: the file cannot be read, or something in any layer is wrong; then it names all that is wrong.
pub fn load(inputs: &Inputs) -> Result<Loaded, ConfigError> {
    let merged = layers::merge(inputs)?;
    let mut reader = Reader::new(&merged.layers);
    let config = Config::read(&mut reader);
    let mut problems = merged.problems;
    problems.append(&mut reader.problems);
    layers::in_reading_order(&mut problems, &merged.layers.lines);
    match config {
        Some(config) if problems.is_empty() => {
            Ok(Loaded { config, settings: reader.settings, warnings: merged.warnings })
        }
        _ => Err(ConfigError::Invalid(problems)),
    }
}

/// The paths of all keys, learnt by reading a configuration that gives none.
fn known_paths() -> BTreeSet<String> {
    let layers = Layers::none();
    let mut reader = Reader::new(&layers);
    let _ = Config::read(&mut reader);
    reader.known
}

impl Config {
    /// Short limits and small tables, on a free port of loopback, with a local primary and no mirrors.
    ///
    /// # Errors
    /// None in practice: the primary's address is a constant.
    pub fn for_testing(data_dir: PathBuf) -> Result<Config, url::ParseError> {
        Ok(Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir,
            primary: SourceConfig::for_testing("primary", 2582)?,
            mirrors: Vec::new(),
            judging: Judging::for_testing(),
            rtt: Rtt::for_testing(),
            analytics: Analytics::for_testing(),
            retention: Retention::for_testing(),
            limits: Limits::for_testing(),
            http: Http::for_testing(),
            audit: Audit::for_testing(),
            nodes: None,
            log: Log::for_testing(),
        })
    }

    /// Reads every key; `None` when a source has no usable address, which is then among the problems.
    fn read(r: &mut Reader<'_>) -> Option<Config> {
        let address = ("\"ADDRESS:PORT\"", "127.0.0.1:7331");
        let listen = r.parsed("listen", address, SocketAddr::from(([127, 0, 0, 1], 7331)), |text| text.parse().ok());
        let data_dir = PathBuf::from(r.text("dataDir", "the path of a directory", "data"));
        let primary = SourceConfig::read_primary(r);
        let mirrors = SourceConfig::read_mirrors(r, primary.as_ref());
        let judging = Judging::read(r);
        source::check_limits(r, &mirrors, &judging);
        let rtt = Rtt::read(r);
        let analytics = Analytics::read(r);
        let retention = Retention::read(r);
        let limits = Limits::read(r);
        if mirrors.len() > limits.max_mirrors {
            let (given, limit) = (mirrors.len(), limits.max_mirrors);
            r.problem("mirrors", format!("{given} given, limit {limit} (raise limits.maxMirrors)"));
        }
        let http = Http::read(r);
        let audit = Audit::read(r);
        let nodes = Nodes::read(r);
        let log = Log::read(r);
        let mirrors = mirrors.into_iter().flatten().collect();
        let primary = primary?;
        Some(Config {
            listen,
            data_dir,
            primary,
            mirrors,
            judging,
            rtt,
            analytics,
            retention,
            limits,
            http,
            audit,
            nodes,
            log,
        })
    }
}
