//! The members of a JSON object, written one after the other into a line.
//! Knows nothing of records. Other than serde's, it looks at eight bytes of a text at once: a line is mostly text.

use std::fmt::{Display, Write as _};
use std::io::Write as _;

use serde::Serialize;

use crate::docker::json::plain_prefix;

/// An object that is being written.
pub(super) struct Members<'o> {
    out: &'o mut Vec<u8>,
    before: u8,
}

impl<'o> Members<'o> {
    /// Begins an object.
    pub fn begin(out: &'o mut Vec<u8>) -> Self {
        Self { out, before: b'{' }
    }

    /// Ends it.
    pub fn end(self) {
        if self.before == b'{' {
            self.out.push(b'{');
        }
        self.out.push(b'}');
    }

    /// A name of ours, which needs no escapes.
    fn name(&mut self, name: &'static str) {
        self.out.push(self.before);
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.before = b',';
    }

    /// A member that is there only where it has a value.
    pub fn some<T>(&mut self, name: &'static str, value: Option<T>, write: impl FnOnce(&mut Self, &'static str, T)) {
        if let Some(value) = value {
            write(self, name, value);
        }
    }

    /// A text.
    pub fn text(&mut self, name: &'static str, text: &str) {
        self.name(name);
        string(text, self.out);
    }

    /// A number.
    pub fn number(&mut self, name: &'static str, number: u64) {
        self.name(name);
        let _cannot_fail = write!(self.out, "{number}");
    }

    /// A value as it is displayed, as a text.
    pub fn shown(&mut self, name: &'static str, value: &impl Display) {
        let mut text = String::with_capacity(32);
        let _cannot_fail = write!(text, "{value}");
        self.text(name, &text);
    }

    /// A list of texts that is there only where it is not empty.
    pub fn list(&mut self, name: &'static str, texts: &[impl AsRef<str>]) {
        if texts.is_empty() {
            return;
        }
        self.name(name);
        for (at, text) in texts.iter().enumerate() {
            self.out.push(if at == 0 { b'[' } else { b',' });
            string(text.as_ref(), self.out);
        }
        self.out.push(b']');
    }

    /// Any value.
    pub fn value(&mut self, name: &'static str, value: &impl Serialize) {
        self.name(name);
        let start = self.out.len();
        if serde_json::to_writer(&mut *self.out, value).is_err() {
            self.out.truncate(start);
            self.out.extend_from_slice(b"null");
        }
    }
}

/// A text in quotes, escaped as serde does.
fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while let Some((plain, special)) = rest.split_at_checked(plain_prefix(rest)) {
        out.extend_from_slice(plain.as_bytes());
        let mut chars = special.chars();
        let Some(c) = chars.next() else { break };
        escape(c, out);
        rest = chars.as_str();
    }
    out.push(b'"');
}

fn escape(c: char, out: &mut Vec<u8>) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
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
            let mut out = Vec::new();
            string(&text, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&text).unwrap());
        }
    }

    #[test]
    fn an_object_without_members_is_one() {
        let mut out = Vec::new();
        let mut members = Members::begin(&mut out);
        members.some("a", None::<&str>, Members::text);
        members.list("b", &[] as &[&str]);
        members.end();
        assert_eq!(out, b"{}");
    }
}
