//! An action: all of a request that a policy sees and all that goes upstream.
//! Knows nothing of sockets and policies.

use super::decode::{Typed, typed, typed_list};
use super::endpoint::Endpoint;
use super::fault::{Fault, FaultKind};
use super::head::{Framing, Head, Upgrade};
use super::json::{self, Value};
use super::operations::{BodyPlan, Row};
use super::query::{self, Query};
use super::registry_auth;
use super::schema::Schema;
use super::version::ApiVersion;
use super::{Method, Operation};

/// Bodies that are dropped are read up to this size.
pub const MAX_IGNORED_BODY: usize = 64 * 1024;

/// A request as a typed value: what is judged is what is written.
#[derive(Debug)]
pub struct Action {
    /// The operation and its names.
    pub endpoint: Endpoint,
    /// The API version of the path; unversioned requests stay unversioned.
    pub version: Option<ApiVersion>,
    /// The canonical query.
    pub query: Query,
    /// The body.
    pub body: Body,
    /// X-Registry-Auth, encoded anew.
    pub registry_auth: Option<String>,
    /// X-Registry-Config, encoded anew.
    pub registry_config: Option<String>,
    /// The web socket's key and protocol, on the one operation that has one.
    pub upgrade: Option<Upgrade>,
    /// Names of keys that were dropped: `?key` of the query, JSON paths of the body.
    pub dropped: Vec<String>,
}

/// The body of an action.
#[derive(Debug)]
pub enum Body {
    /// None goes upstream.
    None,
    /// JSON whose every field is known.
    Json(Value),
    /// Bytes that are relayed unread, framed as the client framed them.
    Opaque(Framing),
}

/// What the proxy must have read before an action can be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The whole body, up to so many bytes.
    Whole(usize),
    /// Nothing: the body is relayed after the verdict.
    Nothing,
}

impl Action {
    /// How much of the body the operation needs before it can be judged.
    ///
    /// # Errors
    /// Bodies that are refused without a look at them.
    pub fn reading(row: &Row, head: &Head, max_json: usize) -> Result<Reading, Fault> {
        match row.body {
            BodyPlan::None => Ok(Reading::Whole(MAX_IGNORED_BODY)),
            BodyPlan::Opaque => Ok(Reading::Nothing),
            BodyPlan::OpaqueIf(key, value) if asks(head, key, value) => Ok(Reading::Nothing),
            BodyPlan::OpaqueIf(..) => Ok(Reading::Whole(MAX_IGNORED_BODY)),
            BodyPlan::Tunnel => Err(Fault::new(FaultKind::Http2, "")),
            BodyPlan::Json(_) | BodyPlan::OptionalJson(_) | BodyPlan::JsonList(_) => {
                let empty = matches!(head.framing, Framing::None | Framing::Length(0));
                if empty || head.content_type.as_deref() == Some("application/json") {
                    return Ok(Reading::Whole(max_json));
                }
                Err(Fault::new(FaultKind::ContentType, "content-type"))
            }
        }
    }

    /// Builds the action from a head, its endpoint and the body that [`Action::reading`] asked for.
    ///
    /// # Errors
    /// Every fault of query, body and credentials, with its place.
    pub fn build(head: &Head, endpoint: Endpoint, body: &[u8]) -> Result<Self, Fault> {
        let row = endpoint.operation.row();
        let (query, mut dropped) = query::read(row, &head.target.query)?;
        let body = read_body(row, head, body, &mut dropped)?;
        let credentials = takes_credentials(endpoint.operation);
        let registry_auth = head.registry_auth.as_deref().filter(|_| credentials).map(registry_auth::auth).transpose()?.flatten();
        let registry_config = head.registry_config.as_deref().filter(|_| credentials).map(registry_auth::config).transpose()?.flatten();
        let upgrade = web_socket(endpoint.operation, head)?;
        Ok(Self { endpoint, version: head.target.version, query, body, registry_auth, registry_config, upgrade, dropped })
    }

    /// The row of the operation.
    pub fn row(&self) -> &'static Row {
        self.endpoint.operation.row()
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.row().method
    }

    /// The value of a query key, where it was sent.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key.name == name).map(|(_, value)| value.as_str())
    }

    /// The JSON body, where there is one.
    pub fn json(&self) -> Option<&Value> {
        match &self.body {
            Body::Json(value) => Some(value),
            Body::None | Body::Opaque(_) => None,
        }
    }

    /// The canonical request target.
    pub fn target(&self) -> String {
        let mut out = String::new();
        self.endpoint.write(self.version, &mut out);
        query::write(&self.query, &mut out);
        out
    }
}

fn read_body(row: &'static Row, head: &Head, body: &[u8], dropped: &mut Vec<String>) -> Result<Body, Fault> {
    let typed = match row.body {
        BodyPlan::Opaque => return Ok(Body::Opaque(head.framing)),
        BodyPlan::OpaqueIf(key, value) if asks(head, key, value) => return Ok(Body::Opaque(head.framing)),
        BodyPlan::Tunnel => return Err(Fault::new(FaultKind::Http2, "")),
        BodyPlan::None | BodyPlan::OpaqueIf(..) => return ignored_body(row, body, dropped).map(|()| Body::None),
        BodyPlan::OptionalJson(_) | BodyPlan::JsonList(_) if body.is_empty() => return Ok(Body::None),
        BodyPlan::Json(_) if body.is_empty() => return Err(Fault::new(FaultKind::BodyMissing, "")),
        BodyPlan::Json(schema) => typed(schema, read_as(schema, body)?, &query_keys(row))?,
        BodyPlan::OptionalJson(schema) => optional(schema, read_as(schema, body)?, row)?,
        BodyPlan::JsonList(list) => typed_list(list, read(body)?)?,
    };
    dropped.extend(typed.dropped);
    Ok(Body::Json(typed.value))
}

fn read(body: &[u8]) -> Result<Value, Fault> {
    json::read(body).map_err(|kind| Fault::new(kind, ""))
}

fn read_as(schema: &'static Schema, body: &[u8]) -> Result<Value, Fault> {
    json::read_body(body, schema).map_err(|kind| Fault::new(kind, ""))
}

/// Clients in Go write the options that they were not given as `null`.
fn optional(schema: &'static Schema, value: Value, row: &Row) -> Result<Typed, Fault> {
    if value == Value::Null {
        return Ok(Typed { value, dropped: Vec::new() });
    }
    typed(schema, value, &query_keys(row))
}

fn query_keys(row: &Row) -> Vec<&'static str> {
    row.query.iter().map(|key| key.name).collect()
}

/// True where the query has the key with this value; a key that stands twice is refused when the query is read.
fn asks(head: &Head, key: &str, value: &str) -> bool {
    head.target.query.iter().any(|(name, text)| name == key && text == value)
}

/// Ansible sends `{}` and dockerode its query options again where the daemon reads nothing.
fn ignored_body(row: &Row, body: &[u8], dropped: &mut Vec<String>) -> Result<(), Fault> {
    if body.is_empty() {
        return Ok(());
    }
    let unexpected = || Fault::new(FaultKind::BodyUnexpected, "");
    match json::read(body).map_err(|_| unexpected())? {
        Value::Null => {}
        Value::Object(members) if members.iter().all(|(name, _)| asks_again(row, name)) => {
            dropped.extend(members.into_iter().map(|(name, _)| name.into_owned()));
        }
        Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Object(_) => return Err(unexpected()),
    }
    Ok(())
}

fn asks_again(row: &Row, name: &str) -> bool {
    row.ignored.contains(&name) || row.query.iter().any(|key| key.name == name)
}

/// The operations whose handlers read X-Registry-Auth or X-Registry-Config; everywhere else the headers are dropped.
fn takes_credentials(operation: Operation) -> bool {
    use Operation as O;
    matches!(
        operation,
        O::ImageCreate
            | O::ImagePush
            | O::ImageBuild
            | O::ImageSearch
            | O::DistributionInspect
            | O::ServiceCreate
            | O::ServiceUpdate
            | O::PluginPull
            | O::PluginPush
            | O::PluginUpgrade
            | O::GetPluginPrivileges
    )
}

fn web_socket(operation: Operation, head: &Head) -> Result<Option<Upgrade>, Fault> {
    match (&head.upgrade, operation == Operation::ContainerAttachWebsocket) {
        (Some(socket @ Upgrade::WebSocket { .. }), true) => Ok(Some(socket.clone())),
        (_, true) => Err(Fault::new(FaultKind::BadUpgrade, "upgrade")),
        (Some(Upgrade::Tcp), false) => Ok(Some(Upgrade::Tcp)),
        (Some(Upgrade::WebSocket { .. } | Upgrade::Other) | None, false) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(request: &str, headers: &str) -> Head {
        Head::parse(format!("{request} HTTP/1.1\r\n{headers}\r\n").as_bytes()).unwrap().unwrap().0
    }

    fn read(head: &Head) -> Result<Reading, FaultKind> {
        let row = Endpoint::find(head).unwrap().operation.row();
        Action::reading(row, head, 7).map_err(|fault| fault.kind)
    }

    fn build(head: &Head, body: &str) -> Result<Action, FaultKind> {
        Action::build(head, Endpoint::find(head).unwrap(), body.as_bytes()).map_err(|fault| fault.kind)
    }

    #[test]
    fn an_image_is_imported_from_the_body_only_where_the_query_says_so() {
        let asked = |query: &str| head(&format!("POST /images/create?{query}"), "Content-Length: 9\r\n");
        let import = asked("fromSrc=-");
        assert!(matches!(read(&import), Ok(Reading::Nothing)));
        assert!(matches!(build(&import, "").unwrap().body, Body::Opaque(Framing::Length(9))));
        for query in ["fromSrc=http://a/b.tar", "fromImage=-", "fromImage=a"] {
            let other = asked(query);
            assert!(matches!(read(&other), Ok(Reading::Whole(65_536))), "{query}");
            assert!(matches!(build(&other, "").unwrap().body, Body::None), "{query}");
            assert_eq!(build(&other, "a tar").unwrap_err(), FaultKind::BodyUnexpected, "{query}");
        }
    }

    #[test]
    fn a_body_is_read_as_json_up_to_its_limit_or_refused_by_its_type() {
        let typed = |headers: &str| read(&head("POST /containers/create", headers));
        for json in ["", "Content-Length: 0\r\n", "Content-Length: 5\r\nContent-Type: application/json\r\n"] {
            assert!(matches!(typed(json), Ok(Reading::Whole(7))), "{json}");
        }
        for other in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Type: text/plain\r\n"] {
            assert_eq!(typed(other).err(), Some(FaultKind::ContentType), "{other}");
        }
        assert_eq!(read(&head("POST /session", "")).err(), Some(FaultKind::Http2));
    }

    #[test]
    fn what_a_client_sends_again_of_its_query_is_dropped_and_named() {
        let create = head("POST /containers/create?name=web", "");
        let action = build(&create, r#"{"Image":"a","name":"web","platform":"linux"}"#).unwrap();
        assert_eq!(
            (action.json().unwrap().encode().as_str(), action.dropped.as_slice()),
            (r#"{"Image":"a"}"#, &["name".to_owned(), "platform".to_owned()][..])
        );
        assert_eq!(build(&create, r#"{"Image":"a","nam":"web"}"#).unwrap_err(), FaultKind::UnknownField);
        assert_eq!(build(&create, r#"{"Image":"a","HostConfig":{"name":"web"}}"#).unwrap_err(), FaultKind::UnknownField);
    }

    #[test]
    fn only_attaching_by_web_socket_takes_one_and_it_needs_one() {
        let socket = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: k\r\n";
        let upgrade = |request: &str, headers: &str| build(&head(request, headers), "").map(|action| action.upgrade);
        let wanted = Upgrade::WebSocket { key: "k".to_owned(), protocol: None };
        assert_eq!(upgrade("GET /containers/a/attach/ws", socket), Ok(Some(wanted)));
        for none in ["", "Upgrade: tcp\r\n", "Upgrade: irc\r\n"] {
            assert_eq!(upgrade("GET /containers/a/attach/ws", none), Err(FaultKind::BadUpgrade), "{none}");
        }
        assert_eq!(upgrade("POST /containers/a/attach", "Upgrade: tcp\r\n"), Ok(Some(Upgrade::Tcp)));
        for ignored in [socket, "Upgrade: irc\r\n", ""] {
            assert_eq!(upgrade("POST /containers/a/attach", ignored), Ok(None), "{ignored}");
        }
    }
}
