//! `dockgate doctor`: one screen about the engine, who reaches it around dockgate, and whether dockgate can do its work.
//! Knows nothing of how each thing is found out, and changes nothing.

mod engine;
mod files;
mod host;
mod line;
pub mod mounts;
mod settings;

use std::path::Path;

use crate::config::{self, Config};

use super::say::{self, Failure, Paint};
use super::{Outcome, check, load};

use line::{Level, Line};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The configuration [default: dockgate.toml here, else /etc/dockgate/dockgate.toml, else none]
    #[arg(long, short, value_name = "FILE")]
    config: Option<String>,
    /// The engine [default: the file's, else the first that is found]
    #[arg(long, short, value_name = "URL")]
    upstream: Option<String>,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

const EXAMPLES: &str = "\
Examples:
  dockgate doctor
  dockgate doctor --config /etc/dockgate/dockgate.toml --format json

Run it as the user and in the place where dockgate runs: what it may read and write is what doctor may.
Each question to the engine may take 2 s. Nothing is changed.
Exit codes: 0 nothing fails (there may be notes and warnings), 1 something does, 2 wrong usage or no such file.";

/// Looks at everything and prints it.
pub fn run(args: &Args) -> Outcome {
    let mut lines = Vec::new();
    let config = configuration(args, &mut lines)?;
    let found = super::runtime()?.block_on(engine::look(args.upstream.as_deref(), &config, &mut lines))?;
    lines.extend(host::lines(found.as_ref()));
    lines.extend(files::lines(&config));
    match args.format {
        Format::Text => say::out(line::text(&lines, Paint::stdout())),
        Format::Json => say::out(line::json(&lines)),
    }
    Ok(if line::worst(&lines) == Level::Fail { say::REFUSED } else { 0 })
}

/// The file's configuration; with mistakes in it, or without a file, what holds without one.
fn configuration(args: &Args, lines: &mut Vec<Line>) -> Result<Config, Failure> {
    const ABOUT: &str = "config";
    let Some(file) = args.config.as_deref().or_else(|| check::PLACES.into_iter().find(|place| Path::new(place).is_file())) else {
        lines
            .push(Line::new(Level::Note, ABOUT, "no file: the policy `read-only` and the default door").todo("`dockgate init` writes one"));
        return Ok(config::defaults());
    };
    let (loaded, _) = load::load(file)?;
    let errors = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let warnings = loaded.diagnostics.len() - errors;
    let first = loaded.diagnostics.first().map(config::Diagnostic::line).unwrap_or_default();
    let see = format!("`dockgate check {file}` shows all; the first: {first}");
    let (level, found) = match (errors, warnings) {
        (0, 0) => {
            (Level::Ok, format!("`{file}` has {}", load::count(loaded.config.as_ref().map_or(0, |config| config.doors.len()), "door")))
        }
        (0, _) => (Level::Warn, format!("`{file}` has {}", load::count(warnings, "warning"))),
        _ => (Level::Fail, format!("`{file}` has {}", load::count(errors, "error"))),
    };
    let line = Line::new(level, ABOUT, found);
    lines.push(if level == Level::Ok { line } else { line.todo(see) });
    Ok(loaded.config.unwrap_or_else(config::defaults))
}
