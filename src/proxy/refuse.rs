//! What a client gets instead of a reply: status numbers and all wording about requests that cannot be judged.
//! Knows nothing of policies beyond the message of a denial.

use std::borrow::Cow;

use http::StatusCode;

use crate::audit::TrailError;
use crate::docker::{ApiVersion, Fault, FaultKind};
use crate::policy::Denial;

/// Why a request is not answered by the engine.
#[derive(Debug)]
pub enum Refusal {
    /// It is no request that can be judged.
    Fault(Fault),
    /// The policy denies it.
    Denied(Denial),
    /// The engine's own answer to the look-up of the object: relayed as it is.
    Engine(StatusCode, Vec<u8>),
    /// The engine cannot be reached or does not answer.
    Upstream,
    /// The trail does not take the intent.
    Trail(TrailError),
    /// A limit of the door.
    Limit(Limit),
    /// Too many connections.
    Overload,
    /// The client went away.
    ClientGone,
}

/// The limits of a door that refuse a request whatever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Connections at once.
    Connections,
    /// Requests a second.
    Requests,
    /// Changes at once.
    Changes,
}

/// The refusal of a body that is relayed as it comes and is larger than the door takes.
pub fn upload_too_large() -> Refusal {
    Refusal::Fault(Fault::new(FaultKind::UploadTooLarge, ""))
}

impl From<Limit> for Refusal {
    fn from(limit: Limit) -> Self {
        Self::Limit(limit)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<TrailError> for Refusal {
    fn from(error: TrailError) -> Self {
        Self::Trail(error)
    }
}

impl Refusal {
    /// The status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Fault(fault) => fault_status(fault.kind),
            Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::Engine(status, _) => *status,
            Self::Upstream => StatusCode::BAD_GATEWAY,
            Self::Limit(Limit::Requests | Limit::Changes) => StatusCode::TOO_MANY_REQUESTS,
            Self::Trail(_) | Self::Limit(Limit::Connections) | Self::Overload => StatusCode::SERVICE_UNAVAILABLE,
            Self::ClientGone => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// The reason code for the record.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.kind.code(),
            Self::Denied(denial) => denial.reason.code(),
            Self::Engine(..) => "engine-answer",
            Self::Upstream => "no-upstream",
            Self::Trail(_) => "trail",
            Self::Limit(Limit::Connections) => "door-connections",
            Self::Limit(Limit::Requests) => "request-rate",
            Self::Limit(Limit::Changes) => "concurrent-changes",
            Self::Overload => "overload",
            Self::ClientGone => "client-gone",
        }
    }

    /// What `Retry-After` says, in seconds, where waiting helps: a request's place is there again after a second at most.
    pub fn retry_after(&self) -> Option<u32> {
        (self.status() == StatusCode::TOO_MANY_REQUESTS).then_some(1)
    }

    /// The JSON body, which the docker CLI prints as `Error response from daemon: …`.
    pub fn body(&self, reference: &str) -> Vec<u8> {
        let text = match self {
            Self::Engine(_, body) => return body.clone(),
            Self::Denied(denial) => Cow::Owned(shown(&denial.message())),
            Self::Fault(fault) => Cow::Owned(fault_message(fault)),
            Self::Upstream => Cow::Borrowed("dockgate: the engine cannot be reached [no-upstream]"),
            Self::Trail(_) => Cow::Borrowed("dockgate: the audit trail cannot be written, so the request is refused [trail]"),
            Self::Limit(Limit::Connections) => Cow::Borrowed("dockgate: too many connections on this door [door-connections]"),
            Self::Limit(Limit::Requests) => Cow::Borrowed("dockgate: too many requests a second on this door [request-rate]"),
            Self::Limit(Limit::Changes) => Cow::Borrowed("dockgate: too many changes at once on this door [concurrent-changes]"),
            Self::Overload => Cow::Borrowed("dockgate: too many connections [overload]"),
            Self::ClientGone => Cow::Borrowed("dockgate: the client closed the connection [client-gone]"),
        };
        let message = serde_json::to_string(&format!("{text} (ref {reference})")).unwrap_or_default();
        format!("{{\"message\":{message}}}").into_bytes()
    }
}

fn fault_status(kind: FaultKind) -> StatusCode {
    use FaultKind as K;
    match kind {
        K::UnknownEndpoint
        | K::UnknownQueryKey
        | K::DuplicateKey
        | K::UnknownField
        | K::ForeignHost
        | K::ForeignAddress
        | K::UnknownClient
        | K::CompressedArchive
        | K::BadArchive
        | K::ArchiveEntry
        | K::Dockerfile
        | K::Browser => StatusCode::FORBIDDEN,
        K::FormBody | K::ContentEncoding | K::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        K::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        K::BodyTooLarge | K::UploadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        K::HeadTimeout | K::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
        K::Expectation => StatusCode::EXPECTATION_FAILED,
        K::MalformedHead
        | K::HttpVersion
        | K::Http2
        | K::UnknownMethod
        | K::TargetForm
        | K::BadPath
        | K::BadApiVersion
        | K::ApiVersionTooOld
        | K::ApiVersionTooNew
        | K::RepeatedHeader
        | K::BadHost
        | K::BadContentLength
        | K::LengthAndEncoding
        | K::TransferEncoding
        | K::BadUpgrade
        | K::BadChunk
        | K::BadQuery
        | K::BadQueryValue
        | K::BadName
        | K::BadReference
        | K::BodyIncomplete
        | K::BodyMissing
        | K::BodyUnexpected
        | K::BadJson
        | K::JsonTooDeep
        | K::WrongType
        | K::BadRegistryAuth => StatusCode::BAD_REQUEST,
    }
}

fn fault_message(fault: &Fault) -> String {
    let place = if fault.at.is_empty() { String::new() } else { format!("`{}` ", shown(&fault.at)) };
    format!("dockgate: refused [{}]: {place}{}", fault.kind.code(), fault_sentence(fault.kind))
}

/// Places can hold client text; control characters have no business in a message or a log line.
fn shown(text: &str) -> String {
    if text.len() <= 400 && text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        return text.to_owned();
    }
    text.chars().take(400).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn fault_sentence(kind: FaultKind) -> Cow<'static, str> {
    use FaultKind as K;
    let (oldest, newest) = (ApiVersion::OLDEST, ApiVersion::NEWEST);
    Cow::Borrowed(match kind {
        K::MalformedHead => "the request's head is malformed",
        K::HeadTooLarge => "the request's head is too large",
        K::HeadTimeout => "the request's head did not come in time",
        K::HttpVersion => "only HTTP/1.0 and HTTP/1.1 are spoken here",
        K::Http2 => "HTTP/2 and BuildKit's sessions cannot be inspected; build with DOCKER_BUILDKIT=0",
        K::UnknownMethod => "no operation of the API has this method",
        K::TargetForm => "the request target must be an absolute path without a fragment",
        K::BadPath => "the path has empty, dot or wrongly encoded segments",
        K::BadApiVersion => "the API version must be written v1.NN",
        K::ApiVersionTooOld => return Cow::Owned(format!("this API version is older than {oldest}, the oldest that is served")),
        K::ApiVersionTooNew => {
            return Cow::Owned(format!(
                "this API version is newer than {newest}, the newest that is understood; set DOCKER_API_VERSION={newest}"
            ));
        }
        K::RepeatedHeader => "this header may stand once only",
        K::BadHost => "the Host header is malformed",
        K::ForeignHost => "this host name is not served here",
        K::ForeignAddress => "this address is not served here",
        K::UnknownClient => "this client is not served here",
        K::Browser => "requests from browsers are not served here",
        K::FormBody => "form bodies are never accepted",
        K::ContentEncoding => "encoded bodies are never accepted",
        K::ContentType => "the body must be application/json",
        K::BadContentLength => "the Content-Length is malformed",
        K::LengthAndEncoding => "Content-Length and Transfer-Encoding exclude each other",
        K::TransferEncoding => "the only transfer encoding is chunked, with HTTP/1.1",
        K::Expectation => "the only expectation is 100-continue, with a body",
        K::BadUpgrade => "the operation needs a complete websocket handshake",
        K::BadChunk => "the chunked body is malformed",
        K::UnknownEndpoint => "this is no operation of the Engine API",
        K::BadQuery => "the query is malformed",
        K::UnknownQueryKey => "the operation has no such query key",
        K::BadQueryValue => "the query value has the wrong type",
        K::DuplicateKey => "this key stands twice",
        K::BadName => "this is no name that an engine gives",
        K::BadReference => "this is no image reference",
        K::BodyTooLarge => "the body is too large to be inspected",
        K::UploadTooLarge => "the body is larger than this door takes",
        K::BodyTimeout => "the body did not come in time",
        K::BodyIncomplete => "the body ended early",
        K::BodyMissing => "the operation needs a JSON body",
        K::BodyUnexpected => "the operation takes no body",
        K::BadJson => "this is not exactly one JSON value",
        K::JsonTooDeep => "the JSON is nested too deep or has too many parts",
        K::UnknownField => "the Engine API has no such field",
        K::WrongType => "the value has the wrong type",
        K::BadRegistryAuth => "the registry credentials are not JSON in base64",
        K::CompressedArchive => "the archive is compressed and cannot be inspected; send an uncompressed tar",
        K::BadArchive => "the archive is no tar that every reader reads alike",
        K::ArchiveEntry => "this entry of the archive may not be extracted",
        K::Dockerfile => "this Dockerfile cannot be judged",
    })
}

/// The one line that the operator's log gets for a denial, with advice; `untold` are those of its kind that got none.
pub fn operator_line(denial: &Denial, untold: u64) -> String {
    let line = format!("{}; {}", shown(&denial.message()), denial.advice());
    if untold == 0 { line } else { format!("{line} ({untold} more like it are on the trail alone)") }
}
