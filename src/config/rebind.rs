//! `rebind-socket`: the door that stands in for the daemon's socket.
//! Knows nothing of requests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::policy::Policy;
use crate::policy::checks::socket_mount::{SOCKETS, rootless};

use super::door::{Door, Written};
use super::error::{Diagnostic, Report};
use super::file;
use super::policy::Drafts;
use super::root::ways_to_root;
use super::tree::{Item, Span};
use super::url::{Listen, UpstreamUrl};

/// A path of the engine's host that is no engine's own socket.
pub(super) fn read(item: &Item<'_>, report: &mut Report<'_>, _: &mut Vec<Diagnostic>) -> Option<String> {
    let path = file::path(item, report)?;
    if SOCKETS.contains(&path.as_str()) || rootless(&path) {
        engines(&path, &item.span, report);
        return None;
    }
    Some(path)
}

fn engines(path: &str, span: &Span, report: &mut Report<'_>) {
    report.error("bad-path", span, format!("`{path}` is the socket of an engine, which is what `rebind-socket` keeps out")).hint =
        Some("name the socket of a door, as a path of the engine's host".to_owned());
}

/// Holds what policies say against the upstream and the doors. Presets of doors hold no such path.
pub(super) fn together(
    drafts: &Drafts,
    policies: &BTreeMap<String, Arc<Policy>>,
    upstream: Option<&UpstreamUrl>,
    doors: &[Written],
    report: &mut Report<'_>,
) {
    for draft in drafts.values() {
        let Some(given) = &draft.grants.rebind_socket else { continue };
        let path = Path::new(&given.value);
        if matches!(upstream, Some(UpstreamUrl::Unix(engine)) if engine == path) {
            engines(&given.value, &given.span, report);
            continue;
        }
        match door_at(path, doors.iter().map(|written| &written.door)) {
            Some(door) => door.policies().for_each(|inner| rooted(&draft.name, inner, policies, &given.span, report)),
            None if doors.is_empty() => {}
            None => elsewhere(path, doors, &given.span, report),
        }
    }
}

/// The door that listens there, or else the one whose path ends alike, from its folder on or in its name: inside a container
/// folders are called otherwise. `None` where none fits, or more than one.
pub(super) fn door_at<'d>(path: &Path, doors: impl Iterator<Item = &'d Door> + Clone) -> Option<&'d Door> {
    let alike = |one: &Path, parts: usize| one.components().rev().take(parts).eq(path.components().rev().take(parts));
    let find = |parts: usize| {
        let mut fits = doors.clone().filter(|door| matches!(&door.listen, Listen::Unix(listen) if alike(listen, parts)));
        fits.next().filter(|_| fits.next().is_none())
    };
    find(usize::MAX).or_else(|| find(2)).or_else(|| find(1))
}

fn elsewhere(path: &Path, doors: &[Written], span: &Span, report: &mut Report<'_>) {
    let sockets = doors.iter().filter_map(|written| match &written.door.listen {
        Listen::Unix(listen) => Some(format!("`{}` has the {}", listen.display(), written.door.named())),
        Listen::Tcp(_) => None,
    });
    let notes = sockets.collect();
    let said = report.warning("no-door", span, format!("it is not clear which door listens on `{}`", path.display()));
    said.notes = notes;
    said.hint =
        Some("give that door the same path, or one that ends in the same folder and name where dockgate runs in a container".to_owned());
}

/// Containers that get a door with everything make the policy that gives it as wide.
fn rooted(name: &str, inner: &str, policies: &BTreeMap<String, Arc<Policy>>, span: &Span, report: &mut Report<'_>) {
    let root = |name: &str| policies.get(name).is_some_and(|policy| !ways_to_root(policy).is_empty());
    if root(inner) && !root(name) {
        let message = format!("policy `{name}` gives containers a door whose policy `{inner}` is as good as root on the host");
        report.warning("as-good-as-root", span, message).hint = Some("let `rebind-socket` name a door with a narrower policy".to_owned());
    }
}
