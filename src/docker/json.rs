//! JSON values, read strictly from RFC 8259 text, and written.
//! Knows nothing of what they mean.

mod read;
mod scan;

use std::borrow::Cow;
use std::fmt::Write as _;

pub use read::{read, read_body, read_trusted};
pub use scan::plain_prefix;

use scan::{before, escapes, may_escape};

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 64;
/// How many keys and elements one text may hold.
pub const MAX_NODES: usize = 100_000;

/// Room for most bodies that a client sends, so that they are written without growing.
const USUAL_BODY: usize = 4 << 10;

/// A JSON value; keys keep their order and may repeat, numbers keep their digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// a number as it was written
    Number(String),
    /// a string, decoded
    Text(String),
    /// an array
    List(Vec<Value>),
    /// an object
    Object(Object),
}

/// The members of an object, in order.
pub type Object = Vec<(Cow<'static, str>, Value)>;

impl Value {
    /// True for `null`, `false`, zero, `""`, `[]` and `{}`: what Go's zero values look like.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(value) => !value,
            Self::Number(digits) => is_zero(digits),
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Object(members) => members.is_empty(),
        }
    }

    /// The member of this name, exactly spelled; `None` also where this is no object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// The text of the member of this name; `""` where it is absent or no text.
    pub fn text(&self, key: &str) -> &str {
        self.get(key).and_then(Self::as_text).unwrap_or_default()
    }

    /// The string, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The boolean; `false` for everything else.
    pub fn is_true(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    /// The integer, if this is one.
    pub fn as_int(&self) -> Option<i128> {
        if let Self::Number(digits) = self { integer(digits) } else { None }
    }

    /// The elements; empty where this is no array.
    pub fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// The members; empty where this is no object.
    pub fn members(&self) -> &[(Cow<'static, str>, Self)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    /// The texts of an array of strings.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.items().iter().filter_map(Self::as_text)
    }

    /// Changes the member of this name; it is made as `null` where it is absent, and what is no object becomes one.
    pub fn edit(&mut self, key: &str, change: impl FnOnce(&mut Self)) {
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(Vec::new());
        }
        let Self::Object(members) = self else { return };
        let at = members.iter().position(|(name, _)| name == key).unwrap_or(members.len());
        if at == members.len() {
            members.push((Cow::Owned(key.to_owned()), Self::Null));
        }
        if let Some((_, value)) = members.get_mut(at) {
            change(value);
        }
    }

    /// The value as JSON text without white space.
    pub fn encode(&self) -> String {
        let mut out = String::with_capacity(USUAL_BODY);
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(digits) => out.push_str(digits),
            Self::Text(text) => write_text(text, out),
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    separate(at, out);
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (key, value)) in members.iter().enumerate() {
                    separate(at, out);
                    write_text(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// The integer that the digits are; most are short, and 64 bits are read much faster than 128.
pub(super) fn integer(digits: &str) -> Option<i128> {
    digits.parse::<i64>().map(i128::from).or_else(|_| digits.parse()).ok()
}

/// Zero in any spelling, and what a float of 64 bits makes zero of.
fn is_zero(digits: &str) -> bool {
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return !digits.is_empty() && digits.bytes().all(|b| b == b'0');
    }
    digits.parse::<f64>() == Ok(0.0)
}

fn separate(at: usize, out: &mut String) {
    if at > 0 {
        out.push(',');
    }
}

/// Escapes what RFC 8259 §7 asks for, and U+2028/2029 as Go's encoder does.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some((plain, special)) = rest.split_at_checked(before(rest, may_escape, escapes)).filter(|(_, special)| !special.is_empty()) {
        out.push_str(plain);
        let mut chars = special.chars();
        chars.next().into_iter().for_each(|c| write_char(c, out));
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

fn write_char(c: char, out: &mut String) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\0'..='\x1f' | '\x7f' | '\u{2028}' | '\u{2029}' => {
            let _infallible = write!(out, "\\u{:04x}", u32::from(c));
        }
        other => out.push(other),
    }
}

#[cfg(test)]
mod tests;
