//! `dockgate preset`: the policies that are built in.
//! Knows nothing of what they allow.

use crate::config;
use crate::docker::operations::TABLE;
use crate::policy::Policy;

use super::Outcome;
use super::say::{self, Failure, Paint};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the presets, one a line
    List,
    /// Print a preset as TOML, to read or to start from
    Show {
        /// The preset's name
        name: String,
    },
}

/// Lists or shows.
pub fn run(args: &Args) -> Outcome {
    match &args.action {
        Action::List => list(),
        Action::Show { name } => show(name),
    }
}

fn list() -> Outcome {
    let paint = Paint::stdout();
    let width = config::presets().iter().map(|preset| preset.name.len()).max().unwrap_or(0);
    for preset in config::presets() {
        let number = config::preset(preset.name).map_or(0, |policy| open(&policy));
        let name = format!("{:<width$}", preset.name);
        say::out(format_args!("{}  {number:>3} operations  {}", paint.bold(&name), preset.summary));
    }
    Ok(0)
}

fn open(policy: &Policy) -> usize {
    TABLE.iter().filter(|operation| policy.rules.may_allow(**operation) && policy.rules.denies_always(**operation).is_none()).count()
}

fn show(name: &str) -> Outcome {
    let preset = config::presets().iter().find(|preset| preset.name == name);
    let unknown = || {
        let known: Vec<&str> = config::presets().iter().map(|preset| preset.name).collect();
        Failure::usage(format!("there is no preset `{name}`")).hint(format!("known are: {}", known.join(", ")))
    };
    say::out(preset.ok_or_else(unknown)?.text.trim_end());
    Ok(0)
}
