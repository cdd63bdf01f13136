//! From a summary back to a body: not the one that was sent, but one that every check judges alike.
//! Knows nothing of policies; what it cannot build from other members stands in the member `other`.

use std::borrow::Cow;

use super::summary;
use crate::docker::json::{Object, Value};
use crate::docker::schema::{Schema, Type};
use crate::docker::{Class, Operation};

/// The member that holds, by path, what a check looks at and no other member shows exactly.
const OTHER: &str = "other";
/// Mounts have more parts than their short form shows.
const MOUNTS: &str = "HostConfig.Mounts";

/// The members of an object.
type Members = [(Cow<'static, str>, Value)];

/// Adds `other` to the members of a summary.
pub(super) fn with_other(schema: &'static Schema, body: &Value, mut members: Object) -> Object {
    let mounts = summary::at(body, MOUNTS).filter(|mounts| !mounts.is_empty());
    let mut other: Object = mounts.map(|mounts| (Cow::Borrowed(MOUNTS), mounts.clone())).into_iter().collect();
    let mut shown = built(schema, &members, &other);
    hide_nothing(&mut shown);
    differing(schema, body, Some(&shown), &mut Vec::new(), &mut other);
    if !other.is_empty() {
        members.push((Cow::Borrowed(OTHER), Value::Object(other)));
    }
    members
}

/// The body behind a summary; `None` where the operation has none that is an object.
pub fn restore(operation: Operation, summary: &Value) -> Option<Value> {
    let schema = operation.row().body.object()?;
    let other = summary.get(OTHER).map(Value::members).unwrap_or_default();
    let mut body = built(schema, summary.members(), other);
    for (path, value) in other {
        set(&mut body, path, value.clone());
    }
    hide_nothing(&mut body);
    Some(body)
}

/// A digest stands for a text.
fn hide_nothing(value: &mut Value) {
    match value {
        Value::Object(members) if members.len() == 2 && members.iter().all(|(name, _)| matches!(name.as_ref(), "len" | "hmac")) => {
            *value = Value::Text(String::new());
        }
        Value::Object(members) => members.iter_mut().for_each(|(_, member)| hide_nothing(member)),
        Value::List(items) => items.iter_mut().for_each(hide_nothing),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
}

/// Every field that is judged by a check of its own and reads differently in what the summary shows.
fn differing(schema: &'static Schema, body: &Value, shown: Option<&Value>, above: &mut Vec<&'static str>, other: &mut Object) {
    let mut next = 0;
    for (name, value) in body.members() {
        let Some(at) = schema.position(name, next) else { continue };
        next = at + 1;
        let Some(field) = schema.fields.get(at) else { continue };
        let shown = shown.and_then(|shown| shown.get(name));
        above.push(field.name);
        match (field.class, &field.ty) {
            (Class::Gated(_) | Class::Refused, ty) if !told(field.name, ty, value, shown) => {
                let path = above.join(".");
                if other.iter().all(|(known, _)| *known != path) {
                    other.push((Cow::Owned(path), value.clone()));
                }
            }
            (Class::Inert | Class::Part, Type::Object(inner)) => differing(inner, value, shown, above, other),
            _ => {}
        }
        above.pop();
    }
}

/// True where what is shown says what the value says.
fn told(name: &str, ty: &Type, value: &Value, shown: Option<&Value>) -> bool {
    let keys_are_data = matches!(ty, Type::Map(_));
    // an empty list of masked paths says something: nothing is masked
    let masks = matches!(name, "MaskedPaths" | "ReadonlyPaths") && *value != Value::Null;
    shown.map_or_else(|| !masks && says_nothing(value, keys_are_data), |shown| says_the_same(shown, value, keys_are_data))
}

/// True for an empty value, and for an object whose members say nothing; the keys of a map say something by themselves.
fn says_nothing(value: &Value, keys_are_data: bool) -> bool {
    match value {
        Value::Object(members) => members.iter().all(|(_, member)| !keys_are_data && says_nothing(member, false)),
        Value::List(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => value.is_empty(),
    }
}

/// True where two values are equal but for members that say nothing.
fn says_the_same(one: &Value, two: &Value, keys_are_data: bool) -> bool {
    let (Value::Object(one), Value::Object(two)) = (one, two) else { return one == two };
    let says = |(_, member): &&(Cow<'static, str>, Value)| keys_are_data || !says_nothing(member, false);
    let (mut one, mut two) = (one.iter().filter(says), two.iter().filter(says));
    loop {
        match (one.next(), two.next()) {
            (None, None) => return true,
            (Some((name, member)), Some((known, other))) if name == known && says_the_same(member, other, false) => {}
            (Some(_) | None, Some(_) | None) => return false,
        }
    }
}

/// The body that the members show in their own words.
fn built(schema: &'static Schema, summary: &Members, other: &Members) -> Value {
    let mut body = Value::Object(Vec::new());
    for (name, path) in summary::table(schema.name).iter().filter(|(_, path)| stands_in(schema, path)) {
        if let Some(value) = member(summary, name) {
            set(&mut body, path, value.clone());
        }
    }
    if schema.name == "ContainerCreate" {
        if other.iter().all(|(path, _)| path != MOUNTS) {
            mounts(summary, &mut body);
        }
        namespaces(summary, &mut body);
        each(summary, "networks", |name| set_key(&mut body, "NetworkingConfig.EndpointsConfig", name, Value::Object(Vec::new())));
        each(summary, "ports", |text| port(text, &mut body));
        each(summary, "devices", |text| device(text, &mut body));
    }
    body
}

fn stands_in(schema: &'static Schema, path: &str) -> bool {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let Some(field) = schema.fields.iter().find(|field| field.name == first) else { return false };
    match (rest, &field.ty) {
        (None, _) => true,
        (Some(rest), Type::Object(inner)) => stands_in(inner, rest),
        (Some(_), _) => false,
    }
}

fn member<'v>(summary: &'v Members, name: &str) -> Option<&'v Value> {
    summary.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn each(summary: &Members, name: &str, mut take: impl FnMut(&str)) {
    member(summary, name).map(Value::texts).into_iter().flatten().for_each(&mut take);
}

/// `source:target:mode`, `tmpfs=:target:options`, and `:target:rw` for a volume without a name.
fn mounts(summary: &Members, body: &mut Value) {
    each(summary, "mounts", |text| {
        if let Some((target, options)) = text.strip_prefix("tmpfs=:").and_then(|rest| rest.split_once(':')) {
            set_key(body, "HostConfig.Tmpfs", target, Value::Text(options.to_owned()));
        } else if let Some(target) = text.strip_prefix(':').and_then(|rest| rest.strip_suffix(":rw")) {
            set_key(body, "Volumes", target, Value::Object(Vec::new()));
        } else {
            push(body, "HostConfig.Binds", Value::Text(text.to_owned()));
        }
    });
}

fn namespaces(summary: &Members, body: &mut Value) {
    for (name, field) in summary::NAMESPACES {
        if let Some(value) = member(summary, "namespaces").and_then(|modes| modes.get(name)) {
            set(body, &format!("HostConfig.{field}"), value.clone());
        }
    }
}

/// `address:8080:80/tcp`
fn port(text: &str, body: &mut Value) {
    let Some((host, port)) = text.rsplit_once(':') else { return };
    let (address, number) = host.rsplit_once(':').unwrap_or(("", host));
    let pair = |name, text: &str| (Cow::Borrowed(name), Value::Text(text.to_owned()));
    let binding = Value::Object(vec![pair("HostIp", address), pair("HostPort", number)]);
    within(body, "HostConfig.PortBindings", &mut |bindings| {
        let Value::Object(ports) = bindings else { return };
        match ports.iter_mut().find(|(known, _)| known == port) {
            Some((_, Value::List(list))) => list.push(binding.clone()),
            Some(_) => {}
            None => ports.push((Cow::Owned(port.to_owned()), Value::List(vec![binding.clone()]))),
        }
    });
}

/// `/dev/x:/dev/y:rwm`, and `rule=c 1:3 r`
fn device(text: &str, body: &mut Value) {
    if let Some(rule) = text.strip_prefix("rule=") {
        return push(body, "HostConfig.DeviceCgroupRules", Value::Text(rule.to_owned()));
    }
    let mut parts = text.split(':').map(|part| Value::Text(part.to_owned()));
    let (Some(host), Some(inside), Some(access)) = (parts.next(), parts.next(), parts.next()) else { return };
    let device = [("PathOnHost", host), ("PathInContainer", inside), ("CgroupPermissions", access)];
    push(body, "HostConfig.Devices", Value::Object(device.map(|(name, value)| (Cow::Borrowed(name), value)).into()));
}

fn push(body: &mut Value, path: &str, item: Value) {
    within(body, path, &mut |list| {
        if let Value::List(items) = list {
            items.push(item.clone());
        } else {
            *list = Value::List(vec![item.clone()]);
        }
    });
}

fn set_key(body: &mut Value, path: &str, key: &str, value: Value) {
    within(body, path, &mut |map| {
        if let Value::Object(members) = map {
            members.retain(|(known, _)| known != key);
            members.push((Cow::Owned(key.to_owned()), value.clone()));
        }
    });
}

fn set(body: &mut Value, path: &str, value: Value) {
    let mut value = Some(value);
    within(body, path, &mut |here| *here = value.take().unwrap_or(Value::Null)); // there is one place
}

/// Changes what stands at a path; what is missing on the way is made.
fn within(value: &mut Value, path: &str, change: &mut dyn FnMut(&mut Value)) {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let Value::Object(members) = value else { return };
    if !members.iter().any(|(name, _)| name == first) {
        members.push((Cow::Owned(first.to_owned()), Value::Object(Vec::new())));
    }
    if let Some((_, member)) = members.iter_mut().find(|(name, _)| name == first) {
        match rest {
            Some(rest) => within(member, rest, change),
            None => change(member),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::json;

    /// Summary and back, as a record would have it.
    fn round(text: &str) -> (Value, Value) {
        let body = json::read(text.as_bytes()).unwrap();
        let summary = summary::of_body(Operation::ContainerCreate, &body);
        (summary.clone(), restore(Operation::ContainerCreate, &summary).unwrap())
    }

    #[test]
    fn what_the_short_members_show_is_not_said_twice() {
        let text = r#"{"Image":"a","User":"1","HostConfig":{"Binds":["/a:/b:ro","v:/v"],"PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"},{"HostIp":"","HostPort":"81"}]},"Devices":[{"PathOnHost":"/dev/x","PathInContainer":"/dev/y","CgroupPermissions":"r"}],"PidMode":"host","Tmpfs":{"/t":"size=1m"}},"Volumes":{"/w":{}},"NetworkingConfig":{"EndpointsConfig":{"ci":{}}}}"#;
        let (summary, body) = round(text);
        assert_eq!(summary.get(OTHER), None, "{}", summary.encode());
        let host = body.get("HostConfig").unwrap();
        let sent = json::read(text.as_bytes()).unwrap();
        for key in ["Binds", "PortBindings", "Devices", "PidMode", "Tmpfs"] {
            assert_eq!(host.get(key), sent.get("HostConfig").unwrap().get(key), "{key}");
        }
        assert_eq!(body.get("Volumes"), sent.get("Volumes"));
        assert_eq!(body.get("NetworkingConfig"), sent.get("NetworkingConfig"));
    }

    #[test]
    fn what_no_member_shows_stands_in_other_and_comes_back() {
        let text = r#"{"Image":"a","HostConfig":{"Mounts":[{"Type":"bind","Source":"/a","Target":"/b","BindOptions":{"Propagation":"shared"}}],"Binds":["/c:/d"],"OomScoreAdj":-500,"MaskedPaths":[],"PortBindings":{"80/tcp":[]}}}"#;
        let (summary, body) = round(text);
        let sent = json::read(text.as_bytes()).unwrap();
        for key in ["Mounts", "Binds", "OomScoreAdj", "MaskedPaths", "PortBindings"] {
            assert_eq!(body.get("HostConfig").unwrap().get(key), sent.get("HostConfig").unwrap().get(key), "{key} in {}", summary.encode());
        }
    }
}
