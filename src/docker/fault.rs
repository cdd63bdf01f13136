//! Why bytes are not a request that can be judged: a code and a place.
//! Knows neither wording for people nor status numbers.

/// What is wrong with a request, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// Where: a header's name, a query key, a JSON path, a path segment; empty for the request as a whole.
    pub at: String,
}

impl Fault {
    /// A fault at a place.
    pub fn new(kind: FaultKind, at: impl Into<String>) -> Self {
        Self { kind, at: at.into() }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])+ $variant:ident $code:literal,)*) => {
        /// The kinds of faults; each is a reason code in refusals and records.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FaultKind { $($(#[$doc])+ $variant,)* }

        impl FaultKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The reason code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }
    };
}

impl FaultKind {
    /// True where the connection cannot go on: where the next request begins is not known, or must not be believed.
    pub fn breaks_framing(self) -> bool {
        use FaultKind as K;
        matches!(
            self,
            K::MalformedHead
                | K::HeadTooLarge
                | K::HeadTimeout
                | K::HttpVersion
                | K::Http2
                | K::UnknownMethod
                | K::TargetForm
                | K::BadPath
                | K::RepeatedHeader
                | K::BadHost
                | K::FormBody
                | K::ContentEncoding
                | K::BadContentLength
                | K::LengthAndEncoding
                | K::TransferEncoding
                | K::Expectation
                | K::BadUpgrade
                | K::BadChunk
                | K::BadQuery
                | K::BadApiVersion
                | K::ApiVersionTooOld
                | K::ApiVersionTooNew
                | K::BodyTooLarge
                | K::UploadTooLarge
                | K::BodyTimeout
                | K::BodyIncomplete
        )
    }
}

kinds! {
    /// The head breaks the grammar of RFC 9112: bare LF, NUL, folded lines, a space before a colon.
    MalformedHead "malformed-head",
    /// The head is longer than the limit, or has too many lines.
    HeadTooLarge "head-too-large",
    /// The head did not come in time.
    HeadTimeout "head-timeout",
    /// A protocol other than HTTP/1.0 and HTTP/1.1.
    HttpVersion "http-version",
    /// HTTP/2, by preface or by `Upgrade: h2c`.
    Http2 "http2",
    /// A method that the API does not route on.
    UnknownMethod "unknown-method",
    /// Not an origin-form target (RFC 9112 §3.2.1), or one with a fragment.
    TargetForm "target-form",
    /// Empty, dot or wrongly encoded path segments; the daemon would redirect or decode them.
    BadPath "bad-path",
    /// A version prefix that is not `v1.NN`.
    BadApiVersion "bad-api-version",
    /// A version below the oldest that is served.
    ApiVersionTooOld "api-version-too-old",
    /// A version above the tables.
    ApiVersionTooNew "api-version-too-new",
    /// A header that may stand once stands twice.
    RepeatedHeader "repeated-header",
    /// A Host that is no host.
    BadHost "bad-host",
    /// A Host name that a TCP door does not list (DNS rebinding).
    ForeignHost "foreign-host",
    /// An address that a TCP door does not serve.
    ForeignAddress "foreign-address",
    /// A client that no entry of a door means, where the door serves nobody else.
    UnknownClient "unknown-client",
    /// A request that a browser sent to a TCP door.
    Browser "browser-request",
    /// A form or multipart body: the daemon would read parameters from it (Go `r.ParseForm`).
    FormBody "form-body",
    /// Any Content-Encoding: the daemon does not look at it.
    ContentEncoding "content-encoding",
    /// A body of a type that the operation does not take.
    ContentType "content-type",
    /// A Content-Length that is not plain digits.
    BadContentLength "bad-content-length",
    /// Content-Length beside Transfer-Encoding.
    LengthAndEncoding "length-and-encoding",
    /// A Transfer-Encoding that is not exactly `chunked`.
    TransferEncoding "transfer-encoding",
    /// An expectation other than `100-continue`, or one without a body.
    Expectation "expectation",
    /// A tunnel request without what its protocol needs.
    BadUpgrade "bad-upgrade",
    /// Chunk sizes, chunk ends or trailers that break RFC 9112 §7.1.
    BadChunk "bad-chunk",
    /// A path that is no operation of the API.
    UnknownEndpoint "unknown-endpoint",
    /// A query string with a semicolon, a bad escape or control characters.
    BadQuery "bad-query",
    /// A query key that the operation does not have.
    UnknownQueryKey "unknown-query-key",
    /// A query value of the wrong type.
    BadQueryValue "bad-query-value",
    /// A key twice, also in another case (Go folds).
    DuplicateKey "duplicate-key",
    /// An object's name that no engine gives.
    BadName "bad-name",
    /// An image reference that does not parse.
    BadReference "bad-reference",
    /// The body is larger than the limit.
    BodyTooLarge "body-too-large",
    /// A body that is relayed as it comes is larger than the door's limit.
    UploadTooLarge "upload-too-large",
    /// The body did not come in time.
    BodyTimeout "body-timeout",
    /// The connection ended inside the body.
    BodyIncomplete "body-incomplete",
    /// The operation needs a body and got none.
    BodyMissing "body-missing",
    /// The operation reads no body and got one that is not a copy of its query.
    BodyUnexpected "body-unexpected",
    /// Not exactly one JSON value in UTF-8.
    BadJson "bad-json",
    /// Nested deeper than the limit.
    JsonTooDeep "json-too-deep",
    /// A field that no release of the engine has.
    UnknownField "unknown-field",
    /// A value of another type than the engine's.
    WrongType "wrong-type",
    /// X-Registry-Auth or X-Registry-Config that is not JSON in base64.
    BadRegistryAuth "bad-registry-auth",
    /// A compressed archive where one is inspected.
    CompressedArchive "compressed-archive",
    /// An archive that breaks off, or that two readers could read differently.
    BadArchive "bad-archive",
    /// An entry of an archive that would leave its place or bring rights.
    ArchiveEntry "archive-entry",
    /// A Dockerfile that is not the only one, or that only BuildKit builds.
    Dockerfile "dockerfile",
}
