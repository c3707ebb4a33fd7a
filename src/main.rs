//! The program: arguments, configuration, log, then the one thing that was asked for. The exit code says how it ended.

use std::io::Write;
use std::process::ExitCode;

use mirrorwatch::cli::{self, Cli, Command, Parsed, exit};
use mirrorwatch::config::{self, Loaded};
use mirrorwatch::{app, telemetry};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    app::huge_pages::decline();
    ExitCode::from(match cli::parse(std::env::args_os()) {
        Ok(Parsed::Do(cli)) => start(&cli),
        Ok(Parsed::Show(text)) => show(&text),
        Err(error) => fail(&error, exit::USAGE),
    })
}

/// Does what was asked for, and answers the exit code.
fn start(cli: &Cli) -> u8 {
    if let Command::Print(what) = cli.command {
        return show(app::print::text(what));
    }
    if cli.command == Command::Token {
        return show(&app::token());
    }
    if let Command::Report(report) = &cli.command {
        return app::report(report);
    }
    let Loaded { config, .. } = match config::load(&cli.inputs(std::env::vars_os().collect())) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                complain(warning);
            }
            if cli.command == Command::CheckConfig {
                return show(&loaded.report());
            }
            loaded
        }
        Err(error) => return fail(&error, error.exit_code()),
    };
    let log = match telemetry::init(&config.log) {
        Ok(log) => log,
        Err(error) => return fail(&format!("mirrorwatch: log: {error}"), exit::SOFTWARE),
    };
    match &cli.command {
        Command::Run | Command::CheckConfig | Command::Print(_) | Command::Token | Command::Report(_) => {
            let inputs = cli.inputs(std::env::vars_os().collect());
            app::run(config, app::Reload { inputs, log })
        }
        Command::Diff(diff) => app::diff(diff),
        Command::Check(check) => app::check(&config, check),
        Command::Import { dir } => app::import(&config, dir),
        #[cfg(feature = "simulator")]
        Command::Demo(demo) => app::demo(config, demo),
        #[cfg(not(feature = "simulator"))]
        Command::Demo(_) => fail(&"mirrorwatch: demo: this build has no simulator", exit::UNAVAILABLE),
    }
}

/// Writes to standard output; whoever stopped reading it did not want the rest.
fn show(text: &str) -> u8 {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            fail(&format!("mirrorwatch: standard output: {error}"), exit::IO)
        }
        _ => exit::OK,
    }
}

/// Says why it ends, and answers `code`.
fn fail(why: &dyn std::fmt::Display, code: u8) -> u8 {
    complain(why);
    code
}

/// Writes one line to standard error, where nothing more can be done when that fails.
fn complain(what: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{what}");
}
