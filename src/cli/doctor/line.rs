//! What doctor prints: a line for each thing that was looked at.
//! Knows nothing of how anything was found.

use serde_json::{Value, json};

use crate::cli::load;
use crate::cli::say::Paint;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Good to know.
    Note,
    /// Works, and should be otherwise.
    Warn,
    /// Does not work, or leaves the engine open.
    Fail,
}

impl Level {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    fn painted(self, paint: Paint) -> String {
        let word = format!("{:<4}", self.as_str());
        match self {
            Self::Ok => paint.green(&word),
            Self::Note => paint.blue(&word),
            Self::Warn => paint.yellow(&word),
            Self::Fail => paint.red(&word),
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How it is.
    pub level: Level,
    /// What was looked at, in one word.
    pub about: &'static str,
    /// What was found.
    pub found: String,
    /// What to do.
    pub todo: Vec<String>,
}

impl Line {
    /// A line without advice.
    pub fn new(level: Level, about: &'static str, found: impl Into<String>) -> Self {
        Self { level, about, found: found.into(), todo: Vec::new() }
    }

    /// Adds what to do.
    #[must_use]
    pub fn todo(mut self, todo: impl Into<String>) -> Self {
        self.todo.push(todo.into());
        self
    }

    /// Adds several things to do.
    #[must_use]
    pub fn todos(mut self, todo: impl IntoIterator<Item = String>) -> Self {
        self.todo.extend(todo);
        self
    }
}

/// The worst of all lines.
pub fn worst(lines: &[Line]) -> Level {
    lines.iter().map(|line| line.level).max().unwrap_or(Level::Ok)
}

/// For people.
pub fn text(lines: &[Line], paint: Paint) -> String {
    let mut out = String::new();
    for Line { level, about, found, todo } in lines {
        out.push_str(&format!("{}  {about:<10}  {found}\n", level.painted(paint)));
        for todo in todo {
            out.push_str(&format!("{:18}{} {todo}\n", "", paint.blue("help:")));
        }
    }
    let count = |level: Level| lines.iter().filter(|line| line.level == level).count();
    let counts =
        [(Level::Fail, "failure"), (Level::Warn, "warning"), (Level::Note, "note")].map(|(level, word)| load::count(count(level), word));
    let sum = format!("{}, {} fine", counts.join(", "), count(Level::Ok));
    out.push_str(&paint.bold(&sum));
    out
}

/// For programs: `{"fine": …, "lines": [{"level", "about", "found", "todo"}]}`.
pub fn json(lines: &[Line]) -> Value {
    let line = |line: &Line| json!({ "level": line.level.as_str(), "about": line.about, "found": line.found, "todo": line.todo });
    json!({ "fine": worst(lines) < Level::Fail, "lines": lines.iter().map(line).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_below_each_other_and_are_summed_up() {
        let lines = [Line::new(Level::Ok, "engine", "there"), Line::new(Level::Fail, "door", "shut").todo("open it")];
        let text = text(&lines, Paint::PLAIN);
        assert_eq!(
            text,
            "ok    engine      there\nfail  door        shut\n                  help: open it\n1 failure, no warnings, no notes, 1 fine"
        );
        assert_eq!(json(&lines)["fine"], false);
        assert_eq!(json(&lines[..1])["lines"][0]["about"], "engine");
    }
}
