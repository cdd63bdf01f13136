//! `dockgate explain`: what would happen to a request, or did happen to one that is on the trail, and why.
//! Knows nothing of the engine: it asks nobody.

mod advise;
mod build;
mod past;
mod show;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::config::{self, Config, DEFAULT_POLICY, Door};
use crate::policy::Policy;

use super::say::{self, Failure, Paint};
use super::{Outcome, load};

pub use build::{Explanation, Request, Word, explanation, kebab};
pub use show::pretty;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The method, such as GET or POST; or alone, the id of a call on the trail: what stands behind `ref` in refusals
    #[arg(value_name = "METHOD|AUDIT-ID")]
    method: String,
    /// The path as a client sends it, with its query
    #[arg(value_name = "PATH")]
    path: Option<String>,
    /// The request's body; `-` is standard input
    #[arg(long, short, value_name = "FILE")]
    body: Option<String>,
    /// Take the policy from this file
    #[arg(long, short, value_name = "FILE")]
    config: Option<String>,
    /// The policy: one of the file, or a preset [default: the file's only one, else read-only]
    #[arg(long, short, value_name = "NAME")]
    policy: Option<String>,
    /// The trail that holds the id [default: that of --config, else audit.jsonl here, else /var/log/dockgate/audit.jsonl]
    #[arg(long, value_name = "FILE")]
    audit: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  dockgate explain GET /containers/json
  dockgate explain --policy traefik GET '/v1.44/events?since=1'
  echo '{\"Image\":\"alpine\",\"HostConfig\":{\"Privileged\":true}}' |
    dockgate explain --config dockgate.toml --policy ci POST /containers/create --body -
  dockgate explain --audit /var/log/dockgate/audit.jsonl 01KAGZ3N8Q4V5X6Y7Z8A9B0C1D

The engine is not asked: what depends on it is named. Exit codes: 0 allowed, 1 denied or refused, 2 wrong usage.";

/// Explains one request.
pub fn run(args: &Args) -> Outcome {
    let Some(path) = &args.path else {
        // a trail that is named says that an id is meant, however it is written
        let id = args.audit.is_some() || past::is_id(&args.method);
        return if id {
            past::run(&args.method, args.audit.as_deref(), args.config.as_deref(), args.json)
        } else {
            Err(without_path(&args.method))
        };
    };
    let body = args.body.as_deref().map(load::bytes).transpose()?;
    let text = args.config.as_deref().map(load::text).transpose()?;
    let config = args.config.as_deref().map_or_else(|| Ok(config::defaults()), load::to_judge)?;
    let policy = policy(args.policy.as_deref(), &config)?;
    let request = Request { method: args.method.to_ascii_uppercase(), path: path.clone(), body };
    if !request.method.bytes().chain(path.bytes()).all(|b| b.is_ascii_graphic()) {
        return Err(
            Failure::usage("method and path must be one word each, in ASCII").hint("percent-encode what is not, such as %20 for a blank")
        );
    }
    let explained = build::explanation(&policy, &request, config.limits.max_json_body);
    let advice = advise::advice(&policy, text.as_deref(), config.policies.contains_key(&policy.name), &request, &explained);
    if args.json {
        say::out(show::json(&explained, &advice));
    } else {
        say::out(show::text(&explained, &advice, Paint::stdout()).trim_end());
    }
    Ok(if explained.forwarded() { 0 } else { say::REFUSED })
}

fn without_path(word: &str) -> Failure {
    let method = matches!(word.to_ascii_uppercase().as_str(), "GET" | "HEAD" | "POST" | "PUT" | "DELETE");
    if method {
        return Failure::usage(format!("`{word}` needs a path")).hint("such as `dockgate explain GET /containers/json`");
    }
    Failure::usage(format!("`{word}` is neither a method nor the id of a call on the trail, which has 26 letters and digits"))
        .hint("name the request: `dockgate explain METHOD PATH [--body FILE]`, or the id alone")
}

/// The one that is named; of a file with a single policy, that one.
pub fn policy(name: Option<&str>, config: &Config) -> Result<Arc<Policy>, Failure> {
    if let Some(name) = name {
        return load::policy(config, name);
    }
    let mut names: Vec<&String> =
        if config.doors.is_empty() { config.policies.keys().collect() } else { config.doors.iter().flat_map(Door::policies).collect() };
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [] => load::policy(config, DEFAULT_POLICY),
        [only] => load::policy(config, only),
        several => {
            let names: Vec<&str> = several.iter().map(|name| name.as_str()).collect();
            Err(Failure::usage("the file has several policies").hint(format!("choose one with --policy: {}", names.join(", "))))
        }
    }
}
