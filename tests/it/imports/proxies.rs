//! The rules of Tecnativa's and linuxserver's images as HAProxy decides by them: the first terminal rule that fits.
//! Knows nothing of dockgate.

use std::collections::BTreeMap;

use regex::Regex;

/// Whose rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    Tecnativa,
    Linuxserver,
}

/// Paths that their expressions let in because they begin with the path and do not end with it, or ignore case.
pub const ODD_PATHS: &[&str] = &[
    "/containersX",
    "/Containers/json",
    "/containers/my_web/startle",
    "/containers/my_web/restart/now",
    "/containers%2Fjson",
    "/containers/a%2Fb/json",
    "/%63ontainers/json",
    "/informal",
    "/libpod/containers/json",
    "/libpod/_ping",
    "/libpod/pods/a/start",
    "/metrics",
];

const SECTIONS: &[(&str, &str)] = &[
    ("AUTH", "auth"),
    ("BUILD", "build"),
    ("COMMIT", "commit"),
    ("CONFIGS", "configs"),
    ("CONTAINERS", "containers"),
    ("DISTRIBUTION", "distribution"),
    ("EVENTS", "events"),
    ("EXEC", "exec"),
    ("GRPC", "grpc"),
    ("IMAGES", "images"),
    ("INFO", "info"),
    ("NETWORKS", "networks"),
    ("NODES", "nodes"),
    ("PING", "_ping"),
    ("PLUGINS", "plugins"),
    ("SECRETS", "secrets"),
    ("SERVICES", "services"),
    ("SESSION", "session"),
    ("SWARM", "swarm"),
    ("SYSTEM", "system"),
    ("TASKS", "tasks"),
    ("VERSION", "version"),
    ("VOLUMES", "volumes"),
];
const LIBPOD: &[&str] = &[
    "containers",
    "events",
    "exec",
    "generate",
    "images",
    "info",
    "manifests",
    "networks",
    "play",
    "pods",
    "secrets",
    "system",
    "volumes",
    "_ping",
    "version",
];
const ON: &[&str] = &["EVENTS", "PING", "VERSION", "LIBPOD_PING", "LIBPOD_VERSION"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Allow where the variable is on.
    Allow,
    /// Deny unless the variable is on.
    Veto,
    /// Deny unless the method is GET or HEAD, or POST is on.
    Methods,
}

struct Rule {
    act: Act,
    variable: String,
    path: Regex,
}

/// All rules in their order.
pub struct Rules(Vec<Rule>);

impl Rules {
    pub fn new(proxy: Proxy) -> Self {
        let rule = |act: Act, variable: &str, path: &str| Rule {
            act,
            variable: variable.to_owned(),
            path: Regex::new(&format!("(?i)^{path}")).unwrap(),
        };
        let sections = SECTIONS.iter().map(|(variable, first)| rule(Act::Allow, variable, &format!(r"(/v[\d\.]+)?/{first}")));
        let methods = rule(Act::Methods, "POST", "");
        let mut rules = Vec::new();
        match proxy {
            Proxy::Tecnativa => {
                rules.push(methods);
                for (variable, last) in [("ALLOW_RESTARTS", "((stop)|(restart)|(kill))"), ("ALLOW_START", "start"), ("ALLOW_STOP", "stop")]
                {
                    rules.push(rule(Act::Allow, variable, &format!(r"(/v[\d\.]+)?/containers/[a-zA-Z0-9_.-]+/{last}")));
                }
                rules.extend(sections);
            }
            Proxy::Linuxserver => {
                let own = |last: &str| format!(r"(/v[\d\.]+)?(/libpod)?/(containers|pods)/[a-zA-Z0-9_.-]+/{last}");
                for (variable, last) in [
                    ("ALLOW_ARCHIVE", "archive"),
                    ("ALLOW_CHANGES", "change"),
                    ("ALLOW_EXPORT", "export"),
                    ("ALLOW_LOGS", "logs"),
                    ("ALLOW_TOP", "top"),
                ] {
                    rules.push(rule(Act::Veto, variable, &own(last)));
                }
                let lasts =
                    [("RESTARTS", "(stop|restart|kill)"), ("START", "start"), ("STOP", "stop"), ("PAUSE", "pause"), ("UNPAUSE", "unpause")];
                for (name, last) in lasts {
                    rules.push(rule(Act::Allow, &format!("ALLOW_{name}"), &own(last)));
                    rules.push(rule(
                        Act::Allow,
                        &format!("LIBPOD_ALLOW_{name}"),
                        &format!(r"(/v[\d\.]+)?/libpod/containers/[a-zA-Z0-9_.-]+/{last}"),
                    ));
                    rules.push(rule(
                        Act::Allow,
                        &format!("LIBPOD_ALLOW_POD_{name}"),
                        &format!(r"(/v[\d\.]+)?/libpod/pods/[a-zA-Z0-9_.-]+/{last}"),
                    ));
                }
                rules.push(methods);
                rules.extend(sections);
                for name in LIBPOD {
                    let variable = format!("LIBPOD_{}", name.trim_start_matches('_').to_uppercase());
                    rules.push(rule(Act::Allow, &variable, &format!(r"(/v[\d\.]+)?/libpod/{name}")));
                }
            }
        }
        Self(rules)
    }

    /// Every variable but POST.
    pub fn variables(&self) -> Vec<&str> {
        self.0.iter().filter(|rule| rule.act != Act::Methods).map(|rule| rule.variable.as_str()).collect()
    }

    /// Which rules fit a path: `path,url_dec`, decoded once and without its query.
    pub fn fitting(&self, path: &str) -> Vec<bool> {
        let decoded = path.replace("%2F", "/").replace("%63", "c");
        self.0.iter().map(|rule| rule.path.is_match(&decoded)).collect()
    }

    /// The decision; without a terminal rule that fits it is a denial.
    pub fn allow(&self, environment: &BTreeMap<String, String>, method: &str, fitting: &[bool]) -> bool {
        let on = |name: &str| environment.get(name).map_or(ON.contains(&name), |value| number(value) != 0);
        for (rule, _) in self.0.iter().zip(fitting).filter(|(_, fits)| **fits) {
            match rule.act {
                Act::Allow if on(&rule.variable) => return true,
                Act::Veto if !on(&rule.variable) => return false,
                Act::Methods if !matches!(method, "GET" | "HEAD") && !on("POST") => return false,
                Act::Allow | Act::Veto | Act::Methods => {}
            }
        }
        false
    }
}

/// The number that a text begins with, 0 where it begins with none.
fn number(text: &str) -> i64 {
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    sign * digits[..end].parse::<i64>().unwrap_or(0)
}
