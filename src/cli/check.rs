//! `dockgate check`: every problem of a configuration file.
//! Knows nothing of what a problem is.

use std::path::Path;

use super::Outcome;
use super::load::{self, count};
use super::say::{self, Failure, Paint};

/// Where a file is looked for.
pub const PLACES: [&str; 2] = ["dockgate.toml", "/etc/dockgate/dockgate.toml"];

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The file; `-` is standard input [default: dockgate.toml here, else /etc/dockgate/dockgate.toml]
    #[arg(value_name = "FILE")]
    file: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  dockgate check
  dockgate check dockgate.toml
  dockgate preset show traefik | dockgate check -

Exit codes: 0 no errors (there may be warnings), 1 errors, 2 the file cannot be read.";

/// Prints everything that is to be said about a file, then one line that sums it up.
pub fn run(args: &Args) -> Outcome {
    let file = args.file.as_deref().or_else(|| PLACES.into_iter().find(|place| Path::new(place).is_file()));
    let nowhere = || {
        Failure::usage("there is no dockgate.toml here, and no /etc/dockgate/dockgate.toml")
            .hint("name the file: `dockgate check FILE`")
            .hint("`dockgate init` writes one")
    };
    let (loaded, text) = load::load(file.ok_or_else(nowhere)?)?;
    let paint = Paint::stdout();
    for diagnostic in &loaded.diagnostics {
        say::out(diagnostic.render(&text, paint.is_on()));
    }
    let errors = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let found = format!("{}, {}", count(errors, "error"), count(loaded.diagnostics.len() - errors, "warning"));
    let Some(config) = loaded.config else {
        say::out(format_args!("{} {found}", paint.red("not usable:")));
        return Ok(say::REFUSED);
    };
    for (policy, path, door) in config.rebound() {
        let held = door.map_or_else(|| "no door of this file".to_owned(), |door| format!("`{}`, {}", door.listen, door.named()));
        say::out(format_args!("policy `{}` mounts `{path}` where clients ask for the docker socket: {held}", policy.name));
    }
    let policies = match config.policies.len() {
        1 => "1 policy".to_owned(),
        number => format!("{number} policies"),
    };
    say::out(format_args!("{} {}, {policies}, {found}", paint.green("ok:"), count(config.doors.len(), "door")));
    Ok(0)
}
