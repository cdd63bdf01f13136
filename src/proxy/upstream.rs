//! Everything that dockgate asks of the engine: connections, requests written from permits, and facts.
//! Knows nothing of clients.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::StatusCode;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::EngineTls;
use crate::docker::action::Body as ActionBody;
use crate::docker::head::Framing;
use crate::policy::Permit;

use super::engine::{self, Answer, Connection, Stream};
use super::handshake::engine_advice;

/// Idle connections that are kept: one that is missing costs a request more than everything else together.
const POOL: usize = 256;
/// How often kept connections are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// A kept connection that was not used for so long is closed.
const UNUSED: Duration = Duration::from_secs(30);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);

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
    kept: Arc<Mutex<Kept>>,
}

/// Connections that wait for another request, the one that was used last at the end.
#[derive(Debug, Default)]
struct Kept {
    connections: Vec<(Connection, Instant)>,
    watched: bool,
}

impl Kept {
    /// Lets go of those that the engine has closed, and of those that nobody needed for a while; false where none is left.
    fn tidy(&mut self, now: Instant) -> bool {
        self.connections.retain_mut(|(connection, since)| connection.is_quiet() && now.duration_since(*since) < UNUSED);
        !self.connections.is_empty()
    }
}

/// Looks after kept connections as long as there are any.
async fn watch(kept: Weak<Mutex<Kept>>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(kept) = kept.upgrade() else { return };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.watched = kept.tidy(Instant::now());
        if !kept.watched {
            return;
        }
    }
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
        Self { address: Arc::new(address), tls: None, kept: Arc::default() }
    }

    /// An engine at `host:port` behind TLS; nothing is connected yet.
    pub fn over_tls(authority: String, tls: EngineTls) -> Self {
        let tls = Some(Arc::new(ArcSwap::from_pointee(tls)));
        Self { address: Arc::new(Address::Tls(authority)), tls, kept: Arc::default() }
    }

    /// The files of its TLS, which nobody else should read.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.tls.as_ref().map(|tls| tls.load().files.clone()).unwrap_or_default()
    }

    /// From now on new connections use this, and none that is kept is used again; false where it is what holds already.
    pub(super) fn renew(&self, tls: &EngineTls) -> bool {
        let Some(own) = self.tls.as_ref().filter(|own| own.load().digest != tls.digest) else { return false };
        own.store(Arc::new(tls.clone()));
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).connections.clear();
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
        while let Some(mut connection) = self.kept() {
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
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.connections.len() < POOL {
            kept.connections.push((connection, Instant::now()));
        }
        if !std::mem::replace(&mut kept.watched, true) {
            tokio::spawn(watch(Arc::downgrade(&self.kept)));
        }
    }

    /// The connection that was used last: those that nobody needs any more stay behind.
    fn kept(&self) -> Option<Connection> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| kept.connections.pop()).find_map(|(mut connection, _)| connection.is_quiet().then_some(connection))
    }

    async fn dial(&self) -> Result<Stream, UpstreamError> {
        let connecting = async {
            match self.address.as_ref() {
                Address::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
                Address::Tcp(address) => {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
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
        stream.set_nodelay(true)?;
        TlsConnector::from(Arc::clone(&tls.client)).connect(name, stream).await
    }
}

/// What to do about it stands behind what an engine's handshake came to.
fn advised(error: &io::Error) -> String {
    format!("{error}{}", engine_advice(error))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_takes_nothing_any_more_holds_no_request_for_ever() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut connection = Connection::new(Stream::Unix(ours));
        let error = connection.write(&vec![b'a'; 8 << 20]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    /// A connection whose reply was read to its end, and the engine's side of it.
    async fn answered() -> (Connection, UnixStream) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut connection = Connection::new(Stream::Unix(ours));
        theirs.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        connection.halves(Framing::None).0.head(false).await.unwrap();
        (connection, theirs)
    }

    #[tokio::test]
    async fn a_connection_that_the_engine_closes_is_let_go_without_a_request() {
        let upstream = Upstream::new(Address::Unix("/nowhere".into()));
        let (connection, mut theirs) = answered().await;
        upstream.keep(connection);
        theirs.shutdown().await.unwrap();
        assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0, "our side is closed too");
        assert!(upstream.kept().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_nobody_needs_is_closed_after_a_while() {
        let upstream = Upstream::new(Address::Unix("/nowhere".into()));
        let ((first, mut theirs), (second, _open)) = (answered().await, answered().await);
        upstream.keep(first);
        tokio::time::sleep(UNUSED - LOOK * 2).await;
        upstream.keep(second);
        assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0);
        assert!(upstream.kept().is_some() && upstream.kept().is_none(), "the second one is still there");
    }
}
