//! What is said about a configuration: where, what, and what to do; and how it looks on a terminal.
//! Knows nothing of what the keys mean.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::tree::Span;
use super::{Purpose, digest};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, and probably does not say what was meant.
    Warning,
}

impl Severity {
    /// The word that is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Error => "\x1b[1;31m",
            Self::Warning => "\x1b[1;33m",
        }
    }
}

/// One thing that is said about a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub level: Severity,
    /// A stable word for the kind of mistake.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// The file, as the caller named it.
    pub source: Arc<str>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters of the line are meant, at least 1.
    pub length: usize,
    /// What to do.
    pub hint: Option<String>,
    /// What else is good to know.
    pub notes: Vec<String>,
}

impl Diagnostic {
    /// True for errors.
    pub fn is_error(&self) -> bool {
        self.level == Severity::Error
    }

    /// Place and message on one line: `file:line:column: message`.
    pub fn line(&self) -> String {
        format!("{}:{}:{}: {}", self.source, self.line, self.column, self.message)
    }

    /// The text for people: `file:line:column: error[code]: message`, the line, a caret, hint and notes.
    /// `text` is the file that the diagnostic came from. Ends with a newline.
    pub fn render(&self, text: &str, colour: bool) -> String {
        let paint = |code: &'static str| if colour { code } else { "" };
        let (strong, blue, plain, own) = (paint("\x1b[1m"), paint("\x1b[1;34m"), paint("\x1b[0m"), paint(self.level.colour()));
        let Self { source, line, column, code, message, .. } = self;
        let mut out = format!("{strong}{source}:{line}:{column}: {own}{}[{code}]{plain}{strong}: {message}{plain}\n", self.level.as_str());
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        if let Some(written) = text.lines().nth(line.saturating_sub(1)) {
            // A control character would move the caret, or the terminal.
            let shown: String = written.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
            let indent: String = shown.chars().take(column.saturating_sub(1)).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            let _ = writeln!(out, " {blue}{number} |{plain} {shown}");
            let _ = writeln!(out, " {blue}{gutter} |{plain} {indent}{own}{}{plain}", "^".repeat(self.length.max(1)));
        }
        for (word, said) in self.hint.iter().map(|hint| ("help", hint)).chain(self.notes.iter().map(|note| ("note", note))) {
            let _ = writeln!(out, " {gutter} {blue}={plain} {strong}{word}{plain}: {said}");
        }
        out
    }
}

/// Collects everything that is said about one source.
pub(super) struct Report<'t> {
    pub(super) source: Arc<str>,
    pub(super) text: &'t str,
    /// The text's digest.
    pub(super) digest: Arc<str>,
    /// Other files that the configuration names and that were read.
    pub(super) files: Vec<PathBuf>,
    pub(super) purpose: Purpose,
    found: Vec<Diagnostic>,
    /// The newest, to which a hint may still be added.
    open: Option<Diagnostic>,
}

impl<'t> Report<'t> {
    pub(super) fn new(source: &str, text: &'t str) -> Self {
        let (source, digest, purpose) = (Arc::from(source), Arc::from(digest(text)), Purpose::Serve);
        Self { source, text, digest, files: Vec::new(), purpose, found: Vec::new(), open: None }
    }

    /// Adds an error; hint and notes may be set on what is returned.
    pub(super) fn error(&mut self, code: &'static str, span: &Span, message: impl Into<String>) -> &mut Diagnostic {
        self.keep(Severity::Error, code, span, message.into())
    }

    /// Adds a warning.
    pub(super) fn warning(&mut self, code: &'static str, span: &Span, message: impl Into<String>) -> &mut Diagnostic {
        self.keep(Severity::Warning, code, span, message.into())
    }

    /// Adds one that was made before.
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// An error that is not added yet.
    pub(super) fn later(&self, code: &'static str, span: &Span, message: impl Into<String>) -> Diagnostic {
        self.make(Severity::Error, code, span, message.into())
    }

    pub(super) fn has_errors(&self) -> bool {
        self.found.iter().chain(&self.open).any(Diagnostic::is_error)
    }

    /// The line of a span, from 1.
    pub(super) fn line(&self, span: &Span) -> usize {
        self.before(span).matches('\n').count() + 1
    }

    /// What is written there, on one line.
    pub(super) fn written(&self, span: &Span) -> String {
        self.text.get(span.clone()).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Everything that was said, in the order of the file, each thing once.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        let mut kept: Vec<Diagnostic> = Vec::new();
        for diagnostic in self.found.into_iter().chain(self.open) {
            if !kept.contains(&diagnostic) {
                kept.push(diagnostic);
            }
        }
        kept.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column, diagnostic.level));
        kept
    }

    fn keep(&mut self, level: Severity, code: &'static str, span: &Span, message: String) -> &mut Diagnostic {
        let made = self.make(level, code, span, message);
        self.found.extend(self.open.take());
        self.open.insert(made)
    }

    fn make(&self, level: Severity, code: &'static str, span: &Span, message: String) -> Diagnostic {
        let before = self.before(span);
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let here = self.text.get(span.clone()).unwrap_or_default();
        let length = here.lines().next().unwrap_or_default().chars().count().max(1);
        Diagnostic {
            level,
            code,
            message,
            source: Arc::clone(&self.source),
            line: self.line(span),
            column,
            length,
            hint: None,
            notes: Vec::new(),
        }
    }

    fn before(&self, span: &Span) -> &'t str {
        self.text.get(..span.start).unwrap_or(self.text)
    }
}
