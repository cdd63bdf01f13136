//! The command line of the comparison, and where the programs are that it compares.
//! Knows nothing of how they are measured.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Parser;

use super::peers::{Kind, Peer};
use super::{Fault, say};

/// Compares dockgate with HAProxy in front of a mock engine, and says which figures it reaches.
///
/// Needs HAProxy in the path (`apt-get install haproxy`); without it dockgate is compared with no proxy alone. Everything runs on
/// unix sockets in a folder that is removed at the end. With two processors or more the proxy has one for itself, and the mock engine
/// and the load generator share another.
#[derive(Parser)]
#[command(name = "cargo bench --bench compare --")]
pub struct Options {
    /// A few measurements only
    #[arg(long)]
    pub quick: bool,
    /// Only the measurement of this name, or those with this in their names; may be given many times
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// How often each measurement is repeated
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// How long one takes, beside a warm-up
    #[arg(long, default_value_t = 1.5)]
    pub seconds: f64,
    /// Bind nothing to a processor
    #[arg(long)]
    pub free: bool,
    /// This dockgate in place of the one that is built now
    #[arg(long, value_name = "PATH")]
    pub dockgate: Option<PathBuf>,
    /// Another dockgate beside it; may be given many times
    #[arg(long, value_name = "NAME=PATH")]
    pub also: Vec<String>,
    /// Every single measurement goes to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Cargo adds it
    #[arg(long, hide = true)]
    pub bench: bool,
    /// This process is the mock engine
    #[arg(long, hide = true)]
    pub as_engine: Option<PathBuf>,
    /// This process is the load generator
    #[arg(long, hide = true)]
    pub as_load: Option<String>,
}

impl Options {
    /// Who is compared: nothing between, HAProxy twice, dockgate, and what else was named.
    pub fn peers(&self) -> Result<Vec<Peer>, Fault> {
        let mut peers = vec![Peer { name: "direct".to_owned(), kind: Kind::Direct, program: PathBuf::new() }];
        match haproxy() {
            Some(program) => {
                peers.push(Peer { name: "HAProxy, rules".to_owned(), kind: Kind::HaproxyRules, program: program.clone() });
                peers.push(Peer { name: "HAProxy, bare".to_owned(), kind: Kind::HaproxyBare, program });
            }
            None => say("there is no `haproxy` in the path: install it (`apt-get install haproxy`) to compare with it"),
        }
        let program = self.dockgate.clone().map_or_else(build, Ok)?;
        peers.push(Peer { name: "dockgate".to_owned(), kind: Kind::Dockgate, program });
        for also in &self.also {
            let (name, program) = also.split_once('=').ok_or_else(|| format!("`--also {also}`: write NAME=PATH"))?;
            peers.push(Peer { name: name.to_owned(), kind: Kind::Dockgate, program: PathBuf::from(program) });
        }
        match peers.iter().find(|peer| peer.kind == Kind::Dockgate && !peer.program.is_file()) {
            Some(peer) => Err(format!("`{}`: there is no such program", peer.program.display()).into()),
            None => Ok(peers),
        }
    }
}

fn haproxy() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join("haproxy")).find(|program| program.is_file())
}

/// The release build. The one that cargo makes for benches has the features of the tests in it.
fn build() -> Result<PathBuf, Fault> {
    say("building dockgate as it is released");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--bin", "dockgate", "--message-format", "json-render-diagnostics"]);
    let output = command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).stderr(Stdio::inherit()).output()?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let built = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let program = built.filter_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?))).next_back();
    program.filter(|_| output.status.success()).ok_or_else(|| "`cargo build --release --bin dockgate` failed".into())
}
