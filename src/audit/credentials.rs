//! That a request brought registry credentials, and for which server.
//! Knows nothing of what they are: only the server's name leaves this file.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::line::RegistryAuth;
use super::redact::Redactor;
use crate::docker::Head;
use crate::docker::json::{self, Value};

const LAX: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const URL: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LAX);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LAX);

/// What a record says of `X-Registry-Auth` and `X-Registry-Config`; `None` without them.
pub(super) fn of(head: &Head, redactor: &Redactor) -> Option<RegistryAuth> {
    let sent = |header: &Option<String>| header.as_deref().filter(|text| !text.is_empty()).map(str::to_owned);
    let (auth, config) = (sent(&head.registry_auth), sent(&head.registry_config));
    if auth.is_none() && config.is_none() {
        return None;
    }
    let one = auth.as_deref().and_then(value).map(|value| value.text("serveraddress").to_owned());
    let many =
        config.as_deref().and_then(value).map(|value| value.members().iter().map(|(server, _)| server.to_string()).collect::<Vec<_>>());
    let servers: Vec<String> = one.into_iter().chain(many.into_iter().flatten()).filter(|server| !server.is_empty()).collect();
    let server = (!servers.is_empty()).then(|| redactor.image(&servers.join(",")).text.into_owned());
    Some(RegistryAuth { present: true, server })
}

fn value(header: &str) -> Option<Value> {
    let bytes = URL.decode(header).or_else(|_| STANDARD.decode(header)).ok()?;
    json::read(&bytes).ok()
}
