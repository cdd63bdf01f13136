//! Everything that dockgate asks of the engine: connections, requests written from permits, and facts.
//! Knows nothing of clients.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::header::{self, HeaderValue};
use hyper::rt::{Read, Write};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::config::EngineTls;
use crate::docker::action::Body as ActionBody;
use crate::docker::head::Framing;
use crate::policy::Permit;

use super::engine::{self, Connection};
use super::handshake::engine_advice;
use super::kept::{Pool, Sender};
use super::stream::Stream;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// Between two tries to connect to an engine that has many who wait.
const QUEUED: Duration = Duration::from_millis(10);
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

/// The engine: connects, keeps connections, and sends what was permitted and what dockgate asks for itself.
#[derive(Clone)]
pub struct Upstream {
    address: Arc<Address>,
    tls: Option<Arc<ArcSwap<EngineTls>>>,
    kept: Pool,
}

/// The engine's reply to a question of dockgate's own, and the connection that it comes on.
pub struct Exchange {
    /// The reply.
    pub reply: Response<Incoming>,
    /// The connection.
    pub lease: Lease,
}

/// A connection that is in use. Dropping it closes it.
pub struct Lease {
    sender: Sender,
    pool: Pool,
}

impl Lease {
    /// Keeps the connection for another request; only for a reply whose body was read to its end.
    pub fn give_back(self) {
        self.pool.keep_sender(self.sender);
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
    /// The connection ended before the request was on it, or the head of its reply was no HTTP.
    #[error("the engine did not answer: {}", advised(.0))]
    Answer(io::Error),
    /// The connection broke or spoke no HTTP.
    #[error("the engine did not answer: {}", causes(.0))]
    Broken(#[from] hyper::Error),
}

impl Upstream {
    /// An engine; nothing is connected yet.
    pub fn new(address: Address) -> Self {
        Self { address: Arc::new(address), tls: None, kept: Pool::default() }
    }

    /// An engine at `host:port` behind TLS; nothing is connected yet.
    pub fn over_tls(authority: String, tls: EngineTls) -> Self {
        let tls = Some(Arc::new(ArcSwap::from_pointee(tls)));
        Self { address: Arc::new(Address::Tls(authority)), tls, kept: Pool::default() }
    }

    /// The files of its TLS, which nobody else should read.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.tls.as_ref().map(|tls| tls.load().files.clone()).unwrap_or_default()
    }

    /// From now on new connections use this, and none that is kept is used again; false where it is what holds already.
    pub(super) fn renew(&self, tls: &EngineTls) -> bool {
        let Some(own) = self.tls.as_ref().filter(|own| own.load().digest != tls.digest) else { return false };
        own.store(Arc::new(tls.clone()));
        self.kept.clear();
        true
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Writes the request that a permit allows, but for a body that is relayed. Tunnels and relayed bodies get a connection of their
    /// own; others a kept one where one is left.
    ///
    /// # Errors
    /// Where it cannot be written. A request that may have reached the engine is never sent twice.
    pub async fn begin(&self, permit: &Permit) -> Result<Connection, UpstreamError> {
        let bytes = engine::request(permit).map_err(|engine::Unwritable| UpstreamError::Unwritable)?;
        let relayed = matches!(permit.action().body, ActionBody::Opaque(framing) if framing != Framing::None);
        if !relayed && !permit.opens_tunnel() {
            while let Some(mut connection) = self.kept.take() {
                match connection.write(&bytes).await {
                    Ok(()) => return Ok(connection),
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(UpstreamError::Answer(error)),
                    Err(_) => {} // one that breaks in the middle of a request has not delivered it
                }
            }
        }
        let mut connection = Connection::new(self.dial().await?);
        connection.write(&bytes).await.map_err(UpstreamError::Answer)?;
        Ok(connection)
    }

    /// Keeps the connection of a reply that was read to its end.
    pub fn keep(&self, mut connection: Connection) {
        if !connection.is_idle() {
            return;
        }
        connection.reset();
        self.kept.keep(connection);
    }

    /// A new connection. Where descriptors have run out, those that are kept for later are given up for it.
    async fn dial(&self) -> Result<Stream, UpstreamError> {
        match self.dialled().await {
            Err(UpstreamError::Connect(error)) if out_of_descriptors(&error) => {
                self.kept.clear();
                self.dialled().await
            }
            other => other,
        }
    }

    async fn dialled(&self) -> Result<Stream, UpstreamError> {
        let connecting = async {
            match self.address.as_ref() {
                Address::Unix(path) => queued(|| UnixStream::connect(path)).await.map(Stream::Unix),
                Address::Tcp(address) => {
                    let stream = TcpStream::connect(address).await?;
                    settled(&stream)?;
                    Ok(Stream::Tcp(stream))
                }
                Address::Tls(authority) => self.secured(authority).await.map(Stream::tls),
            }
        };
        let late = || Err(io::ErrorKind::TimedOut.into());
        tokio::time::timeout(CONNECT, connecting).await.unwrap_or_else(|_| late()).map_err(UpstreamError::Connect)
    }

    /// A read-only request of dockgate's own: facts and health.
    ///
    /// # Errors
    /// As [`Upstream::begin`].
    pub async fn get(&self, target: &str) -> Result<Exchange, UpstreamError> {
        let mut request = Request::new(Empty::new());
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
    async fn pooled(&self, mut request: Request<Empty<Bytes>>) -> Result<Exchange, UpstreamError> {
        while let Some(mut sender) = self.kept.take_sender() {
            if sender.ready().await.is_err() {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(reply) => return Ok(Exchange { reply, lease: Lease { sender, pool: self.kept.clone() } }),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(failed.into_error().into()),
                },
            }
        }
        self.fresh(request).await
    }

    async fn fresh(&self, request: Request<Empty<Bytes>>) -> Result<Exchange, UpstreamError> {
        let mut sender = self.connect().await?;
        let reply = sender.send_request(request).await?;
        Ok(Exchange { reply, lease: Lease { sender, pool: self.kept.clone() } })
    }

    async fn connect(&self) -> Result<Sender, UpstreamError> {
        let connecting = async {
            match self.address.as_ref() {
                Address::Unix(path) => {
                    let uri: hyper::Uri = hyperlocal::Uri::new(path, "/").into();
                    let stream = queued(|| hyperlocal::UnixConnector.call(uri.clone())).await?;
                    self.hands(stream).await
                }
                Address::Tcp(address) => {
                    let stream = TcpStream::connect(address).await.map_err(UpstreamError::Connect)?;
                    settled(&stream).map_err(UpstreamError::Connect)?;
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
        settled(&stream)?;
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

/// A unix socket whose queue is full does not let us wait in it but says so at once (connect(2), `EAGAIN`).
async fn queued<S, F: Future<Output = io::Result<S>>>(connect: impl Fn() -> F) -> io::Result<S> {
    loop {
        match connect().await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(QUEUED).await,
            other => return other,
        }
    }
}

/// What every connection over TCP has: nothing waits for more to send, and an engine that vanished without a word is found out.
fn settled(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_keepalive(&keep_alive())
}

/// Looks after silent connections over TCP: after 30 s, then every 10 s; three looks without an answer end one.
pub fn keep_alive() -> TcpKeepalive {
    TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10)).with_retries(3)
}

fn out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error().map(rustix::io::Errno::from_raw_os_error), Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_takes_nothing_any_more_holds_no_request_for_ever() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut connection = Connection::new(Stream::Unix(ours));
        let error = connection.write(&vec![b'a'; 8 << 20]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
