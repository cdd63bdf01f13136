//! dockgate in compose files: who its clients are, its own service, and a file with raw mounts of the docker socket → the same one with
//! dockgate between, and its configuration. Knows nothing of files, diffs and printing. Text outside the changed places stays as it is, byte for byte.

mod beside;
mod client;
pub mod clients;
mod edit;
mod mount;
pub mod sidecar;
mod stack;
#[cfg(test)]
mod tests;
mod yaml;

use crate::config::preset;

use client::Client;
use edit::Edits;
use sidecar::{Engine, Rights, Sidecar, Socket};
use stack::{Stack, Use};

/// Where the door's socket is in every client's container.
const DOOR: &str = "/run/dockgate/docker.sock";

/// What the caller decides.
#[derive(Debug, Default)]
pub struct Options {
    /// Presets by service, over what the images say.
    pub chosen: Vec<(String, String)>,
    /// The configuration as the sidecar mounts it: a path as compose reads it.
    pub config: String,
}

/// A compose file that was rewritten.
#[derive(Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The compose file.
    pub compose: String,
    /// The configuration; empty where there was nothing to do.
    pub config: String,
    /// How many services have a door now.
    pub clients: usize,
    /// What is left to do by hand.
    pub notes: Vec<Note>,
}

/// What somebody should know about a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Counts from 1.
    pub line: usize,
    /// What there is to know.
    pub text: String,
}

/// Why a file is left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Counts from 1; `None` where it is about no line.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Problem {
    fn new(line: impl Into<Option<usize>>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { line: line.into(), message: message.into(), hint: hint.into() }
    }
}

/// Rewrites a compose file. What comes out is read again and compared with what went in before it is given away.
///
/// # Errors
/// What cannot be changed without guessing; nothing is changed then.
pub fn rewrite(text: &str, options: &Options) -> Result<Rewritten, Problem> {
    let whole = if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    let root = yaml::read(&whole)?;
    let stack = Stack::read(&root)?;
    let mut notes = stack.notes.clone();
    let uses = stack.uses(&mut notes)?;
    chosen(options, &uses)?;
    if uses.is_empty() {
        return Ok(Rewritten { compose: text.to_owned(), config: String::new(), clients: 0, notes });
    }
    stack.without_sidecar()?;
    let engine = Engine::Socket(socket(&uses));
    let mut edits = Edits::new(&whole);
    let clients: Vec<Client<'_>> = uses.into_iter().map(|used| Client::of(used, &options.chosen)).collect();
    for client in &clients {
        client.edit(&stack, &mut edits, &mut notes)?;
    }
    let doors = clients.into_iter().map(|client| client.door).collect();
    let sidecar = Sidecar { engine, config: options.config.clone(), doors };
    beside::edit(&stack, &sidecar, &mut edits)?;
    let compose = edits.apply()?;
    verify(&compose, &root, &sidecar)?;
    notes.sort_by_key(|note| note.line);
    Ok(Rewritten { compose, config: sidecar.toml(), clients: sidecar.doors.len(), notes })
}

/// The engine's socket as the file names it, which says nothing of its group.
fn socket(uses: &[Use<'_>]) -> Socket {
    let (source, shown) = uses.first().map_or_else(Default::default, |used| (used.mount.source.clone(), used.mount.filled.clone()));
    Socket { source, shown, group: None, rights: Rights::Root, selinux: false }
}

/// Presets exist, and so do the services that they are for.
fn chosen(options: &Options, uses: &[Use<'_>]) -> Result<(), Problem> {
    for (service, name) in &options.chosen {
        if preset(name).is_none() {
            return Err(Problem::new(None, format!("there is no preset `{}`", name.escape_debug()), "`dockgate preset list` shows them"));
        }
        if !uses.iter().any(|used| used.service.name == *service) {
            let known: Vec<&str> = uses.iter().map(|used| used.service.name.as_str()).collect();
            let hint = format!("services that do: {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") });
            return Err(Problem::new(None, format!("no service `{}` mounts the docker socket", service.escape_debug()), hint));
        }
    }
    Ok(())
}

/// The result says the same as before but for what was meant to change, and mounts the socket nowhere but in the sidecar.
fn verify(compose: &str, before: &yaml::Node, sidecar: &Sidecar) -> Result<(), Problem> {
    let wrong = |why: &str| {
        Problem::new(None, format!("the rewritten file would not say what it must: {why}"), "rewrite it by hand after docs/migrate.md")
    };
    let after = yaml::read(compose).map_err(|problem| wrong(&problem.message))?;
    let stack = Stack::read(&after)?;
    if !stack.uses(&mut Vec::new())?.is_empty() {
        return Err(wrong("a raw mount is left"));
    }
    let changed: Vec<&str> = sidecar.doors.iter().map(|door| door.name.as_str()).collect();
    if yaml::same_but(before, &after, &changed) { Ok(()) } else { Err(wrong("something else changed")) }
}
