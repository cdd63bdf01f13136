//! `dockgate init`: from an engine and the clients that somebody has to a configuration and a compose file.
//! Knows nothing of policies: clients get the presets that exist.

mod choose;
mod compose;
mod engine;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::config;
use crate::rewrite::clients::Client;
use crate::rewrite::sidecar::{self, Door, Sidecar};

use super::Outcome;
use super::say::{self, Failure, Paint};

use engine::Surveyed;

/// The configuration's name.
const CONFIG: &str = "dockgate.toml";
/// The compose file's name.
const COMPOSE: &str = "compose.yml";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A client that gets a door: a preset's name (`dockgate preset list`); may be repeated
    #[arg(long, value_name = "NAME")]
    client: Vec<String>,
    /// Write into this folder, which is made where it is missing
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Ask nothing: without --client, one door with the preset `read-only`
    #[arg(long, short)]
    yes: bool,
    /// The engine [default: DOCKER_HOST, else the first socket that is found]
    #[arg(long, short, value_name = "URL")]
    upstream: Option<String>,
    /// Overwrite dockgate.toml and compose.yml
    #[arg(long)]
    force: bool,
}

const EXAMPLES: &str = "\
Examples:
  dockgate init
  dockgate init --client traefik --client dozzle --dir dockgate
  dockgate init --yes

It writes dockgate.toml, with a door for each client, and compose.yml, with dockgate as a service and what changes in
each client's own. Nothing that is there is overwritten without --force.";

/// Asks, writes, and says what to do next.
pub fn run(args: &Args) -> Outcome {
    let places = [args.dir.join(CONFIG), args.dir.join(COMPOSE)];
    if !args.force {
        free(&places, args)?;
    }
    let named = choose::named(&args.client)?;
    if named.is_empty() && !args.yes && !io::stdin().is_terminal() {
        return Err(Failure::usage("which clients? standard input is no terminal, so nobody can be asked")
            .hint("name them: `--client traefik --client dozzle` (`dockgate preset list` shows all)")
            .hint("or `--yes` for one door with the preset `read-only`"));
    }
    let surveyed = engine::survey(args.upstream.as_deref())?;
    surveyed.say();
    let clients = clients(args, named, &surveyed)?;
    let doors = clients.iter().map(|client| Door { name: client.preset.to_owned(), preset: Some(client.preset.to_owned()) }).collect();
    let sidecar = Sidecar { engine: surveyed.engine(), config: format!("./{CONFIG}"), doors };
    let (toml, compose) = (sidecar.toml(), compose::file(&sidecar, &clients));
    if config::load(CONFIG, &toml).config.is_none() {
        return Err(Failure::refused("these clients do not go together in one configuration"));
    }
    write(&args.dir, &places, [&toml, &compose])?;
    next(&clients, &args.dir);
    Ok(0)
}

/// Nothing of what is there is somebody else's work.
fn free(places: &[PathBuf; 2], args: &Args) -> Result<(), Failure> {
    match places.iter().find(|place| place.symlink_metadata().is_ok()) {
        None => Ok(()),
        Some(there) => {
            let failure = Failure::usage(format!("`{}` exists, and is not overwritten", there.display()));
            let elsewhere = args.dir.join("dockgate");
            Err(failure
                .hint(format!(
                    "`--dir {}` writes into a folder of its own; `include: [dockgate/{COMPOSE}]` in your compose file takes it in",
                    elsewhere.display()
                ))
                .hint(format!("a compose file with your clients in it: `dockgate rewrite {}` puts dockgate between", places[1].display()))
                .hint("`--force` overwrites it"))
        }
    }
}

fn clients(args: &Args, named: Vec<&'static Client>, surveyed: &Surveyed) -> Result<Vec<&'static Client>, Failure> {
    if !named.is_empty() {
        return Ok(named);
    }
    if args.yes {
        return choose::named(&[config::DEFAULT_POLICY.to_owned()]);
    }
    choose::ask(&surveyed.proposed(), &mut io::stdin().lock(), &mut io::stdout().lock())
}

fn write(folder: &Path, places: &[PathBuf; 2], texts: [&String; 2]) -> Result<(), Failure> {
    let cannot = |place: &Path, error: &io::Error| {
        let failure = Failure::usage(format!("cannot write `{}`: {error}", place.display()));
        let denied = error.kind() == io::ErrorKind::PermissionDenied;
        if denied { failure.hint("run init as the user whose folder it is (`--user $(id -u):$(id -g)` with docker run)") } else { failure }
    };
    fs::create_dir_all(folder).map_err(|error| cannot(folder, &error))?;
    for (place, text) in places.iter().zip(texts) {
        let written = fs::File::create(place).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| cannot(place, &error))?;
        say::out(format_args!("wrote {}", place.display()));
    }
    Ok(())
}

fn next(clients: &[&Client], folder: &Path) {
    let paint = Paint::stdout();
    let (config, compose) = (folder.join(CONFIG), folder.join(COMPOSE));
    say::out(paint.bold("next:"));
    if clients.iter().any(|client| sidecar::needs_grants(client.preset)) {
        say::out(format_args!(
            "  - grant what containers may have, in {}: the presets grant no binds, volumes and ports",
            config.display()
        ));
    }
    let changed = "changed as it says at `In the service of`";
    let start = match folder.file_name().filter(|_| folder != Path::new(".")) {
        Some(name) => {
            say::out(format_args!(
                "  - take it into your own compose file: `include: [{}/{COMPOSE}]`, with your clients' services {changed}",
                name.display()
            ));
            "docker compose up -d".to_owned()
        }
        None => {
            say::out(format_args!("  - put your clients' services into {}, {changed}", compose.display()));
            format!("docker compose -f {} up -d", compose.display())
        }
    };
    say::out("  - have the image: `docker build -t dockgate .` in dockgate's repository");
    say::out(format_args!("  - start it: `{start}`"));
    say::out("  - see who still has the engine's socket: `dockgate doctor`");
}
