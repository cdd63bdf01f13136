//! Command lines: the words after which, or in which, a secret stands.
//! Knows nothing of which command it is.

use std::borrow::Cow;

use super::{Redactor, Shown, owned, plain, shapes};

/// Words that begin with `-p` and are no password.
const NO_PASSWORDS: [&str; 7] = ["-path", "-perm", "-print", "-print0", "-prune", "-pthread", "-pe"];

/// What the word before says about a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Anything,
    /// `--password`, `--token`, `-p`
    Flag,
    /// `-u`, `--user`: `NAME:PASSWORD`
    User,
}

impl Redactor {
    /// The words of a command, each as it may be recorded.
    pub(super) fn command(&self, words: &[&str]) -> Vec<Shown<'static>> {
        let mut after = After::Anything;
        let each = |word: &&str| {
            let shown = self.word(word, after);
            after = flag(word);
            shown
        };
        words.iter().map(each).collect()
    }

    fn word(&self, word: &str, after: After) -> Shown<'static> {
        match (after, word.split_once(':')) {
            (After::Flag, _) if !word.is_empty() && !word.starts_with('-') => self.hidden("", word),
            (After::User, Some((name, password))) if !password.is_empty() => self.hidden(&format!("{}:", plain(name)), password),
            (After::Anything | After::Flag | After::User, _) if word.contains(char::is_whitespace) => self.script(word),
            (After::Anything | After::Flag | After::User, _) => self.single(word),
        }
    }

    fn single(&self, word: &str) -> Shown<'static> {
        match word.strip_prefix("-p") {
            Some(rest) if !rest.is_empty() && !NO_PASSWORDS.contains(&word) => self.hidden("-p", rest),
            Some(_) | None => owned(self.text(word)),
        }
    }

    fn hidden(&self, before: &str, secret: &str) -> Shown<'static> {
        Shown { text: Cow::Owned(format!("{before}{}", self.digest(secret.as_bytes()))), hidden: true }
    }

    /// A script for a shell in one word: its own words are looked at, then the whole, as shapes may span blanks.
    fn script(&self, script: &str) -> Shown<'static> {
        let (mut out, mut hidden, mut after) = (String::with_capacity(script.len()), false, After::Anything);
        for piece in script.split_inclusive(char::is_whitespace) {
            let word = piece.trim_end();
            let bare = word.trim_matches(['"', '\'']);
            let secret = match after {
                After::Flag if !bare.is_empty() && !bare.starts_with('-') => Some(bare),
                After::User => bare.split_once(':').map(|(_, password)| password).filter(|password| !password.is_empty()),
                After::Anything | After::Flag => bare.strip_prefix("-p").filter(|rest| !rest.is_empty() && !NO_PASSWORDS.contains(&bare)),
            };
            match secret {
                Some(secret) => {
                    hidden = true;
                    out.push_str(&piece.replacen(secret, &self.digest(secret.as_bytes()), 1));
                }
                None => out.push_str(piece),
            }
            if !word.is_empty() {
                after = flag(word);
            }
        }
        let whole = self.text(&out);
        Shown { hidden: hidden || whole.hidden, text: Cow::Owned(whole.text.into_owned()) }
    }
}

fn flag(word: &str) -> After {
    match word {
        "-p" => After::Flag,
        "-u" | "--user" | "--proxy-user" | "-U" => After::User,
        long if long.starts_with('-') && !long.contains('=') && shapes::names_a_secret(long) => After::Flag,
        _ => After::Anything,
    }
}
