//! Mounts as compose writes them, and whether one is the docker socket.
//! Knows nothing of services.

use super::yaml::{Kind, Node};

/// Names that only engines' sockets have.
const SOCKETS: [&str; 2] = ["docker.sock", "podman.sock"];
/// Folders that hold an engine's socket.
const FOLDERS: [&str; 6] = ["/", "/run", "/var", "/var/run", "/run/podman", "/var/run/podman"];

/// A mount of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// As written, variables and all.
    pub(super) source: String,
    /// With the defaults of variables.
    pub(super) filled: String,
    pub(super) target: String,
}

/// What a mount shows of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    Nothing,
    /// A folder with its socket in it.
    Folder,
    Socket,
}

impl Mount {
    /// Reads one item of `volumes`; named and anonymous volumes are none.
    pub(super) fn read(item: &Node) -> Option<Self> {
        let (source, target) = match &item.kind {
            Kind::Text(text) => short(text)?,
            Kind::Map(_) if matches!(item.get("type").map(Node::text), Some("bind") | None) => {
                (item.get("source").or_else(|| item.get("src"))?.text(), item.get("target").or_else(|| item.get("dst"))?.text())
            }
            Kind::Map(_) | Kind::Block(_) | Kind::List(_) | Kind::Alias(_) | Kind::Nothing => return None,
        };
        Some(Self { source: source.to_owned(), filled: filled(source), target: filled(target) })
    }

    pub(super) fn shows(&self) -> Shows {
        let is_socket = |path: &str| path.rsplit('/').next().is_some_and(|name| SOCKETS.contains(&name));
        let path = self.filled.as_str();
        let of_host = path.starts_with(['/', '$', '~']);
        let unknown = path.contains('$') && is_socket(&self.target);
        let folder = FOLDERS.contains(&if path == "/" { path } else { path.trim_end_matches('/') });
        match of_host {
            true if is_socket(path) || unknown => Shows::Socket,
            true if folder => Shows::Folder,
            _ => Shows::Nothing,
        }
    }
}

/// `source:target[:options]`; colons of `${…}` do not count.
fn short(text: &str) -> Option<(&str, &str)> {
    let (mut depth, mut colons) = (0_usize, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => colons.push(at),
            _ => {}
        }
    }
    let first = *colons.first()?;
    let end = colons.get(1).copied().unwrap_or(text.len());
    Some((text.get(..first)?, text.get(first + 1..end)?))
}

/// `${NAME:-default}` and `${NAME-default}` as their defaults; other variables stay.
fn filled(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((inner, more)) = after.split_once('}') else { return text.to_owned() };
        match inner.split_once(":-").or_else(|| inner.split_once('-')) {
            Some((_, default)) => out.push_str(default),
            None => out.push_str(&format!("${{{inner}}}")),
        }
        rest = more;
    }
    out + rest
}
