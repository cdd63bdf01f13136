//! The few replies that are changed on the way: versions are capped, warnings are added.
//! Knows nothing of why a warning is given.

use bytes::Bytes;

use crate::docker::json::{self, Value};
use crate::docker::{ApiVersion, Operation};
use crate::policy::Permit;

use super::engine::Receiving;
use super::refuse::Refusal;

/// The largest reply that is read whole to be changed.
const MAX_REPLY: usize = 1 << 20;

/// What is done to a reply's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyFilter {
    /// Nothing: it is relayed piece by piece.
    Relay,
    /// `ApiVersion` is capped, so that clients negotiate down to what the tables describe.
    CapVersion,
    /// Warnings join the daemon's own, where docker prints them.
    Warn(Vec<String>),
}

/// The filter for the reply to a permit.
pub fn body_filter(permit: &Permit) -> BodyFilter {
    let operation = permit.action().endpoint.operation;
    let has_warnings =
        matches!(operation, Operation::ContainerCreate | Operation::ContainerUpdate | Operation::ServiceCreate | Operation::ServiceUpdate);
    let warnings = permit.client_warnings();
    if has_warnings && !warnings.is_empty() {
        return BodyFilter::Warn(warnings);
    }
    if operation == Operation::SystemVersion { BodyFilter::CapVersion } else { BodyFilter::Relay }
}

/// The body of a reply that is changed.
///
/// # Errors
/// Where the engine breaks off or sends more than a reply of this kind can hold.
pub async fn whole(reply: &mut Receiving<'_>, filter: &BodyFilter) -> Result<Bytes, Refusal> {
    let bytes = reply.whole(MAX_REPLY).await.map_err(|_| Refusal::Upstream)?;
    let Ok(mut value) = json::read_trusted(&bytes) else { return Ok(bytes) };
    let changed = match filter {
        BodyFilter::Relay => false,
        BodyFilter::CapVersion => cap_versions(&mut value),
        BodyFilter::Warn(warnings) => add_warnings(&mut value, warnings),
    };
    Ok(if changed { Bytes::from(value.encode()) } else { bytes })
}

/// `ApiVersion` stands at the top and in each component's details.
fn cap_versions(value: &mut Value) -> bool {
    match value {
        Value::Object(members) => members.iter_mut().fold(false, |changed, (key, member)| {
            let newest = (key == "ApiVersion").then(|| member.as_text().and_then(ApiVersion::capped)).flatten();
            let here = newest.map(|newest| *member = Value::Text(newest)).is_some();
            cap_versions(member) || here || changed
        }),
        Value::List(items) => items.iter_mut().map(cap_versions).filter(|changed| *changed).count() > 0,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => false,
    }
}

fn add_warnings(value: &mut Value, warnings: &[String]) -> bool {
    if !matches!(value, Value::Object(_)) {
        return false;
    }
    value.edit("Warnings", |list| {
        let own = list.items().iter().cloned();
        *list = Value::List(own.chain(warnings.iter().cloned().map(Value::Text)).collect());
    });
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_versions_above_the_tables_everywhere() {
        let mut value =
            json::read(br#"{"ApiVersion":"1.99","Components":[{"Details":{"ApiVersion":"1.99"}},{"Details":{"ApiVersion":"1.44"}}]}"#)
                .unwrap();
        assert!(cap_versions(&mut value));
        assert_eq!(
            value.encode(),
            r#"{"ApiVersion":"1.56","Components":[{"Details":{"ApiVersion":"1.56"}},{"Details":{"ApiVersion":"1.44"}}]}"#
        );
    }

    #[test]
    fn adds_a_warning_to_what_the_engine_said() {
        for (reply, expected) in [
            (r#"{"Id":"a","Warnings":[]}"#, r#"{"Id":"a","Warnings":["w"]}"#),
            (r#"{"Id":"a","Warnings":null}"#, r#"{"Id":"a","Warnings":["w"]}"#),
        ] {
            let mut value = json::read(reply.as_bytes()).unwrap();
            assert!(add_warnings(&mut value, &["w".to_owned()]));
            assert_eq!(value.encode(), expected);
        }
    }
}
