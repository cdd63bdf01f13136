//! A request as the engine reads it: every byte of its head, written from the judged value, or a question of dockgate's own.
//! Knows nothing of connections.

use crate::docker::action::Body;
use crate::docker::head::{Framing, Upgrade};
use crate::policy::Permit;

/// The judged value does not fit a request head; the tables do not make such values.
#[derive(Debug, thiserror::Error)]
#[error("the request cannot be written")]
pub struct Unwritable;

/// What every request begins with after its line; the engine sees this client, whoever asked.
const USUAL: &str = concat!(" HTTP/1.1\r\nhost: docker\r\nuser-agent: dockgate/", env!("CARGO_PKG_VERSION"), "\r\n");

/// The head, and the body where it is whole.
///
/// # Errors
/// A target or header value with bytes that no head may hold.
pub fn request(permit: &Permit) -> Result<Vec<u8>, Unwritable> {
    let action = permit.action();
    let mut out = begun(action.method().as_str(), &action.target())?;
    if let Some(content_type) = content_type(&action.body) {
        field("content-type", content_type, &mut out)?;
    }
    for (name, value) in [("x-registry-auth", &action.registry_auth), ("x-registry-config", &action.registry_config)] {
        value.as_deref().map_or(Ok(()), |value| field(name, value, &mut out))?;
    }
    if permit.opens_tunnel() {
        upgrade(action.upgrade.as_ref(), &mut out)?;
    }
    body(permit, &mut out)?;
    Ok(out.into_bytes())
}

/// A question of dockgate's own: a GET without a body.
///
/// # Errors
/// A target with bytes that no head may hold.
pub fn question(target: &str) -> Result<Vec<u8>, Unwritable> {
    let mut out = begun("GET", target)?;
    out.push_str("\r\n");
    Ok(out.into_bytes())
}

fn begun(method: &str, target: &str) -> Result<String, Unwritable> {
    if !target.starts_with('/') || !target.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Unwritable);
    }
    let mut out = String::with_capacity(target.len() + 128);
    out.extend([method, " ", target, USUAL]);
    Ok(out)
}

fn field(name: &str, value: &str, out: &mut String) -> Result<(), Unwritable> {
    if !value.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Err(Unwritable);
    }
    out.extend([name, ": ", value, "\r\n"]);
    Ok(())
}

/// Tunnels always ask for `Upgrade: tcp`; a client that sent none gets the raw stream that it expects.
fn upgrade(wanted: Option<&Upgrade>, out: &mut String) -> Result<(), Unwritable> {
    out.push_str("connection: Upgrade\r\n");
    match wanted {
        Some(Upgrade::WebSocket { key, protocol }) => {
            out.push_str("upgrade: websocket\r\nsec-websocket-version: 13\r\n");
            field("sec-websocket-key", key, out)?;
            protocol.as_deref().map_or(Ok(()), |protocol| field("sec-websocket-protocol", protocol, out))
        }
        Some(Upgrade::Tcp | Upgrade::Other) | None => {
            out.push_str("upgrade: tcp\r\n");
            Ok(())
        }
    }
}

fn content_type(body: &Body) -> Option<&'static str> {
    match body {
        Body::None => None,
        Body::Json(_) => Some("application/json"),
        Body::Opaque(_) => Some("application/x-tar"),
    }
}

/// The framing, the end of the head, and a body that is whole.
fn body(permit: &Permit, out: &mut String) -> Result<(), Unwritable> {
    let text = permit.text().unwrap_or_default();
    match &permit.action().body {
        Body::None | Body::Opaque(Framing::None) => {}
        Body::Json(_) => field("content-length", &text.len().to_string(), out)?,
        Body::Opaque(Framing::Length(length)) => field("content-length", &length.to_string(), out)?,
        Body::Opaque(Framing::Chunked) => field("transfer-encoding", "chunked", out)?,
    }
    out.extend(["\r\n", text]);
    Ok(())
}
