//! Connections to the engine that wait for another request.
//! Knows nothing of how they are made.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::engine::Connection;

/// So many: one that is missing costs a request more than everything else together.
const MOST: usize = 256;
/// How often they are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// One that was not used for so long is closed.
const UNUSED: Duration = Duration::from_secs(30);

/// All that are kept, shared by everybody who asks the engine.
#[derive(Debug, Clone, Default)]
pub struct Pool(Arc<Mutex<Kept>>);

/// The one that was used last stands at the end: those that nobody needs any more stay behind.
#[derive(Debug, Default)]
struct Kept {
    connections: Vec<(Connection, Instant)>,
    watched: bool,
}

impl Kept {
    /// Lets go of those that the engine has closed, and of those that nobody needed for a while; false where none is left.
    fn tidy(&mut self, now: Instant) -> bool {
        let needed = |since: &Instant| now.duration_since(*since) < UNUSED;
        self.connections.retain_mut(|(connection, since)| connection.is_quiet() && needed(since));
        !self.connections.is_empty()
    }
}

impl Pool {
    /// Keeps a connection that is ready for another request.
    pub fn keep(&self, connection: Connection) {
        let mut kept = self.locked();
        if kept.connections.len() < MOST {
            kept.connections.push((connection, Instant::now()));
        }
        self.watched(&mut kept);
    }

    /// A connection that is as it was when it was kept.
    pub fn take(&self) -> Option<Connection> {
        let mut kept = self.locked();
        std::iter::from_fn(|| kept.connections.pop()).find_map(|(mut connection, _)| connection.is_quiet().then_some(connection))
    }

    /// Closes all.
    pub fn clear(&self) {
        let mut kept = self.locked();
        kept.connections.clear();
    }

    fn locked(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has somebody look after what is kept, as long as there is something.
    fn watched(&self, kept: &mut Kept) {
        if !std::mem::replace(&mut kept.watched, true) {
            tokio::spawn(watch(Arc::downgrade(&self.0)));
        }
    }
}

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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::super::stream::Stream;
    use super::super::upstream::{Address, Upstream};
    use super::*;
    use crate::docker::head::Framing;

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
        let pool = Pool::default();
        let (connection, mut theirs) = answered().await;
        pool.keep(connection);
        theirs.shutdown().await.unwrap();
        assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0, "our side is closed too");
        assert!(pool.take().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_nobody_needs_is_closed_after_a_while() {
        let pool = Pool::default();
        let ((first, mut theirs), (second, _open)) = (answered().await, answered().await);
        pool.keep(first);
        tokio::time::sleep(UNUSED - LOOK * 2).await;
        pool.keep(second);
        assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0);
        assert!(pool.take().is_some() && pool.take().is_none(), "the second one is still there");
    }

    #[tokio::test(start_paused = true)]
    async fn what_dockgate_asked_for_itself_leaves_no_connection_after_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let upstream = Upstream::new(Address::Unix(socket));
        let answering = async {
            let (mut engine, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            assert!(engine.read(&mut head).await.unwrap() > 0);
            engine.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            engine
        };
        let (exchange, mut engine) = tokio::join!(upstream.get("/info"), answering);
        exchange.unwrap().whole(1024).await.unwrap();
        let kept = tokio::time::timeout(UNUSED - LOOK * 2, engine.read(&mut [0])).await;
        assert!(kept.is_err(), "it is kept for the next question");
        assert_eq!(engine.read(&mut [0]).await.unwrap(), 0, "and closed where none comes");
    }
}
