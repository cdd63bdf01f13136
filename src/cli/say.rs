//! Printing: the one style of everything that people read, and failures with their exit codes.
//! Knows nothing of what is said.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// Why a command ends early.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hints: Vec<String>,
    code: u8,
}

/// The exit code of errors found and of refusals.
pub const REFUSED: u8 = 1;
/// The exit code of wrong usage and unreadable files.
pub const USAGE: u8 = 2;

impl Failure {
    /// Wrong usage, or something that cannot be read or opened.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hints: Vec::new(), code: USAGE }
    }

    /// A refusal, or a check that failed.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { code: REFUSED, ..Self::usage(message) }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// Prints it and returns its exit code.
    pub fn print(&self) -> u8 {
        let paint = Paint::stderr();
        err(format_args!("{} {}", paint.red("error:"), self.message));
        for hint in &self.hints {
            err(format_args!("  {} {hint}", paint.blue("help:")));
        }
        self.code
    }
}

/// A line to standard output. A reader that went away is no reason to fail.
pub fn out(line: impl Display) {
    let _reader_gone = writeln!(io::stdout(), "{line}");
}

/// A line to standard error, with one write: standard error is not buffered, and others may write to it too.
pub fn err(line: impl Display) {
    let _reader_gone = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// A warning to standard error.
pub fn warn(line: impl Display) {
    err(format_args!("{} {line}", Paint::stderr().yellow("warning:")));
}

/// What to do about a warning, to standard error.
pub fn help(line: impl Display) {
    err(format_args!("  {} {line}", Paint::stderr().blue("help:")));
}

/// Colours, where somebody sees them.
#[derive(Debug, Clone, Copy)]
pub struct Paint(bool);

impl Paint {
    /// No colours.
    pub const PLAIN: Self = Self(false);

    /// The colours of standard output.
    pub fn stdout() -> Self {
        Self(io::stdout().is_terminal() && colours_wanted())
    }

    /// The colours of standard error.
    pub fn stderr() -> Self {
        Self(io::stderr().is_terminal() && colours_wanted())
    }

    /// True where colours are used.
    pub fn is_on(self) -> bool {
        self.0
    }

    /// Good.
    pub fn green(self, text: &str) -> String {
        self.wrap("1;32", text)
    }

    /// Bad.
    pub fn red(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    /// Doubtful.
    pub fn yellow(self, text: &str) -> String {
        self.wrap("1;33", text)
    }

    /// Labels.
    pub fn blue(self, text: &str) -> String {
        self.wrap("1;34", text)
    }

    /// What matters.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// <https://no-color.org>: set and not empty.
fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
