//! The check `secret-env`: looks like a secret in the environment, which every inspect shows.
//! Knows nothing of other checks' grants.

use super::{Act, Check};

pub(super) const CHECK: Check = Check {
    id: "secret-env",
    sentence: "looks like a secret in the environment, which every inspect shows",
    advice: "use a secret or a file (`NAME_FILE`)",
    cis: Some("4.10"),
    baseline: Act::Warn,
    restricted: Act::Deny,
};

/// True for names that usually hold secrets, with a value; `NAME_FILE` names a file and is the way to go.
pub(super) fn looks_secret(name: &str, value: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let words = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY", "ACCESS_KEY", "CREDENTIAL"];
    !value.is_empty() && !upper.ends_with("_FILE") && words.iter().any(|word| upper.contains(word))
}
