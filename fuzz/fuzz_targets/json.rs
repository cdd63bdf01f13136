//! Arbitrary bytes as JSON: our reader and serde_json agree on what is JSON and on what it says.
//! Knows nothing of schemas.
#![no_main]

use dockgate::docker::FaultKind;
use dockgate::docker::json::{self, MAX_DEPTH, MAX_NODES, Value};
use libfuzzer_sys::fuzz_target;
use serde_json::Value as Other;

/// serde_json's own marker for numbers of any length: an object with this key becomes a number there.
const MARKER: &str = "$serde_json::private::Number";

fuzz_target!(|text: &[u8]| {
    let theirs = serde_json::from_slice::<Other>(text);
    match json::read(text) {
        Ok(ours) => {
            writes_itself_back(&ours);
            if !has(&ours, &|members| members.iter().any(|(key, _)| key == MARKER)) {
                let theirs = theirs.expect("serde_json reads what ours reads");
                // a repeated key is merged there; ours keeps it for the decoder to refuse
                assert!(has(&ours, &repeats) || same(&ours, &theirs), "{ours:?} {theirs:?}");
            }
        }
        Err(FaultKind::JsonTooDeep) => assert!(nesting(text) > MAX_DEPTH || text.len() > MAX_NODES),
        Err(kind) => {
            assert_eq!(kind, FaultKind::BadJson);
            assert!(theirs.is_err(), "only serde_json reads it: {theirs:?}");
        }
    }
});

fn writes_itself_back(value: &Value) {
    let text = value.encode();
    assert_eq!(json::read(text.as_bytes()).as_ref(), Ok(value));
}

/// True where an object at any depth fulfils the condition.
fn has(value: &Value, wanted: &dyn Fn(&[(std::borrow::Cow<'static, str>, Value)]) -> bool) -> bool {
    wanted(value.members())
        || value.members().iter().any(|(_, value)| has(value, wanted))
        || value.items().iter().any(|item| has(item, wanted))
}

fn repeats(members: &[(std::borrow::Cow<'static, str>, Value)]) -> bool {
    let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_ref()).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1])
}

fn same(ours: &Value, theirs: &Other) -> bool {
    match (ours, theirs) {
        (Value::Null, Other::Null) => true,
        (Value::Bool(ours), Other::Bool(theirs)) => ours == theirs,
        (Value::Number(ours), Other::Number(theirs)) => exponent(ours) == exponent(&theirs.to_string()),
        (Value::Text(ours), Other::String(theirs)) => ours == theirs,
        (Value::List(ours), Other::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Object(ours), Other::Object(theirs)) => {
            let member =
                |(key, ours): &(std::borrow::Cow<'static, str>, Value)| theirs.get(key.as_ref()).is_some_and(|theirs| same(ours, theirs));
            ours.len() == theirs.len() && ours.iter().all(member)
        }
        _ => false,
    }
}

/// `1E5`, `1e5` and `1e+5` are one number; serde_json does not keep which was written.
fn exponent(digits: &str) -> String {
    digits.replace('E', "e").replace("e+", "e")
}

/// An upper bound of the depth, without reading strings.
fn nesting(text: &[u8]) -> usize {
    text.iter().filter(|b| b"[{".contains(b)).count()
}
