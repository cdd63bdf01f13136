//! Methods and regular expressions over paths → the operations that they open.
//! Knows nothing of whose expressions they are.
//!
//! The proxies that use them compile `^` + expression + `$` in Go's RE2, and match the decoded path with its version. Which
//! operations one opens is found by trying it on paths of every operation, with names and versions that a client may send.

use regex::Regex;

use crate::config;
use crate::docker::operations::TABLE;
use crate::docker::{Method, Operation};

use super::ImportError;
use super::draft::{Block, quoted};

/// Prefixes that clients send.
const VERSIONS: &[&str] = &["", "/v1.24", "/v1.41", "/v1.43", "/v1.51", "/v1.56"];
const ID: &str = "4f66ad9a0b2e3b0f1d2c4f66ad9a0b2e3b0f1d2c4f66ad9a0b2e3b0f1d2c4f66";
const OBJECTS: &[&str] = &["web", "my_app-web.1", "a0", "7x4klr9w2cz1m8v5q3n6b0t1y"];
const IMAGES: &[&str] = &["alpine", "alpine:3.20", "library/alpine", "reg.example:5000/team/app:1.0"];

/// An expression as somebody wrote it.
pub(super) struct Pattern {
    /// `GET`, `POST`…
    pub(super) method: String,
    pub(super) text: String,
}

/// What the patterns open, a block each; what should be known is added to `warnings`.
///
/// # Errors
/// Expressions that cannot be compiled.
pub(super) fn blocks(patterns: &[Pattern], warnings: &mut Vec<String>) -> Result<Vec<Block>, ImportError> {
    let mut blocks: Vec<Block> = Vec::new();
    for pattern in patterns {
        let seen: Vec<Operation> = blocks.iter().flat_map(|block| block.operations.clone()).collect();
        if let Some(mut block) = pattern.block(warnings)? {
            block.operations.retain(|operation| !seen.contains(operation));
            blocks.push(block);
        }
    }
    Ok(blocks)
}

impl Pattern {
    fn block(&self, warnings: &mut Vec<String>) -> Result<Option<Block>, ImportError> {
        let title = format!("{} {}", self.method, self.text);
        let regex = compiled(&format!("^{}$", self.text))?;
        let Some(method) = Method::parse(&self.method) else {
            warnings.push(format!("`{title}`: no operation of the Engine API has the method {}", self.method));
            return Ok(None);
        };
        if alternatives(&self.text) {
            warnings.push(format!(
                "`{title}`: `^` holds for the first alternative and `$` for the last alone, so paths that only begin or end so fit there too"
            ));
        }
        let (whole, part) = self.fitting(method, &regex);
        let named = whole.len() == 1;
        let mut block = Block { title, operations: whole, paths: Vec::new(), comments: Vec::new(), named };
        let every = |operation: &Operation| {
            let paths = samples(operation.row().path, &[]);
            paths.iter().all(|path| VERSIONS.iter().all(|version| regex.is_match(&format!("{version}{path}"))))
        };
        if !block.operations.iter().all(every) {
            block.comments.push("there, for some versions in the path only; rules of dockgate hold for all of them".to_owned());
        }
        if part || block.operations.is_empty() {
            self.single(method, &mut block, warnings);
        }
        Ok(Some(block))
    }

    /// The operations that it opens for every object, and whether there are some that it opens for a few objects.
    fn fitting(&self, method: Method, regex: &Regex) -> (Vec<Operation>, bool) {
        let (mut whole, mut part) = (Vec::new(), false);
        for operation in TABLE.iter().copied().filter(|operation| operation.row().method == method) {
            let fits = |path: &String| VERSIONS.iter().any(|version| regex.is_match(&format!("{version}{path}")));
            let samples = samples(operation.row().path, &[]);
            if samples.iter().all(fits) {
                whole.push(operation);
            } else {
                let own: Vec<&str> = names_in(&self.text);
                part |= samples.iter().any(fits) || self::samples(operation.row().path, &own).iter().any(fits);
            }
        }
        (whole, part)
    }

    /// A rule over paths, for what is no whole operation. Our paths have no version, so its part of the expression goes.
    fn single(&self, method: Method, block: &mut Block, warnings: &mut Vec<String>) {
        let rest = if alternatives(&self.text) { None } else { without_version(&self.text) };
        match rest {
            Some(path) if accepted(method, &path) => {
                block.comments.push(
                    "a rule over paths never opens tunnels, uploads of images and archives, and what dockgate does not know".to_owned(),
                );
                block.paths.push((method, path));
            }
            Some(_) => {
                let which = if block.operations.is_empty() { "no operation" } else { "no more operations" };
                block.comments.push(format!("it fits {which} that dockgate knows"));
            }
            None => {
                block.comments.push("not expressible: it fits some objects only, and its version cannot be told from its path".to_owned());
                warnings.push(format!("`{}` is left out: write a rule for it by hand", block.title));
            }
        }
    }
}

/// True where such a rule can be loaded, so that some operation has a path like it.
fn accepted(method: Method, path: &str) -> bool {
    let rule = format!("version = 1\n[policy.x]\nallow = [{{ method = \"{method}\", path = {} }}]\n", quoted(path));
    config::load("rule", &rule).config.is_some()
}

fn compiled(text: &str) -> Result<Regex, ImportError> {
    Regex::new(text).map_err(|_| {
        ImportError::new(format!("`{}` is no regular expression", text.escape_debug()), "write it as Go's regexp package takes it")
    })
}

/// Paths of an operation, with names in the place of its placeholders.
fn samples(template: &str, own: &[&str]) -> Vec<String> {
    let names = |placeholder: &str| -> Vec<String> {
        let usual = if placeholder == "{image}" { IMAGES } else { OBJECTS };
        let names: Vec<&str> = if own.is_empty() { usual.iter().copied().chain([ID]).collect() } else { own.to_vec() };
        names.iter().map(|name| (*name).to_owned()).collect()
    };
    let Some(first) = template.split('/').find(|part| part.starts_with('{')) else {
        return if own.is_empty() { vec![template.to_owned()] } else { Vec::new() };
    };
    let filled = |name: String| template.replacen(first, &name, 1).replace("{checkpoint}", "cp1");
    names(first).into_iter().map(filled).collect()
}

/// Everything in an expression that may be meant as a name.
fn names_in(text: &str) -> Vec<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c))).filter(|name| !name.is_empty()).collect()
}

/// The expression behind the part that fits a version, in our crate's words; the whole of it where there is no such part.
fn without_version(text: &str) -> Option<String> {
    let starts =
        text.match_indices('/').map(|(at, _)| if text.get(..at).is_some_and(|before| before.ends_with('\\')) { at - 1 } else { at });
    for at in starts.filter(|at| *at > 0) {
        let (version, rest) = text.split_at_checked(at)?;
        let fits =
            Regex::new(&format!("^(?:{version})$")).is_ok_and(|version| VERSIONS.iter().skip(1).any(|sample| version.is_match(sample)));
        // an expression such as `/.*` fits a version too, and more
        let only = Regex::new(&format!("^(?:{version})$")).is_ok_and(|version| !version.is_match("/containers/web/json"));
        if fits && only && Regex::new(rest).is_ok() {
            return Some(rest.to_owned());
        }
    }
    let unversioned = Regex::new(&format!("^{text}$")).is_ok() && !text.starts_with("/v");
    unversioned.then(|| text.to_owned())
}

/// True where an alternation is not inside a group.
fn alternatives(text: &str) -> bool {
    let (mut depth, mut escaped, mut class) = (0_usize, false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ']' => class = false,
            _ if class => {}
            '[' => class = true,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}
