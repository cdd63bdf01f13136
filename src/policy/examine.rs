//! The walk over every field and key of an action: each class decides or calls its check.
//! Knows nothing of rules and modes.

use std::fmt;

use crate::docker::decode::{Place, typed};
use crate::docker::operations::BodyPlan;
use crate::docker::schema::{CONTAINER_CREATE, EXEC_CREATE, Field, HOST_CONFIG, Schema, Type};
use crate::docker::{Action, Class, Gate, Operation, Value};

use super::checks::{self, Act};
use super::facts::{self, Facts, Need, judges_target, volumes};
use super::verdict::{Passed, Reason};
use super::{Create, Level};

/// What a walk found.
#[derive(Debug, Default)]
pub struct Examination {
    /// What is denied, in the order of the walk.
    pub findings: Vec<Finding>,
    /// What is warned of.
    pub warnings: Vec<Finding>,
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

impl Finding {
    /// A finding at a place.
    pub fn at(reason: Reason, place: &Place<'_>) -> Self {
        Self { reason, at: place.to_string() }
    }
}

/// What a check may look at.
pub struct Context<'a> {
    /// The level and the grants.
    pub create: &'a Create,
    /// What was fetched.
    pub facts: &'a Facts,
    /// Whose words are judged.
    pub source: Source,
    /// True for the body of an exec.
    pub in_exec: bool,
}

/// Whose words a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The client's, in a request.
    Client,
    /// The engine's, about a container that exists: defaults are filled in.
    Engine,
}

/// How much of a walk is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// What decides: findings and warnings.
    Findings,
    /// The checks that passed too, for people.
    All,
}

/// Examines the query, the body and the target of an action.
pub fn examine(create: &Create, action: &Action, facts: &Facts, keeps: Keep) -> Examination {
    let mut walk =
        Walk { create, facts, source: Source::Client, in_exec: false, warns: true, keeps, out: Examination::default(), prefix: "" };
    if create.level != Level::Unrestricted || create.warn_level.is_some() {
        walk.query(action);
        walk.body(action);
        walk.named_network(action);
        walk.pushed_image(action);
        if judges_target(create, action.endpoint.operation) {
            walk.target(action);
        }
    }
    walk.out
}

/// Examines a container that exists, by what its inspection says: warnings and the demands of the level count here.
pub fn examine_container(create: &Create, container: &Value, facts: &Facts) -> Examination {
    let (source, keeps, out) = (Source::Engine, Keep::All, Examination::default());
    let mut walk = Walk { create, facts, source, in_exec: false, warns: true, keeps, out, prefix: "" };
    if create.level != Level::Unrestricted {
        walk.existing(container);
        let mut body = container.get("Config").cloned().unwrap_or(Value::Null);
        body.edit("HostConfig", |host| *host = container.get("HostConfig").cloned().unwrap_or(Value::Null));
        let mut found = Vec::new();
        checks::demands(&CONTAINER_CREATE, create, &body, &mut found);
        found.into_iter().for_each(|finding| walk.find(finding));
    }
    walk.out
}

struct Walk<'a> {
    create: &'a Create,
    facts: &'a Facts,
    source: Source,
    in_exec: bool,
    /// False for targets: about what exists already nothing is warned.
    warns: bool,
    keeps: Keep,
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
                Class::Refused => self.find(Finding { reason: Reason::RefusedField, at: place }),
                Class::Gated(gate) => {
                    let reasons = checks::key(gate, key.name, value, &self.context(), action);
                    let found = reasons.into_iter().map(|reason| Finding { reason, at: place.clone() }).collect();
                    self.settle(gate, place, found);
                }
            }
        }
    }

    fn body(&mut self, action: &Action) {
        let Some(value) = action.json() else { return };
        let schema = match action.row().body {
            BodyPlan::Json(schema) | BodyPlan::OptionalJson(schema) => schema,
            BodyPlan::JsonList(field) => return self.field(field, value, &Place::Root),
            BodyPlan::None | BodyPlan::Opaque | BodyPlan::OpaqueIf(..) | BodyPlan::Tunnel => return,
        };
        self.in_exec = schema.name == "ExecCreate";
        self.object(schema, value, &Place::Root);
        self.command(schema, value, action);
        let mut found = Vec::new();
        checks::demands(schema, self.create, value, &mut found);
        if schema.name == "ContainerCreate" && value.text("Image").is_empty() {
            found.push(Finding { reason: Reason::Image, at: "Image".to_owned() });
        }
        found.into_iter().for_each(|finding| self.find(finding));
    }

    fn object(&mut self, schema: &'static Schema, value: &Value, place: &Place<'_>) {
        let mut next = 0;
        for (key, member) in value.members() {
            let Some(at) = schema.position(key, next) else { continue };
            next = at + 1;
            if let Some(field) = schema.fields.get(at) {
                self.field(field, member, &Place::Key(place, field.name));
            }
        }
    }

    fn field(&mut self, field: &'static Field, value: &Value, place: &Place<'_>) {
        match field.class {
            Class::Inert | Class::Part => {}
            Class::Refused if value.is_empty() => {}
            Class::Refused => self.find(Finding::at(Reason::RefusedField, place)),
            Class::Gated(gate) if value.is_empty() && !(gate.judges_empty() && *value != Value::Null) => {}
            Class::Gated(gate) => {
                let mut found = Vec::new();
                checks::field(gate, &self.context(), value, place, &mut found);
                self.settle(gate, place, found);
            }
        }
        self.inside(&field.ty, value, place);
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
            Type::Array(of, _) => {
                for (at, item) in value.items().iter().enumerate() {
                    self.inside(of, item, &Place::Index(place, at));
                }
            }
            Type::Bool | Type::Int(..) | Type::Float | Type::Str | Type::StrSlice => {}
        }
    }

    fn context(&self) -> Context<'_> {
        Context { create: self.create, facts: self.facts, source: self.source, in_exec: self.in_exec }
    }

    fn settle(&mut self, gate: Gate, place: impl fmt::Display, found: Vec<Finding>) {
        if found.is_empty() && self.keeps == Keep::All {
            self.out.passed.push(Passed { gate, at: format!("{}{place}", self.prefix) });
        }
        found.into_iter().for_each(|finding| self.find(finding));
    }

    /// The levels and switches decide what becomes of a finding.
    fn find(&mut self, finding: Finding) {
        let finding = Finding { at: format!("{}{}", self.prefix, finding.at), ..finding };
        match self.create.act(finding.reason) {
            Act::Deny => self.out.findings.push(finding),
            Act::Warn if self.warns => self.out.warnings.push(finding),
            Act::Warn | Act::Off => {}
        }
    }

    /// Joining a network, or creating endpoints on it, is judged by the network's name.
    fn named_network(&mut self, action: &Action) {
        if action.endpoint.operation == Operation::NetworkConnect {
            let name = action.endpoint.name().unwrap_or_default();
            let at = format!("network `{name}`");
            let found = checks::network::name(self.create, name).map(|reason| Finding { reason, at: at.clone() });
            self.settle(Gate::Network, at, found.into_iter().collect());
        }
    }

    /// What is pushed leaves the host: by its repository, as what is used comes in.
    fn pushed_image(&mut self, action: &Action) {
        if action.endpoint.operation == Operation::ImagePush {
            let name = action.endpoint.name().unwrap_or_default();
            let at = format!("image `{name}`");
            let found = (!checks::granted_image(self.create, name)).then(|| Finding { reason: Reason::Image, at: at.clone() });
            self.settle(Gate::Image, at, found.into_iter().collect());
        }
    }

    /// An exec that is started passes the checks that making it would have to pass: another door may have made it.
    fn exec(&mut self, action: &Action) {
        let Some(exec) = facts::object_need(action).and_then(|need| self.facts.get(&need)) else { return };
        let Some(process) = exec.get("ProcessConfig").filter(|process| !process.members().is_empty()) else {
            return self.find(Finding { reason: Reason::FactMissing, at: "exec".to_owned() });
        };
        self.in_exec = true;
        self.prefix = "exec ";
        let body = exec_body(process);
        self.object(&EXEC_CREATE, &body, &Place::Root);
        self.command(&EXEC_CREATE, &body, action);
        self.in_exec = false;
    }

    /// What a body is as a whole.
    fn command(&mut self, schema: &'static Schema, value: &Value, action: &Action) {
        let mut found = Vec::new();
        let user = self.facts.target(action).and_then(|target| target.get("Config")).map(|config| config.text("User"));
        checks::body(schema, &self.context(), value, user, &mut found);
        found.into_iter().for_each(|finding| self.find(finding));
    }

    /// The target container, as the engine knows it, passes the checks that its creation would have to pass.
    fn target(&mut self, action: &Action) {
        self.source = Source::Engine;
        self.in_exec = false;
        self.warns = false;
        if action.endpoint.operation == Operation::ExecStart {
            self.exec(action);
        }
        self.prefix = "target ";
        let Some(container) = self.facts.target(action) else {
            return self.find(Finding { reason: Reason::FactMissing, at: "container".to_owned() });
        };
        self.existing(container);
    }

    fn existing(&mut self, container: &Value) {
        if let Some(config) = container.get("Config") {
            self.object(&CONTAINER_CREATE, config, &Place::Root);
        }
        let host = container.get("HostConfig").cloned().unwrap_or(Value::Null);
        match typed(&HOST_CONFIG, host, &[]) {
            Ok(typed) => self.object(&HOST_CONFIG, &typed.value, &Place::Key(&Place::Root, "HostConfig")),
            Err(fault) => self.find(Finding { reason: Reason::RefusedField, at: format!("HostConfig.{}", fault.at) }),
        }
        for name in volumes(container) {
            self.volume(name);
        }
    }

    /// A volume of the engine may hide a mount of the host in its options.
    fn volume(&mut self, name: String) {
        let Some(volume) = self.facts.get(&Need::Volume(name.clone())) else {
            return self.find(Finding { reason: Reason::FactMissing, at: format!("volume `{name}`") });
        };
        let local = matches!(volume.text("Driver"), "local" | "");
        let plain = volume.get("Options").is_none_or(Value::is_empty);
        if !local || !plain {
            self.find(Finding { reason: Reason::VolumeDriver, at: format!("volume `{name}`") });
        }
    }
}

/// An exec as the engine tells of it (`GET /exec/{id}/json`), in the words of its creation.
fn exec_body(process: &Value) -> Value {
    let text = |text: &str| Value::Text(text.to_owned());
    let rest = process.get("arguments").map(Value::items).unwrap_or_default().iter().cloned();
    let command = std::iter::once(text(process.text("entrypoint"))).chain(rest).collect();
    let mut body = Value::Object(Vec::new());
    body.edit("Cmd", |slot| *slot = Value::List(command));
    body.edit("User", |slot| *slot = text(process.text("user")));
    body.edit("Privileged", |slot| *slot = Value::Bool(process.get("privileged").is_some_and(Value::is_true)));
    body
}
