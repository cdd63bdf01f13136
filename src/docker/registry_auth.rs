//! Credentials that clients send in headers: JSON in base64url, through the same strict reader as bodies.
//! Knows nothing of registries.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::class::Class;
use super::decode::typed;
use super::fault::{Fault, FaultKind};
use super::json::{self, Value};
use super::schema::{AUTH_CONFIG, Field, Schema, Type};
use super::version::ApiVersion;

/// Clients write either alphabet, with or without padding; the daemon reads base64url.
const LAX: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LAX);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LAX);

/// `X-Registry-Config` is a map of registry host to credentials.
static CONFIG: Schema = Schema {
    name: "RegistryConfig",
    fields: &[Field {
        name: "configs",
        ty: Type::Map(&Type::Object(&AUTH_CONFIG)),
        class: Class::Inert,
        since: ApiVersion::OLDEST,
        until: None,
    }],
    ignored: &[],
};

/// `X-Registry-Auth`, checked and encoded anew; `None` for an empty one.
///
/// # Errors
/// [`FaultKind::BadRegistryAuth`], or what the strict reader says of the JSON inside.
pub fn auth(header: &str) -> Result<Option<String>, Fault> {
    let Some(value) = value(header, "x-registry-auth")? else { return Ok(None) };
    let typed = typed(&AUTH_CONFIG, value, &[]).map_err(|fault| inside(fault, "x-registry-auth"))?;
    Ok(Some(URL.encode(typed.value.encode())))
}

/// `X-Registry-Config`, checked and encoded anew; `None` for an empty one.
///
/// # Errors
/// As [`auth`].
pub fn config(header: &str) -> Result<Option<String>, Fault> {
    let Some(value) = value(header, "x-registry-config")? else { return Ok(None) };
    let wrapped = Value::Object(vec![("configs".into(), value)]);
    let typed = typed(&CONFIG, wrapped, &[]).map_err(|fault| inside(fault, "x-registry-config"))?;
    Ok(typed.value.get("configs").map(|value| URL.encode(value.encode())))
}

fn value(header: &str, name: &str) -> Result<Option<Value>, Fault> {
    if header.is_empty() {
        return Ok(None);
    }
    let bytes = URL.decode(header).or_else(|_| STANDARD.decode(header)).map_err(|_| Fault::new(FaultKind::BadRegistryAuth, name))?;
    let value = json::read(&bytes).map_err(|kind| Fault::new(kind, name))?;
    Ok(Some(value).filter(|value| *value != Value::Null))
}

/// The place inside a credential may be a registry's name, never a value.
fn inside(fault: Fault, header: &str) -> Fault {
    Fault::new(fault.kind, format!("{header}: {}", fault.at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_alphabets_and_writes_base64url() {
        let json = r#"{"username":"a?>","password":"b"}"#;
        let standard = base64::engine::general_purpose::STANDARD.encode(json);
        assert_eq!(auth(&standard).unwrap().unwrap(), URL.encode(json));
        assert_eq!(auth("e30").unwrap().unwrap(), "e30=");
        assert_eq!(auth("").unwrap(), None);
    }

    #[test]
    fn refuses_duplicates_and_unknown_fields_inside() {
        for (json, kind) in [
            (r#"{"username":"a","Username":"b"}"#, FaultKind::DuplicateKey),
            (r#"{"evil":"a"}"#, FaultKind::UnknownField),
            ("[]", FaultKind::WrongType),
            ("{", FaultKind::BadJson),
        ] {
            assert_eq!(auth(&URL.encode(json)).unwrap_err().kind, kind, "{json}");
        }
        assert_eq!(auth("***").unwrap_err().kind, FaultKind::BadRegistryAuth);
        assert!(config(&URL.encode(r#"{"reg.example":{"username":"a"}}"#)).unwrap().is_some());
        assert!(config(&URL.encode(r#"{"reg.example":{"host":"a"}}"#)).is_err());
    }
}
