//! Sinks as the configuration names them → sinks as the trail knows them.
//! Knows nothing of either beyond their names.

use std::sync::Arc;
use std::time::Duration;

use crate::audit::Trail;
use crate::audit::sink::{JOURNAL, Report, Sinks, Target};
use crate::config::{Audit, SinkUrl};

use super::say::Failure;

/// How long sinks may take for the last lines.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a configured sink sends to.
pub fn target(url: &SinkUrl) -> Target {
    match url {
        SinkUrl::Stdout => Target::Stdout,
        SinkUrl::Journald => Target::Journald(JOURNAL.into()),
        SinkUrl::SyslogUnix(path) => Target::SyslogUnix(path.clone()),
        SinkUrl::SyslogUdp(host) => Target::SyslogUdp(host.clone()),
        SinkUrl::SyslogTcp(host) => Target::SyslogTcp(host.clone()),
        SinkUrl::Otlp { authority, path } => Target::Otlp { authority: authority.clone(), path: path.clone() },
    }
}

/// Starts the sinks of a trail; `None` where there are none.
///
/// # Errors
/// Sinks that are not built in, or whose thread cannot be started.
pub fn start(audit: &Audit, trail: &Trail) -> Result<Option<Sinks>, Failure> {
    let Some(file) = audit.file.as_deref().filter(|_| !audit.sinks.is_empty()) else { return Ok(None) };
    let targets: Vec<Target> = audit.sinks.iter().map(target).collect();
    let events = trail.clone();
    let report: Report = Arc::new(move |event, detail| events.event(event, detail));
    let sinks = Sinks::start(file, &targets, &report).map_err(|error| Failure::usage(format!("cannot start the sinks: {error}")))?;
    let ticker = sinks.ticker();
    trail.on_written(move || ticker.tick());
    Ok(Some(sinks))
}

/// Lets the sinks send what is on the trail by now.
pub async fn stop(sinks: Option<Sinks>) {
    let Some(sinks) = sinks else { return };
    let _they_were_left_behind = tokio::task::spawn_blocking(move || sinks.stop(PATIENCE)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_has_the_same_name_in_the_configuration_and_in_the_trail() {
        for text in
            ["stdout", "journald", "syslog+unix:///dev/log", "syslog+udp://h:514", "syslog+tcp://h:601", "otlp+http://h:4318/v1/logs"]
        {
            assert_eq!(target(&text.parse().unwrap()).to_string(), text);
        }
    }
}
