//! The engine's events, as far as somebody must have asked for what they tell.
//! Knows nothing of requests.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What happened. Consequences that nobody asks for are not here, but for the end of a container, which explains others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the engine's own names for its events")]
pub enum Happened {
    Create,
    Start,
    Stop,
    Kill,
    Restart,
    Pause,
    Unpause,
    Rename,
    Update,
    Destroy,
    ExecCreate,
    ExecStart,
    Commit,
    Extract,
    ContainerPrune,
    Die,
    NetworkCreate,
    NetworkConnect,
    NetworkDisconnect,
    NetworkDestroy,
    NetworkPrune,
    VolumeCreate,
    VolumeDestroy,
    VolumePrune,
    Pull,
    Push,
    Tag,
    Untag,
    Delete,
    Import,
    Load,
    Save,
    ImageCreate,
    ImagePrune,
}

/// Type and action of every event that is looked at.
const NAMES: [(&str, &str, Happened); 35] = [
    ("container", "create", Happened::Create),
    ("container", "start", Happened::Start),
    ("container", "stop", Happened::Stop),
    ("container", "kill", Happened::Kill),
    ("container", "restart", Happened::Restart),
    ("container", "pause", Happened::Pause),
    ("container", "unpause", Happened::Unpause),
    ("container", "rename", Happened::Rename),
    ("container", "update", Happened::Update),
    ("container", "destroy", Happened::Destroy),
    ("container", "exec_create", Happened::ExecCreate),
    ("container", "exec_start", Happened::ExecStart),
    ("container", "commit", Happened::Commit),
    ("container", "extract-to-dir", Happened::Extract),
    ("container", "prune", Happened::ContainerPrune),
    ("container", "die", Happened::Die),
    ("network", "create", Happened::NetworkCreate),
    ("network", "connect", Happened::NetworkConnect),
    ("network", "disconnect", Happened::NetworkDisconnect),
    ("network", "destroy", Happened::NetworkDestroy),
    ("network", "remove", Happened::NetworkDestroy),
    ("network", "prune", Happened::NetworkPrune),
    ("volume", "create", Happened::VolumeCreate),
    ("volume", "destroy", Happened::VolumeDestroy),
    ("volume", "prune", Happened::VolumePrune),
    ("image", "pull", Happened::Pull),
    ("image", "push", Happened::Push),
    ("image", "tag", Happened::Tag),
    ("image", "untag", Happened::Untag),
    ("image", "delete", Happened::Delete),
    ("image", "import", Happened::Import),
    ("image", "load", Happened::Load),
    ("image", "save", Happened::Save),
    ("image", "create", Happened::ImageCreate),
    ("image", "prune", Happened::ImagePrune),
];

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub what: Happened,
    /// `container`, `network`, `volume` or `image`.
    pub kind: &'static str,
    /// The engine's word for it.
    pub action: &'static str,
    /// What follows the word: an exec's command.
    pub rest: String,
    /// The object's id; an image's reference where the engine says that.
    pub id: String,
    /// What the engine says beside.
    pub attributes: BTreeMap<String, String>,
    /// Microseconds since 1970, by the engine's clock.
    pub at: i64,
}

/// An event as it comes.
#[derive(Debug, Hash, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Raw {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    actor: Actor,
    /// Nanoseconds since 1970.
    #[serde(default, rename = "timeNano")]
    pub nanos: i64,
}

#[derive(Debug, Default, Hash, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Actor {
    #[serde(default, rename = "ID")]
    id: String,
    #[serde(default)]
    attributes: Option<BTreeMap<String, String>>,
}

impl Raw {
    /// The event, where it is one that is looked at.
    pub fn event(self) -> Option<Event> {
        let (word, rest) = self.action.split_once(": ").unwrap_or((&self.action, ""));
        let (kind, action, what) = NAMES.iter().copied().find(|(kind, action, _)| *kind == self.r#type && *action == word)?;
        let rest = rest.trim_end().to_owned();
        let attributes = self.actor.attributes.unwrap_or_default();
        Some(Event { what, kind, action, rest, id: self.actor.id, attributes, at: self.nanos / 1000 })
    }
}

impl Event {
    /// An attribute, or nothing.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// The container that it is about: its own, or the one that a network got or lost.
    pub fn container(&self) -> &str {
        if self.kind == "container" { &self.id } else { self.attribute("container") }
    }

    /// Whether a client's word means this object: its id, the beginning of it, its name, or the name that it had.
    pub fn is(&self, name: &str) -> bool {
        let name = name.trim_start_matches('/');
        !name.is_empty()
            && (means(name, &self.id) || self.attribute("name") == name || self.attribute("oldName").trim_start_matches('/') == name)
    }
}

/// Whether a word is an id or begins one, as the engine reads it.
pub fn means(word: &str, id: &str) -> bool {
    word == id || (!word.is_empty() && word.bytes().all(|b| b.is_ascii_hexdigit()) && id.trim_start_matches("sha256:").starts_with(word))
}
