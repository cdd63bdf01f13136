//! `dockgate scan`: what already runs on an engine, held against a level or a policy.
//! Knows nothing of single checks, and changes nothing on the engine.

mod show;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use crate::config;
use crate::docker::Value;
use crate::policy::{Act, Create, Facts, Finding, Glob, Level, Need, Policy, PortGrant, examine_container};
use crate::proxy::Upstream;

use super::say::{self, Failure, Paint};
use super::trouble::{self, Trouble};
use super::{Outcome, around, ask, engine, load};

/// How long the engine may take for one answer.
const ANSWER: Duration = Duration::from_secs(30);
/// How long it may take to answer at all.
const FIRST: Duration = Duration::from_secs(5);

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
    let scan = super::runtime()?.block_on(first(&upstream, judged.create()))?;
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
    let named = args.upstream.as_deref().map(engine::named).transpose()?;
    let url = match named {
        Some(url) => url,
        None => engine::found(&config::Config::default())?.upstream,
    };
    engine::upstream(url, None, &around::surroundings())
}

/// Scans an engine that answers.
async fn first(upstream: &Upstream, create: &Create) -> Result<Scan, Failure> {
    trouble::first_word(upstream, FIRST).await.map_err(|trouble| trouble.failure())?;
    scan(upstream, create).await.map_err(|trouble| trouble.failure())
}

/// Every container, running or not.
async fn scan(upstream: &Upstream, create: &Create) -> Result<Scan, Trouble> {
    let ask = async |target: &str| ask::found(upstream, target, ANSWER).await;
    let info = ask("/info").await?.unwrap_or(Value::Null);
    let list = ask("/containers/json?all=1").await?.unwrap_or(Value::Null);
    let mut scan = Scan::default();
    for id in list.items().iter().map(|one| one.text("Id")) {
        // a container may go away meanwhile
        let Some(container) = ask(&format!("/containers/{id}/json")).await? else { continue };
        let mut facts = Facts::default();
        facts.insert(Need::Info, info.clone());
        for name in volumes(&container) {
            if let Some(volume) = ask(&format!("/volumes/{name}")).await? {
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
