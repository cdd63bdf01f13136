//! The points at which dockgate is killed and what each must leave behind, and what is created on the way there.
//! Knows nothing of how dockgate is brought to a point.

use std::path::Path;

use serde_json::{Value, json};

use crate::raw;

use super::valve::{Change, Hold};

/// Where dockgate is when it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// It has half of a head.
    HalfHead,
    /// It has the head, has asked for the body, and has got half of that at most.
    HalfBody,
    /// The intent is written; its connection to the engine is not accepted.
    Intent,
    /// The request is sent, and lost with it.
    Sent,
    /// The request is sent; the engine gets it when dockgate is dead.
    SentLate,
    /// The engine has done it, and the answer is still on its way.
    Done,
    /// All of the answer but its last byte is relayed.
    AlmostTold,
    /// The client has the whole answer.
    Told,
    /// The outcome is written.
    Noted,
    /// Nobody knows.
    Chance,
}

/// One turn of rounds.
pub const POINTS: [Point; 12] = [
    Point::HalfHead,
    Point::HalfBody,
    Point::Intent,
    Point::Chance,
    Point::Sent,
    Point::SentLate,
    Point::Chance,
    Point::Done,
    Point::AlmostTold,
    Point::Chance,
    Point::Told,
    Point::Noted,
];

impl Point {
    pub fn hold(self) -> Hold {
        match self {
            Self::HalfHead | Self::HalfBody | Self::Told | Self::Noted | Self::Chance => Hold::Nowhere,
            Self::Intent => Hold::Accept,
            Self::Sent | Self::SentLate => Hold::Request,
            Self::Done => Hold::Reply,
            Self::AlmostTold => Hold::ReplyEnd,
        }
    }

    /// How many intents, intents without an outcome and objects there must be; none where chance decides.
    pub fn leaves(self) -> [Option<usize>; 3] {
        match self {
            Self::HalfHead | Self::HalfBody => [0, 0, 0].map(Some),
            Self::Intent | Self::Sent => [1, 1, 0].map(Some),
            Self::SentLate | Self::Done | Self::AlmostTold => [1, 1, 1].map(Some),
            Self::Told => [Some(1), None, Some(1)],
            Self::Noted => [1, 0, 1].map(Some),
            Self::Chance => [None; 3],
        }
    }
}

/// What is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Container,
    Volume,
    Network,
}

pub const KINDS: [Kind; 3] = [Kind::Container, Kind::Volume, Kind::Network];

impl Kind {
    pub fn operation(self) -> &'static str {
        match self {
            Self::Container => "ContainerCreate",
            Self::Volume => "VolumeCreate",
            Self::Network => "NetworkCreate",
        }
    }

    pub fn folder(self) -> &'static str {
        match self {
            Self::Container => "containers",
            Self::Volume => "volumes",
            Self::Network => "networks",
        }
    }

    /// The request, as head without its last empty line, and body.
    pub fn request(self, name: &str, http: &str) -> (String, String) {
        let (query, body) = match self {
            Self::Container => (format!("?name={name}"), json!({ "Image": "busybox", "HostConfig": { "NetworkMode": "none" } })),
            Self::Volume | Self::Network => (String::new(), json!({ "Name": name })),
        };
        let (body, folder) = (body.to_string(), self.folder());
        let head = format!("POST /{folder}/create{query} HTTP/{http}\r\nHost: docker\r\nContent-Type: application/json\r\n");
        (format!("{head}Content-Length: {}\r\n", body.len()), body)
    }

    /// The names that the engine knows, of those that begin so.
    pub fn names(self, engine: &Path, prefix: &str) -> Vec<String> {
        let list = |path: &str| raw::get(engine, &format!("{path}filters={}", raw::named(prefix))).json();
        let (found, name) = match self {
            Self::Container => (list("/containers/json?all=1&"), "/Names/0"),
            Self::Volume => (list("/volumes?")["Volumes"].take(), "/Name"),
            Self::Network => (list("/networks?"), "/Name"),
        };
        let names = found.as_array().into_iter().flatten().filter_map(|object| object.pointer(name)?.as_str());
        names.map(|name| name.trim_start_matches('/').to_owned()).collect()
    }
}

/// The name in a change on its way to the engine.
pub fn name_of(change: &Change) -> String {
    let named = change.target.split(['?', '&']).find_map(|part| part.strip_prefix("name=")).map(str::to_owned);
    named.unwrap_or_else(|| {
        let body: Value = serde_json::from_str(&change.body).unwrap();
        body["Name"].as_str().unwrap_or_else(|| panic!("a change without a name: {}", change.target)).to_owned()
    })
}
