//! Arbitrary bytes as every body that has a schema: what is judged is what is written, and the engine cannot read it as anything else.
//! Knows nothing of policies.
#![no_main]

use dockgate::docker::decode::typed;
use dockgate::docker::json::{self, Value};
use dockgate::docker::schema::{Schema, Type};
use dockgate::docker::Value as Json;
use dockgate::docker::operations::TABLE;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(input) = json::read(text) else { return };
    for row in TABLE.iter().map(|operation| operation.row()) {
        let Some(schema) = row.body.object() else { continue };
        let keys: Vec<&str> = row.query.iter().map(|key| key.name).collect();
        let Ok(once) = typed(schema, input.clone(), &keys) else { continue };
        conforms(&Type::Object(schema), &once.value);
        let mut lost = Vec::new();
        keeps(schema, &input, &once.value, &mut lost);
        assert_eq!(lost.len(), once.dropped.len(), "lost {lost:?}, noted {:?}", once.dropped);
        let written = once.value.encode();
        let read = json::read(written.as_bytes()).expect("what was written is json");
        assert_eq!(read, once.value);
        let twice = typed(schema, read, &keys).expect("what was written is of the schema");
        assert_eq!(twice.value, once.value);
        assert!(twice.dropped.is_empty(), "{:?}", twice.dropped);
    }
});

/// Every value has its type, every struct key is one of the schema's own and no two of them fold together.
fn conforms(ty: &Type, value: &Value) {
    match (ty, value) {
        (_, Value::Null) | (Type::Bool, Value::Bool(_)) | (Type::Str, Value::Text(_)) => {}
        (Type::Int(low, high), Value::Number(digits)) => {
            let number: i128 = digits.parse().expect("an integer literal");
            assert!((*low..=*high).contains(&number), "{digits}");
        }
        (Type::Float, Value::Number(digits)) => assert!(digits.parse::<f32>().is_ok_and(f32::is_finite), "{digits}"),
        (Type::Array(of, length), Value::List(items)) => {
            assert_eq!(items.len(), *length);
            items.iter().for_each(|item| conforms(of, item));
        }
        (Type::StrSlice, Value::List(items)) => items.iter().for_each(|item| assert!(matches!(item, Value::Text(_)))),
        (Type::List(of), Value::List(items)) => {
            for item in items {
                assert!(*item != Value::Null, "null in a list");
                conforms(of, item);
            }
        }
        (Type::Map(of), Value::Object(members)) => {
            unique(members.iter().map(|(key, _)| key.to_string()).collect());
            members.iter().for_each(|(_, value)| conforms(of, value));
        }
        (Type::Object(schema), Value::Object(members)) => {
            unique(members.iter().map(|(key, _)| fold(key)).collect());
            for (key, value) in members {
                let field = schema.fields.iter().find(|field| field.name == key).expect("a key of the schema");
                conforms(&field.ty, value);
            }
        }
        (_, value) => panic!("{value:?} of another type"),
    }
}

fn unique(mut keys: Vec<String>) {
    keys.sort();
    assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "{keys:?}");
}

/// Every known member of the input is in the output with its value; the others are counted.
fn keeps(schema: &Schema, input: &Json, output: &Json, lost: &mut Vec<String>) {
    for (key, value) in input.members() {
        match schema.fields.iter().find(|field| fold(field.name) == fold(key)) {
            Some(field) => equal(&field.ty, value, output.get(field.name).expect("a known member stays"), lost),
            None => lost.push(key.to_string()),
        }
    }
    let known = input.members().iter().filter(|(key, _)| schema.fields.iter().any(|field| fold(field.name) == fold(key)));
    assert_eq!(known.count(), output.members().len(), "nothing is added");
}

fn equal(ty: &Type, input: &Value, output: &Value, lost: &mut Vec<String>) {
    match (ty, input, output) {
        (Type::StrSlice, Value::Text(_), Value::List(items)) => assert_eq!(std::slice::from_ref(input), items.as_slice()),
        (Type::Object(schema), Value::Object(_), Value::Object(_)) => keeps(schema, input, output, lost),
        (Type::List(of) | Type::Array(of, _), Value::List(input), Value::List(output)) => {
            assert_eq!(input.len(), output.len());
            input.iter().zip(output).for_each(|(input, output)| equal(of, input, output, lost));
        }
        (Type::Map(of), Value::Object(input), Value::Object(output)) => {
            assert_eq!(input.len(), output.len());
            for ((key, input), (other, output)) in input.iter().zip(output) {
                assert_eq!(key, other);
                equal(of, input, output, lost);
            }
        }
        (_, input, output) => assert_eq!(input, output),
    }
}

/// Go's folding, stated once more: ASCII case and the two characters outside ASCII that fold into it.
fn fold(key: &str) -> String {
    key.replace('\u{17f}', "S").replace('\u{212a}', "K").to_ascii_uppercase()
}
