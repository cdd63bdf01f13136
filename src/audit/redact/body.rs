//! Bodies as they may be recorded: the rules by field, and the walk that applies them to every field of a schema.
//! Knows nothing of which parts of a body a record shows.

use std::borrow::Cow;

use super::{Redactor, Shown};
use crate::docker::decode::Place;
use crate::docker::json::Value;
use crate::docker::operations::BodyPlan;
use crate::docker::schema::{Field, Schema, Type};
use crate::docker::{Class, Gate};

/// Places that a record lists; what is beyond is counted.
const MAX_PLACES: usize = 64;
/// What each place begins with.
const BODY: &str = "body.";
/// Room for most of them.
const USUAL_PLACE: usize = 48;

/// A body without its secrets.
#[derive(Debug, Clone)]
pub struct Redacted {
    /// The body.
    pub value: Value,
    /// Where something was hidden, as records say it: `body.` and the JSON path.
    pub places: Vec<String>,
}

/// What is done to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// `NAME=VALUE`: the value becomes a digest.
    Variables,
    /// Words after which a secret stands, and secrets by their shapes.
    Command,
    /// The length and a digest.
    Secret,
    /// An image's name, whose login is hidden.
    Image,
    /// Secrets by their shapes, and options by their keys.
    Plain,
}

/// The fields that are not `Plain`, by their names in the API. Maps of strings are judged by their keys wherever they stand:
/// labels, annotations, and options of drivers, of logs and of certificate authorities.
const RULES: &[(&str, Rule)] = &[
    ("Env", Rule::Variables),
    ("env", Rule::Variables),
    ("Cmd", Rule::Command),
    ("Entrypoint", Rule::Command),
    ("Command", Rule::Command),
    ("Args", Rule::Command),
    ("Test", Rule::Command),
    ("Shell", Rule::Command),
    ("OnBuild", Rule::Command),
    ("Data", Rule::Secret),
    ("JoinToken", Rule::Secret),
    ("UnlockKey", Rule::Secret),
    ("SigningCAKey", Rule::Secret),
    ("SigningCACert", Rule::Secret),
    ("CACert", Rule::Secret),
    ("password", Rule::Secret),
    ("auth", Rule::Secret),
    ("identitytoken", Rule::Secret),
    ("registrytoken", Rule::Secret),
    ("Image", Rule::Image),
    ("remote", Rule::Image),
];

/// The names of the fields that have a rule of their own, for the test that finds them in the schemas.
pub fn rules() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _)| *name)
}

fn rule(name: &str) -> Rule {
    RULES.iter().find(|(known, _)| *known == name).map_or(Rule::Plain, |(_, rule)| *rule)
}

impl Redactor {
    /// A body of a plan without its secrets; `None` for a plan that has no JSON.
    pub fn body(&self, plan: BodyPlan, value: &Value) -> Option<Redacted> {
        let mut walk = Walk { redactor: self, places: Vec::new(), more: 0 };
        let value = match plan {
            BodyPlan::Json(schema) | BodyPlan::OptionalJson(schema) => walk.object(schema, value, &Place::Root),
            BodyPlan::JsonList(list) => walk.list(list, value),
            BodyPlan::None | BodyPlan::Opaque | BodyPlan::OpaqueIf(..) | BodyPlan::Tunnel => return None,
        };
        let mut places = walk.places;
        if walk.more > 0 {
            places.push(format!("{BODY}…(+{})", walk.more));
        }
        Some(Redacted { value, places })
    }
}

struct Walk<'r> {
    redactor: &'r Redactor,
    places: Vec<String>,
    more: usize,
}

impl Walk<'_> {
    fn list(&mut self, list: &'static Field, value: &Value) -> Value {
        let rule = if list.class == Class::Gated(Gate::PluginSettings) { Rule::Variables } else { Rule::Plain };
        self.value(rule, &list.ty, value, &Place::Root)
    }

    fn object(&mut self, schema: &'static Schema, value: &Value, place: &Place<'_>) -> Value {
        let Value::Object(members) = value else { return Value::Null };
        let mut next = 0;
        let each = |(key, value): &(Cow<'static, str>, Value)| {
            let at = schema.position(key, next)?;
            next = at + 1;
            let field = schema.fields.get(at)?;
            Some((Cow::Borrowed(field.name), self.value(rule(field.name), &field.ty, value, &Place::Key(place, field.name))))
        };
        Value::Object(members.iter().filter_map(each).collect())
    }

    fn value(&mut self, rule: Rule, ty: &'static Type, value: &Value, place: &Place<'_>) -> Value {
        match (ty, value) {
            (Type::Object(schema), Value::Object(_)) => self.object(schema, value, place),
            (Type::Map(of), Value::Object(members)) => {
                Value::Object(members.iter().map(|(key, value)| self.member(of, key, value, place)).collect())
            }
            (Type::List(_) | Type::StrSlice, Value::List(items)) if rule == Rule::Command => self.command(items, place),
            (Type::List(of), Value::List(items)) => self.items(rule, of, items, place),
            (Type::StrSlice, Value::List(items)) => self.items(rule, &Type::Str, items, place),
            (_, Value::Text(text)) => self.text(rule, text, place),
            (_, Value::List(items)) => Value::List(items.iter().filter(|item| matches!(item, Value::Number(_))).cloned().collect()),
            (_, Value::Object(_)) => Value::Null, // the decoder lets none through where the type is another
            (_, Value::Null | Value::Bool(_) | Value::Number(_)) => value.clone(),
        }
    }

    fn items(&mut self, rule: Rule, of: &'static Type, items: &[Value], place: &Place<'_>) -> Value {
        Value::List(items.iter().enumerate().map(|(at, item)| self.value(rule, of, item, &Place::Index(place, at))).collect())
    }

    fn member(&mut self, of: &'static Type, key: &str, value: &Value, place: &Place<'_>) -> (Cow<'static, str>, Value) {
        let name = self.redactor.text(key);
        let here = Place::Key(place, &name.text);
        self.note(name.hidden, &here);
        let value = match value.as_text() {
            Some(text) => {
                let shown = self.redactor.option(key, text);
                self.note(shown.hidden, &here);
                Value::Text(shown.text.into_owned())
            }
            None => self.value(Rule::Plain, of, value, &here),
        };
        (Cow::Owned(name.text.into_owned()), value)
    }

    fn command(&mut self, items: &[Value], place: &Place<'_>) -> Value {
        let words: Vec<&str> = items.iter().filter_map(Value::as_text).collect();
        let shown = self.redactor.command(&words);
        for (at, word) in shown.iter().enumerate() {
            self.note(word.hidden, &Place::Index(place, at));
        }
        Value::List(shown.into_iter().map(|word| Value::Text(word.text.into_owned())).collect())
    }

    fn text(&mut self, rule: Rule, text: &str, place: &Place<'_>) -> Value {
        let shown: Shown<'_> = match rule {
            Rule::Secret if !text.is_empty() => {
                self.note(true, place);
                let (length, digest) = self.redactor.secret(text);
                let members = [("len", Value::Number(length.to_string())), ("hmac", Value::Text(digest))];
                return Value::Object(members.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect());
            }
            Rule::Variables => self.redactor.variable(text),
            Rule::Image => self.redactor.image(text),
            Rule::Command | Rule::Secret | Rule::Plain => self.redactor.text(text),
        };
        self.note(shown.hidden, place);
        Value::Text(shown.text.into_owned())
    }

    fn note(&mut self, hidden: bool, place: &Place<'_>) {
        if hidden && self.places.len() < MAX_PLACES {
            let mut path = String::with_capacity(USUAL_PLACE);
            path.push_str(BODY);
            place.write(&mut path);
            self.places.push(match super::plain(&path) {
                Cow::Borrowed(_) => path,
                Cow::Owned(plain) => plain,
            });
        } else if hidden {
            self.more += 1;
        }
    }
}
