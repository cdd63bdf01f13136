//! The walk over every field and key of an action: each class decides or calls its check.
//! Knows nothing of rules and modes.

use crate::docker::decode::{Place, typed};
use crate::docker::schema::{CONTAINER_CREATE, HOST_CONFIG, Schema, Type};
use crate::docker::{Action, Class, Gate, Operation, Value};

use super::checks;
use super::facts::{Facts, Need, judges_target, volumes};
use super::verdict::{Passed, Reason};
use super::{Create, Level};

/// What a walk found.
#[derive(Debug, Default)]
pub struct Examination {
    /// What is wrong, in the order of the walk.
    pub findings: Vec<Finding>,
    /// The checks that passed.
    pub passed: Vec<Passed>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The reason.
    pub reason: Reason,
    /// Where.
    pub at: String,
}

/// What a check may look at.
pub struct Context<'a> {
    /// The level and the grants.
    pub create: &'a Create,
    /// What was fetched.
    pub facts: &'a Facts,
    /// Whose words are judged.
    pub source: Source,
    /// The object that holds the value.
    pub parent: &'a Value,
}

/// Whose words a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The client's, in a request.
    Client,
    /// The engine's, about a container that exists: defaults are filled in.
    Engine,
}

/// Examines the query, the body and the target of an action.
pub fn examine(create: &Create, action: &Action, facts: &Facts) -> Examination {
    let mut walk = Walk { create, facts, source: Source::Client, out: Examination::default(), prefix: "" };
    if create.level != Level::Unrestricted {
        walk.query(action);
        walk.body(action);
        walk.named_network(action);
        if judges_target(create, action.endpoint.operation) {
            walk.target(action);
        }
    }
    walk.out
}

struct Walk<'a> {
    create: &'a Create,
    facts: &'a Facts,
    source: Source,
    out: Examination,
    prefix: &'static str,
}

impl Walk<'_> {
    fn query(&mut self, action: &Action) {
        for (key, value) in &action.query {
            let place = format!("?{}", key.name);
            match key.class {
                Class::Inert | Class::Part => {}
                Class::Refused if checks::empty_query(value) => {}
                Class::Refused => self.find(Reason::RefusedField, place),
                Class::Gated(gate) => {
                    let found = checks::query(gate, key.name, value, self.create, action).map(|reason| (reason, String::new()));
                    self.settle(gate, place, found);
                }
            }
        }
    }

    fn body(&mut self, action: &Action) {
        let (Some(schema), Some(value)) = (action.row().body.schema(), action.json()) else { return };
        self.object(schema, value, &Place::Root);
        if std::ptr::eq(schema, &raw const CONTAINER_CREATE) {
            self.demands(value);
        }
    }

    /// What must be there, whatever else is.
    fn demands(&mut self, body: &Value) {
        for (gate, name) in [(Gate::User, "User"), (Gate::Image, "Image")] {
            let absent = body.get(name).is_none_or(Value::is_empty);
            if absent {
                self.check(gate, &Value::Text(String::new()), body, &Place::Key(&Place::Root, name));
            }
        }
    }

    fn object(&mut self, schema: &'static Schema, value: &Value, place: &Place<'_>) {
        for (key, member) in value.members() {
            let Some(field) = schema.fields.iter().find(|field| field.name == key) else { continue };
            let here = Place::Key(place, field.name);
            match field.class {
                Class::Inert | Class::Part => {}
                Class::Refused if member.is_empty() => {}
                Class::Refused => self.find(Reason::RefusedField, here.to_string()),
                Class::Gated(gate) if member.is_empty() && !(gate.judges_empty() && *member != Value::Null) => {}
                Class::Gated(gate) => self.check(gate, member, value, &here),
            }
            self.inside(&field.ty, member, &here);
        }
    }

    fn inside(&mut self, ty: &'static Type, value: &Value, place: &Place<'_>) {
        match ty {
            Type::Object(schema) => self.object(schema, value, place),
            Type::List(of) => {
                for (at, item) in value.items().iter().enumerate() {
                    self.inside(of, item, &Place::Index(place, at));
                }
            }
            Type::Map(of) => {
                for (key, member) in value.members() {
                    self.inside(of, member, &Place::Key(place, key));
                }
            }
            Type::Bool | Type::Int(..) | Type::Str | Type::StrSlice => {}
        }
    }

    fn check(&mut self, gate: Gate, value: &Value, parent: &Value, place: &Place<'_>) {
        let context = Context { create: self.create, facts: self.facts, source: self.source, parent };
        let found = checks::body(gate, &context, value, &place.to_string());
        self.settle(gate, place.to_string(), found);
    }

    /// A check answers with a reason and the rest of the place (`[0].Source`), or with nothing.
    fn settle(&mut self, gate: Gate, place: String, found: Option<(Reason, String)>) {
        match found {
            Some((reason, rest)) => self.find(reason, format!("{place}{rest}")),
            None => self.out.passed.push(Passed { gate, at: format!("{}{place}", self.prefix) }),
        }
    }

    fn find(&mut self, reason: Reason, at: String) {
        self.out.findings.push(Finding { reason, at: format!("{}{at}", self.prefix) });
    }

    /// Joining a network, or creating endpoints on it, is judged by the network's name.
    fn named_network(&mut self, action: &Action) {
        if action.endpoint.operation == Operation::NetworkConnect {
            let name = action.endpoint.name().unwrap_or_default();
            let found = checks::network_name(self.create, name).map(|reason| (reason, String::new()));
            self.settle(Gate::Network, format!("network `{name}`"), found);
        }
    }

    /// The target container, as the engine knows it, passes the checks that its creation would have to pass.
    fn target(&mut self, action: &Action) {
        self.source = Source::Engine;
        self.prefix = "target ";
        let Some(container) = self.facts.target(action) else {
            return self.find(Reason::FactMissing, "container".to_owned());
        };
        if let Some(config) = container.get("Config") {
            self.object(&CONTAINER_CREATE, config, &Place::Root);
        }
        let host = container.get("HostConfig").cloned().unwrap_or(Value::Null);
        match typed(&HOST_CONFIG, host, &[]) {
            Ok(typed) => self.object(&HOST_CONFIG, &typed.value, &Place::Key(&Place::Root, "HostConfig")),
            Err(fault) => self.find(Reason::RefusedField, format!("HostConfig.{}", fault.at)),
        }
        for name in volumes(container) {
            self.volume(name);
        }
    }

    /// A volume of the engine may hide a mount of the host in its options.
    fn volume(&mut self, name: String) {
        let Some(volume) = self.facts.get(&Need::Volume(name.clone())) else {
            return self.find(Reason::FactMissing, format!("volume `{name}`"));
        };
        let local = matches!(volume.text("Driver"), "local" | "");
        let plain = volume.get("Options").is_none_or(Value::is_empty);
        if !local || !plain {
            self.find(Reason::VolumeDriver, format!("volume `{name}`"));
        }
    }
}
