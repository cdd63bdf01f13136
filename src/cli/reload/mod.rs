//! Has the configuration read again, on SIGHUP and when its files change: the policies are swapped, or stay and it is said why.
//! Knows nothing of how policies are swapped and requests judged.

mod watch;

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::signal::unix::Signal;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::audit::Trail;
use crate::config::{Config, Severity};
use crate::proxy::Bound;
use crate::proxy::reload::{Changes, Policies};

use super::load::{self, Unusable};
use super::say::Failure;
use super::serve::{self, Args};
use watch::{Watch, fingerprint, look};

/// Between two looks at the files.
const INTERVAL: Duration = Duration::from_secs(2);
/// The most names and characters of a message that an event holds: a line of the trail is bounded.
const MOST_NAMES: usize = 100;
const MOST_TEXT: usize = 500;

/// What has the configuration read again.
pub struct Reloader {
    args: Args,
    /// The door that holds where neither flags nor the file name one.
    door: String,
    policies: Policies,
    trail: Trail,
    /// The digest of the text that is in force.
    digest: String,
    /// What was tried last, in force or not.
    tried: String,
    /// The configuration and what it depends on; none where it came from no file.
    files: Vec<PathBuf>,
    watch: Watch,
}

/// Why the configuration is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Signal,
    Files,
}

/// What reading came to.
enum Attempt {
    /// Nothing is new.
    Same,
    Usable(Box<Config>, String),
    Unusable(Unusable, String),
}

/// Records which policies hold from the start.
pub fn loaded(trail: &Trail, doors: &[Bound]) {
    let mut named: Vec<String> = Vec::new();
    let has = |door: &Bound, name: &str| door.state.access().policies().any(|policy| policy.name == name);
    for policy in doors.iter().flat_map(|door| door.state.access().policies().cloned().collect::<Vec<_>>()) {
        if named.contains(&policy.name) {
            continue;
        }
        let of = doors.iter().filter(|door| has(door, &policy.name));
        let urls = few(of.map(|door| door.state.name.as_str()));
        let (origin, digest) = (policy.origin.to_string(), policy.digest.as_ref());
        trail.event(
            "policy-loaded",
            json!({ "policy": policy.name, "mode": policy.mode.as_str(), "digest": digest, "origin": origin, "doors": urls }),
        );
        named.push(policy.name.clone());
    }
}

impl Reloader {
    /// Follows the file of `config`, which is what the gate was started with.
    pub fn new(args: &Args, config: &Config, policies: Policies, trail: Trail) -> Self {
        let door = config.doors.first().map(|door| door.listen.to_string()).unwrap_or_default();
        let (digest, files) = (config.digest.clone(), files(config));
        let tried = fingerprint(&digest, &config.watched);
        Self { args: args.clone(), door, policies, trail, digest, tried, files, watch: Watch::default() }
    }

    /// Goes on until it is dropped.
    pub async fn follow(&mut self, mut hang_ups: Signal) -> Infallible {
        let mut looks = interval_at(Instant::now() + INTERVAL, INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(()) = hang_ups.recv() => self.reload(Cause::Signal).await,
                _ = looks.tick(), if !self.files.is_empty() => {
                    if self.changed().await {
                        self.reload(Cause::Files).await;
                    }
                }
            }
        }
    }

    /// Looking may take long where files are on a network, so requests do not wait for it.
    async fn changed(&mut self) -> bool {
        let files = self.files.clone();
        let seen = tokio::task::spawn_blocking(move || look(&files)).await;
        seen.is_ok_and(|seen| self.watch.settled(seen))
    }

    async fn reload(&mut self, cause: Cause) {
        let Some(path) = self.files.first().cloned() else {
            tracing::warn!("SIGHUP: nothing to load again: the configuration came from no file");
            return;
        };
        let (args, door, known) = (self.args.clone(), self.door.clone(), (cause == Cause::Files).then(|| self.tried.clone()));
        let extra = self.files.iter().skip(1).cloned().collect();
        let reading = Reading { path: path.display().to_string(), extra, known };
        let attempt = tokio::task::spawn_blocking(move || reading.attempt(&args, &door)).await;
        let attempt =
            attempt.unwrap_or_else(|_| Attempt::Unusable(Failure::usage("reading the configuration broke off").into(), String::new()));
        let file = path.display().to_string();
        match attempt {
            Attempt::Same => {}
            Attempt::Usable(config, tried) => {
                self.tried = tried;
                match self.policies.swap(&config) {
                    Ok(changes) => self.swapped(cause, &file, &config, &changes),
                    Err(error) => self.rejected(cause, &file, &Failure::refused(error.to_string()).into()),
                }
            }
            Attempt::Unusable(why, tried) => {
                self.tried = tried;
                self.rejected(cause, &file, &why);
            }
        }
    }

    fn swapped(&mut self, cause: Cause, file: &str, config: &Config, changes: &Changes) {
        let old = std::mem::replace(&mut self.digest, config.digest.clone());
        self.files = files(config);
        let doors = changes.doors.iter().map(|door| format!("{}: {} → {}", door.door, door.old, door.new));
        let detail = json!({
            "file": file,
            "cause": cause.as_str(),
            "policies": few(changes.policies.iter().map(String::as_str)),
            "doors": few(doors.clone()),
            "clients": few(changes.clients.iter().map(String::as_str)),
            "tls": few(changes.tls.iter().map(String::as_str)),
            "needs-restart": few(changes.restart.iter().map(String::as_str)),
            "old-digest": old,
            "digest": self.digest,
        });
        self.trail.event("policy-reloaded", detail);
        let clients = changes.clients.iter().map(|door| format!("{door} has other clients"));
        let said: Vec<String> = changes.policies.iter().map(|name| format!("`{name}` has changed")).chain(doors).chain(clients).collect();
        let said = if said.is_empty() { "no policy has changed".to_owned() } else { said.join("; ") };
        tracing::info!(cause = cause.as_str(), "`{file}` was loaded again: {said}");
        for what in &changes.tls {
            tracing::info!("TLS of `{what}` uses what its files hold now");
        }
        for what in &changes.restart {
            tracing::warn!("needs a restart: {what}");
        }
    }

    fn rejected(&self, cause: Cause, file: &str, why: &Unusable) {
        let first = cut(&why.first);
        let detail = json!({ "file": file, "cause": cause.as_str(), "errors": why.errors, "first": first, "kept-digest": self.digest });
        self.trail.event("policy-rejected", detail);
        tracing::error!(cause = cause.as_str(), "`{file}` cannot be used, so the policies stay as they are: {first}");
    }
}

/// What is to be read, and what need not be read again.
struct Reading {
    path: String,
    extra: Vec<PathBuf>,
    known: Option<String>,
}

impl Reading {
    fn attempt(&self, args: &Args, door: &str) -> Attempt {
        let text = match load::text(&self.path) {
            Ok(text) => text,
            Err(failure) => return Attempt::Unusable(failure.into(), String::new()),
        };
        let tried = fingerprint(&crate::config::digest(&text), &self.extra);
        if self.known.as_ref() == Some(&tried) {
            return Attempt::Same;
        }
        let read = load::read(&self.path, &text, Severity::Warning);
        match read.and_then(|config| Ok(serve::with_flags(args, config, || Ok(door.to_owned()))?)) {
            Ok(config) => Attempt::Usable(Box::new(config), tried),
            Err(why) => Attempt::Unusable(why, tried),
        }
    }
}

impl Cause {
    fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Files => "file",
        }
    }
}

/// The configuration's own file comes first; without it there is nothing to follow.
fn files(config: &Config) -> Vec<PathBuf> {
    config.path.iter().flat_map(|path| std::iter::once(path).chain(&config.watched)).cloned().collect()
}

/// As many as an event may hold, and how many more there are.
fn few(names: impl Iterator<Item = impl Into<String>>) -> Value {
    let mut names: Vec<String> = names.map(Into::into).collect();
    let more = names.len().saturating_sub(MOST_NAMES);
    names.truncate(MOST_NAMES);
    names.extend((more > 0).then(|| format!("and {more} more")));
    names.into()
}

fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(MOST_TEXT).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}
