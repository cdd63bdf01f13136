//! Everything that dockgate asks of the engine: connections, requests written from permits, and facts.
//! Knows nothing of clients.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::StatusCode;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::EngineTls;
use crate::docker::action::Body as ActionBody;
use crate::docker::head::Framing;
use crate::policy::Permit;

use super::engine::{self, Answer, Connection};
use super::handshake::engine_advice;
use super::kept::Pool;
use super::stream::Stream;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// Between two tries to connect to an engine that has many who wait.
const QUEUED: Duration = Duration::from_millis(10);

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

/// The engine's reply to a question of dockgate's own: its head, and the connection that its body comes on. Dropping it closes that.
pub struct Exchange {
    upstream: Upstream,
    connection: Connection,
    answer: Answer,
}

impl Exchange {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.answer.status
    }

    /// The next piece of the body, when it has come; `None` where the body has ended. Nothing is lost where nobody waits to the end.
    ///
    /// # Errors
    /// A reply that breaks off.
    pub async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        self.connection.halves(Framing::None).0.piece().await
    }

    /// The whole body, of so many bytes at most. The connection is kept for another request.
    ///
    /// # Errors
    /// A reply that breaks off or is larger.
    pub async fn whole(mut self, most: usize) -> io::Result<Bytes> {
        let body = self.connection.halves(Framing::None).0.whole(most).await?;
        self.upstream.keep(self.connection);
        Ok(body)
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
        if relayed || permit.opens_tunnel() { self.on_its_own(&bytes).await } else { self.on_any(&bytes).await }
    }

    /// A read-only question of dockgate's own: facts, events and health.
    ///
    /// # Errors
    /// As [`Upstream::begin`], and where what answers speaks no HTTP.
    pub async fn get(&self, target: &str) -> Result<Exchange, UpstreamError> {
        let bytes = engine::question(target).map_err(|engine::Unwritable| UpstreamError::Unwritable)?;
        let mut connection = self.on_any(&bytes).await?;
        let answer = connection.halves(Framing::None).0.head(false).await.map_err(UpstreamError::Answer)?;
        if answer.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(UpstreamError::Answer(io::ErrorKind::InvalidData.into())); // nobody asked for that
        }
        Ok(Exchange { upstream: self.clone(), connection, answer })
    }

    /// Whether the engine takes new connections; one that stops does not, while old ones still live.
    pub async fn reachable(&self) -> bool {
        self.dial().await.is_ok()
    }

    /// Written on a kept connection where one is left.
    async fn on_any(&self, bytes: &[u8]) -> Result<Connection, UpstreamError> {
        while let Some(mut connection) = self.kept.take() {
            match connection.write(bytes).await {
                Ok(()) => return Ok(connection),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(UpstreamError::Answer(error)),
                Err(_) => {} // one that breaks in the middle of a request has not delivered it
            }
        }
        self.on_its_own(bytes).await
    }

    async fn on_its_own(&self, bytes: &[u8]) -> Result<Connection, UpstreamError> {
        let mut connection = Connection::new(self.dial().await?);
        connection.write(bytes).await.map_err(UpstreamError::Answer)?;
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

    async fn secured(&self, authority: &str) -> io::Result<TlsStream<TcpStream>> {
        let tls = self.tls.as_ref().ok_or(io::ErrorKind::NotConnected)?.load_full();
        let name = tls.name_of(authority).ok_or(io::ErrorKind::InvalidInput)?;
        let stream = TcpStream::connect(authority).await?;
        settled(&stream)?;
        TlsConnector::from(Arc::clone(&tls.client)).connect(name, stream).await
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
