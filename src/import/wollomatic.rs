//! The flags and the `SP_` environment of wollomatic's socket-proxy.
//! Knows nothing of regular expressions.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::config::{Cidr, Listen};

use super::draft::{DoorDraft, Draft};
use super::patterns::{Pattern, blocks};
use super::{Environment, Extent, ImportError, Imported};

/// Flags that stand alone.
const SWITCHES: &[&str] = &["allowhealthcheck", "logjson", "stoponwatchdog"];
/// Flags and variables that say nothing about what is allowed, or that dockgate has no need of.
const OTHERS: &[&str] = &["logjson", "loglevel", "shutdowngracetime", "stoponwatchdog", "watchdoginterval", "allowhealthcheck"];
/// Flags with one value.
const SINGLE: &[&str] = &[
    "allowfrom",
    "allowbindmountfrom",
    "listenip",
    "proxyport",
    "socketpath",
    "proxysocketendpoint",
    "proxysocketendpointfilemode",
    "dockerlabelprefix",
    "proxycontainername",
];
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "OPTIONS"];

/// What flags and environment say together.
#[derive(Default)]
struct Settings {
    values: Environment,
    patterns: Vec<Pattern>,
    warnings: Vec<String>,
}

/// A whole configuration from flags and environment.
///
/// # Errors
/// Flags that the proxy would not start with, and expressions that cannot be compiled.
pub fn wollomatic(flags: &[String], environment: &Environment, extent: Extent) -> Result<Imported, ImportError> {
    let mut settings = Settings::default();
    settings.flags(flags)?;
    settings.environment(environment);
    let mut warnings = std::mem::take(&mut settings.warnings);
    let blocks = blocks(&settings.patterns, &mut warnings)?;
    if settings.patterns.is_empty() {
        warnings.push("no method is allowed, so every request is refused".to_owned());
    }
    let door = settings.door(&mut warnings)?;
    let binds = settings.binds(&mut warnings);
    if settings.values.contains_key("proxycontainername") {
        warnings.push("labels of client containers are not read here: give each such client a door and a policy of its own".to_owned());
    }
    let upstream = format!("unix://{}", settings.value("socketpath", "/var/run/docker.sock")).parse()?;
    let from = if flags.is_empty() { "its environment".to_owned() } else { format!("its flags: {}", flags.join(" ")) };
    let doors = vec![door];
    Ok(Draft { policy: "wollomatic", from, extent, upstream, doors, blocks, binds, warnings, log: None }.write())
}

/// How labels begin by which a client's container has a list of its own there; `None` where they are not looked at.
///
/// # Errors
/// As [`wollomatic`].
pub fn label_prefix(flags: &[String], environment: &Environment) -> Result<Option<String>, ImportError> {
    let mut settings = Settings::default();
    settings.flags(flags)?;
    settings.environment(environment);
    let looks = settings.values.contains_key("proxycontainername");
    Ok(looks.then(|| settings.value("dockerlabelprefix", "socket-proxy.allow.").to_owned()))
}

impl Settings {
    fn value<'s>(&'s self, name: &str, default: &'s str) -> &'s str {
        self.values.get(name).map_or(default, String::as_str)
    }

    /// `-x=v`, `--x=v`, `-x v`, and `-x` alone for switches, as Go's flag package reads them.
    fn flags(&mut self, flags: &[String]) -> Result<(), ImportError> {
        let mut words = flags.iter();
        while let Some(word) = words.next() {
            let bare = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
            let bare = bare.ok_or_else(|| {
                ImportError::new(format!("`{}` is no flag", word.escape_debug()), "flags look like `-allowGET=/v1\\..{1,2}/version`")
            })?;
            let (name, value) = match bare.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None if SWITCHES.contains(&bare) => (bare, "true".to_owned()),
                None => {
                    let missing =
                        || ImportError::new(format!("the flag `-{}` has no value", bare.escape_debug()), "write it as `-flag=value`");
                    (bare, words.next().ok_or_else(missing)?.clone())
                }
            };
            self.flag(name, value)?;
        }
        Ok(())
    }

    fn flag(&mut self, name: &str, value: String) -> Result<(), ImportError> {
        if let Some(method) = name.strip_prefix("allow").filter(|method| METHODS.contains(method)) {
            self.pattern(method, value);
        } else if SINGLE.contains(&name) || OTHERS.contains(&name) {
            self.values.insert(name.to_owned(), value);
        } else {
            return Err(ImportError::new(
                format!("there is no flag `-{}`", name.escape_debug()),
                "that proxy does not start with it either",
            ));
        }
        Ok(())
    }

    /// An empty expression is ignored there.
    fn pattern(&mut self, method: &str, text: String) {
        if !text.is_empty() {
            self.patterns.push(Pattern { method: method.to_owned(), text });
        }
    }

    /// A flag wins over its variable, and for methods one flag is enough to shut out all variables of that method.
    fn environment(&mut self, environment: &Environment) {
        let flagged: Vec<String> = self.patterns.iter().map(|pattern| pattern.method.clone()).collect();
        for (name, value) in environment.iter().filter(|(_, value)| !value.is_empty()) {
            let Some(own) = name.strip_prefix("SP_") else { continue };
            let lower = own.to_ascii_lowercase();
            if let Some(method) =
                own.strip_prefix("ALLOW_").and_then(|rest| rest.split('_').next()).filter(|method| METHODS.contains(method))
            {
                if flagged.iter().any(|known| known == method) {
                    self.warnings
                        .push(format!("`{name}` is ignored there: a flag `-allow{method}` shuts out all variables of that method"));
                } else {
                    self.pattern(method, value.clone());
                }
            } else if SINGLE.contains(&lower.as_str()) {
                self.values.entry(lower).or_insert_with(|| value.clone());
            } else if !OTHERS.contains(&lower.as_str()) {
                self.warnings.push(format!("`{name}` is no variable of that proxy, and does nothing"));
            }
        }
    }

    /// A socket file takes the place of the port, and the list of addresses with it.
    fn door(&self, warnings: &mut Vec<String>) -> Result<DoorDraft, ImportError> {
        if let Some(path) = self.values.get("proxysocketendpoint").filter(|path| !path.is_empty()) {
            let mode = self.value("proxysocketendpointfilemode", "0600");
            let digits = mode.trim_start_matches("0o").trim_start_matches('0');
            let mode = Some(format!("{digits:0>4}"));
            return Ok(DoorDraft { listen: format!("unix://{path}").parse()?, mode, allow_from: Vec::new() });
        }
        let wrong =
            |what: &str| ImportError::new(format!("`{}` is no {what}", self.value(what, "")), "that proxy does not start with it either");
        let address: IpAddr = self.value("listenip", "127.0.0.1").parse().map_err(|_| wrong("listenip"))?;
        let port: u16 = self.value("proxyport", "2375").parse().map_err(|_| wrong("proxyport"))?;
        Ok(DoorDraft { listen: Listen::Tcp(SocketAddr::new(address, port)), mode: None, allow_from: self.ranges(warnings) })
    }

    /// Names are looked up there for each request, which needs a resolver that can be trusted; dockgate takes addresses only.
    fn ranges(&self, warnings: &mut Vec<String>) -> Vec<String> {
        let mut ranges = Vec::new();
        for entry in self.value("allowfrom", "127.0.0.1/32").split(',') {
            let range =
                entry.parse::<IpAddr>().map_or_else(|_| entry.to_owned(), |ip| format!("{ip}/{}", if ip.is_ipv4() { 32 } else { 128 }));
            if range.parse::<Cidr>().is_ok() {
                ranges.push(range);
            } else {
                warnings.push(format!("`{entry}` in the list of clients is a name, and `allow-from` takes addresses: add its network"));
            }
        }
        if ranges.is_empty() {
            // nobody but this host, rather than everybody
            ranges.push(format!("{}/32", Ipv4Addr::LOCALHOST));
        }
        ranges
    }

    fn binds(&self, warnings: &mut Vec<String>) -> Option<Vec<String>> {
        let list = self.values.get("allowbindmountfrom").filter(|list| !list.is_empty())?;
        warnings.push(
            "with a list of bind mounts, level `baseline` judges everything else of containers too, which is stricter than there"
                .to_owned(),
        );
        let folder = |entry: &str| entry.starts_with('/') && entry.trim_end_matches('/').len() > 1;
        let (good, bad): (Vec<&str>, Vec<&str>) = list.split(',').partition(|entry| folder(entry));
        warnings.extend(bad.iter().map(|entry| format!("`{entry}` is no folder that can be granted for bind mounts")));
        Some(good.iter().map(|entry| format!("{}/**", entry.trim_end_matches('/'))).collect())
    }
}
