//! The strict JSON reader and the writer: RFC 8259 text to values and back.
//! Of schemas it knows the spelling of keys, and nothing else.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::fault::FaultKind;
use super::schema::{Schema, Type};

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

/// True for the first byte of a character that may have to be escaped; 0xE2 begins U+2028 and U+2029.
fn escapes(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1f | 0x7f | 0xe2)
}

/// False where none of eight bytes [`escapes`].
fn may_escape(word: u64) -> bool {
    ends_run(word) || holds(word, 0x7f) || holds(word, 0xe2)
}

/// How many bytes stand before the first that `is` true of. They are looked at by eights, as most texts are long and plain: `may_be`
/// is true of eight bytes if `is` is true of one.
fn before(text: &str, may_be: fn(u64) -> bool, is: fn(u8) -> bool) -> usize {
    let (eights, _) = text.as_bytes().as_chunks();
    let skipped = eights.iter().take_while(|eight| !may_be(u64::from_le_bytes(**eight))).count() * 8;
    let rest = text.as_bytes().get(skipped..).unwrap_or_default();
    skipped + rest.iter().position(|byte| is(*byte)).unwrap_or(rest.len())
}

/// How many bytes at the front of a text stand in JSON as they are.
pub fn plain_prefix(text: &str) -> usize {
    before(text, ends_run, ends)
}

/// True for a byte that ends a run of plain characters in JSON text: a quote, a backslash, and what must not stand there.
fn ends(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1f)
}

/// True where one of eight bytes [`ends`] a run.
fn ends_run(word: u64) -> bool {
    holds(word, b'"') || holds(word, b'\\') || word.wrapping_sub(each(0x20)) & !word & each(0x80) != 0
}

/// True where one of eight bytes is this one.
fn holds(word: u64, byte: u8) -> bool {
    let zero = word ^ each(byte);
    zero.wrapping_sub(each(1)) & !zero & each(0x80) != 0
}

/// Eight times this byte.
const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
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

/// Reads exactly one value with white space around it, in strict UTF-8.
///
/// # Errors
/// [`FaultKind::BadJson`] for everything that RFC 8259 does not allow, lone surrogates and a byte
/// order mark included; [`FaultKind::JsonTooDeep`] beyond [`MAX_DEPTH`] or [`MAX_NODES`].
pub fn read(bytes: &[u8]) -> Result<Value, FaultKind> {
    read_up_to(bytes, MAX_NODES, Known::Nothing)
}

/// Reads a body that will be held against a schema: the same value, but keys that are spelled as there are not copied.
///
/// # Errors
/// As [`read`].
pub fn read_body(bytes: &[u8], schema: &'static Schema) -> Result<Value, FaultKind> {
    read_up_to(bytes, MAX_NODES, Known::Object(schema))
}

/// Reads an answer of the engine, whose size its reader has bounded: the same grammar, more parts.
///
/// # Errors
/// As [`read`].
pub fn read_trusted(bytes: &[u8]) -> Result<Value, FaultKind> {
    read_up_to(bytes, usize::MAX, Known::Nothing)
}

fn read_up_to(bytes: &[u8], max_nodes: usize, known: Known) -> Result<Value, FaultKind> {
    let text = std::str::from_utf8(bytes).map_err(|_| FaultKind::BadJson)?;
    let mut reader = Reader { rest: text, nodes: 0, max_nodes, members: Vec::new(), items: Vec::new() };
    let value = reader.value(0, known)?;
    reader.blank();
    if reader.rest.is_empty() { Ok(value) } else { Err(FaultKind::BadJson) }
}

/// What a schema says about a value to come. It decides nothing: a value of another shape is read all the same.
#[derive(Clone, Copy)]
enum Known {
    Nothing,
    Object(&'static Schema),
    Value(&'static Type),
}

impl Known {
    fn schema(self) -> Option<&'static Schema> {
        match self {
            Self::Object(schema) => Some(schema),
            Self::Value(ty) => {
                if let Type::Object(schema) = ty {
                    Some(schema)
                } else {
                    None
                }
            }
            Self::Nothing => None,
        }
    }

    /// What an element is, or a member whose key is data.
    fn element(self) -> Self {
        if let Self::Value(Type::List(of) | Type::Array(of, _) | Type::Map(of)) = self { Self::Value(of) } else { Self::Nothing }
    }
}

struct Reader<'a> {
    rest: &'a str,
    nodes: usize,
    max_nodes: usize,
    /// Members of all objects that are open; those of one go into a list of their number when it is closed.
    members: Object,
    /// The same for arrays.
    items: Vec<Value>,
}

type Read<T> = Result<T, FaultKind>;

impl<'a> Reader<'a> {
    fn blank(&mut self) {
        let blank = |b: u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r');
        if self.peek().is_some_and(blank) {
            let length = self.rest.bytes().take_while(|b| blank(*b)).count();
            self.rest = self.rest.get(length..).unwrap_or_default();
        }
    }

    fn peek(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    fn take(&mut self, token: &str) -> Read<()> {
        self.rest = self.rest.strip_prefix(token).ok_or(FaultKind::BadJson)?;
        Ok(())
    }

    fn taken(&mut self, token: char) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: usize, known: Known) -> Read<Value> {
        self.nodes += 1;
        self.blank();
        let deeper = matches!(self.peek(), Some(b'{' | b'[')) && depth >= MAX_DEPTH;
        if deeper || self.nodes > self.max_nodes {
            return Err(FaultKind::JsonTooDeep);
        }
        match self.peek() {
            Some(b'{') => self.object(depth, known),
            Some(b'[') => self.list(depth, known.element()),
            Some(b'"') => self.text().map(|text| Value::Text(text.into_owned())),
            Some(b't') => self.take("true").map(|()| Value::Bool(true)),
            Some(b'f') => self.take("false").map(|()| Value::Bool(false)),
            Some(b'n') => self.take("null").map(|()| Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(FaultKind::BadJson),
        }
    }

    fn list(&mut self, depth: usize, element: Known) -> Read<Value> {
        self.take("[")?;
        self.blank();
        if self.taken(']') {
            return Ok(Value::List(Vec::new()));
        }
        let start = self.items.len();
        loop {
            let item = self.value(depth + 1, element)?;
            self.items.push(item);
            self.blank();
            if self.taken(']') {
                return Ok(Value::List(self.items.drain(start..).collect()));
            }
            self.take(",")?;
        }
    }

    fn object(&mut self, depth: usize, known: Known) -> Read<Value> {
        self.take("{")?;
        self.blank();
        if self.taken('}') {
            return Ok(Value::Object(Vec::new()));
        }
        let (start, mut next) = (self.members.len(), 0);
        loop {
            self.blank();
            let (key, inside) = self.key(known, &mut next)?;
            self.blank();
            self.take(":")?;
            let value = self.value(depth + 1, inside)?;
            self.members.push((key, value));
            self.blank();
            if self.taken('}') {
                return Ok(Value::Object(self.members.drain(start..).collect()));
            }
            self.take(",")?;
        }
    }

    /// A key, and what is known of its value; `next` is where the schema's next key stands, if they come in its order.
    fn key(&mut self, known: Known, next: &mut usize) -> Read<(Cow<'static, str>, Known)> {
        let key = self.text()?;
        let Some(schema) = known.schema() else { return Ok((Cow::Owned(key.into_owned()), known.element())) };
        let at = schema.position(&key, *next);
        Ok(match at.and_then(|at| schema.fields.get(at).map(|field| (at, field))) {
            Some((at, field)) => {
                *next = at + 1;
                (Cow::Borrowed(field.name), Known::Value(&field.ty))
            }
            None => (Cow::Owned(key.into_owned()), Known::Nothing),
        })
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    fn number(&mut self) -> Read<Value> {
        let start = self.rest;
        self.taken('-');
        if !self.taken('0') {
            self.digits()?;
        }
        if self.taken('.') {
            self.digits()?;
        }
        if self.taken('e') || self.taken('E') {
            let _sign = self.taken('+') || self.taken('-');
            self.digits()?;
        }
        let length = start.len() - self.rest.len();
        start.get(..length).map(|digits| Value::Number(digits.to_owned())).ok_or(FaultKind::BadJson)
    }

    fn digits(&mut self) -> Read<()> {
        let length = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let rest = self.rest.get(length..).unwrap_or_default();
        let some = rest.len() < self.rest.len();
        self.rest = rest;
        if some { Ok(()) } else { Err(FaultKind::BadJson) }
    }

    /// A string; one without escapes is part of the text.
    fn text(&mut self) -> Read<Cow<'a, str>> {
        self.take("\"")?;
        let run = self.run()?;
        if self.taken('"') {
            return Ok(Cow::Borrowed(run));
        }
        let mut out = run.to_owned();
        loop {
            // a control character is no backslash
            self.take("\\")?;
            out.push(self.escape()?);
            out.push_str(self.run()?);
            if self.taken('"') {
                return Ok(Cow::Owned(out));
            }
        }
    }

    /// Everything before the next quote, backslash or control character.
    fn run(&mut self) -> Read<&'a str> {
        let (run, rest) = self.rest.split_at_checked(plain_prefix(self.rest)).ok_or(FaultKind::BadJson)?;
        self.rest = rest;
        Ok(run)
    }

    fn escape(&mut self) -> Read<char> {
        let mut chars = self.rest.chars();
        let c = chars.next().ok_or(FaultKind::BadJson)?;
        self.rest = chars.as_str();
        Ok(match c {
            '"' | '\\' | '/' => c,
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(),
            _ => return Err(FaultKind::BadJson),
        })
    }

    /// A `\u` escape; Go turns a lone surrogate into U+FFFD, which would be another value than the one judged.
    fn unicode(&mut self) -> Read<char> {
        let first = self.hex4()?;
        if (0xd800..0xdc00).contains(&first) {
            self.take("\\u")?;
            let second = self.hex4()?;
            let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400).ok_or(FaultKind::BadJson)?;
            return char::from_u32(0x10000 + ((first - 0xd800) << 10) + low).ok_or(FaultKind::BadJson);
        }
        char::from_u32(first).ok_or(FaultKind::BadJson)
    }

    fn hex4(&mut self) -> Read<u32> {
        let (digits, rest) = self.rest.split_at_checked(4).ok_or(FaultKind::BadJson)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(FaultKind::BadJson);
        }
        self.rest = rest;
        u32::from_str_radix(digits, 16).map_err(|_| FaultKind::BadJson)
    }
}

#[cfg(test)]
mod tests;
