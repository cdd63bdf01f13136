//! Query strings against the keys of an operation: typed, once each, written back canonically.
//! Knows nothing of policies.

use std::borrow::Cow;

use super::fault::{Fault, FaultKind};
use super::json::{self, Value};
use super::operations::{Arity, Key, KeyType, Kind, Row};
use super::target;

/// The canonical query: known keys in the order of the table, each value in one spelling.
pub type Query = Vec<(&'static Key, String)>;

/// Reads the pairs of a target for an operation; also the names of keys that were dropped.
///
/// Unknown keys are dropped on reads; on changes and tunnels only where they are fields of the
/// body or listed with the client that sends them, because a key that changes something must be known.
///
/// # Errors
/// Unknown, repeated and mistyped keys, by name.
pub fn read(row: &'static Row, pairs: &[(String, String)]) -> Result<(Query, Vec<String>), Fault> {
    let mut query = Query::new();
    let mut dropped = Vec::new();
    for (name, value) in pairs {
        match row.query.iter().find(|key| key.name == name) {
            Some(key) if key.arity == Arity::First && query.iter().any(|(known, _)| known.name == name) => dropped.push(format!("?{name}")),
            Some(key) => query.push((key, canonical(key, value, reads(row))?)),
            None if tolerated(row, name) => dropped.push(format!("?{name}")),
            None => return Err(Fault::new(FaultKind::UnknownQueryKey, name)),
        }
    }
    refuse_repeats(&query)?;
    let place = |key: &Key| row.query.iter().position(|other| other.name == key.name);
    query.sort_by_key(|(key, _)| place(key));
    Ok((query, dropped))
}

fn reads(row: &Row) -> bool {
    match row.kind {
        Kind::Read | Kind::SensitiveRead | Kind::Stream => true,
        Kind::Tunnel | Kind::Change => false,
    }
}

fn tolerated(row: &Row, name: &str) -> bool {
    reads(row)
        || row.ignored.contains(&name)
        || row.body.object().is_some_and(|schema| schema.fields.iter().any(|field| field.name == name))
}

/// The daemon takes the first of several values and Podman the last.
fn refuse_repeats(query: &Query) -> Result<(), Fault> {
    for (at, (key, _)) in query.iter().enumerate() {
        let again = query.iter().skip(at + 1).any(|(other, _)| other.name == key.name);
        if again && key.arity == Arity::One {
            return Err(Fault::new(FaultKind::DuplicateKey, format!("?{}", key.name)));
        }
    }
    Ok(())
}

fn canonical(key: &Key, value: &str, reads: bool) -> Result<String, Fault> {
    let bad = || Fault::new(FaultKind::BadQueryValue, format!("?{}", key.name));
    match key.ty {
        KeyType::Bool if value.is_empty() => Ok(String::new()),
        KeyType::Bool => Ok(if truth(value) { "1" } else { "0" }.to_owned()),
        KeyType::Int => integer(value).ok_or_else(bad),
        KeyType::Text => Ok(value.to_owned()),
        KeyType::ClassicBuilder if matches!(value, "" | "1") => Ok(value.to_owned()),
        KeyType::ClassicBuilder => Err(Fault::new(FaultKind::Http2, format!("?{}", key.name))),
        KeyType::Filters | KeyType::StringMap | KeyType::StringList | KeyType::Json if value.is_empty() => Ok(String::new()),
        KeyType::Filters => filters(&strict(value, key)?, reads).ok_or_else(bad),
        KeyType::StringMap => {
            shaped(strict(value, key)?, |value| matches!(value, Value::Text(_) | Value::Null), Shape::Map).ok_or_else(bad)
        }
        KeyType::StringList => shaped(strict(value, key)?, |value| matches!(value, Value::Text(_)), Shape::List).ok_or_else(bad),
        KeyType::Json => strict(value, key).map(|value| value.encode()),
    }
}

/// `httputils.BoolValue`: `off` and `f` are true.
fn truth(value: &str) -> bool {
    !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "no" | "false" | "none")
}

fn integer(value: &str) -> Option<String> {
    if value.is_empty() {
        return Some(String::new());
    }
    let digits = value.strip_prefix('-').unwrap_or(value);
    (digits.len() <= 20 && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| value.to_owned())
}

/// JSON in a query goes through the same reader as bodies, and repeats are refused at every depth.
fn strict(value: &str, key: &Key) -> Result<Value, Fault> {
    let at = || format!("?{}", key.name);
    let value = json::read(value.as_bytes()).map_err(|kind| Fault::new(kind, at()))?;
    if repeats(&value) { Err(Fault::new(FaultKind::DuplicateKey, at())) } else { Ok(value) }
}

fn repeats(value: &Value) -> bool {
    let members = value.members();
    let here = members.iter().enumerate().any(|(at, (key, _))| members.iter().skip(at + 1).any(|(other, _)| other == key));
    here || members.iter().any(|(_, value)| repeats(value)) || value.items().iter().any(repeats)
}

enum Shape {
    Map,
    List,
}

fn shaped(value: Value, element: fn(&Value) -> bool, shape: Shape) -> Option<String> {
    let fits = match (&value, shape) {
        (Value::Null, _) => true,
        (Value::Object(members), Shape::Map) => members.iter().all(|(_, value)| element(value)),
        (Value::List(items), Shape::List) => items.iter().all(element),
        (Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Object(_), Shape::Map | Shape::List) => false,
    };
    fits.then(|| value.encode())
}

/// Both forms of filters, written as `{"key":{"value":true}}`. A value that is `false` keeps that on reads, since CrowdSec sends
/// one; engines read it as set for some filters and as not set for others, so on changes there is none.
fn filters(value: &Value, reads: bool) -> Option<String> {
    let (Value::Object(_) | Value::Null) = value else { return None };
    let members = value.members().iter().map(|(key, values)| Some((key.clone(), filter_values(values, reads)?)));
    Some(Value::Object(members.collect::<Option<_>>()?).encode())
}

fn filter_values(values: &Value, reads: bool) -> Option<Value> {
    let set = |(text, set): &(Cow<'static, str>, Value)| match set {
        Value::Bool(set) if *set || reads => Some((text.clone().into_owned(), *set)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Object(_) => None,
    };
    let mut values: Vec<(String, bool)> = match values {
        Value::List(items) => items.iter().map(|item| Some((item.as_text()?.to_owned(), true))).collect::<Option<_>>()?,
        Value::Object(members) => members.iter().map(set).collect::<Option<_>>()?,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => return None,
    };
    let mut seen = std::collections::BTreeSet::new();
    values.retain(|(text, _)| seen.insert(text.clone()));
    Some(Value::Object(values.into_iter().map(|(text, set)| (Cow::Owned(text), Value::Bool(set))).collect()))
}

/// Writes a query with its leading `?`; nothing for an empty one.
pub fn write(query: &Query, out: &mut String) {
    for (at, (key, value)) in query.iter().enumerate() {
        out.push(if at == 0 { '?' } else { '&' });
        target::encode(key.name, out);
        out.push('=');
        target::encode(value, out);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Operation;
    use super::*;

    fn run(operation: Operation, pairs: &[(&str, &str)]) -> Result<(String, Vec<String>), (FaultKind, String)> {
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let (query, dropped) = read(operation.row(), &pairs).map_err(|fault| (fault.kind, fault.at))?;
        let mut out = String::new();
        write(&query, &mut out);
        Ok((out, dropped))
    }

    #[test]
    fn writes_known_keys_in_the_order_of_the_table() {
        let written = run(Operation::ContainerList, &[("limit", "-1"), ("all", "off"), ("trunc_cmd", "0")]).unwrap();
        assert_eq!(written, ("?all=1&limit=-1".to_owned(), vec!["?trunc_cmd".to_owned()]));
        assert_eq!(run(Operation::ContainerList, &[("all", " No ")]).unwrap().0, "?all=0");
    }

    #[test]
    fn writes_both_forms_of_filters_alike() {
        let one = run(Operation::ContainerList, &[("filters", r#"{"label":["a=b","a=b"]}"#)]).unwrap().0;
        let two = run(Operation::ContainerList, &[("filters", r#"{ "label" : {"a=b":true} }"#)]).unwrap().0;
        assert_eq!(one, two);
        for bad in ["[]", r#"{"a":"b"}"#, r#"{"a":{"b":0}}"#, r#"{"a":[1]}"#, "{", r#"{"a":[],"a":[]}"#] {
            assert!(run(Operation::ContainerList, &[("filters", bad)]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_filter_that_is_not_set_stays_so_on_reads_and_is_refused_on_changes() {
        let written = r#"{"type":{"container":true,"service":false}}"#;
        let (query, _) = read(Operation::SystemEvents.row(), &[("filters".to_owned(), written.to_owned())]).unwrap();
        assert_eq!(query.first().map(|(_, value)| value.as_str()), Some(written));
        assert!(run(Operation::ContainerPrune, &[("filters", written)]).is_err());
    }

    #[test]
    fn refuses_repeated_and_unknown_keys_of_changes() {
        let twice = run(Operation::ContainerCreate, &[("name", "a"), ("name", "b")]).unwrap_err();
        assert_eq!(twice, (FaultKind::DuplicateKey, "?name".to_owned()));
        assert_eq!(run(Operation::ContainerCreate, &[("foo", "1")]).unwrap_err().0, FaultKind::UnknownQueryKey);
        assert_eq!(run(Operation::ContainerCreate, &[("Name", "1")]).unwrap_err().0, FaultKind::UnknownQueryKey);
        let dockerode = run(Operation::ContainerCreate, &[("Image", "a"), ("Cmd", "b"), ("Cmd", "c")]).unwrap();
        assert_eq!(dockerode.1, ["?Image", "?Cmd", "?Cmd"]);
    }

    #[test]
    fn of_docker_pys_two_dockerfiles_the_first_goes_on() {
        let outside =
            run(Operation::ImageBuild, &[("dockerfile", ".dockerfile.f00"), ("t", "a"), ("dockerfile", "FROM scratch\n")]).unwrap();
        assert!(outside.0.contains("dockerfile=.dockerfile.f00") && !outside.0.contains("FROM"), "{outside:?}");
        assert_eq!(outside.1, ["?dockerfile"]);
    }

    #[test]
    fn an_empty_value_stays_empty_whatever_its_type() {
        assert_eq!(run(Operation::ContainerList, &[("filters", ""), ("all", ""), ("limit", "")]).unwrap().0, "?all=&filters=&limit=");
        assert_eq!(run(Operation::ImageBuild, &[("buildargs", ""), ("cachefrom", "")]).unwrap().0, "?buildargs=&cachefrom=");
    }

    #[test]
    fn refuses_values_of_another_type() {
        for value in ["1.5", "a", "--1", "1e3", "+1"] {
            assert_eq!(run(Operation::ContainerList, &[("limit", value)]).unwrap_err().0, FaultKind::BadQueryValue, "{value}");
        }
    }
}
