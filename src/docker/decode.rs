//! JSON values to typed bodies: known keys in their own spelling, checked types, no duplicates.
//! Knows nothing of policies; classes travel in the schema, not in the value.

use std::borrow::Cow;
use std::fmt;

use super::fault::{Fault, FaultKind};
use super::json::{self, Object, Value};
use super::schema::{Field, Schema, Type};

/// A place in a body, `HostConfig.Binds[0]`; cheap to extend while walking.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// The body itself.
    Root,
    /// A member of an object.
    Key(&'a Place<'a>, &'a str),
    /// An element of a list.
    Index(&'a Place<'a>, usize),
}

impl Place<'_> {
    /// Appends the path.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Root => {}
            Self::Key(Self::Root, key) => out.push_str(key),
            Self::Key(parent, key) => {
                parent.write(out);
                out.extend([".", key]);
            }
            Self::Index(parent, at) => {
                parent.write(out);
                out.extend(["[", itoa::Buffer::new().format(*at), "]"]);
            }
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut path = String::new();
        self.write(&mut path);
        f.write_str(&path)
    }
}

/// A body whose keys are all known, and the names of what was dropped on the way.
#[derive(Debug)]
pub struct Typed {
    /// The value to judge and to write.
    pub value: Value,
    /// JSON paths of dropped keys: never values.
    pub dropped: Vec<String>,
}

/// Types a value by a schema. `also_known` are query keys of the operation: a body key of that
/// name is dropped and noted (dockerode sends its options twice).
///
/// # Errors
/// Duplicate keys (folded as Go folds), unknown keys with a value, wrong types, each with its place.
pub fn typed(schema: &'static Schema, value: Value, also_known: &[&str]) -> Result<Typed, Fault> {
    let mut decoder = Decoder { dropped: Vec::new(), also_known };
    let value = match value {
        Value::Object(members) => Value::Object(decoder.object(schema, members, &Place::Root)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => {
            return Err(Fault::new(FaultKind::WrongType, ""));
        }
    };
    Ok(Typed { value, dropped: decoder.dropped })
}

/// Types a body that is a list, by the field without a name that describes it; `null` stays `null`.
///
/// # Errors
/// As [`typed`]; places begin with an index, `[0].Name`.
pub fn typed_list(list: &'static Field, value: Value) -> Result<Typed, Fault> {
    let mut decoder = Decoder { dropped: Vec::new(), also_known: &[] };
    let value = decoder.value(&list.ty, value, &Place::Root)?;
    Ok(Typed { value, dropped: decoder.dropped })
}

/// Folds a key as Go's decoder does: ASCII case, U+017F as `s`, U+212A as `k`; nothing else folds to ASCII
/// (encoding/json `foldName`).
pub fn fold(key: &str) -> String {
    key.chars().map(fold_char).collect()
}

fn fold_char(c: char) -> char {
    match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    }
}

struct Decoder<'a> {
    dropped: Vec<String>,
    also_known: &'a [&'a str],
}

impl Decoder<'_> {
    fn object(&mut self, schema: &'static Schema, mut members: Object, place: &Place<'_>) -> Result<Object, Fault> {
        let fields = fields(schema, &members, place)?;
        for ((key, value), field) in members.iter_mut().zip(&fields) {
            match field {
                Some(field) => {
                    let untyped = std::mem::replace(value, Value::Null);
                    *value = self.value(&field.ty, untyped, &Place::Key(place, field.name))?;
                    *key = Cow::Borrowed(field.name);
                }
                None if value.is_empty() || self.tolerated(schema, key, place) => self.dropped.push(Place::Key(place, key).to_string()),
                None => return Err(Fault::new(FaultKind::UnknownField, Place::Key(place, key).to_string())),
            }
        }
        if fields.iter().any(Option::is_none) {
            let mut known = fields.iter().map(Option::is_some);
            members.retain(|_| known.next().unwrap_or_default());
        }
        Ok(members)
    }

    fn tolerated(&self, schema: &Schema, key: &str, place: &Place<'_>) -> bool {
        schema.ignored.iter().any(|ignored| ignored.name == key) || (matches!(place, Place::Root) && self.also_known.contains(&key))
    }

    fn value(&mut self, ty: &'static Type, value: Value, place: &Place<'_>) -> Result<Value, Fault> {
        match (ty, value) {
            (_, Value::Null) => Ok(Value::Null),
            (Type::Bool, value @ Value::Bool(_)) | (Type::Str, value @ Value::Text(_)) => Ok(value),
            (Type::StrSlice, value @ Value::Text(_)) => Ok(Value::List(vec![value])),
            (Type::StrSlice, Value::List(items)) => self.list(&Type::Str, items, place),
            (Type::List(of), Value::List(items)) => self.list(of, items, place),
            (Type::Array(of, length), Value::List(items)) if items.len() == *length => self.list(of, items, place),
            (Type::Int(low, high), Value::Number(digits)) => integer(*low, *high, digits, place),
            (Type::Float, Value::Number(digits)) => float(digits, place),
            (Type::Map(of), Value::Object(members)) => self.map(of, members, place),
            (Type::Object(schema), Value::Object(members)) => self.object(schema, members, place).map(Value::Object),
            (
                Type::Bool
                | Type::Int(..)
                | Type::Float
                | Type::Str
                | Type::StrSlice
                | Type::List(_)
                | Type::Array(..)
                | Type::Map(_)
                | Type::Object(_),
                Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Object(_),
            ) => Err(Fault::new(FaultKind::WrongType, place.to_string())),
        }
    }

    /// Elements must not be `null`: Go leaves an old element, or a zero one, in their place.
    fn list(&mut self, of: &'static Type, items: Vec<Value>, place: &Place<'_>) -> Result<Value, Fault> {
        let element = |(at, item): (usize, Value)| {
            let here = Place::Index(place, at);
            match item {
                Value::Null => Err(Fault::new(FaultKind::WrongType, here.to_string())),
                Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Object(_) => self.value(of, item, &here),
            }
        };
        items.into_iter().enumerate().map(element).collect::<Result<_, _>>().map(Value::List)
    }

    /// Keys of a map are data: only exact duplicates collide (Go does not fold them).
    fn map(&mut self, of: &'static Type, members: Object, place: &Place<'_>) -> Result<Value, Fault> {
        let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_ref()).collect();
        keys.sort_unstable();
        refuse_twins(&keys, place, |a, b| a == b)?;
        let member = |(key, value): (Cow<'static, str>, Value)| {
            let value = self.value(of, value, &Place::Key(place, &key))?;
            Ok((key, value))
        };
        members.into_iter().map(member).collect::<Result<_, _>>().map(Value::Object)
    }
}

/// The field of every member, where it is known; two members that fold to one key are refused, known or not.
fn fields(schema: &'static Schema, members: &Object, place: &Place<'_>) -> Result<Vec<Option<&'static Field>>, Fault> {
    let mut found = Vec::with_capacity(members.len());
    let mut unknown = Vec::new();
    let (mut seen, mut next) = (0_u128, 0);
    for (key, _) in members {
        let at = schema.position(key, next).or_else(|| schema.fields.iter().position(|field| folds_alike(field.name, key)));
        match at {
            Some(at) => {
                let bit = u32::try_from(at).ok().and_then(|at| 1_u128.checked_shl(at));
                // no table has more fields than bits, which a test holds; none beyond would pass
                if bit.is_none_or(|bit| seen & bit != 0) {
                    return Err(duplicate(place, key));
                }
                seen |= bit.unwrap_or(0);
                next = at + 1;
            }
            None => unknown.push(key.as_ref()),
        }
        found.push(at.and_then(|at| schema.fields.get(at)));
    }
    unknown.sort_by_cached_key(|key| fold(key));
    refuse_twins(&unknown, place, folds_alike)?;
    Ok(found)
}

/// Keys in an order that puts equal ones side by side.
fn refuse_twins(keys: &[&str], place: &Place<'_>, equal: fn(&str, &str) -> bool) -> Result<(), Fault> {
    match keys.iter().zip(keys.iter().skip(1)).find(|(a, b)| equal(a, b)) {
        Some((_, key)) => Err(duplicate(place, key)),
        None => Ok(()),
    }
}

fn duplicate(place: &Place<'_>, key: &str) -> Fault {
    Fault::new(FaultKind::DuplicateKey, Place::Key(place, key).to_string())
}

fn folds_alike(a: &str, b: &str) -> bool {
    a.chars().map(fold_char).eq(b.chars().map(fold_char))
}

/// An integer literal within bounds: Go refuses fractions, exponents and overflow for integer fields.
fn integer(low: i128, high: i128, digits: String, place: &Place<'_>) -> Result<Value, Fault> {
    match json::integer(&digits) {
        Some(number) if (low..=high).contains(&number) => Ok(Value::Number(digits)),
        Some(_) | None => Err(Fault::new(FaultKind::WrongType, place.to_string())),
    }
}

/// A number that fits a Go `float32`: one beyond its range is refused (`strconv.ParseFloat`).
fn float(digits: String, place: &Place<'_>) -> Result<Value, Fault> {
    match digits.parse::<f32>() {
        Ok(number) if number.is_finite() => Ok(Value::Number(digits)),
        Ok(_) | Err(_) => Err(Fault::new(FaultKind::WrongType, place.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::read;
    use super::super::schema::{CONTAINER_CREATE, PLUGIN_PRIVILEGES, PLUGIN_SETTINGS, SERVICE_SPEC};
    use super::*;

    fn create(text: &str) -> Result<Typed, Fault> {
        typed(&CONTAINER_CREATE, read(text.as_bytes()).unwrap(), &["name"])
    }

    fn fault(text: &str) -> (FaultKind, String) {
        let fault = create(text).unwrap_err();
        (fault.kind, fault.at)
    }

    #[test]
    fn writes_folded_keys_back_in_their_own_spelling() {
        let typed = create(r#"{"image":"a","hoſtconfig":{"privileged":true,"LinKs":["a:b"]}}"#).unwrap();
        assert_eq!(typed.value.encode(), r#"{"Image":"a","HostConfig":{"Privileged":true,"Links":["a:b"]}}"#);
    }

    #[test]
    fn refuses_keys_that_fold_together() {
        assert_eq!(fault(r#"{"Image":"a","image":"b"}"#), (FaultKind::DuplicateKey, "image".into()));
        let nested = r#"{"HostConfig":{"Mounts":[{"Type":"bind","type":"volume"}]}}"#;
        assert_eq!(fault(nested), (FaultKind::DuplicateKey, "HostConfig.Mounts[0].type".into()));
        assert_eq!(fault(r#"{"HostConfig":{"Binds":[],"Bindſ":[]}}"#).0, FaultKind::DuplicateKey);
    }

    #[test]
    fn keeps_case_in_data_maps_and_refuses_exact_repeats_there() {
        assert!(create(r#"{"Labels":{"a":"1","A":"2"}}"#).is_ok());
        assert_eq!(fault(r#"{"Labels":{"a":"1","a":"2"}}"#), (FaultKind::DuplicateKey, "Labels.a".into()));
    }

    #[test]
    fn refuses_unknown_fields_with_a_value_and_drops_empty_ones() {
        assert_eq!(fault(r#"{"Privileged":true}"#), (FaultKind::UnknownField, "Privileged".into()));
        assert_eq!(fault(r#"{"HostConfig":{"Prıvileged":true}}"#).0, FaultKind::UnknownField);
        let typed = create(r#"{"Image":"a","Privileged":false,"NetworkingConfig":{"net":null},"name":"web"}"#).unwrap();
        assert_eq!(typed.value.encode(), r#"{"Image":"a","NetworkingConfig":{}}"#);
        assert_eq!(typed.dropped, ["Privileged", "NetworkingConfig.net", "name"]);
    }

    #[test]
    fn refuses_values_of_another_type_by_path() {
        for (text, at) in [
            (r#"{"HostConfig":[]}"#, "HostConfig"),
            (r#"{"HostConfig":{"Privileged":"true"}}"#, "HostConfig.Privileged"),
            (r#"{"HostConfig":{"Memory":1e9}}"#, "HostConfig.Memory"),
            (r#"{"HostConfig":{"Memory":1.0}}"#, "HostConfig.Memory"),
            (r#"{"HostConfig":{"Memory":18446744073709551616}}"#, "HostConfig.Memory"),
            (r#"{"HostConfig":{"Binds":[null]}}"#, "HostConfig.Binds[0]"),
            (r#"{"Labels":{"a":1}}"#, "Labels.a"),
            ("[]", ""),
            ("null", ""),
        ] {
            assert_eq!(fault(text), (FaultKind::WrongType, at.into()), "{text}");
        }
    }

    #[test]
    fn keeps_null_absent_and_empty_apart() {
        let text = r#"{"Env":null,"Cmd":[],"HostConfig":{"MaskedPaths":null,"ReadonlyPaths":[]}}"#;
        assert_eq!(create(text).unwrap().value.encode(), text);
    }

    #[test]
    fn writes_a_command_string_as_the_list_that_the_engine_reads() {
        assert_eq!(create(r#"{"Cmd":"id"}"#).unwrap().value.encode(), r#"{"Cmd":["id"]}"#);
    }

    #[test]
    fn takes_a_terminal_size_of_two_numbers_only() {
        assert!(create(r#"{"HostConfig":{"ConsoleSize":[24,80]}}"#).is_ok());
        for size in ["[]", "[24]", "[24,80,1]", "[null,80]", "[-1,80]", "80"] {
            let text = format!(r#"{{"HostConfig":{{"ConsoleSize":{size}}}}}"#);
            assert_eq!(fault(&text).0, FaultKind::WrongType, "{size}");
        }
    }

    fn list(list: &'static Field, text: &str) -> Result<Typed, Fault> {
        typed_list(list, read(text.as_bytes()).unwrap())
    }

    #[test]
    fn reads_a_list_as_strictly_as_an_object() {
        let typed = list(&PLUGIN_PRIVILEGES, r#"[{"name":"network","VALUE":["host"],"New":null}]"#).unwrap();
        assert_eq!(typed.value.encode(), r#"[{"Name":"network","Value":["host"]}]"#);
        assert_eq!(typed.dropped, ["[0].New"]);
        assert_eq!(list(&PLUGIN_SETTINGS, r#"["A=b"]"#).unwrap().value.encode(), r#"["A=b"]"#);
        assert_eq!(list(&PLUGIN_PRIVILEGES, "null").unwrap().value.encode(), "null");
        for (text, kind, at) in [
            (r#"[{"Name":"a","name":"b"}]"#, FaultKind::DuplicateKey, "[0].name"),
            (r#"[{"Name":"a"},{"Kind":"b"}]"#, FaultKind::UnknownField, "[1].Kind"),
            (r#"[{"Value":"host"}]"#, FaultKind::WrongType, "[0].Value"),
            ("[null]", FaultKind::WrongType, "[0]"),
            ("[[]]", FaultKind::WrongType, "[0]"),
            ("{}", FaultKind::WrongType, ""),
            (r#""a""#, FaultKind::WrongType, ""),
        ] {
            let fault = list(&PLUGIN_PRIVILEGES, text).unwrap_err();
            assert_eq!((fault.kind, fault.at.as_str()), (kind, at), "{text}");
        }
    }

    #[test]
    fn reads_a_ratio_as_the_client_wrote_it() {
        let service = |ratio: &str| {
            let text = format!(r#"{{"UpdateConfig":{{"MaxFailureRatio":{ratio}}}}}"#);
            typed(&SERVICE_SPEC, read(text.as_bytes()).unwrap(), &[]).map(|typed| typed.value.encode() == text)
        };
        for ratio in ["0", "0.25", "1e-3", "1", "null"] {
            assert_eq!(service(ratio), Ok(true), "{ratio}");
        }
        for ratio in ["1e39", "\"0.5\"", "true", "[]"] {
            assert_eq!(service(ratio).unwrap_err().at, "UpdateConfig.MaxFailureRatio", "{ratio}");
        }
    }
}
