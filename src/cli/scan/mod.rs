//! `dockgate scan`: what already runs on an engine, held against a level or a policy.
//! Knows nothing of single checks, and changes nothing on the engine.

mod show;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};

use crate::config;
use crate::docker::{Value, json};
use crate::policy::{Act, Create, Facts, Finding, Glob, Level, Need, Policy, PortGrant, examine_container};
use crate::proxy::Upstream;
use crate::proxy::upstream::Exchange;

use super::find::{self, NotFound};
use super::say::{self, Failure, Paint};
use super::{Outcome, around, engine, load};

/// The largest answer that is read.
const MAX_ANSWER: usize = 32 << 20;
/// How long the engine may take for one answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The engine [default: DOCKER_HOST, else the first socket that is found]
    #[arg(long, short, value_name = "URL")]
    upstream: Option<String>,
    /// The level [default: the policy's, else baseline]
    #[arg(long, short, value_name = "LEVEL")]
    level: Option<Wanted>,
    /// Take level and grants from this policy
    #[arg(long, short, value_name = "NAME")]
    policy: Option<String>,
    /// Take the policy from this file
    #[arg(long, short, value_name = "FILE")]
    config: Option<String>,
    /// How findings are printed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Wanted {
    Baseline,
    Restricted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Table,
    Json,
}

const EXAMPLES: &str = "\
Examples:
  dockgate scan
  dockgate scan --level restricted --format json
  dockgate scan --config dockgate.toml --policy ci

These are the questions of section 5 of the CIS Docker Benchmark, as far as the engine's API answers them. Without a
policy any image, volume and network is fine, and ports are where they are published on loopback.
Exit codes: 0 nothing is denied (there may be warnings), 1 something is, 2 the engine cannot be asked.";

/// What was found about a container.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    container: String,
    finding: Finding,
    act: Act,
}

/// All that was found.
#[derive(Debug, Default)]
struct Scan {
    containers: usize,
    rows: Vec<Row>,
}

/// Scans, prints, and says by its exit code whether anything is denied.
pub fn run(args: &Args) -> Outcome {
    let judged = Judged::new(args)?;
    let upstream = upstream(args)?;
    let scan = super::runtime()?.block_on(scan(&upstream, judged.create())).map_err(|why| {
        Failure::usage(format!("the engine cannot be asked: {why}")).hint("name another one with --upstream URL or DOCKER_HOST")
    })?;
    match args.format {
        Format::Table => say::out(show::table(&scan, judged.create().level, Paint::stdout()).trim_end()),
        Format::Json => say::out(show::json(&scan, judged.create().level)),
    }
    Ok(if scan.rows.iter().any(|row| row.act == Act::Deny) { say::REFUSED } else { 0 })
}

/// What containers are held against.
enum Judged {
    Policy(Arc<Policy>),
    Level(Box<Create>),
}

impl Judged {
    fn new(args: &Args) -> Result<Self, Failure> {
        if args.policy.is_none() && args.config.is_none() {
            return Ok(Self::Level(Box::new(level(args.level.map_or(Level::Baseline, Wanted::level)))));
        }
        let config = args.config.as_deref().map_or_else(|| Ok(config::defaults()), load::to_judge)?;
        let policy = super::explain::policy(args.policy.as_deref(), &config)?;
        match args.level.map(Wanted::level).filter(|level| *level != policy.create.level) {
            None => Ok(Self::Policy(policy)),
            Some(level) => at_level(args, &policy.name, level),
        }
    }

    fn create(&self) -> &Create {
        match self {
            Self::Policy(policy) => &policy.create,
            Self::Level(create) => create,
        }
    }
}

impl Wanted {
    fn level(self) -> Level {
        match self {
            Self::Baseline => Level::Baseline,
            Self::Restricted => Level::Restricted,
        }
    }
}

/// The policy with another level: one that extends it, loaded as if the file had it.
fn at_level(args: &Args, name: &str, level: Level) -> Result<Judged, Failure> {
    const OWN: &str = "scan-at-this-level";
    let text = args.config.as_deref().map_or_else(|| Ok("version = 1".to_owned()), load::text)?;
    let name = toml::Value::String(name.to_owned());
    let own = format!("\n[policy.{OWN}]\nextends = [{name}]\n[policy.{OWN}.create]\nlevel = \"{}\"\n", level.as_str());
    let policy = config::load_to_judge("scan", &format!("{text}{own}")).config.and_then(|config| config.policy(OWN));
    policy.map(Judged::Policy).ok_or_else(|| Failure::usage(format!("policy {name} cannot have level {}", level.as_str())))
}

/// A level alone grants what only an allowlist could name.
fn level(level: Level) -> Create {
    let any = || Glob::new("**").ok().into_iter().collect();
    let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let ports = loopback.map(|address| PortGrant { address, first: 0, last: u16::MAX });
    Create { level, volumes: any(), networks: any(), ports: ports.to_vec(), ..Create::default() }
}

fn upstream(args: &Args) -> Result<Upstream, Failure> {
    let surroundings = around::surroundings();
    let url = match &args.upstream {
        Some(url) => {
            url.parse().map_err(|error: config::UrlError| Failure::usage(format!("--upstream: {}", error.message)).hint(error.hint))?
        }
        None => match find::upstream(&surroundings, &[], around::is_socket) {
            Ok(found) => found.upstream,
            Err(NotFound::BadDockerHost(why)) => return Err(Failure::usage(format!("DOCKER_HOST cannot be used: {why}"))),
            Err(NotFound::Nowhere(_)) => {
                return Err(Failure::usage("no engine was found").hint("name one with --upstream URL or DOCKER_HOST"));
            }
        },
    };
    engine::upstream(url, None, &surroundings)
}

/// Every container, running or not.
async fn scan(upstream: &Upstream, create: &Create) -> Result<Scan, String> {
    let info = ask(upstream, "/info").await?.unwrap_or(Value::Null);
    let list = ask(upstream, "/containers/json?all=1").await?.unwrap_or(Value::Null);
    let mut scan = Scan::default();
    for id in list.items().iter().map(|one| one.text("Id")) {
        // a container may go away meanwhile
        let Some(container) = ask(upstream, &format!("/containers/{id}/json")).await? else { continue };
        let mut facts = Facts::default();
        facts.insert(Need::Info, info.clone());
        for name in volumes(&container) {
            if let Some(volume) = ask(upstream, &format!("/volumes/{name}")).await? {
                facts.insert(Need::Volume(name), volume);
            }
        }
        scan.containers += 1;
        let name = container.text("Name").trim_start_matches('/').to_owned();
        let examined = examine_container(create, &container, &facts);
        let denied = examined.findings.into_iter().map(|finding| (finding, Act::Deny));
        let warned = examined.warnings.into_iter().map(|finding| (finding, Act::Warn));
        scan.rows.extend(denied.chain(warned).map(|(finding, act)| Row { container: name.clone(), finding, act }));
    }
    Ok(scan)
}

fn volumes(container: &Value) -> Vec<String> {
    crate::policy::facts::volumes(container).collect()
}

/// The engine's answer; nothing where it says 404.
async fn ask(upstream: &Upstream, target: &str) -> Result<Option<Value>, String> {
    tokio::time::timeout(ANSWER, answer(upstream, target)).await.unwrap_or_else(|_| Err("it does not answer in time".to_owned()))
}

async fn answer(upstream: &Upstream, target: &str) -> Result<Option<Value>, String> {
    let Exchange { reply, lease } = upstream.get(target).await.map_err(|error| error.to_string())?;
    let status = reply.status();
    let body = Limited::new(reply.into_body(), MAX_ANSWER).collect().await.map_err(|error| format!("{target}: {error}"))?.to_bytes();
    lease.give_back();
    if status == hyper::StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if !status.is_success() {
        return Err(format!("it answers {target} with {status}"));
    }
    json::read_trusted(&body).map(Some).map_err(|kind| format!("it answers {target} with something that is no JSON: {}", kind.code()))
}
