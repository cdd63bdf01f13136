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
    let name = name.as_bytes();
    let begins = |at: usize, word: &[u8]| name.get(at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word));
    let is_file = name.len().checked_sub(FILE.len()).is_some_and(|at| begins(at, FILE));
    let first = |byte: u8, word: &[u8]| word.first().is_some_and(|letter| letter.eq_ignore_ascii_case(&byte));
    let somewhere = |word: &[u8]| name.iter().enumerate().any(|(at, byte)| first(*byte, word) && begins(at, word));
    !value.is_empty() && !is_file && WORDS.iter().any(|word| somewhere(word))
}

const FILE: &[u8] = b"_FILE";
const WORDS: [&[u8]; 9] =
    [b"PASSWORD", b"PASSWD", b"SECRET", b"TOKEN", b"API_KEY", b"APIKEY", b"PRIVATE_KEY", b"ACCESS_KEY", b"CREDENTIAL"];
