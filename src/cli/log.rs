//! The operator's log: where it goes, and what `DOCKGATE_LOG` lets through.
//! Knows nothing of what is logged.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::around::variable;
use super::say::{self, Paint};

/// Starts it on standard error, at this level where `DOCKGATE_LOG` does not ask for another.
pub fn start(default: &str) {
    let wanted = variable("DOCKGATE_LOG");
    let filter = filter(wanted.as_deref().unwrap_or(default)).unwrap_or_else(|why| {
        say::warn(format_args!("DOCKGATE_LOG is no filter: {why}; `{default}` is used"));
        filter(default).unwrap_or_default()
    });
    // its own errors would go to standard error too, and panic where that is closed
    let log = tracing_subscriber::fmt().with_max_level(most(&filter)).with_writer(std::io::stderr).with_ansi(Paint::stderr().is_on());
    let log = log.with_target(false).log_internal_errors(false).finish();
    let _already_started = log.with(filter).try_init();
}

/// A level, or parts of the program with theirs: `info`, `warn,dockgate::proxy=debug`.
fn filter(text: &str) -> Result<Targets, String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).try_fold(Targets::new(), |targets, part| match part.split_once('=') {
        None => Ok(targets.with_default(level(part)?)),
        Some((target, level_of)) if is_path(target) => Ok(targets.with_target(target, level(level_of)?)),
        Some((target, _)) => Err(format!("`{target}` is no part of the program such as `dockgate::proxy`")),
    })
}

fn is_path(target: &str) -> bool {
    !target.is_empty() && target.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'))
}

fn level(text: &str) -> Result<LevelFilter, String> {
    text.parse().map_err(|_| format!("`{text}` is no level (off, error, warn, info, debug, trace)"))
}

fn most(filter: &Targets) -> LevelFilter {
    filter.iter().map(|(_, level)| level).chain(filter.default_level()).max().unwrap_or(LevelFilter::OFF)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn levels_hold_for_all_or_for_a_part() {
        let lets = |text: &str, target: &str, level| filter(text).unwrap().would_enable(target, &level);
        assert!(lets("info", "dockgate", Level::INFO) && !lets("info", "dockgate", Level::DEBUG));
        let parts = "warn, dockgate::proxy=debug";
        assert!(lets(parts, "dockgate::proxy::facts", Level::DEBUG) && !lets(parts, "dockgate::cli", Level::INFO));
        assert_eq!(most(&filter(parts).unwrap()), LevelFilter::DEBUG);
        assert!(!lets("off", "dockgate", Level::ERROR) && lets("DEBUG", "dockgate", Level::DEBUG));
    }

    #[test]
    fn what_is_no_filter_is_named() {
        for (text, word) in [("loud", "loud"), ("info,dockgate=loud", "loud"), ("[span]=info", "[span]"), ("=info", "``"), ("a=b=c", "b=c")]
        {
            assert!(filter(text).unwrap_err().contains(word), "{text}");
        }
    }
}
