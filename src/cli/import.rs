//! `dockgate import`: another proxy's settings as a configuration file.
//! Knows nothing of what the settings mean.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::config;
use crate::import::{self, Environment, Extent, Image, ImportError, Imported, Service};

use super::say::{self, Failure, Paint};
use super::{Outcome, load};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Whose settings
    #[arg(value_name = "PROXY")]
    from: From,
    /// Variables; for cetusguard also files of rules
    #[arg(value_name = "KEY=VALUE")]
    given: Vec<String>,
    /// Read variables from this file
    #[arg(long, value_name = "FILE", conflicts_with = "compose")]
    env: Option<String>,
    /// Read the environment and command of a service of this compose file
    #[arg(long, value_name = "FILE")]
    compose: Option<String>,
    /// The service [default: the one with that proxy's image]
    #[arg(long, value_name = "NAME", requires = "compose")]
    service: Option<String>,
    /// Write the least version: no dangerous reads, and only what such settings are usually wanted for
    #[arg(long)]
    tighten: bool,
    /// Write to this new file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The proxy's own flags (wollomatic, cetusguard)
    #[arg(last = true, value_name = "FLAGS")]
    flags: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum From {
    Tecnativa,
    Linuxserver,
    Wollomatic,
    Cetusguard,
}

const EXAMPLES: &str = "\
Examples:
  dockgate import tecnativa CONTAINERS=1 POST=0
  dockgate import linuxserver --compose compose.yml --tighten -o dockgate.toml
  dockgate import wollomatic -- '-allowGET=/v1\\..{1,2}/(version|containers/.*|events.*)'
  dockgate import cetusguard rules.list

The result allows what the settings allow, of all operations that dockgate knows, and has a comment on every trap.";

/// Writes what the settings come to.
pub fn run(args: &Args) -> Outcome {
    let imported = imported(args)?;
    let loaded = config::load("the result", &imported.toml);
    if loaded.config.is_none() {
        for diagnostic in loaded.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()) {
            say::err(diagnostic.render(&imported.toml, Paint::stderr().is_on()));
        }
        return Err(Failure::refused("these settings cannot be written as a configuration"));
    }
    for warning in imported.warnings.iter().chain(&imported.exposed) {
        say::warn(warning);
    }
    match &args.output {
        Some(file) => save(file, &imported.toml)?,
        None => say::out(imported.toml.trim_end()),
    }
    Ok(0)
}

/// A new file: what is there already is somebody's work.
fn save(file: &Path, text: &str) -> Result<(), Failure> {
    let written = std::fs::OpenOptions::new().write(true).create_new(true).open(file).and_then(|mut open| open.write_all(text.as_bytes()));
    written.map_err(|error| {
        let failure = Failure::usage(format!("cannot write `{}`: {error}", file.display()));
        if error.kind() == std::io::ErrorKind::AlreadyExists { failure.hint("name another file, or move this one away") } else { failure }
    })
}

fn imported(args: &Args) -> Result<Imported, Failure> {
    let (variables, files) = args.given.iter().partition::<Vec<&String>, _>(|given| args.from != From::Cetusguard || given.contains('='));
    let service = service(args)?;
    let mut environment = environment(args, &service)?;
    for variable in variables {
        environment.extend([import::pair(variable).map_err(failed)?]);
    }
    let flags = if args.flags.is_empty() { service.command } else { args.flags.clone() };
    let extent = if args.tighten { Extent::Least } else { Extent::Equal };
    let image = match args.from {
        From::Tecnativa => Image::Tecnativa,
        From::Linuxserver => Image::Linuxserver,
        From::Wollomatic => {
            let mut imported = import::wollomatic(&flags, &environment, extent).map_err(failed)?;
            imported.warnings.extend(labels(args, &flags, &environment)?);
            return Ok(imported);
        }
        From::Cetusguard => {
            let own = import::rule_files(&flags, &environment);
            let texts: Vec<String> = files.into_iter().chain(&own).map(|file| load::text(file)).collect::<Result<_, _>>()?;
            return import::cetusguard(&texts.join("\n"), &flags, &environment, extent).map_err(failed);
        }
    };
    if !args.flags.is_empty() {
        return Err(Failure::usage("that image has no flags").hint("give its variables as KEY=VALUE"));
    }
    import::sections(image, &environment, extent).map_err(failed)
}

/// Lists that clients have by their labels; each is a policy of its own here.
fn labels(args: &Args, flags: &[String], environment: &Environment) -> Result<Vec<String>, Failure> {
    let prefix = import::label_prefix(flags, environment).map_err(failed)?;
    let (Some(prefix), Some(file)) = (prefix, &args.compose) else { return Ok(Vec::new()) };
    let found = import::labels(&load::text(file)?, &prefix);
    let said = |(service, label): (String, String)| {
        format!(
            "service `{service}` has the label `{label}`, which is not imported: give it a door, and what the label allows to that door's policy"
        )
    };
    Ok(found.into_iter().map(said).collect())
}

fn service(args: &Args) -> Result<Service, Failure> {
    let Some(file) = &args.compose else { return Ok(Service::default()) };
    import::service(&load::text(file)?, args.service.as_deref(), args.from.images()).map_err(failed)
}

/// Files first, then what stands beside them.
fn environment(args: &Args, service: &Service) -> Result<Environment, Failure> {
    let folder = args.compose.as_ref().and_then(|file| Path::new(file).parent()).unwrap_or(Path::new(""));
    let files = service.env_files.iter().map(|file| folder.join(file).display().to_string());
    let mut environment = Environment::new();
    for file in args.env.iter().cloned().chain(files) {
        environment.extend(import::env_file(&load::text(&file)?).map_err(failed)?);
    }
    environment.extend(service.environment.clone());
    Ok(environment)
}

fn failed(error: ImportError) -> Failure {
    Failure::usage(error.message).hint(error.hint)
}

impl From {
    /// What the names of its images hold.
    fn images(self) -> &'static [&'static str] {
        match self {
            Self::Tecnativa => &["tecnativa/docker-socket-proxy"],
            Self::Linuxserver => &["linuxserver/socket-proxy"],
            Self::Wollomatic => &["wollomatic/socket-proxy"],
            Self::Cetusguard => &["hectorm/cetusguard"],
        }
    }
}
