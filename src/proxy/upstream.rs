//! Everything that dockgate asks of the engine: connections, requests written from permits, and facts.
//! Knows nothing of clients.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::rt::{Read, Write};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::config::EngineTls;
use crate::docker::action::Body as ActionBody;
use crate::docker::head::{Framing, Upgrade};
use crate::policy::Permit;

use super::handshake::engine_advice;

/// Idle connections that are kept.
const POOL: usize = 16;
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// The Host that the engine sees, whatever the client sent.
const HOST: HeaderValue = HeaderValue::from_static("docker");
/// The client that the engine sees.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("dockgate/", env!("CARGO_PKG_VERSION")));

/// Where the engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
    /// `host:port`, with TLS.
    Tls(String),
}

/// The engine: connects, keeps a few connections, and sends.
#[derive(Clone)]
pub struct Upstream {
    address: Arc<Address>,
    tls: Option<Arc<ArcSwap<EngineTls>>>,
    idle: Arc<Mutex<VecDeque<Sender>>>,
}

type Sender = SendRequest<Outgoing>;

/// The engine's reply, and the connection that it comes on.
pub struct Exchange {
    /// The reply.
    pub reply: Response<Incoming>,
    /// The connection.
    pub lease: Lease,
}

/// A connection that is in use. Dropping it closes it.
pub struct Lease {
    sender: Sender,
    pool: Arc<Mutex<VecDeque<Sender>>>,
}

impl Lease {
    /// Keeps the connection for another request; only for a reply whose body was read to its end.
    pub fn give_back(self) {
        let mut idle = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < POOL && !self.sender.is_closed() {
            idle.push_back(self.sender);
        }
    }
}

/// What can go wrong before the engine's head is there.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// Nobody listens.
    #[error("cannot connect to the engine: {}", advised(.0))]
    Connect(io::Error),
    /// The judged value does not fit a request line.
    #[error("the request cannot be written")]
    Unwritable,
    /// The connection broke or spoke no HTTP.
    #[error("the engine did not answer: {}", causes(.0))]
    Broken(#[from] hyper::Error),
}

/// The body of a request upstream.
pub enum Outgoing {
    /// None.
    Empty,
    /// Whole.
    Whole(Option<Bytes>),
    /// Relayed as it comes from the client.
    Relayed(mpsc::Receiver<Upload>, Option<u64>),
}

/// A step of an upload. A channel that closes without [`Upload::End`] is a body that broke off.
#[derive(Debug)]
pub enum Upload {
    /// Bytes of the body.
    Piece(Bytes),
    /// The body ended well.
    End,
}

/// A body that was cut off: the request is aborted, never ended early.
#[derive(Debug, thiserror::Error)]
#[error("the client's body broke off")]
pub struct BrokenBody;

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BrokenBody;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenBody>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Relayed(steps, _) => steps.poll_recv(cx).map(|step| match step {
                Some(Upload::Piece(bytes)) => Some(Ok(Frame::data(bytes))),
                Some(Upload::End) => None,
                None => Some(Err(BrokenBody)),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Empty | Self::Whole(None) | Self::Relayed(_, Some(0)))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Whole(None) => SizeHint::with_exact(0),
            Self::Whole(Some(bytes)) => SizeHint::with_exact(bytes.len() as u64),
            Self::Relayed(_, Some(length)) => SizeHint::with_exact(*length),
            Self::Relayed(_, None) => SizeHint::default(),
        }
    }
}

impl Upstream {
    /// An engine; nothing is connected yet.
    pub fn new(address: Address) -> Self {
        Self { address: Arc::new(address), tls: None, idle: Arc::default() }
    }

    /// An engine at `host:port` behind TLS; nothing is connected yet.
    pub fn over_tls(authority: String, tls: EngineTls) -> Self {
        let tls = Some(Arc::new(ArcSwap::from_pointee(tls)));
        Self { address: Arc::new(Address::Tls(authority)), tls, idle: Arc::default() }
    }

    /// From now on new connections use this, and none that is kept is used again; false where it is what holds already.
    pub(super) fn renew(&self, tls: &EngineTls) -> bool {
        let Some(own) = self.tls.as_ref().filter(|own| own.load().digest != tls.digest) else { return false };
        own.store(Arc::new(tls.clone()));
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        true
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Sends what a permit allows. `body` is what [`opaque_body`] made for it, where it has one.
    ///
    /// # Errors
    /// Where no head comes back. A request that may have reached the engine is never sent twice.
    pub async fn send(&self, permit: &Permit, body: Option<Outgoing>) -> Result<Exchange, UpstreamError> {
        let request = write(permit, body)?;
        if permit.opens_tunnel() { self.fresh(request).await } else { self.pooled(request).await }
    }

    /// A read-only request of dockgate's own: facts and health.
    ///
    /// # Errors
    /// As [`Upstream::send`].
    pub async fn get(&self, target: &str) -> Result<Exchange, UpstreamError> {
        let mut request = Request::new(Outgoing::Empty);
        *request.uri_mut() = target.parse().map_err(|_| UpstreamError::Unwritable)?;
        request.headers_mut().insert(header::HOST, HOST);
        request.headers_mut().insert(header::USER_AGENT, AGENT);
        self.pooled(request).await
    }

    /// Whether the engine takes new connections; one that stops does not, while old ones still live.
    pub async fn reachable(&self) -> bool {
        self.connect().await.is_ok()
    }

    /// A kept connection where one is left: what it could not send is sent on the next one.
    async fn pooled(&self, mut request: Request<Outgoing>) -> Result<Exchange, UpstreamError> {
        while let Some(mut sender) = self.take() {
            if sender.ready().await.is_err() {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(reply) => return Ok(Exchange { reply, lease: Lease { sender, pool: Arc::clone(&self.idle) } }),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(failed.into_error().into()),
                },
            }
        }
        self.fresh(request).await
    }

    async fn fresh(&self, request: Request<Outgoing>) -> Result<Exchange, UpstreamError> {
        let mut sender = self.connect().await?;
        let reply = sender.send_request(request).await?;
        Ok(Exchange { reply, lease: Lease { sender, pool: Arc::clone(&self.idle) } })
    }

    fn take(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| !kept.is_closed());
        idle.pop_back()
    }

    async fn connect(&self) -> Result<Sender, UpstreamError> {
        let connecting = async {
            match self.address.as_ref() {
                Address::Unix(path) => {
                    let uri = hyperlocal::Uri::new(path, "/").into();
                    let stream = hyperlocal::UnixConnector.call(uri).await.map_err(io::Error::other)?;
                    self.hands(stream).await
                }
                Address::Tcp(address) => {
                    let stream = TcpStream::connect(address).await.map_err(UpstreamError::Connect)?;
                    stream.set_nodelay(true).map_err(UpstreamError::Connect)?;
                    self.hands(TokioIo::new(stream)).await
                }
                Address::Tls(authority) => self.hands(TokioIo::new(self.secured(authority).await?)).await,
            }
        };
        let late = || UpstreamError::Connect(io::ErrorKind::TimedOut.into());
        tokio::time::timeout(CONNECT, connecting).await.unwrap_or_else(|_| Err(late()))
    }

    async fn secured(&self, authority: &str) -> io::Result<TlsStream<TcpStream>> {
        let tls = self.tls.as_ref().ok_or(io::ErrorKind::NotConnected)?.load_full();
        let name = tls.name_of(authority).ok_or(io::ErrorKind::InvalidInput)?;
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        TlsConnector::from(Arc::clone(&tls.client)).connect(name, stream).await
    }

    async fn hands<S: Read + Write + Unpin + Send + 'static>(&self, stream: S) -> Result<Sender, UpstreamError> {
        let (sender, connection) = handshake(stream).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "an engine connection ended");
            }
        });
        Ok(sender)
    }
}

/// What to do about it stands behind what an engine's handshake came to.
fn advised(error: &io::Error) -> String {
    format!("{error}{}", engine_advice(error))
}

/// hyper names the step that failed; why it did stands behind it, such as the alert of an engine that wants a certificate.
fn causes(error: &hyper::Error) -> String {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {}", advised(source)))
}

impl From<io::Error> for UpstreamError {
    fn from(error: io::Error) -> Self {
        Self::Connect(error)
    }
}

/// The request upstream, from the judged value and nothing else.
fn write(permit: &Permit, body: Option<Outgoing>) -> Result<Request<Outgoing>, UpstreamError> {
    let action = permit.action();
    let json = action.json().map(|value| Outgoing::Whole(Some(Bytes::from(value.encode()))));
    let is_json = json.is_some();
    let mut request = Request::new(json.or(body).unwrap_or(Outgoing::Empty));
    *request.method_mut() = match action.method() {
        crate::docker::Method::Get => hyper::Method::GET,
        crate::docker::Method::Head => hyper::Method::HEAD,
        crate::docker::Method::Post => hyper::Method::POST,
        crate::docker::Method::Put => hyper::Method::PUT,
        crate::docker::Method::Delete => hyper::Method::DELETE,
    };
    *request.uri_mut() = action.target().parse().map_err(|_| UpstreamError::Unwritable)?;
    let headers = request.headers_mut();
    headers.insert(header::HOST, HOST);
    headers.insert(header::USER_AGENT, AGENT);
    if is_json {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if matches!(action.body, ActionBody::Opaque(_)) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
    }
    for (name, value) in [("x-registry-auth", &action.registry_auth), ("x-registry-config", &action.registry_config)] {
        if let Some(value) = value.as_ref().and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if permit.opens_tunnel() {
        upgrade(action.upgrade.as_ref(), headers);
    }
    Ok(request)
}

/// Tunnels always ask for `Upgrade: tcp`; a client that sent none gets the raw stream that it expects.
fn upgrade(wanted: Option<&Upgrade>, headers: &mut header::HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    match wanted {
        Some(Upgrade::WebSocket { key, protocol }) => {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            let texts = [(header::SEC_WEBSOCKET_KEY, Some(key)), (header::SEC_WEBSOCKET_PROTOCOL, protocol.as_ref())];
            for (name, text) in texts {
                if let Some(value) = text.and_then(|text| HeaderValue::from_str(text).ok()) {
                    headers.insert(name, value);
                }
            }
        }
        Some(Upgrade::Tcp | Upgrade::Other) | None => {
            headers.insert(header::UPGRADE, HeaderValue::from_static("tcp"));
        }
    }
}

/// The client's end of an opaque body.
pub type Fill = mpsc::Sender<Upload>;

/// The two ends of an opaque body: what the client's side fills, and what goes upstream.
pub fn opaque_body(framing: Framing) -> Option<(Fill, Outgoing)> {
    let length = match framing {
        Framing::None | Framing::Length(0) => return None,
        Framing::Length(length) => Some(length),
        Framing::Chunked => None,
    };
    let (sender, receiver) = mpsc::channel(1);
    Some((sender, Outgoing::Relayed(receiver, length)))
}
