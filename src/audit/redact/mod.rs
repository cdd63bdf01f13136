//! What may stand in a record of what clients say: secrets as keyed digests, no control characters, nothing without an end.
//! Knows nothing of records and of where they go.

mod body;
mod command;
mod query;
mod shapes;

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::merkle::{hex, push_hex};

pub use body::{Redacted, rules};

/// The longest text of a field, in characters; what is longer is cut and marked with how much is missing.
pub const MAX_TEXT: usize = 512;
/// The longest message.
const MAX_MESSAGE: usize = 4096;
/// How many hexadecimal digits of a digest stand for a value.
const SHOWN: usize = 16;
/// The length of what stands for a value: `hmac:` and the digits.
const DIGEST: usize = 5 + SHOWN;

/// Replaces secrets by digests that only the holder of the key can compare.
#[derive(Clone)]
pub struct Redactor {
    keyed: Hmac<Sha256>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

/// A text as it may be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown<'t> {
    /// The text.
    pub text: Cow<'t, str>,
    /// True where a part of it was replaced by a digest.
    pub hidden: bool,
}

impl Redactor {
    /// A redactor with a key that is the trail's alone.
    pub fn new(key: [u8; 32]) -> Self {
        // HMAC pads a short key with zeros to the block of its hash (RFC 2104 §2): done here, nothing can fail
        let mut block = [0; 64];
        block.iter_mut().zip(key).for_each(|(place, byte)| *place = byte);
        Self { keyed: <Hmac<Sha256> as KeyInit>::new((&block).into()) }
    }

    /// `hmac:` and 16 hexadecimal digits: what stands for a secret, the same for the same value under the same key.
    pub fn digest(&self, value: &[u8]) -> String {
        let mut text = String::with_capacity(DIGEST);
        self.push_digest(value, &mut text);
        text
    }

    fn push_digest(&self, value: &[u8], out: &mut String) {
        let whole = self.keyed(value);
        out.push_str("hmac:");
        push_hex(whole.get(..SHOWN / 2).unwrap_or_default(), out);
    }

    /// The keyed digest with all of its 64 hexadecimal digits.
    pub fn whole(&self, value: &[u8]) -> String {
        hex(&self.keyed(value))
    }

    fn keyed(&self, value: &[u8]) -> [u8; 32] {
        let mut keyed = self.keyed.clone();
        keyed.update(value);
        keyed.finalize().into_bytes().into()
    }

    /// A text of a client: secrets of known shapes hidden, control and direction characters escaped, cut.
    pub fn text<'t>(&self, text: &'t str) -> Shown<'t> {
        if harmless(text) { Shown { text: Cow::Borrowed(text), hidden: false } } else { self.cleaned(text, shapes::Userinfo::Loose) }
    }

    /// An image or a path that holds one: what stands before an `@` is hidden, unless a digest follows.
    pub fn image<'t>(&self, text: &'t str) -> Shown<'t> {
        if harmless(text) { Shown { text: Cow::Borrowed(text), hidden: false } } else { self.cleaned(text, shapes::Userinfo::Strict) }
    }

    /// A message that may hold words of a client, for the operator's log.
    pub fn message(&self, text: &str) -> String {
        cut(&shapes::mask(self, text, shapes::Userinfo::Loose), MAX_MESSAGE).into_owned()
    }

    fn cleaned<'t>(&self, text: &'t str, userinfo: shapes::Userinfo) -> Shown<'t> {
        let masked = shapes::mask(self, text, userinfo);
        let hidden = matches!(masked, Cow::Owned(_));
        let text = match masked {
            Cow::Borrowed(text) => plain(text),
            Cow::Owned(text) => Cow::Owned(plain(&text).into_owned()),
        };
        Shown { text, hidden }
    }

    /// `NAME=VALUE` with the value as a digest; a name without a value stays.
    fn variable(&self, text: &str) -> Shown<'static> {
        match text.split_once('=') {
            Some((name, value)) => {
                let name = self.text(name).text;
                let mut text = String::with_capacity(name.len() + 1 + DIGEST);
                text.extend([&name, "="]);
                self.push_digest(value.as_bytes(), &mut text);
                Shown { text: Cow::Owned(text), hidden: true }
            }
            None => owned(self.text(text)),
        }
    }

    /// The value of an option or label: hidden whole where its key names a secret.
    fn option(&self, key: &str, value: &str) -> Shown<'static> {
        let secret = shapes::names_a_secret(key) && !matches!(value, "" | "true" | "false");
        if secret { Shown { text: Cow::Owned(self.digest(value.as_bytes())), hidden: true } } else { owned(self.text(value)) }
    }

    /// The digest of a secret that travels in base64 is that of the secret itself, so that a leaked value can be looked for.
    fn secret(&self, text: &str) -> (usize, String) {
        let decoded = base64::engine::general_purpose::STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty());
        let bytes = decoded.as_deref().unwrap_or(text.as_bytes());
        (bytes.len(), self.digest(bytes))
    }
}

fn owned(shown: Shown<'_>) -> Shown<'static> {
    Shown { text: Cow::Owned(shown.text.into_owned()), hidden: shown.hidden }
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Text without control, ANSI and direction characters, which are written as `\u{1b}`, and cut to [`MAX_TEXT`].
pub fn plain(text: &str) -> Cow<'_, str> {
    cut(text, MAX_TEXT)
}

fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most && text.bytes().all(|b| (b' '..0x7f).contains(&b)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().min(2 * most));
    for (at, c) in text.chars().enumerate() {
        if at == most {
            out.push_str(&format!("…(+{})", text.chars().skip(most).count()));
            break;
        }
        if deceives(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Characters that a terminal acts on, that reorder a line, or that nobody sees.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What stands before the underscore of a token; all end in a small letter, as names of variables seldom do.
const TOKEN_STARTS: [&[u8]; 11] = [b"ghp", b"gho", b"ghu", b"ghs", b"ghr", b"pat", b"oat", b"live", b"test", b"npm", b"hf"];

/// True where no shape of a secret can begin and nothing must be escaped or cut: one look at each byte, as most texts are harmless.
fn harmless(text: &str) -> bool {
    let bytes = text.as_bytes();
    let begins = |at: usize, word: &[u8]| bytes.get(at..).is_some_and(|rest| rest.starts_with(word));
    let starts =
        |before: &[u8]| before.last().is_some_and(u8::is_ascii_lowercase) && TOKEN_STARTS.iter().any(|start| before.ends_with(start));
    bytes.len() <= MAX_TEXT
        && bytes.iter().enumerate().all(|(at, byte)| match byte {
            b'@' | b'=' | b'"' | b'\'' | b'?' | b'$' | b'{' => false,
            b':' => !begins(at, b": "),
            b'_' => !bytes.get(..at).is_some_and(starts),
            b'-' => !begins(at, b"--") && !begins(at, b"-1-"),
            b'e' => !begins(at, b"eyJ"),
            b'A' => !begins(at, b"AKIA") && !begins(at, b"ASIA") && !begins(at, b"AIza"),
            b'g' => !begins(at, b"glpat"),
            b'x' => !begins(at, b"xox"),
            b'B' | b'b' => !begins(at + 1, b"earer ") && !begins(at + 1, b"asic "),
            other => (b' '..0x7f).contains(other),
        })
}

#[cfg(test)]
mod tests;
