//! The command line: what was asked for, or one line on what was wrong with it.
//!
//! This reads arguments and nothing else. Values that are also keys of the configuration are passed on as they are and
//! checked there, so that there is one place that knows what is right.

pub mod exit;
pub mod hosts;
pub mod report;
mod usage;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{Config, DEFAULT_FILE, FileChoice, Inputs};
pub use hosts::{Check, Diff};
pub use report::Report;
pub use usage::UsageError;

/// What to do, and where the configuration comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Cli {
    /// What to do.
    pub command: Command,
    /// `--config`; `None` reads [`DEFAULT_FILE`] when it is there.
    pub config_file: Option<PathBuf>,
    /// `--listen`, not checked yet.
    pub listen: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Watch, judge and serve until told to stop.
    Run,
    /// Print the effective configuration, or every problem with it.
    CheckConfig,
    /// The same as [`Command::Run`] with a simulated directory on loopback in place of real sources.
    Demo(Demo),
    /// Take over the files that compare-plc left in a directory.
    Import {
        /// The directory.
        dir: PathBuf,
    },
    /// Compare two hosts' logs.
    Diff(Box<Diff>),
    /// Look at what a host serves, and whether it agrees with the primary.
    Check(Box<Check>),
    /// Print a file that an operator needs around the program.
    Print(Printed),
    /// Print a new token and its hash.
    Token,
    /// Report an event to an observer.
    Report(Box<Report>),
}

/// A file that the program carries.
#[derive(Copy, Clone, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Printed {
    /// A hardened unit for systemd.
    Unit,
    /// How to build a container.
    Containerfile,
    /// A dashboard for Grafana.
    Grafana,
    /// Alert rules for Prometheus.
    Alerts,
}

/// The settings of the simulated directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Demo {
    /// Operations a second. 0.1–10,000; default 20.
    pub rate_per_s: f64,
    /// Seed of everything random. Default 1.
    pub seed: u64,
    /// When to stop; `None` (the default) runs until told to.
    pub duration: Option<Duration>,
    /// After how long an operation counts as missed. 1–3600 s; default 10 s.
    pub grace: Duration,
    /// Where to keep the data; `None` (the default) takes a temporary directory that is removed at the end.
    pub data_dir: Option<PathBuf>,
}

impl Demo {
    /// Moves the limits of `config` to those of the demo.
    pub fn apply(&self, config: &mut Config) {
        config.judging.grace = self.grace;
        config.judging.on_time = config.judging.on_time.min(self.grace);
    }
}

/// What reading the arguments came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed {
    /// Something to do.
    Do(Cli),
    /// A text that was asked for: the help or the version.
    Show(String),
}

impl Cli {
    /// The layers of the configuration: the file, the given environment, and the arguments. The demo reads no file,
    /// because its sources are its own, and neither do commands that are told all their hosts.
    pub fn inputs(&self, environment: Vec<(OsString, OsString)>) -> Inputs {
        let file = match (&self.command, &self.config_file) {
            (Command::Demo(_) | Command::Diff(_) | Command::Print(_) | Command::Token | Command::Report(_), _) => {
                FileChoice::None
            }
            (Command::Check(check), None) if check.primary.is_some() => FileChoice::None,
            (_, Some(file)) => FileChoice::Given(file.clone()),
            (_, None) => FileChoice::IfThere(PathBuf::from(DEFAULT_FILE)),
        };
        Inputs { file, environment, listen: self.listen.clone(), data_dir: self.data_dir.clone() }
    }
}

/// Reads `arguments`, the first of which is the program's name.
///
/// # Errors
/// [`UsageError`]: something is unknown, missing or out of bounds.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, UsageError> {
    match Arguments::command().try_get_matches_from(arguments) {
        Ok(matches) => {
            let arguments = Arguments::from_arg_matches(&matches).map_err(|error| usage::from_clap(&error))?;
            arguments.checked().map(Parsed::Do)
        }
        Err(error) if error.use_stderr() => Err(usage::from_clap(&error)),
        Err(error) => Ok(Parsed::Show(error.render().to_string())),
    }
}

/// What stands before the list of commands in the help.
const ABOUT: &str = "Watches the did:plc directory and its mirrors, and judges how complete, how late and how truthful \
                     each mirror is.\n\nWithout arguments it watches plc.directory and plc.klbr.net, and serves a page \
                     and an API on http://127.0.0.1:7331 until it is interrupted.";

/// What stands after the options in the help.
const MORE: &str = "\
Examples:
  mirrorwatch                         watch with the defaults
  mirrorwatch demo                    try it without a network
  mirrorwatch --config watch.json     watch what a file says
  mirrorwatch check-config            show what applies, and why
  mirrorwatch import old-data         take over the files of compare-plc
  mirrorwatch check plc.wtf           look at one host, once
  mirrorwatch print unit              a unit for systemd
  mirrorwatch token                   let another node in
  mirrorwatch report --to http://127.0.0.1:12345 --sender paris-1 Event_NodeStarted up
                                      tell an observer what a node does
  mirrorwatch diff --a plc.directory --b plc.wtf --from 2d
                                      compare two logs, operation by operation

Files:
  config.json           read when it is in the working directory and no
                        --config is given; config.example.json has every key
  data/mirrorwatch.db   everything that is kept; --data-dir moves it

Environment:
  Any key of the file, stronger than the file: MIRRORWATCH_ and the path,
  words with _, levels with __. For example
    MIRRORWATCH_LISTEN=0.0.0.0:7331
    MIRRORWATCH_JUDGING__GRACE_SECONDS=90
    MIRRORWATCH_MIRRORS=wss://a.example.org,wss://b.example.org

Exit codes:
   0  done; the same; agrees         70  an error of the program
   1  differs; disagrees             73  a file or directory cannot be created
   2  cannot tell                    74  reading or writing failed
  64  wrong argument or variable     75  the data directory is in use
  65  saved data of another kind     77  not permitted
  66  a file is not there            78  wrong configuration
  69  the address is in use";

#[derive(Parser)]
#[command(name = "mirrorwatch", version, about = ABOUT, after_help = MORE, disable_help_subcommand = true)]
struct Arguments {
    /// Configuration file [default: config.json, if it is there]
    #[arg(long, value_name = "FILE", global = true, display_order = 100)]
    config: Option<PathBuf>,
    /// Where to serve the page and the API [default: 127.0.0.1:7331]
    #[arg(long, value_name = "ADDRESS:PORT", global = true, display_order = 101)]
    listen: Option<String>,
    /// Where to keep the data [default: data; demo: a temporary directory]
    #[arg(long, value_name = "DIR", global = true, display_order = 102)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Sub>,
}

#[derive(Subcommand)]
enum Sub {
    /// Watch, judge and serve; what is done without a command
    Run,
    /// Show the effective configuration and where each value comes from, or everything that is wrong with it
    CheckConfig,
    /// Do the same with a simulated directory and five mirrors on this machine, each with a fault of its own
    Demo {
        /// Operations a second, 0.1 to 10000
        #[arg(long, value_name = "N", default_value = "20", value_parser = rate)]
        rate: f64,
        /// Seed of the simulation: the same seed makes the same operations and faults
        #[arg(long, value_name = "N", default_value = "1", value_parser = seed)]
        seed: u64,
        /// Stop after this long and print what was measured beside the truth [default: run until interrupted]
        #[arg(long, value_name = "SECONDS", value_parser = duration)]
        duration: Option<Duration>,
        /// After how long an operation counts as missed, 1 to 3600
        #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = grace)]
        grace: Duration,
    },
    /// Take over the totals and snapshots (totals.json, <unix ms>.json) of compare-plc
    Import {
        /// Directory that holds them; it is only read
        dir: PathBuf,
    },
    /// Compare two hosts' logs over a range, operation by operation; ends with 0 same, 1 differs, 2 cannot tell
    Diff(hosts::DiffArguments),
    /// Tell on one screen what a host serves and whether it agrees with the primary; ends with 0 agrees, 1 disagrees, 2
    /// cannot tell
    Check(hosts::CheckArguments),
    /// Print a file to run the program with: a unit for systemd, a container, a Grafana dashboard, Prometheus alerts
    Print {
        /// Which
        what: Printed,
    },
    /// Make a token for another node: the token for its user, the hash for nodes.tokens of this one
    Token,
    /// Report an event of a node to an observer, again and again until that has it on disk
    Report(report::ReportArguments),
}

impl Arguments {
    fn checked(self) -> Result<Cli, UsageError> {
        let Arguments { config, listen, data_dir, command } = self;
        let command = match command {
            None | Some(Sub::Run) => Command::Run,
            Some(Sub::CheckConfig) => Command::CheckConfig,
            Some(Sub::Print { what }) => Command::Print(what),
            Some(Sub::Token) => Command::Token,
            Some(Sub::Report(arguments)) => Command::Report(Box::new(arguments.checked()?)),
            Some(Sub::Import { dir }) => Command::Import { dir },
            Some(Sub::Diff(_)) if config.is_some() => {
                return Err(UsageError::new(
                    "--config: a comparison of logs reads no configuration; leave --config out",
                ));
            }
            Some(Sub::Diff(arguments)) => Command::Diff(Box::new(arguments.checked()?)),
            Some(Sub::Check(arguments)) => Command::Check(Box::new(arguments.checked()?)),
            Some(Sub::Demo { .. }) if config.is_some() => {
                return Err(UsageError::new("--config: the demo has its own sources; leave --config out"));
            }
            Some(Sub::Demo { rate, seed, duration, grace }) => {
                Command::Demo(Demo { rate_per_s: rate, seed, duration, grace, data_dir: data_dir.clone() })
            }
        };
        Ok(Cli { command, config_file: config, listen, data_dir })
    }
}

/// A number between two bounds, or what was expected.
fn bounded(text: &str, low: f64, high: f64, example: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (low..=high).contains(number));
    number.ok_or_else(|| format!("expected a number from {low} to {high}; example: {example}"))
}

fn rate(text: &str) -> Result<f64, String> {
    bounded(text, 0.1, 10_000.0, "20")
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected a whole number from 0; example: 1".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    bounded(text, 1.0, 31_536_000.0, "60").map(Duration::from_secs_f64)
}

fn grace(text: &str) -> Result<Duration, String> {
    bounded(text, 1.0, 3600.0, "10").map(Duration::from_secs_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Parsed, String> {
        let arguments = ["mirrorwatch"].into_iter().chain(line.split_whitespace()).map(OsString::from);
        parse(arguments).map_err(|error| error.to_string())
    }

    fn cli(line: &str) -> Cli {
        match parsed(line).unwrap() {
            Parsed::Do(cli) => cli,
            Parsed::Show(text) => panic!("{text}"),
        }
    }

    #[test]
    fn the_arguments_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn watching_is_what_is_done_without_a_command() {
        let bare = cli("");
        assert_eq!((bare.command.clone(), bare.config_file.clone()), (Command::Run, None));
        assert_eq!(bare.inputs(Vec::new()).file, FileChoice::IfThere("config.json".into()));
        assert_eq!(cli("run"), bare);
        let full = cli("--config x.json run --listen 0.0.0.0:1 --data-dir d");
        assert_eq!(full, cli("run --config x.json --data-dir d --listen 0.0.0.0:1"));
        assert_eq!(full.inputs(Vec::new()).file, FileChoice::Given("x.json".into()));
        assert_eq!((full.listen.as_deref(), full.data_dir), (Some("0.0.0.0:1"), Some("d".into())));
    }

    #[test]
    fn the_demo_has_defaults_and_bounds() {
        let Command::Demo(demo) = cli("demo").command else { panic!("not the demo") };
        let default =
            Demo { rate_per_s: 20.0, seed: 1, duration: None, grace: Duration::from_secs(10), data_dir: None };
        assert_eq!(demo, default);
        let full = cli("demo --rate 2.5 --seed 7 --duration 60 --grace 5 --listen 127.0.0.1:0 --data-dir d");
        assert_eq!(full.inputs(Vec::new()).file, FileChoice::None);
        let Command::Demo(demo) = full.command else { panic!("not the demo") };
        assert_eq!((demo.rate_per_s, demo.seed, demo.duration), (2.5, 7, Some(Duration::from_mins(1))));
        assert_eq!(demo.data_dir, Some("d".into()));
        let mut config = crate::config::load(&Inputs::default()).unwrap().config;
        demo.apply(&mut config);
        assert_eq!((config.judging.on_time, config.judging.grace), (Duration::from_secs(5), Duration::from_secs(5)));
    }

    #[test]
    fn wrong_usage_gets_one_line() {
        let rows = [
            ("--confg x", "mirrorwatch: unexpected argument \"--confg\"; a similar one exists: \"--config\""),
            ("--config", "mirrorwatch: --config: needs a value"),
            ("--zzzzzz", "mirrorwatch: unexpected argument \"--zzzzzz\"; see \"mirrorwatch --help\""),
            ("dmo", "mirrorwatch: unexpected argument \"dmo\"; a similar one exists: \"demo\""),
            ("qqqqqq", "mirrorwatch: unexpected argument \"qqqqqq\"; see \"mirrorwatch --help\""),
            ("run now", "mirrorwatch: unexpected argument \"now\"; see \"mirrorwatch --help\""),
            ("import", "mirrorwatch: <DIR>: missing; see \"mirrorwatch --help\""),
            ("--listen a --listen b", "mirrorwatch: --listen: given more than once"),
            ("demo --rate 0", "mirrorwatch: --rate 0: expected a number from 0.1 to 10000; example: 20"),
            ("demo --rate NaN", "mirrorwatch: --rate NaN: expected a number from 0.1 to 10000; example: 20"),
            ("demo --seed -1", "mirrorwatch: unexpected argument \"-1\"; see \"mirrorwatch --help\""),
            ("demo --seed=-1", "mirrorwatch: --seed -1: expected a whole number from 0; example: 1"),
            ("demo --grace 0.5", "mirrorwatch: --grace 0.5: expected a number from 1 to 3600; example: 10"),
            ("demo --duration soon", "mirrorwatch: --duration soon: expected a number from 1 to 31536000; example: 60"),
            ("demo --config x", "mirrorwatch: --config: the demo has its own sources; leave --config out"),
        ];
        for (line, expected) in rows {
            assert_eq!(parsed(line).unwrap_err(), expected, "{line}");
        }
    }

    #[test]
    fn the_help_tells_what_a_newcomer_needs() {
        let Parsed::Show(help) = parsed("--help").unwrap() else { panic!("no help") };
        let parts = [
            "Usage:",
            "Examples:",
            "Files:",
            "Environment:",
            "Exit codes:",
            "check-config",
            "demo",
            "import",
            "diff",
            "check",
            "78",
        ];
        for part in parts {
            assert!(help.contains(part), "no {part} in\n{help}");
        }
        let Parsed::Show(version) = parsed("--version").unwrap() else { panic!("no version") };
        assert_eq!(version.trim(), concat!("mirrorwatch ", env!("CARGO_PKG_VERSION")));
    }
}
