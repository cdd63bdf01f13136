//! Rules, flags and environment of cetusguard.
//! Knows nothing of regular expressions beyond its `%NAME%` variables.

use super::draft::{DoorDraft, Draft};
use super::patterns::{Pattern, blocks};
use super::{Environment, Extent, ImportError, Imported};

/// What holds unless `no-builtin-rules` is given.
const BUILT_IN: &str = "GET,HEAD %API_PREFIX_PING%\nGET %API_PREFIX_VERSION%\nGET %API_PREFIX_INFO%";

/// Its names for objects. A variable may hold others that stand before it.
const OBJECTS: &[(&str, &str)] = &[
    ("HOST", "(?:[a-zA-Z0-9][a-zA-Z0-9_.-]*)"),
    ("IPV4", r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3})"),
    ("IPV6", r"(?:\[[a-fA-F0-9]{0,4}(?::[a-fA-F0-9]{0,4}){2,7}\])"),
    ("IP", "(?:%IPV4%|%IPV6%)"),
    ("HOST_OR_IP", "(?:%HOST%|%IP%)"),
    ("HOST_OR_IP_WITH_PORT", "(?:%HOST_OR_IP%(?::[0-9]+)?)"),
    ("IMAGE_ID", "(?:(?:[a-zA-Z0-9_-]+:)?[a-fA-F0-9]+)"),
    ("IMAGE_COMPONENT", "(?:[a-zA-Z0-9][a-zA-Z0-9_.-]*)"),
    ("IMAGE_TAG", "(?:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})"),
    ("IMAGE_NAME", "(?:(?:%HOST_OR_IP_WITH_PORT%)?(?:/%IMAGE_COMPONENT%)+(?::%IMAGE_TAG%)?)"),
    ("IMAGE_ID_OR_NAME", "(?:%IMAGE_ID%|%IMAGE_NAME%)"),
    ("PLUGIN_NAME", "%IMAGE_NAME%"),
    ("NETWORK_NAME", "(?:[^/]+)"),
];

/// Kinds of objects that have an id and, where it stands in no other list, a name of plain letters.
const KINDS: &[&str] = &["CONTAINER", "VOLUME", "NETWORK", "PLUGIN"];

/// The prefixes `%API_PREFIX_…%`, in capitals where the variable is.
const PREFIXES: &[&str] = &[
    "AUTH",
    "BUILD",
    "COMMIT",
    "CONFIGS",
    "CONTAINERS",
    "DISTRIBUTION",
    "EVENTS",
    "EXEC",
    "GRPC",
    "IMAGES",
    "INFO",
    "NETWORKS",
    "NODES",
    "PLUGINS",
    "SECRETS",
    "SERVICES",
    "SESSION",
    "SWARM",
    "SYSTEM",
    "TASKS",
    "VERSION",
    "VOLUMES",
];

/// Settings that can be given as flags and as variables.
const FLAGS: &[(&str, &str)] = &[
    ("backend-addr", "CETUSGUARD_BACKEND_ADDR"),
    ("frontend-addr", "CETUSGUARD_FRONTEND_ADDR"),
    ("rules", "CETUSGUARD_RULES"),
    ("rules-file", "CETUSGUARD_RULES_FILE"),
    ("no-builtin-rules", "CETUSGUARD_NO_BUILTIN_RULES"),
    ("log-level", "CETUSGUARD_LOG_LEVEL"),
];

/// A whole configuration from rules, flags and environment. `rules` is the text of rule files, which only the caller can read.
///
/// # Errors
/// Flags and rules that cetusguard would not start with.
pub fn cetusguard(rules: &str, flags: &[String], environment: &Environment, extent: Extent) -> Result<Imported, ImportError> {
    let given = given(flags)?;
    let all = |flag: &str, variable: &str| -> Vec<String> {
        let own: Vec<String> = given.iter().filter(|(name, _)| name == flag).map(|(_, value)| value.clone()).collect();
        if own.is_empty() { environment.get(variable).cloned().into_iter().collect() } else { own }
    };
    let mut warnings = Vec::new();
    if given.iter().any(|(name, _)| name.contains("-tls-")) || environment.keys().any(|name| name.contains("_TLS_")) {
        warnings.push("TLS settings are not imported: put dockgate behind a unix socket, or on loopback".to_owned());
    }
    let plain = all("no-builtin-rules", "CETUSGUARD_NO_BUILTIN_RULES")
        .iter()
        .any(|value| matches!(value.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True"));
    let mut texts = vec![if plain { "" } else { BUILT_IN }.to_owned(), rules.to_owned()];
    texts.extend(all("rules", "CETUSGUARD_RULES"));
    let patterns = read(&texts.join("\n"))?;
    let blocks = blocks(&patterns, &mut warnings)?;
    let upstream =
        all("backend-addr", "CETUSGUARD_BACKEND_ADDR").pop().unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned()).parse()?;
    let listed = all("frontend-addr", "CETUSGUARD_FRONTEND_ADDR").join(",");
    let listed = if listed.is_empty() { "tcp://127.0.0.1:2375" } else { listed.as_str() };
    let doors = listed.split([',', ' ', '\n']).filter(|url| !url.is_empty()).map(door).collect::<Result<_, _>>()?;
    let from = format!("{} rules", patterns.len());
    Ok(Draft { policy: "cetusguard", from, extent, upstream, doors, blocks, binds: None, warnings, log: None }.write())
}

/// Paths of the rule files that the settings name, which the caller is to read.
pub fn rule_files(flags: &[String], environment: &Environment) -> Vec<String> {
    let given = given(flags).unwrap_or_default();
    let own: Vec<String> = given.into_iter().filter(|(name, _)| name == "rules-file").map(|(_, value)| value).collect();
    if own.is_empty() { environment.get("CETUSGUARD_RULES_FILE").cloned().into_iter().collect() } else { own }
}

/// Flags with their values.
fn given(flags: &[String]) -> Result<Vec<(String, String)>, ImportError> {
    let (mut found, mut words) = (Vec::new(), flags.iter());
    while let Some(word) = words.next() {
        let bare = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
        let bare =
            bare.ok_or_else(|| ImportError::new(format!("`{}` is no flag", word.escape_debug()), "flags look like `-rules-file FILE`"))?;
        let (name, value) = match bare.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None if bare == "no-builtin-rules" => (bare, "true".to_owned()),
            None => {
                let missing = || ImportError::new(format!("the flag `-{}` has no value", bare.escape_debug()), "write it as `-flag=value`");
                (bare, words.next().ok_or_else(missing)?.clone())
            }
        };
        if !FLAGS.iter().any(|(known, _)| *known == name) && !name.contains("-tls-") {
            return Err(ImportError::new(
                format!("there is no flag `-{}`", name.escape_debug()),
                "cetusguard does not start with it either",
            ));
        }
        found.push((name.to_owned(), value));
    }
    Ok(found)
}

/// An address without a host is all of them, as in Go.
fn door(url: &str) -> Result<DoorDraft, ImportError> {
    let url = url.strip_prefix("tcp://:").map_or_else(|| url.to_owned(), |port| format!("tcp://[::]:{port}"));
    Ok(DoorDraft { listen: url.parse()?, mode: None, allow_from: Vec::new() })
}

/// `METHOD[,METHOD] PATTERN` a line; lines that begin with `!` are comments.
fn read(text: &str) -> Result<Vec<Pattern>, ImportError> {
    let mut patterns = Vec::new();
    for line in text.lines().map(|line| line.trim_matches([' ', '\t', '\r'])) {
        if line.is_empty() || line.starts_with('!') {
            continue;
        }
        let wrong = || ImportError::new(format!("`{}` is no rule", line.escape_debug()), "write it as `GET,HEAD %API_PREFIX_PING%`");
        let (methods, pattern) = line.split_once([' ', '\t']).ok_or_else(wrong)?;
        if !methods.split(',').all(|method| !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase())) {
            return Err(wrong());
        }
        let text = expanded(pattern.trim_start_matches([' ', '\t']));
        patterns.extend(methods.split(',').map(|method| Pattern { method: method.to_owned(), text: text.clone() }));
    }
    Ok(patterns)
}

/// The pattern with every variable as what it stands for.
fn expanded(pattern: &str) -> String {
    let mut text = pattern.to_owned();
    for prefix in PREFIXES {
        text = text.replace(&format!("%API_PREFIX_{prefix}%"), &format!("%API_PREFIX%/{}", prefix.to_ascii_lowercase()));
    }
    text = text.replace("%API_PREFIX_PING%", "%API_PREFIX%/_ping").replace("%API_PREFIX%", r"(?:/v[0-9]+(?:\.[0-9]+)*)?");
    for kind in KINDS {
        text = text.replace(&format!("%{kind}_ID_OR_NAME%"), &format!("(?:%{kind}_ID%|%{kind}_NAME%)"));
        text = text.replace(&format!("%{kind}_ID%"), "(?:[a-fA-F0-9]+)");
    }
    for kind in ["CONTAINER", "VOLUME"] {
        text = text.replace(&format!("%{kind}_NAME%"), "(?:[a-zA-Z0-9][a-zA-Z0-9_.-]+)");
    }
    // the later ones hold earlier ones
    OBJECTS.iter().rev().fold(text, |text, (name, value)| text.replace(&format!("%{name}%"), value))
}
