//! SIGHUP: the configuration is read again, and what may change at run time changes.
//!
//! A file that is wrong changes nothing; why it is wrong is said in the log and in the list of events.

use super::outside::network;
use super::parts::App;
use crate::config::{self, Config, Inputs};
use crate::telemetry::LogControl;

/// Where a configuration comes from, and what of it concerns the whole process.
pub struct Reload {
    /// The layers that are read again.
    pub inputs: Inputs,
    /// What the log lets through.
    pub log: LogControl,
}

impl Reload {
    /// Reads the configuration again and goes on with it, or with the one before when it is wrong.
    pub(super) async fn run(&self, app: &mut App) {
        let wanted = match config::load(&self.inputs) {
            Ok(loaded) => loaded.config,
            Err(why) => return refuse(app, &why.to_string()),
        };
        let (config, fixed) = changeable(app.config(), wanted);
        if !fixed.is_empty() {
            let text = format!("{} cannot change while it runs; restart to change it", fixed.join(", "));
            tracing::warn!("{text}");
            app.tell("config_needs_restart", &text);
        }
        if config == *app.config() {
            tracing::info!("the configuration was read again: nothing has changed");
            return;
        }
        let outside = match network(&config, app.clock()) {
            Ok(outside) => outside,
            Err(why) => return refuse(app, &why),
        };
        if let Err(why) = self.log.set_filter(&config.log.filter) {
            return refuse(app, &format!("log: {why}"));
        }
        let text = format!("the configuration was read again: {} changed", differing(app.config(), &config).join(", "));
        tracing::info!("{text}");
        app.change(config, outside, text).await;
    }
}

fn refuse(app: &App, why: &str) {
    for line in why.lines() {
        tracing::error!("the configuration was read again and is refused; the one before stands: {line}");
    }
    let first = why.lines().next().unwrap_or_default();
    app.tell("config_refused", &format!("the configuration before stands: {first}"));
}

/// What is to be in force: everything wanted, but for what cannot change while it runs, which is named.
fn changeable(held: &Config, wanted: Config) -> (Config, Vec<&'static str>) {
    let rows = [
        ("listen", held.listen != wanted.listen),
        ("dataDir", held.data_dir != wanted.data_dir),
        ("primary", held.primary != wanted.primary),
        ("http", held.http != wanted.http),
        ("nodes", held.nodes != wanted.nodes),
        ("audit.allowRecheck", held.audit.allow_recheck != wanted.audit.allow_recheck),
        ("log.format", held.log.format != wanted.log.format),
    ];
    let mut config = Config {
        listen: held.listen,
        data_dir: held.data_dir.clone(),
        primary: held.primary.clone(),
        http: held.http.clone(),
        nodes: held.nodes.clone(),
        ..wanted
    };
    config.audit.allow_recheck = held.audit.allow_recheck;
    config.log.format = held.log.format;
    (config, rows.into_iter().filter(|row| row.1).map(|row| row.0).collect())
}

/// The concerns in which two configurations differ.
fn differing(a: &Config, b: &Config) -> Vec<&'static str> {
    let rows = [
        ("mirrors", a.mirrors != b.mirrors),
        ("judging", a.judging != b.judging),
        ("rtt", a.rtt != b.rtt),
        ("analytics", a.analytics != b.analytics),
        ("retention", a.retention != b.retention),
        ("limits", a.limits != b.limits),
        ("audit", a.audit != b.audit),
        ("log", a.log != b.log),
    ];
    rows.into_iter().filter(|row| row.1).map(|row| row.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_change_stays_and_is_named() {
        let held = Config::for_testing("held".into()).unwrap();
        let mut wanted = Config::for_testing("wanted".into()).unwrap();
        (wanted.http.live_sockets, wanted.limits.held_ops) = (7, 77_777);
        let (config, fixed) = changeable(&held, wanted);
        assert_eq!(fixed, ["dataDir", "http"]);
        assert_eq!((&config.data_dir, config.limits.held_ops), (&held.data_dir, 77_777));
        assert_eq!(differing(&held, &config), ["limits"]);
    }
}
