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
    let word = |at: usize| WORDS.iter().any(|word| begins(at, word));
    !value.is_empty() && !is_file && name.iter().enumerate().any(|(at, byte)| may_begin(*byte) && word(at))
}

/// True for the first letters of the words, in both cases: most letters of most names are none.
fn may_begin(byte: u8) -> bool {
    matches!(byte | 0x20, b'p' | b's' | b't' | b'a' | b'c')
}

const FILE: &[u8] = b"_FILE";
const WORDS: [&[u8]; 9] =
    [b"PASSWORD", b"PASSWD", b"SECRET", b"TOKEN", b"API_KEY", b"APIKEY", b"PRIVATE_KEY", b"ACCESS_KEY", b"CREDENTIAL"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_wherever_it_stands() {
        for word in WORDS.iter().map(|word| std::str::from_utf8(word).unwrap()) {
            for name in [word.to_owned(), word.to_ascii_lowercase(), format!("DB_{word}"), format!("my{word}2")] {
                assert!(looks_secret(&name, "x"), "{name}");
                assert!(!looks_secret(&name, "") && !looks_secret(&format!("{name}_FILE"), "x"), "{name}");
            }
        }
        assert!(!looks_secret("PASS_WORD_SECRE_TOKE", "x"));
    }
}
