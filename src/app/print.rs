//! What an operator needs around the program: the unit, the container, the dashboard, the alerts. Each is a file that the
//! program carries and prints.

use crate::cli::Printed;

/// The text that was asked for.
#[must_use]
pub const fn text(what: Printed) -> &'static str {
    match what {
        Printed::Unit => include_str!("print/mirrorwatch.service"),
        Printed::Containerfile => include_str!("print/Containerfile"),
        Printed::Grafana => include_str!("print/grafana.json"),
        Printed::Alerts => include_str!("print/alerts.yml"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::metrics::METRICS;
    use std::collections::BTreeSet;

    /// The names of metrics in a text.
    fn named(text: &str) -> BTreeSet<&str> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let words = text.split(|c| !is_name(c)).filter(|word| word.starts_with("mirrorwatch_"));
        words.map(|word| word.strip_suffix("_bucket").unwrap_or(word)).collect()
    }

    #[test]
    fn dashboard_and_alerts_use_the_metrics_that_there_are() {
        let known: BTreeSet<&str> = METRICS.iter().map(|metric| metric.0).collect();
        for what in [Printed::Grafana, Printed::Alerts] {
            let used = named(text(what));
            assert!(used.len() > 5, "{used:?}");
            let unknown: Vec<_> = used.difference(&known).collect();
            assert!(unknown.is_empty(), "{what:?} uses {unknown:?}");
        }
        assert_eq!(named("rate(mirrorwatch_x[5m]) > mirrorwatch_y{a=\"b\"}").len(), 2);
    }

    #[test]
    fn the_dashboard_is_json_and_no_text_names_an_operation() {
        let dashboard: serde_json::Value = serde_json::from_str(text(Printed::Grafana)).unwrap();
        assert!(dashboard["panels"].as_array().unwrap().len() >= 8);
        for what in [Printed::Unit, Printed::Containerfile, Printed::Grafana, Printed::Alerts] {
            assert!(text(what).ends_with('\n'));
            assert!(!text(what).contains("did=") && !text(what).contains("cid="));
        }
    }
}
