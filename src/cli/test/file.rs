//! Test files as written → cases, and every mistake with its place.
//! Knows nothing of how a case is judged.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use crate::config::{Diagnostic, Severity};
use crate::docker::{FaultKind, Value, json};
use crate::policy::Reason;

use super::super::explain::{Request, Word};
use super::run;

/// The policies that the cases are judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, relative to the test file.
    File(String),
    /// The text itself.
    Inline(String),
}

/// One test.
#[derive(Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The line of its name.
    pub line: usize,
    /// The policy that judges it.
    pub policy: Option<String>,
    /// What is judged.
    pub request: Request,
    /// True where a command line stands for the request.
    pub from_line: bool,
    /// What must happen.
    pub expect: Word,
    /// The reason that must decide.
    pub reason: Option<String>,
    /// Where.
    pub at: Option<String>,
    /// Checks that must warn; an empty list forbids all warnings.
    pub warnings: Option<Vec<String>>,
    /// The body that must be forwarded.
    pub forwards: Option<Value>,
}

/// A test file.
#[derive(Debug, Default)]
pub struct File {
    /// Where its policies are.
    pub config: Option<Source>,
    /// Its tests.
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: Spanned<i64>,
    config: Option<String>,
    #[serde(default)]
    test: Vec<WrittenCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCase {
    name: Spanned<String>,
    policy: Option<String>,
    request: Option<WrittenRequest>,
    run: Option<Spanned<String>>,
    expect: Spanned<String>,
    reason: Option<Spanned<String>>,
    at: Option<String>,
    warnings: Option<Vec<Spanned<String>>>,
    forwards: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenRequest {
    method: String,
    path: Spanned<String>,
    body: Option<String>,
    body_file: Option<Spanned<String>>,
}

/// A mistake: its place in bytes, what is wrong, and what to do.
struct Mistake(std::ops::Range<usize>, String, &'static str);

/// Reads a test file's text. `name` is how messages call the file, `folder` is where its bodies are looked for.
///
/// # Errors
/// Every mistake that was found.
pub fn read(name: &str, text: &str, folder: &Path) -> Result<File, Vec<Diagnostic>> {
    let mut mistakes = Vec::new();
    let file = match toml::from_str::<Written>(text) {
        Ok(written) => file(written, text, folder, &mut mistakes),
        Err(error) => {
            let hint = "see `dockgate test --help` for the keys of a test";
            mistakes.push(Mistake(error.span().unwrap_or(0..0), error.message().trim_end_matches('.').to_owned(), hint));
            File::default()
        }
    };
    if mistakes.is_empty() { Ok(file) } else { Err(mistakes.into_iter().map(|mistake| diagnostic(name, text, mistake)).collect()) }
}

fn file(written: Written, text: &str, folder: &Path, mistakes: &mut Vec<Mistake>) -> File {
    if *written.version.get_ref() != 1 {
        mistakes.push(Mistake(
            written.version.span(),
            "this dockgate knows version 1 of test files only".to_owned(),
            "write `version = 1`",
        ));
    }
    let config = written.config.map(|config| if config.contains('\n') { Source::Inline(config) } else { Source::File(config) });
    let cases = written.test.into_iter().filter_map(|case| match self::case(case, folder) {
        Ok(case) => Some(Case { line: line(text, case.line), ..case }),
        Err(mistake) => {
            mistakes.push(mistake);
            None
        }
    });
    File { config, cases: cases.collect() }
}

/// Its `line` is still the byte where the name begins: only the text as a whole knows lines.
fn case(written: WrittenCase, folder: &Path) -> Result<Case, Mistake> {
    let place = written.name.span();
    let from_line = written.run.is_some();
    let request = match (written.request, written.run) {
        (Some(request), None) => self::request(request, folder)?,
        (None, Some(line)) => {
            run::request(line.get_ref()).map_err(|why| Mistake(line.span(), why, "the line is read as the docker command line reads it"))?
        }
        (Some(_), Some(_)) => return Err(Mistake(place, "this test has both `request` and `run`".to_owned(), "take one of them out")),
        (None, None) => {
            return Err(Mistake(place, "this test has no request".to_owned(), "add `request = { … }` or `run = \"docker run …\"`"));
        }
    };
    let expect = match written.expect.get_ref().as_str() {
        "allow" => Word::Allow,
        "deny" => Word::Deny,
        "would-deny" => Word::WouldDeny,
        "refuse" => Word::Refused,
        other => return Err(Mistake(written.expect.span(), format!("`{other}` is no verdict"), "write allow, deny, would-deny or refuse")),
    };
    if expect == Word::Allow && (written.reason.is_some() || written.at.is_some()) {
        return Err(Mistake(place, "what is allowed has no `reason` and no `at`".to_owned(), "take them out, or use `warnings`"));
    }
    for code in written.reason.iter().chain(written.warnings.iter().flatten()) {
        known(code)?;
    }
    let forwards = written.forwards.map(|text| {
        json::read(text.get_ref().as_bytes())
            .map_err(|kind| Mistake(text.span(), format!("`forwards` is no JSON: {}", kind.code()), "write one JSON object"))
    });
    Ok(Case {
        name: written.name.into_inner(),
        line: place.start,
        policy: written.policy,
        request,
        from_line,
        expect,
        reason: written.reason.map(Spanned::into_inner),
        at: written.at,
        warnings: written.warnings.map(|codes| codes.into_iter().map(Spanned::into_inner).collect()),
        forwards: forwards.transpose()?,
    })
}

fn known(code: &Spanned<String>) -> Result<(), Mistake> {
    let known =
        |word: &str| Reason::ALL.iter().any(|reason| reason.code() == word) || FaultKind::ALL.iter().any(|kind| kind.code() == word);
    if known(code.get_ref()) {
        return Ok(());
    }
    Err(Mistake(code.span(), format!("`{}` is no reason", code.get_ref()), "`dockgate explain` shows the reason of a request"))
}

fn request(written: WrittenRequest, folder: &Path) -> Result<Request, Mistake> {
    let WrittenRequest { method, path, body, body_file } = written;
    let body = match (body, body_file) {
        (Some(_), Some(file)) => {
            return Err(Mistake(file.span(), "this request has both `body` and `body-file`".to_owned(), "take one of them out"));
        }
        (None, Some(file)) => {
            let place = folder.join(file.get_ref());
            Some(std::fs::read(&place).map_err(|error| {
                Mistake(file.span(), format!("cannot read `{}`: {error}", place.display()), "the path is relative to the test file")
            })?)
        }
        (body, None) => body.map(String::into_bytes),
    };
    if !method.bytes().chain(path.get_ref().bytes()).all(|b| b.is_ascii_graphic()) || method.is_empty() || path.get_ref().is_empty() {
        return Err(Mistake(path.span(), "method and path must be one word each, in ASCII".to_owned(), "percent-encode what is not"));
    }
    Ok(Request { method: method.to_ascii_uppercase(), path: path.into_inner(), body })
}

/// The line of a byte, from 1.
pub fn line(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

fn diagnostic(name: &str, text: &str, Mistake(span, message, hint): Mistake) -> Diagnostic {
    let before = text.get(..span.start).unwrap_or(text);
    let here = text.get(span.clone()).unwrap_or_default();
    Diagnostic {
        level: Severity::Error,
        code: "bad-test",
        message,
        source: Arc::from(name),
        line: line(text, span.start),
        column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
        length: here.lines().next().unwrap_or_default().chars().count().max(1),
        hint: Some(hint.to_owned()),
        notes: Vec::new(),
    }
}
