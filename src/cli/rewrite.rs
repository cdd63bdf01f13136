//! `dockgate rewrite`: a compose file with dockgate between its services and the docker socket, as a diff or in place.
//! Knows nothing of YAML.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::config;
use crate::rewrite::{self, Options, Problem, Rewritten};

use super::say::{self, Failure, Paint};
use super::{Outcome, diff, load};

/// The configuration's name where none is given.
const CONFIG: &str = "dockgate.toml";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The compose file; `-` is standard input
    #[arg(value_name = "COMPOSE-FILE")]
    file: String,
    /// The preset of a service, over what its image says; may be repeated
    #[arg(long = "client", value_name = "SERVICE=PRESET", value_parser = pair)]
    clients: Vec<(String, String)>,
    /// Write the compose file in place, and what it was to FILE.bak
    #[arg(long)]
    write: bool,
    /// Write the configuration to this new file instead of standard output
    #[arg(long, value_name = "FILE")]
    config_out: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  dockgate rewrite compose.yml
  dockgate rewrite compose.yml --client portainer=portainer --write --config-out dockgate.toml

Without --write nothing is changed: a diff is printed, and after it the configuration. What cannot be changed without guessing
is named with its line, and nothing is changed then.

Exit codes: 0 rewritten, or nothing to do; 1 the file cannot be rewritten; 2 wrong usage or unreadable files.";

/// Proposes, or writes.
pub fn run(args: &Args) -> Outcome {
    if args.write && args.file == "-" {
        return Err(Failure::usage("standard input cannot be written in place").hint("leave out --write, or name a file"));
    }
    let before = load::text(&args.file)?;
    let options = Options { chosen: args.clients.clone(), config: mounted(args) };
    let rewritten = rewrite::rewrite(&before, &options).map_err(|problem| failed(&args.file, problem))?;
    for note in &rewritten.notes {
        say::warn(format_args!("{}:{}: {}", args.file, note.line, note.text));
    }
    if rewritten.clients == 0 {
        say::err(format_args!("{}: nothing to do: no service mounts the docker socket", args.file));
        return Ok(0);
    }
    usable(&rewritten)?;
    // before the first of them is written, so that none is written alone
    let backup = args.write.then(|| PathBuf::from(format!("{}.bak", args.file)));
    args.config_out.iter().chain(&backup).try_for_each(|file| free(file))?;
    if let Some(file) = &args.config_out {
        create(file, &rewritten.config)?;
    }
    if args.write {
        in_place(&args.file, &before, &rewritten.compose)?;
        say::err(format_args!(
            "{}: {} behind dockgate; what it was is in `{}.bak`",
            args.file,
            load::count(rewritten.clients, "service"),
            args.file
        ));
        let save = if args.config_out.is_none() { format!("save what follows as `{}`, ", options.config) } else { String::new() };
        say::err(format_args!(
            "next: {save}`dockgate check {}`, then `docker compose up -d`, which says what DOCKER_GID must be",
            options.config
        ));
    } else {
        say::out(coloured(&args.file, &before, &rewritten.compose).trim_end());
    }
    if args.config_out.is_none() {
        let title = if args.write { String::new() } else { format!("\n# {}\n", options.config) };
        say::out(format_args!("{title}{}", rewritten.config.trim_end()));
    }
    Ok(0)
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (service, preset) = text.split_once('=').ok_or("write SERVICE=PRESET")?;
    Ok((service.to_owned(), preset.to_owned()))
}

/// The configuration as the compose file names it: relative to it where both are in one folder.
fn mounted(args: &Args) -> String {
    let Some(file) = &args.config_out else { return format!("./{CONFIG}") };
    let folder = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
    match file.file_name() {
        Some(name) if folder(file) == folder(Path::new(&args.file)) => format!("./{}", name.to_string_lossy()),
        Some(_) | None => std::path::absolute(file).unwrap_or_else(|_| file.clone()).display().to_string(),
    }
}

/// A configuration that `dockgate check` would refuse is a fault of this program.
fn usable(rewritten: &Rewritten) -> Result<(), Failure> {
    let loaded = config::load(CONFIG, &rewritten.config);
    let errors: Vec<String> =
        loaded.diagnostics.iter().filter(|one| one.is_error()).map(|one| one.render(&rewritten.config, false)).collect();
    if errors.is_empty() { Ok(()) } else { Err(Failure::refused(format!("the configuration would not load: {}", errors.join("")))) }
}

fn failed(file: &str, problem: Problem) -> Failure {
    let place = problem.line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"));
    Failure::refused(format!("{place}: {}; nothing was changed", problem.message)).hint(problem.hint)
}

fn free(file: &Path) -> Result<(), Failure> {
    if !file.exists() {
        return Ok(());
    }
    Err(Failure::usage(format!("`{}` exists already; nothing was changed", file.display()))
        .hint("name another file, or move this one away"))
}

/// A new file: what is there already is somebody's work.
fn create(file: &Path, text: &str) -> Result<(), Failure> {
    let written = std::fs::OpenOptions::new().write(true).create_new(true).open(file).and_then(|mut open| open.write_all(text.as_bytes()));
    written.map_err(|error| {
        Failure::usage(format!("cannot write `{}`: {error}", file.display())).hint("name another file, or move this one away")
    })
}

fn in_place(file: &str, before: &str, after: &str) -> Result<(), Failure> {
    create(Path::new(&format!("{file}.bak")), before)?;
    std::fs::write(file, after).map_err(|error| Failure::usage(format!("cannot write `{file}`: {error}")))
}

fn coloured(file: &str, before: &str, after: &str) -> String {
    let paint = Paint::stdout();
    let text = diff::unified(file, before, after);
    let coloured = text.lines().map(|line| match line.chars().next() {
        Some('+') => paint.green(line),
        Some('-') => paint.red(line),
        Some('@') => paint.blue(line),
        _ => line.to_owned(),
    });
    coloured.collect::<Vec<_>>().join("\n")
}
