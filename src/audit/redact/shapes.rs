//! The shapes by which a secret in the middle of a text is known.
//! Knows nothing of which field the text stands in.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::{memchr, memchr2};
use regex::{Captures, Regex};

use super::Redactor;

/// What a key is called that has a secret for a value.
const WORDS: &str = "passw(?:or)?d|passphrase|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|account[_-]?key|credential|\
                     basic[_-]?auth|digest[_-]?auth|authorization|authentication|signature|cookie|jwt|unlockkey|htpasswd|dsn|connection[_-]?string";

/// How much before an `@` is taken for a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Userinfo {
    /// In a URL, or with a colon in it.
    Loose,
    /// All that no digest follows: an image's name.
    Strict,
}

/// Compiles a pattern of this file; a test compiles each.
fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

/// Secrets that are known by how they look.
static TOKENS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(concat!(
        r"-----BEGIN [\s\S]*?(?:-----END [^-]*-----|\z)",
        r"|eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,4}",
        r"|(?:AKIA|ASIA)[A-Z0-9]{12,}|AIza[A-Za-z0-9_-]{30,}",
        r"|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{16,}|npm_[A-Za-z0-9]{30,}",
        r"|dckr_(?:pat|oat)_[A-Za-z0-9_-]{16,}|xox[a-z]-[A-Za-z0-9-]{10,}|[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|hf_[A-Za-z0-9]{20,}",
        r"|SWMTKN-1-[A-Za-z0-9-]+|SWMKEY-1-[A-Za-z0-9+/=_-]+",
        r#"|\$(?:apr1|2[abxy]?|1|5|6|y|argon2[a-z]*)\$[^\s"',]+|\{SHA\}[A-Za-z0-9+/=]+"#,
        r"|(?:[Bb]earer|[Bb]asic) +[A-Za-z0-9+/=_.~-]{8,}",
    ))
});

/// `password=…`, `"token": "…"`, `secret: …`
static PAIRS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(&format!(r#"(?i)((?:{WORDS})[\w.-]*(?:"\s*:\s*|'\s*:\s*|\s?=\s*|:\s+))("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s"'&,;]+)"#))
});

/// The query of a URL: presigned addresses carry their signature there.
static QUERIES: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r#"([A-Za-z][A-Za-z0-9+.-]*://[^\s?"']*\?)([^\s"'#]+)"#));

/// What stands before an `@`.
static USERINFO: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r#"([A-Za-z][A-Za-z0-9+.-]*://)?([^\s/@"'\[\]{}(),=]+)@"#));

/// Names that hold a secret.
static KEYS: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(&format!("(?i){WORDS}")));

/// True where the value of this key is a secret.
pub(super) fn names_a_secret(key: &str) -> bool {
    KEYS.as_ref().is_none_or(|keys| keys.is_match(key))
}

/// Hides what looks like a secret; a text that has none stays borrowed.
pub(super) fn mask<'t>(redactor: &Redactor, text: &'t str, userinfo: Userinfo) -> Cow<'t, str> {
    let hidden = |captures: &Captures<'_>, group: usize| {
        captures
            .get(group)
            .map(|found| found.as_str())
            .filter(|found| !found.starts_with("hmac:"))
            .map(|found| redactor.digest(found.as_bytes()))
    };
    let first = |captures: &Captures<'_>| captures.get(1).map_or("", |found| found.as_str()).to_owned();
    let may_name = |text: &[u8]| memchr(b'@', text).is_some();
    let may_query = |text: &[u8]| memchr(b'?', text).is_some();
    let may_pair = |text: &[u8]| memchr2(b'=', b':', text).is_some();
    let text = replaced(&TOKENS, |_| true, Cow::Borrowed(text), |captures, _| hidden(captures, 0));
    let text = replaced(&USERINFO, may_name, text, |captures, whole| {
        let url = captures.get(1).is_some();
        let end = captures.get(0).map_or(0, |found| found.end());
        let digest = whole.get(end..).is_some_and(|rest| rest.starts_with("sha256:") || rest.starts_with("sha512:"));
        let secret =
            url || (!digest && (userinfo == Userinfo::Strict || captures.get(2).is_some_and(|found| found.as_str().contains(':'))));
        if secret { hidden(captures, 2).map(|mask| format!("{}{mask}@", first(captures))) } else { None }
    });
    let text = replaced(&QUERIES, may_query, text, |captures, _| hidden(captures, 2).map(|mask| first(captures) + &mask));
    replaced(&PAIRS, may_pair, text, |captures, _| {
        let value = captures.get(2).map_or("", |found| found.as_str());
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let bare = quote.map_or(value, |quote| value.trim_matches(quote));
        let quote = quote.map(String::from).unwrap_or_default();
        let harmless = bare.is_empty() || bare.starts_with("hmac:") || matches!(bare, "true" | "false" | "null");
        (!harmless).then(|| format!("{}{quote}{}{quote}", first(captures), redactor.digest(bare.as_bytes())))
    })
}

/// Replaces the matches for which there is a replacement, in a text that may have any: looking for a byte that each match holds costs
/// less than the pattern. Without a pattern nothing may pass.
fn replaced<'t>(
    pattern: &LazyLock<Option<Regex>>,
    may_match: impl Fn(&[u8]) -> bool,
    text: Cow<'t, str>,
    replace: impl Fn(&Captures<'_>, &str) -> Option<String>,
) -> Cow<'t, str> {
    let Some(pattern) = pattern.as_ref() else { return Cow::Owned(String::new()) };
    if !may_match(text.as_bytes()) {
        return text;
    }
    let mut out = String::new();
    let mut from = 0;
    for captures in pattern.captures_iter(&text) {
        let Some(found) = captures.get(0) else { continue };
        let Some(new) = replace(&captures, &text) else { continue };
        out.push_str(text.get(from..found.start()).unwrap_or_default());
        out.push_str(&new);
        from = found.end();
    }
    if from == 0 {
        return text;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert!([&TOKENS, &PAIRS, &QUERIES, &USERINFO, &KEYS].iter().all(|pattern| pattern.is_some()));
    }
}
