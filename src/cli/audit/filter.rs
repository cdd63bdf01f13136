//! Which calls somebody wants to see.
//! Knows nothing of how they are shown.

use jiff::Timestamp;

use crate::docker::operations::{Group, TABLE};
use crate::policy::Glob;

use super::record::{Call, Record};
use super::when;

/// The filters; all that are given must fit.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Filter {
    /// From this time on: RFC 3339 (UTC where it names no zone), or 10m, 2h, 3d ago
    #[arg(long, help_heading = "Filters", value_name = "TIME", value_parser = when::parse)]
    pub since: Option<Timestamp>,
    /// Before this time
    #[arg(long, help_heading = "Filters", value_name = "TIME", value_parser = when::parse)]
    pub until: Option<Timestamp>,
    /// Through this door: its URL or a part of it
    #[arg(long, help_heading = "Filters", value_name = "DOOR")]
    pub door: Option<String>,
    /// An operation: its id, a pattern such as `Container*`, or a group such as `@exec`
    #[arg(long, help_heading = "Filters", value_name = "OPERATION", value_parser = operations)]
    pub operation: Vec<Operations>,
    /// What was said
    #[arg(long, help_heading = "Filters", value_name = "VERDICT", value_parser = ["allow", "deny", "would-deny", "refuse"])]
    pub verdict: Vec<String>,
    /// About this container (or other object), or sent from it: a name, a pattern, or the first digits of its id
    #[arg(long, help_heading = "Filters", value_name = "NAME")]
    pub container: Option<String>,
    /// This id alone, also where it is folded into another record
    #[arg(long, help_heading = "Filters", value_name = "AUDIT-ID")]
    pub id: Option<String>,
}

/// The operations that one argument names.
#[derive(Debug, Clone)]
pub struct Operations(Vec<&'static str>);

fn operations(text: &str) -> Result<Operations, String> {
    let names: Vec<&'static str> = if text.starts_with('@') {
        let group = Group::ALL.iter().find(|group| group.name() == text);
        TABLE.iter().filter(|one| group.is_some_and(|group| one.row().groups.contains(group))).map(|one| one.name()).collect()
    } else {
        let glob = Glob::new(text).map_err(|error| error.to_string())?;
        TABLE.iter().map(|one| one.name()).filter(|name| glob.matches(name) || name.eq_ignore_ascii_case(text)).collect()
    };
    if names.is_empty() {
        return Err("no operation is called so; write ContainerCreate, Container* or @exec (docs/endpoints.md lists them)".to_owned());
    }
    Ok(Operations(names))
}

/// The fewest digits of an id that name a container.
const LEAST_DIGITS: usize = 4;

impl Filter {
    /// True where anything can be left out.
    pub fn is_set(&self) -> bool {
        let lists = !self.operation.is_empty() || !self.verdict.is_empty();
        let texts = [&self.door, &self.container, &self.id].into_iter().any(Option::is_some);
        lists || texts || self.since.is_some() || self.until.is_some()
    }

    /// True where a call is wanted.
    pub fn wants(&self, call: &Call) -> bool {
        self.in_time(call)
            && self.id.as_ref().is_none_or(|id| call.records.iter().any(|record: &Record| record.answers_to(id)))
            && self.door.as_ref().is_none_or(|door| call.text(&["door"]).is_some_and(|url| url.contains(door.as_str())))
            && (self.operation.is_empty() || call.operation().is_some_and(|name| self.names(name)))
            && (self.verdict.is_empty() || self.verdict.iter().any(|word| word == call.verdict()))
            && self.container.as_ref().is_none_or(|name| about(call, name))
    }

    fn in_time(&self, call: &Call) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let Some(time) = call.time() else { return false };
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }

    fn names(&self, operation: &str) -> bool {
        self.operation.iter().any(|one| one.0.contains(&operation))
    }
}

/// Where records name objects.
const OBJECTS: [&[&str]; 3] = [&["resource_id"], &["client_container"], &["client_container_name"]];

fn about(call: &Call, wanted: &str) -> bool {
    let glob = Glob::across_slashes(wanted).ok();
    let id = wanted.len() >= LEAST_DIGITS && wanted.bytes().all(|b| b.is_ascii_hexdigit());
    let fits = |name: &str| {
        let name = name.trim_start_matches('/');
        glob.as_ref().is_some_and(|glob| glob.matches(name)) || (id && name.len() == 64 && name.starts_with(wanted))
    };
    call.texts(&["names"]).into_iter().any(fits) || OBJECTS.iter().filter_map(|places| call.text(places)).any(fits)
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::call;
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        filter: Filter,
    }

    fn filter(args: &str) -> Filter {
        Line::try_parse_from(std::iter::once("x").chain(args.split_whitespace())).unwrap().filter
    }

    #[test]
    fn every_filter_that_is_given_must_fit() {
        let full = "ab12".repeat(16);
        let create = call(&[json!({
            "stage": "single", "time": "2026-11-21T12:00:00Z", "id": "01J", "door": "unix:///run/dockgate/ci/docker.sock",
            "operation": "ContainerCreate", "verdict": "deny", "names": ["web-1", full], "folded": { "count": 3, "refs": ["01K", "01L"] },
        })]);
        for fits in [
            "",
            "--since 2026-11-21 --until 2026-11-22",
            "--door ci",
            "--operation ContainerCreate",
            "--operation containercreate",
            "--operation Exec* --operation Container*",
            "--operation @create",
            "--verdict deny --verdict refuse",
            "--container web-1",
            "--container web-*",
            "--container ab12ab",
            "--id 01j",
            "--id 01L",
        ] {
            assert!(filter(fits).wants(&create), "{fits}");
        }
        for other in [
            "--since 2026-11-22",
            "--until 2026-11-21T12:00:00Z",
            "--door traefik",
            "--operation @exec",
            "--verdict allow",
            "--container web",
            "--container ab1",
            "--id 01M",
            "--verdict deny --door traefik",
        ] {
            assert!(!filter(other).wants(&create), "{other}");
        }
    }

    #[test]
    fn what_no_operation_is_called_is_wrong_usage() {
        for wrong in ["--operation @nosuch", "--operation Foo*", "--verdict maybe", "--since soon"] {
            assert!(Line::try_parse_from(std::iter::once("x").chain(wrong.split_whitespace())).is_err(), "{wrong}");
        }
    }
}
