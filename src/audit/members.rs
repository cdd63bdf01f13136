//! The members of a JSON object, written one after the other into a line.
//! Knows nothing of records. Other than serde's, it looks at eight bytes of a text at once: a line is mostly text.

use std::fmt::{Display, Write as _};

use jiff::Timestamp;
use serde::Serialize;

use super::moment;
use crate::docker::json::plain_prefix;
use crate::policy::Origin;

/// A member's name with all that stands around it; ours need no escapes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key(pub &'static str);

/// The key of a member that follows another one.
macro_rules! key {
    ($name:literal) => {
        $crate::audit::members::Key(concat!(",\"", $name, "\":"))
    };
}
pub(super) use key;

/// An object that is being written: members that follow the first.
pub(super) struct Members<'o> {
    out: &'o mut String,
}

impl<'o> Members<'o> {
    /// Goes on after the first member.
    pub fn after(out: &'o mut String) -> Self {
        Self { out }
    }

    /// A member that is there only where it has a value.
    pub fn some<T>(&mut self, key: Key, value: Option<T>, write: impl FnOnce(&mut Self, Key, T)) {
        if let Some(value) = value {
            write(self, key, value);
        }
    }

    /// Members that are written already.
    pub fn written(&mut self, members: &str) {
        self.out.push_str(members);
    }

    /// A text.
    pub fn text(&mut self, key: Key, text: &str) {
        self.out.push_str(key.0);
        string(text, self.out);
    }

    /// A word of ours, which needs no escapes.
    pub fn word(&mut self, key: Key, word: &'static str) {
        self.out.push_str(key.0);
        self.out.push('"');
        self.out.push_str(word);
        self.out.push('"');
    }

    /// A number.
    pub fn number(&mut self, key: Key, number: impl itoa::Integer) {
        self.out.push_str(key.0);
        self.out.push_str(itoa::Buffer::new().format(number));
    }

    /// A value as it is displayed, as a text.
    pub fn shown(&mut self, key: Key, value: &impl Display) {
        let mut text = String::with_capacity(32);
        let _cannot_fail = write!(text, "{value}");
        self.text(key, &text);
    }

    /// A place in a configuration, as it is displayed.
    pub fn place(&mut self, key: Key, place: &Origin) {
        self.text(key, &place.source);
        if place.line != 0 {
            self.out.pop();
            self.out.push(':');
            self.out.push_str(itoa::Buffer::new().format(place.line));
            self.out.push('"');
        }
    }

    /// A moment: UTC, RFC 3339, microseconds.
    pub fn moment(&mut self, key: Key, moment: Timestamp) {
        self.out.push_str(key.0);
        self.out.push('"');
        moment::write(moment, self.out);
        self.out.push('"');
    }

    /// A list of texts that is there only where it is not empty.
    pub fn list(&mut self, key: Key, texts: &[impl AsRef<str>]) {
        if texts.is_empty() {
            return;
        }
        self.out.push_str(key.0);
        for (at, text) in texts.iter().enumerate() {
            self.out.push(if at == 0 { '[' } else { ',' });
            string(text.as_ref(), self.out);
        }
        self.out.push(']');
    }

    /// Any value.
    pub fn value(&mut self, key: Key, value: &impl Serialize) {
        self.out.push_str(key.0);
        self.out.push_str(&serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned()));
    }
}

/// A text in quotes, escaped as serde does.
pub(super) fn string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some((plain, special)) = rest.split_at_checked(plain_prefix(rest)) {
        out.push_str(plain);
        let mut chars = special.chars();
        let Some(c) = chars.next() else { break };
        escape(c, out);
        rest = chars.as_str();
    }
    out.push('"');
}

fn escape(c: char, out: &mut String) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        other => {
            let _cannot_fail = write!(out, "\\u{:04x}", u32::from(other));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_as_serde_does() {
        let all: String =
            (0..0x300).filter_map(char::from_u32).chain("plain text of more than eight bytes\u{2028}\u{10ffff}".chars()).collect();
        for start in 0..40 {
            let text: String = all.chars().skip(start).collect();
            let mut out = String::new();
            string(&text, &mut out);
            assert_eq!(out, serde_json::to_string(&text).unwrap());
        }
    }

    #[test]
    fn what_is_absent_leaves_no_trace() {
        let mut out = String::new();
        let mut members = Members::after(&mut out);
        members.some(key!("a"), None::<&str>, Members::text);
        members.list(key!("b"), &[] as &[&str]);
        members.number(key!("c"), -1);
        assert_eq!(out, ",\"c\":-1");
    }
}
