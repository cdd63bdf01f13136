//! Sinks as the configuration names them → sinks as the trail knows them.
//! Knows nothing of either beyond their names.

use crate::audit::sink::{JOURNAL, Target};
use crate::config::SinkUrl;

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
