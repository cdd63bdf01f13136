//! The strict reader: RFC 8259 text to values.
//! Of schemas it knows the spelling of keys, and nothing else.

use std::borrow::Cow;

use super::scan::plain_prefix;
use super::{MAX_DEPTH, MAX_NODES, Object, Value};
use crate::docker::fault::FaultKind;
use crate::docker::schema::{Schema, Type};

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

    /// Takes a byte of ASCII, if it is next.
    fn taken(&mut self, token: u8) -> bool {
        let rest = self.rest.get(1..).filter(|_| self.peek() == Some(token));
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
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
        if self.taken(b']') {
            return Ok(Value::List(Vec::new()));
        }
        let start = self.items.len();
        loop {
            let item = self.value(depth + 1, element)?;
            self.items.push(item);
            self.blank();
            if self.taken(b']') {
                return Ok(Value::List(self.items.drain(start..).collect()));
            }
            self.take(",")?;
        }
    }

    fn object(&mut self, depth: usize, known: Known) -> Read<Value> {
        self.take("{")?;
        self.blank();
        if self.taken(b'}') {
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
            if self.taken(b'}') {
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
        self.taken(b'-');
        if !self.taken(b'0') {
            self.digits()?;
        }
        if self.taken(b'.') {
            self.digits()?;
        }
        if self.taken(b'e') || self.taken(b'E') {
            let _sign = self.taken(b'+') || self.taken(b'-');
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
        if self.taken(b'"') {
            return Ok(Cow::Borrowed(run));
        }
        let mut out = run.to_owned();
        loop {
            // a control character is no backslash
            self.take("\\")?;
            out.push(self.escape()?);
            out.push_str(self.run()?);
            if self.taken(b'"') {
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
