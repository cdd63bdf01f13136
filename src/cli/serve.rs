//! `dockgate serve`: puts flags, file and defaults together, says what was chosen, and serves.
//! Knows nothing of requests.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::audit::{self, Settings, Trail};
use crate::config::{
    self, AuditSync, CheckpointsTo, Config, DEFAULT_POLICY, Door, DoorTls, Limits, Listen, Severity, TlsClients, UpstreamUrl,
};
use crate::proxy::Upstream;
use crate::proxy::descriptors;
use crate::proxy::serve::Server;

use super::find;
use super::ids::Me;
use super::reload::{self, Reloader};
use super::say::{self, Failure, Paint};
use super::{Outcome, around, compat, engine, load, sinks, stop, trouble, unbound};

/// How long a first question to the engine may take.
const FIRST_PING: Duration = Duration::from_secs(3);

/// Arguments.
#[derive(Debug, Default, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Read doors, policies and the rest from this file
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<String>,
    /// Listen here instead of at the file's doors (unix:///path or tcp://127.0.0.1:port); may be repeated
    #[arg(long, short, value_name = "URL")]
    pub listen: Vec<String>,
    /// The engine (unix:///path, tcp://host:port or https://host:port)
    #[arg(long, short, value_name = "URL")]
    pub upstream: Option<String>,
    /// The policy for --listen: one of the file, or a preset [default: read-only]
    #[arg(long, short, value_name = "NAME")]
    pub policy: Option<String>,
    /// Append the audit trail to this file; `-` is standard output
    #[arg(long, short, value_name = "FILE")]
    pub audit: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  dockgate serve
  dockgate serve --policy traefik --listen unix:///run/dockgate/traefik/docker.sock
  dockgate serve --config dockgate.toml --audit /var/log/dockgate/audit.jsonl

Without --upstream and a file, the engine is found from DOCKER_HOST, docker's socket, the rootless socket and Podman's.
Without --listen and a file, the door is unix:///run/dockgate/docker.sock, or else in $XDG_RUNTIME_DIR/dockgate.
With DOCKGATE_COMPAT=tecnativa or linuxserver and no file, the environment of those images is honoured, on port 2375.";

/// Serves until it is told to stop.
pub fn run(args: &Args) -> Outcome {
    let compat = compat::Compat::asked(args)?;
    let (log, said_by) = compat.as_ref().map_or(("info", "the file"), |compat| (compat.log, "DOCKGATE_COMPAT"));
    let config = match (&args.config, compat) {
        (Some(file), _) => load::usable(file, Severity::Warning)?,
        (None, Some(compat)) => compat.config,
        (None, None) => config::defaults(),
    };
    let config = with_flags(args, config, default_door)?;
    let upstream = upstream(args, &config, said_by)?;
    super::log::start(log);
    super::runtime()?.block_on(serve(args, &config, upstream))
}

async fn serve(args: &Args, config: &Config, upstream: Upstream) -> Outcome {
    let (stopped, hang_ups) = (stop::requested()?, stop::hang_ups()?);
    let descriptors = descriptors::raise();
    let trail = trail(&config.audit)?;
    let server = Server::bind(config, upstream.clone(), trail.clone()).map_err(|unbound| unbound::failure(&unbound, config))?;
    chosen(config, &server);
    fewer(config.limits.connections, server.connections(), descriptors);
    reload::loaded(&trail, server.doors());
    let sinks = sinks::start(&config.audit, &trail)?;
    let mut reloader = Reloader::new(args, config, server.policies(config), trail);
    if let Err(trouble) = trouble::first_word(&upstream, FIRST_PING).await {
        say::warn(format_args!("the engine does not answer now: {}", trouble.message()));
        trouble.hints().iter().for_each(say::help);
    }
    tokio::select! {
        () = server.run(stopped) => {}
        never = reloader.follow(hang_ups) => match never {},
    }
    sinks::stop(sinks).await;
    Ok(0)
}

/// A file's configuration with what flags say over it; `door` names the door that holds where neither names any.
///
/// # Errors
/// Flags that do not go together, with the file, or with their own form.
pub fn with_flags(args: &Args, mut config: Config, door: impl Fn() -> Result<String, Failure>) -> Result<Config, Failure> {
    doors(args, &mut config, door)?;
    if let Some(url) = &args.upstream {
        config.upstream = Some(engine::named(url)?);
    }
    if let Some(file) = &args.audit {
        config.audit.file = (file.as_os_str() != "-").then(|| std::path::absolute(file).unwrap_or_else(|_| file.clone()));
    }
    Ok(config)
}

/// The doors of flags, of the file, or the one that holds where neither names any.
fn doors(args: &Args, config: &mut Config, default: impl Fn() -> Result<String, Failure>) -> Result<(), Failure> {
    let name = args.policy.as_deref().unwrap_or(DEFAULT_POLICY);
    if args.listen.is_empty() && !config.doors.is_empty() {
        let useless = || {
            Failure::usage("the doors of the file name their own policies")
                .hint("leave out --policy, or add --listen for a door that has it")
        };
        return args.policy.as_ref().map_or(Ok(()), |_| Err(useless()));
    }
    let policy = load::policy(config, name)?;
    config.policies.insert(name.to_owned(), policy);
    let listen = if args.listen.is_empty() { vec![default()?] } else { args.listen.clone() };
    let door = |url: &String| {
        Door::new(url, name, "--listen").map_err(|error| Failure::usage(format!("--listen: {}", error.message)).hint(error.hint))
    };
    config.doors = listen.iter().map(door).collect::<Result<_, _>>()?;
    Ok(())
}

fn default_door() -> Result<String, Failure> {
    let places = find::doors(&around::surroundings());
    let usable = places.iter().find(|path| path.parent().is_some_and(around::usable_folder));
    usable.map(|path| format!("unix://{}", path.display())).ok_or_else(|| {
        let folders = || places.iter().map(|path| path.parent().unwrap_or(path));
        let tried: Vec<String> = folders().map(|folder| format!("`{}`", folder.display())).collect();
        let why = folders().find_map(unbound::not_writable).map_or_else(String::new, |why| format!(": {why}"));
        Failure::usage(format!("cannot make a folder for the door at {}{why}", tried.join(" or ")))
            .hint("name a place with --listen unix:///path/docker.sock, or set XDG_RUNTIME_DIR")
    })
}

/// The engine of flags, of the file, or the first that is found.
fn upstream(args: &Args, config: &Config, file: &'static str) -> Result<Upstream, Failure> {
    let (url, said_by) = match &config.upstream {
        Some(url) => (url.clone(), if args.upstream.is_some() { "--upstream" } else { file }),
        None => {
            let found = engine::found(config)?;
            (found.upstream, found.said_by)
        }
    };
    if let Some(door) =
        config.doors.iter().find(|door| matches!((&door.listen, &url), (Listen::Unix(door), UpstreamUrl::Unix(engine)) if door == engine))
    {
        return Err(Failure::usage(format!("the door `{}` is also the engine's socket", door.listen)).hint("give the door another path"));
    }
    line("engine", &format!("{url} ({said_by})"));
    engine::upstream(url, config.engine_tls.clone(), &around::surroundings())
}

fn trail(config: &config::Audit) -> Result<Trail, Failure> {
    let settings = settings(config);
    Trail::open(&settings).map_err(|error| {
        settings.file.as_ref().map_or_else(|| Failure::usage(format!("cannot start the trail: {error}")), |file| closed(file, &error))
    })
}

/// Why a trail's file does not open.
#[allow(clippy::wildcard_enum_match_arm, reason = "the kinds of errors are the system's, and no closed list")]
fn closed(file: &Path, error: &io::Error) -> Failure {
    let folder = file.parent().unwrap_or(file);
    if error.kind() == io::ErrorKind::NotFound && !folder.exists() {
        let folder = folder.display();
        return Failure::usage(format!("the folder of the trail does not exist: `{folder}`"))
            .hint(format!("make it with `mkdir -p {folder}`, or name another file"));
    }
    let failure = |why: String| Failure::usage(format!("cannot open the trail `{}`: {why}", file.display()));
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let place = if file.exists() { file } else { folder };
            let uid = Me::here().uid;
            failure(unbound::not_writable(place).map_or_else(|| error.to_string(), |why| format!("permission denied: {why}")))
                .hint(format!("give it a folder of its own, as root: `install -d -o {uid} -m 0750 FOLDER`"))
                .hint(format!("in compose: a volume at its folder that user {uid} may write to, as `dockgate init` writes it"))
        }
        io::ErrorKind::ReadOnlyFilesystem => failure(error.to_string()).hint(format!("mount a volume at `{}`", folder.display())),
        io::ErrorKind::IsADirectory => failure("a folder is there".to_owned()).hint("name a file in it"),
        _ => failure(error.to_string()),
    }
}

/// The trail's settings as the configuration has them.
fn settings(config: &config::Audit) -> Settings {
    Settings {
        file: config.file.clone(),
        sync: match config.sync {
            AuditSync::Changes => audit::Sync::Changes,
            AuditSync::All => audit::Sync::All,
            AuditSync::None => audit::Sync::None,
        },
        on_failure: match config.on_failure {
            config::OnFailure::DenyChanges => audit::OnFailure::DenyChanges,
            config::OnFailure::DenyAll => audit::OnFailure::DenyAll,
            config::OnFailure::ContinueUnaudited => audit::OnFailure::ContinueUnaudited,
        },
        key: config.key.clone(),
        checkpoint_records: config.checkpoint_records,
        checkpoint_interval: config.checkpoint_interval,
        checkpoints_to: config.checkpoints_to.as_ref().map(|place| match place {
            CheckpointsTo::Stdout => audit::Place::Stdout,
            CheckpointsTo::File(path) => audit::Place::File(path.clone()),
        }),
        rotate_size: Some(config.rotate_size),
        rotate_interval: config.rotate_interval,
        keep_files: config.keep_files,
        fold_above: config.fold_above,
    }
}

/// Says on standard error what serves whom.
fn chosen(config: &Config, server: &Server) {
    let mut first = None;
    for (door, bound) in config.doors.iter().zip(server.doors()) {
        let url = bound.local_address().map_or_else(|| door.listen.to_string(), |address| format!("tcp://{address}"));
        let origin = if door.origin.line == 0 { String::new() } else { format!(" ({})", door.origin) };
        let tls = door.tls.as_ref().map(secured).unwrap_or_default();
        line("door", &format!("{url}, {}{origin}{tls}", whose(door)));
        first.get_or_insert(url);
        for policy in door.policies().filter(|_| door.origin.line == 0).filter_map(|name| config.policy(name)) {
            let ways = config::ways_to_root(&policy);
            if !ways.is_empty() {
                say::warn(format_args!("policy `{}` is as good as root on the host: {}", policy.name, ways.join("; ")));
            }
        }
    }
    let trail = config.audit.file.as_ref().map_or_else(|| "standard output".to_owned(), |file| file.display().to_string());
    line("trail", &trail);
    if config.audit.on_failure == config::OnFailure::ContinueUnaudited {
        say::warn("changes go on without a record while the trail cannot be written (`on-failure = \"continue-unaudited\"`)");
    }
    if let Some(url) = first {
        line("use it", &Paint::stderr().bold(&format!("export DOCKER_HOST={url}")));
    }
}

/// Says where this process has not the descriptors for all connections that it was asked to serve. Nobody asked for the default.
fn fewer(wanted: usize, served: usize, descriptors: Option<u64>) {
    let Some(descriptors) = descriptors.filter(|_| served < wanted) else { return };
    let needed = descriptors::needed(wanted);
    let said = format!("{served} connections are served at once, and not {wanted}: this process may open {descriptors} descriptors");
    if wanted == Limits::default().connections {
        return line("limit", &format!("{said} of the {needed} that it takes"));
    }
    say::warn(said);
    say::help(format_args!("let it open {needed} (`LimitNOFILE={needed}`, `--ulimit nofile={needed}`), or set `connections = {served}`"));
}

/// What a door says of its TLS; a certificate that ends unseen is the usual way for it to stop working.
fn secured(tls: &DoorTls) -> String {
    let clients = match tls.clients {
        TlsClients::Certified => "clients need a certificate",
        TlsClients::Any => "any client",
    };
    format!(", TLS until {}, {clients}", tls.ends)
}

/// The policy of a door, and those of its clients.
fn whose(door: &Door) -> String {
    let own = door.policy.as_ref().map_or_else(|| "known clients only".to_owned(), |name| format!("policy `{name}`"));
    match door.clients.len() {
        0 => own,
        1 => format!("{own}, 1 client entry"),
        several => format!("{own}, {several} client entries"),
    }
}

fn line(label: &str, text: &str) {
    let padded = format!("{label:<7}");
    say::err(format_args!("dockgate: {} {text}", Paint::stderr().blue(&padded)));
}
