//! Records as readers see them: a line, its members, and the call that several of them make up.
//! Knows nothing of chains and signatures; a member that is missing is no error.

use std::rc::Rc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::docker::Operation;
use crate::docker::operations::TABLE;

/// One line of the trail.
#[derive(Debug, Clone)]
pub struct Record {
    /// The line as it stands in the file, without its newline.
    pub raw: String,
    /// The file it stands in.
    pub file: Rc<str>,
    /// Its line, from 1.
    pub line: u64,
    members: Map<String, Value>,
}

/// What a record says about its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The only record of a call.
    Single,
    /// Before the effect.
    Intent,
    /// The reply of a stream or tunnel began.
    Start,
    /// How a call ended.
    Last,
    /// The trail's own.
    Event,
}

impl Record {
    /// Reads a line; `None` for what is no record.
    pub fn parse(raw: &str, file: &Rc<str>, line: u64) -> Option<Self> {
        let Ok(Value::Object(members)) = serde_json::from_str(raw) else { return None };
        let known = members.contains_key("stage") && members.contains_key("time");
        known.then(|| Self { raw: raw.to_owned(), file: Rc::clone(file), line, members })
    }

    /// The member at a path of names; the first of the places that has it.
    pub fn get(&self, places: &[&str]) -> Option<&Value> {
        places.iter().find_map(|place| {
            let mut names = place.split('.');
            let first = self.members.get(names.next()?)?;
            names.try_fold(first, |value, name| value.get(name)).filter(|value| !value.is_null())
        })
    }

    /// What it says about its call.
    pub fn step(&self) -> Step {
        match self.get(&["stage"]).and_then(Value::as_str) {
            Some("intent") => Step::Intent,
            Some("start") => Step::Start,
            Some("outcome" | "end") => Step::Last,
            Some("event") => Step::Event,
            Some(_) | None => Step::Single,
        }
    }

    /// The id that joins the records of a call; empty where there is none.
    pub fn id(&self) -> &str {
        self.get(&["id"]).and_then(Value::as_str).unwrap_or_default()
    }

    /// True where the id names this call or one that is folded into it.
    pub fn answers_to(&self, id: &str) -> bool {
        let same = |other: &str| other.eq_ignore_ascii_case(id);
        let folded = || self.get(&["folded.refs"]).and_then(Value::as_array);
        same(self.id()) || folded().is_some_and(|refs| refs.iter().filter_map(Value::as_str).any(same))
    }
}

/// A call with all its records, or an event of the trail.
#[derive(Debug, Clone)]
pub struct Call {
    /// In the order of the trail; never empty.
    pub records: Vec<Record>,
}

impl Call {
    /// The member at one of the places; later records know more.
    pub fn get(&self, places: &[&str]) -> Option<&Value> {
        self.records.iter().rev().find_map(|record| record.get(places))
    }

    /// A text, not empty.
    pub fn text(&self, places: &[&str]) -> Option<&str> {
        self.get(places).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// A number that is not negative.
    pub fn number(&self, places: &[&str]) -> Option<u64> {
        self.get(places).and_then(Value::as_u64)
    }

    /// The texts of a list.
    pub fn texts(&self, places: &[&str]) -> Vec<&str> {
        self.get(places).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// True for the trail's own events.
    pub fn is_event(&self) -> bool {
        self.records.first().is_some_and(|record| record.step() == Step::Event)
    }

    /// True where the intent stands without what came of it.
    pub fn is_open(&self) -> bool {
        self.records.last().is_some_and(|record| matches!(record.step(), Step::Intent | Step::Start))
    }

    /// The id.
    pub fn id(&self) -> &str {
        self.records.first().map_or("", Record::id)
    }

    /// When the call began.
    pub fn time(&self) -> Option<Timestamp> {
        self.records.first().and_then(|record| record.get(&["time"])?.as_str()?.parse().ok())
    }

    /// The operation's id as written.
    pub fn operation(&self) -> Option<&str> {
        self.text(&["operation"])
    }

    /// The operation, where this dockgate knows it.
    pub fn known_operation(&self) -> Option<Operation> {
        let name = self.operation()?;
        TABLE.iter().copied().find(|operation| operation.name() == name)
    }

    /// `allow`, `deny`, `would-deny` or `refuse`; empty for events.
    pub fn verdict(&self) -> &str {
        self.text(&["verdict"]).unwrap_or_default()
    }

    /// The reason code of what is not simply allowed.
    pub fn reason(&self) -> Option<&str> {
        self.text(&["reason"])
    }

    /// The status that the client got.
    pub fn status(&self) -> Option<u64> {
        self.number(&["status"])
    }

    /// How long it took, in microseconds.
    pub fn duration_us(&self) -> Option<u64> {
        if self.is_open() { None } else { self.number(&["duration_us"]) }
    }

    /// How many calls it stands for.
    pub fn weight(&self) -> u64 {
        self.number(&["folded.count"]).unwrap_or(1).max(1)
    }

    /// A short name of its door: the folder of a socket that is called as all others, an address without its scheme.
    pub fn door(&self) -> &str {
        let door = self.text(&["door"]).unwrap_or_default();
        let Some(path) = door.strip_prefix("unix://") else { return door.split_once("://").map_or(door, |(_, rest)| rest) };
        let mut parts = path.rsplit('/').filter(|part| !part.is_empty());
        match parts.next() {
            Some("docker.sock") => parts.next().unwrap_or("docker.sock"),
            Some(file) => file.trim_end_matches(".sock"),
            None => door,
        }
    }

    /// Who called, in a few words: the best that is known, never a process id, so that calls of one client count together.
    pub fn client(&self) -> String {
        let exe = self.text(&["exe"]).map(base);
        if let Some(container) = self.text(&["client_container"]) {
            return format!("container {}", short(container));
        }
        if let Some(name) = self.text(&["tls_subject"]) {
            return name.to_owned();
        }
        if let Some(uid) = self.number(&["uid"]) {
            return exe.map_or_else(|| format!("uid {uid}"), |exe| format!("uid {uid} {exe}"));
        }
        self.text(&["address"]).map_or_else(|| "unknown".to_owned(), |address| host(address).to_owned())
    }

    /// The objects that it is about: names, else the image, else the path.
    pub fn what(&self) -> String {
        let names: Vec<&str> = self.texts(&["names"]).into_iter().map(short).collect();
        if let Some(command) = self.command() {
            return format!("{}: {command}", names.join(" "));
        }
        let image = self.text(&["image", "body.summary.image"]).map(short);
        match (names.is_empty(), image) {
            (false, Some(image)) if !names.contains(&image) => format!("{} ({image})", names.join(" ")),
            (false, _) => names.join(" "),
            (true, Some(image)) => image.to_owned(),
            (true, None) if self.operation().is_none() => self.request(),
            (true, None) => String::new(),
        }
    }

    /// The command of an exec.
    fn command(&self) -> Option<String> {
        let exec = self.known_operation() == Some(Operation::ContainerExec);
        let words = self.texts(&["body.summary.command"]);
        (exec && !words.is_empty()).then(|| words.join(" "))
    }

    /// Method and path.
    pub fn request(&self) -> String {
        let parts = [self.text(&["method"]), self.text(&["path"])];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// The name of an event, and its detail as `name=value`.
    pub fn event(&self) -> Option<(&str, String)> {
        let name = self.text(&["event"])?;
        let detail = self.get(&["detail"]).and_then(Value::as_object);
        let pairs = detail.into_iter().flatten().map(|(key, value)| format!("{key}={}", plain(value)));
        Some((name, pairs.collect::<Vec<_>>().join(" ")))
    }
}

/// Text without its quotes, everything else as JSON.
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Full ids as Docker shows them.
pub fn short(name: &str) -> &str {
    let hex = name.strip_prefix("sha256:").unwrap_or(name);
    let full = hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    if full { hex.get(..12).unwrap_or(hex) } else { name }
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// An address without its port.
fn host(address: &str) -> &str {
    let bracketed = address.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(host, _)| host);
    let plain = || if address.matches(':').count() == 1 { address.split(':').next() } else { Some(address) };
    bracketed.or_else(plain).unwrap_or(address)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A call of records as they would stand in a file.
    pub fn call(lines: &[Value]) -> Call {
        let file: Rc<str> = "audit.jsonl".into();
        let records = lines.iter().zip(1..).map(|(line, number)| Record::parse(&line.to_string(), &file, number).unwrap());
        Call { records: records.collect() }
    }

    fn with(member: &str, value: Value) -> Call {
        call(&[serde_json::json!({ "stage": "single", "time": "2026-11-21T00:00:00Z", "id": "A", member: value })])
    }

    #[test]
    fn names_doors_and_clients_in_a_few_words() {
        for (door, short) in [
            ("unix:///run/dockgate/traefik/docker.sock", "traefik"),
            ("unix:///run/dockgate/ci.sock", "ci"),
            ("tcp://127.0.0.1:2375", "127.0.0.1:2375"),
            ("", ""),
        ] {
            assert_eq!(with("door", door.into()).door(), short);
        }
        assert_eq!(with("uid", 7.into()).client(), "uid 7");
        assert_eq!(with("address", "10.0.0.1:4711".into()).client(), "10.0.0.1");
        assert_eq!(with("address", "[fd00::1]:4711".into()).client(), "fd00::1");
        assert_eq!(with("address", "fd00::1".into()).client(), "fd00::1");
        assert_eq!(with("pid", 1.into()).client(), "unknown");
    }

    #[test]
    fn what_it_is_about_is_short_and_never_said_twice() {
        assert_eq!(with("names", serde_json::json!(["web", "a".repeat(64)])).what(), "web aaaaaaaaaaaa");
        assert_eq!(with("image", "nginx:1.27".into()).what(), "nginx:1.27");
        assert_eq!(with("path", "/foo".into()).what(), "/foo");
        assert_eq!(with("operation", "ContainerList".into()).what(), "");
    }

    #[test]
    fn an_exec_is_about_its_command() {
        let exec = call(&[serde_json::json!({ "stage": "intent", "time": "2026-11-21T00:00:00Z", "id": "A", "operation": "ContainerExec",
            "names": ["web"], "body": { "summary": { "command": ["sh", "-c", "id"] } } })]);
        assert_eq!(exec.what(), "web: sh -c id");
    }

    #[test]
    fn later_records_of_a_call_know_more_and_what_is_missing_is_no_error() {
        let begun = serde_json::json!({ "stage": "intent", "time": "2026-11-21T00:00:00Z", "id": "A", "uid": 7 });
        let ended = serde_json::json!({ "stage": "outcome", "time": "2026-11-21T00:00:01Z", "id": "A", "status": 201 });
        let open = call(std::slice::from_ref(&begun));
        assert!(open.is_open() && open.status().is_none() && open.duration_us().is_none());
        let call = call(&[begun, ended]);
        assert!(!call.is_open());
        assert_eq!((call.status(), call.client().as_str(), call.verdict()), (Some(201), "uid 7", ""));
        assert_eq!(call.time().unwrap().to_string(), "2026-11-21T00:00:00Z");
    }
}
