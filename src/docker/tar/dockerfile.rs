//! A Dockerfile as the classic builder reads it, as far as it names images and addresses; what two releases of the
//! builder read differently is a fault. Knows nothing of tars and of what a policy grants.

use std::collections::{BTreeMap, BTreeSet};

use crate::docker::json::{self, Value};
use crate::docker::{Fault, FaultKind};

/// What a Dockerfile reaches for.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Dockerfile {
    /// Images of `FROM` and `--from`, stages left out.
    pub images: Vec<Image>,
    /// Addresses that the engine itself would fetch for `ADD`.
    pub remotes: Vec<String>,
}

/// An image in a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// Its name, with arguments filled in.
    Named(String),
    /// As written: an argument in it has no value that is known here.
    Unresolved(String),
}

/// The build arguments of the query; `None` for `null`.
#[derive(Debug, Default, Clone)]
pub struct BuildArgs(BTreeMap<String, Option<String>>);

impl BuildArgs {
    /// Reads the judged query value.
    pub fn read(query: &str) -> Self {
        let value = json::read(query.as_bytes()).unwrap_or(Value::Null);
        Self(value.members().iter().map(|(key, value)| (key.to_string(), value.as_text().map(str::to_owned))).collect())
    }
}

/// Reads a Dockerfile.
///
/// # Errors
/// `BuildKit`'s parts, and what releases read differently.
pub fn read(content: &[u8], args: &BuildArgs) -> Result<Dockerfile, Fault> {
    let text = String::from_utf8_lossy(content);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let escape = directives(text)?;
    let mut reader = Reader::new(escape, args);
    for line in logical_lines(text, escape)? {
        reader.instruction(&line, Depth::Own)?;
    }
    Ok(reader.found)
}

fn fault(what: &str) -> Fault {
    Fault::new(FaultKind::Dockerfile, what)
}

/// Directives stand in the comments at the top. Only `escape` on the first line is read alike everywhere.
fn directives(text: &str) -> Result<char, Fault> {
    let mut escape = '\\';
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let Some(comment) = line.strip_prefix('#') else {
            if line.is_empty() {
                continue;
            }
            return Ok(escape);
        };
        let Some((key, value)) = comment.split_once('=') else { continue };
        match (key.trim().to_lowercase().as_str(), value.trim(), at) {
            ("escape", "\\", 0) => {}
            ("escape", "`", 0) => escape = '`',
            ("escape", ..) => return Err(fault("# escape= is not the first line, or names no escape character")),
            _ => {} // `syntax`, a frontend of BuildKit, is a comment to the classic builder
        }
    }
    Ok(escape)
}

/// Lines with their continuations; comments and empty lines are dropped, inside of them too.
fn logical_lines(text: &str, escape: char) -> Result<Vec<String>, Fault> {
    let mut lines = Vec::new();
    let mut open: Option<String> = None;
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err(fault("a control character"));
        }
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let (part, goes_on) = continuation(if open.is_some() { line } else { trimmed }, escape)?;
        let joined = open.take().unwrap_or_default() + part;
        if goes_on {
            open = Some(joined);
        } else {
            lines.push(joined);
        }
    }
    lines.extend(open);
    Ok(lines)
}

/// The line without its continuation character. Old releases continue after two of them, new ones do not.
fn continuation(line: &str, escape: char) -> Result<(&str, bool), Fault> {
    match line.trim_end_matches([' ', '\t']).strip_suffix(escape) {
        Some(part) if part.ends_with(escape) => Err(fault("a line that ends with two escape characters")),
        Some(part) => Ok((part, true)),
        None => Ok((line, false)),
    }
}

/// Whether an instruction is carried out by this build or by one that starts from its image.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Own,
    OnBuild,
}

/// What is known of an argument that was declared before the first `FROM`.
enum Variable {
    Known(String),
    Unknown,
}

struct Reader<'a> {
    escape: char,
    args: &'a BuildArgs,
    variables: BTreeMap<String, Variable>,
    /// An `ARG` that is not understood: from there on no argument is known.
    poisoned: bool,
    begun: bool,
    stages: BTreeSet<String>,
    stage: Option<String>,
    found: Dockerfile,
}

impl<'a> Reader<'a> {
    fn new(escape: char, args: &'a BuildArgs) -> Self {
        Self {
            escape,
            args,
            variables: BTreeMap::new(),
            poisoned: false,
            begun: false,
            stages: BTreeSet::new(),
            stage: None,
            found: Dockerfile::default(),
        }
    }

    fn instruction(&mut self, line: &str, depth: Depth) -> Result<(), Fault> {
        let line = line.trim();
        let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let word = word.to_lowercase();
        if matches!(word.as_str(), "run" | "copy" | "add") && has_heredoc(rest) {
            return Err(fault("a here-document, which only BuildKit builds"));
        }
        match word.as_str() {
            "from" if depth == Depth::Own => self.from(self.flags(rest)?.1),
            "arg" if !self.begun => self.arg(rest),
            "run" if !self.flags(rest)?.0.is_empty() => return Err(fault("a flag of RUN, which only BuildKit knows")),
            "copy" => self.copy(rest)?,
            "add" => self.add(rest)?,
            "onbuild" if depth == Depth::Own => return self.instruction(rest, Depth::OnBuild),
            _ => {}
        }
        Ok(())
    }

    fn from(&mut self, rest: &str) {
        self.begun = true;
        self.stages.extend(self.stage.take());
        let words: Vec<&str> = rest.split_whitespace().collect();
        let [text, name @ ..] = words.as_slice() else { return };
        match self.expanded(text).filter(|image| !image.is_empty()) {
            Some(image) if image == "scratch" || self.stages.contains(&image.to_lowercase()) => {}
            Some(image) => self.found.images.push(Image::Named(image)),
            None => self.found.images.push(Image::Unresolved((*text).to_owned())),
        }
        if let [word, name] = name
            && word.eq_ignore_ascii_case("as")
        {
            self.stage = Some(name.to_lowercase());
        }
    }

    fn copy(&mut self, rest: &str) -> Result<(), Fault> {
        let (flags, _) = self.flags(rest)?;
        for text in flags.iter().filter_map(|flag| flag.strip_prefix("--from=")) {
            let index = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            match self.expanded(text).filter(|_| !text.contains('$')) {
                _ if index => {}
                Some(image) if self.stages.contains(&image.to_lowercase()) => {}
                Some(image) => self.found.images.push(Image::Named(image)),
                None => self.found.images.push(Image::Unresolved(text.to_owned())),
            }
        }
        Ok(())
    }

    fn add(&mut self, rest: &str) -> Result<(), Fault> {
        self.copy(rest)?;
        let (_, sources) = self.flags(rest)?;
        let list = if sources.starts_with('[') { json::read(sources.as_bytes()).ok() } else { None };
        if list.is_none() && sources.starts_with('[') && sources.contains('\\') {
            return Err(fault("a list of ADD that is not exactly JSON"));
        }
        let words: Vec<String> = match list {
            Some(list) => list.texts().map(str::to_owned).collect(),
            None => {
                sources.split(|c: char| c.is_whitespace() || c == ',').map(|word| self.bare(word)).filter(|word| !word.is_empty()).collect()
            }
        };
        // the last one is where it goes
        let from = words.split_last().map(|(_, from)| from).unwrap_or_default();
        self.found.remotes.extend(from.iter().filter(|word| may_be_remote(word)).cloned());
        Ok(())
    }

    /// A word without quotes, brackets and escape characters.
    fn bare(&self, word: &str) -> String {
        word.chars().filter(|c| !matches!(c, '"' | '\'' | '[' | ']') && *c != self.escape).collect()
    }

    /// Flags at the beginning. Quoted ones would need a shell's reader, and nobody writes them.
    fn flags<'t>(&self, rest: &'t str) -> Result<(Vec<&'t str>, &'t str), Fault> {
        let mut rest = rest.trim_start();
        let mut flags = Vec::new();
        while rest.starts_with("--") {
            let (flag, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            rest = after.trim_start();
            if flag == "--" {
                break;
            }
            if flag.contains(['"', '\'', self.escape]) {
                return Err(fault("a flag with quotes"));
            }
            flags.push(flag);
        }
        Ok((flags, rest))
    }

    fn arg(&mut self, rest: &str) {
        for word in rest.split_whitespace() {
            let (name, default) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            let default = default.map(|text| unquoted(text, self.escape));
            if !is_name(name) || default == Some(None) {
                self.poisoned = true;
                return;
            }
            let value = match self.args.0.get(name) {
                _ if is_platform(name) => None,
                Some(given) => given.clone(),
                None => default.flatten().and_then(|text| self.expanded(text)),
            };
            self.variables.insert(name.to_owned(), value.map_or(Variable::Unknown, Variable::Known));
        }
    }

    /// The text with its arguments filled in; `None` where one has no value that is known, or quotes are in the way.
    fn expanded(&self, text: &str) -> Option<String> {
        if text.contains(['"', '\'', '\\', self.escape]) || (self.poisoned && text.contains('$')) {
            return None;
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let (value, left) = self.variable(after)?;
            out.push_str(&value);
            rest = left;
        }
        out.push_str(rest);
        Some(out)
    }

    /// `NAME`, `{NAME}`, `{NAME:-word}` or `{NAME:+word}`, and what follows it.
    fn variable<'t>(&self, text: &'t str) -> Option<(String, &'t str)> {
        let Some(inside) = text.strip_prefix('{') else {
            let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
            let (name, rest) = text.split_at_checked(end)?;
            return Some((self.known(name)?.to_owned(), rest));
        };
        let (inside, rest) = inside.split_once('}')?;
        if inside.contains(['$', '{']) {
            return None;
        }
        let value = match inside.split_once(':') {
            None => self.known(inside)?,
            Some((name, word)) => {
                let value = Some(self.known(name)?).filter(|value| !value.is_empty());
                match (word.strip_prefix('-'), word.strip_prefix('+')) {
                    (Some(word), _) => value.unwrap_or(word),
                    (None, Some(word)) => value.map_or("", |_| word),
                    (None, None) => return None,
                }
            }
        };
        Some((value.to_owned(), rest))
    }

    /// The value of a declared argument; builders have undeclared ones of their own.
    fn known(&self, name: &str) -> Option<&str> {
        match self.variables.get(name)? {
            Variable::Known(value) => Some(value),
            Variable::Unknown => None,
        }
    }
}

/// Arguments that some builders fill in themselves.
fn is_platform(name: &str) -> bool {
    let rest = name.strip_prefix("TARGET").or_else(|| name.strip_prefix("BUILD"));
    matches!(rest, Some("PLATFORM" | "OS" | "ARCH" | "VARIANT"))
}

fn is_name(name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    plain && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}

/// A value in one pair of quotes, or in none; `None` for all that needs a shell's reader.
fn unquoted(text: &str, escape: char) -> Option<&str> {
    let double = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let single = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).filter(|inner| !inner.contains('$'));
    let inner = double.or(single).unwrap_or(text);
    (!inner.contains(['"', '\'', '\\', escape])).then_some(inner)
}

/// `<<WORD` anywhere but in `<<<`; arithmetic such as `1<<3` counts too, since its reading depends on quotes.
fn has_heredoc(text: &str) -> bool {
    text.match_indices("<<").any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + 2..).and_then(|text| text.chars().next());
        before != Some('<') && after.is_some_and(|c| c != '<' && !c.is_whitespace())
    })
}

/// True for addresses, and for text whose arguments could make it one.
fn may_be_remote(word: &str) -> bool {
    let known = ["http://", "https://", "git://", "git@", "ssh://"];
    let lower = word.to_ascii_lowercase();
    match lower.split_once('$') {
        Some((before, _)) => known.iter().any(|scheme| scheme.starts_with(before) || before.starts_with(scheme)),
        None => known.iter().any(|scheme| lower.starts_with(scheme)),
    }
}
