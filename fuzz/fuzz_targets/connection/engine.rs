//! The engine: keeps the bytes of every request in order of arrival, and answers with what the input holds.
//! Knows nothing of what is right.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{ErrorKind, Read};
use std::os::unix::net;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::oracle::{Body, Framing, Head, body};

/// A request, or what there is of one.
#[derive(Debug, Default, Clone)]
pub struct Arrived {
    pub bytes: Vec<u8>,
    pub whole: bool,
    /// What followed a request for an upgrade.
    pub tunnel: Vec<u8>,
}

pub struct Engine {
    listener: UnixListener,
    /// The same, for connections that wait when everything is over.
    rest: net::UnixListener,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    replies: VecDeque<Vec<u8>>,
    arrived: Vec<Arrived>,
}

impl Engine {
    pub fn listen(path: &Path) -> Self {
        let rest = net::UnixListener::bind(path).unwrap();
        rest.set_nonblocking(true).unwrap();
        Self { listener: UnixListener::from_std(rest.try_clone().unwrap()).unwrap(), rest, state: Arc::default() }
    }

    /// Serves while something goes on; then closes everything, and what was on its way has arrived.
    pub async fn during<T>(&self, replies: Vec<Vec<u8>>, what: impl Future<Output = T>) -> (T, Vec<Arrived>) {
        *self.state() = State { replies: replies.into(), arrived: Vec::new() };
        let (stop, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        tokio::pin!(what);
        let done = loop {
            tokio::select! {
                biased;
                Ok((stream, _)) = self.listener.accept() => {
                    connections.spawn(Connection::new(stream, &self.state).serve(stopped.clone()));
                }
                done = &mut what => break done,
            }
        };
        while let Ok((stream, _)) = self.rest.accept() {
            stream.set_nonblocking(true).unwrap();
            connections.spawn(Connection::new(UnixStream::from_std(stream).unwrap(), &self.state).serve(stopped.clone()));
        }
        stop.send_replace(true);
        while let Some(ended) = connections.join_next().await {
            ended.expect("the engine does not panic");
        }
        let arrived = std::mem::take(&mut self.state().arrived);
        (done, arrived)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

struct Connection {
    stream: UnixStream,
    state: Arc<Mutex<State>>,
    buffer: Vec<u8>,
    at: Option<usize>,
    upgraded: bool,
}

impl Connection {
    fn new(stream: UnixStream, state: &Arc<Mutex<State>>) -> Self {
        Self { stream, state: Arc::clone(state), buffer: Vec::new(), at: None, upgraded: false }
    }

    async fn serve(mut self, mut stopped: watch::Receiver<bool>) {
        loop {
            while let Some(reply) = self.take_in() {
                if self.stream.write_all(&reply.bytes).await.is_err() {
                    break;
                }
                if reply.last {
                    let _closed_already = self.stream.shutdown().await;
                }
            }
            let mut piece = [0; 16 * 1024];
            tokio::select! {
                read = self.stream.read(&mut piece) => match read {
                    Ok(0) | Err(_) => break,
                    Ok(read) => self.buffer.extend_from_slice(&piece[..read]),
                },
                _ = stopped.wait_for(|stop| *stop) => {
                    self = self.drained();
                    break;
                }
            }
        }
        while self.take_in().is_some() {}
    }

    /// What the system still holds, whatever the runtime knows of it.
    fn drained(mut self) -> Self {
        let mut stream = self.stream.into_std().unwrap();
        let mut piece = [0; 16 * 1024];
        loop {
            match stream.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => self.buffer.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.stream = UnixStream::from_std(stream).unwrap();
        self
    }

    /// Notes what has come; a whole request is taken out of the buffer, and what it gets is returned.
    fn take_in(&mut self) -> Option<Answer> {
        if self.buffer.is_empty() {
            return None;
        }
        let mut state = self.state.lock().unwrap();
        if self.upgraded {
            state.arrived[self.at?].tunnel.append(&mut self.buffer);
            return None;
        }
        let at = *self.at.get_or_insert_with(|| {
            state.arrived.push(Arrived::default());
            state.arrived.len() - 1
        });
        let Some((head, length)) = whole(&self.buffer) else {
            state.arrived[at].bytes = self.buffer.clone();
            return None;
        };
        state.arrived[at] = Arrived { bytes: self.buffer.drain(..length).collect(), whole: true, tunnel: Vec::new() };
        self.upgraded = !head.all("upgrade").is_empty();
        if !self.upgraded {
            self.at = None;
        }
        let reply = state.replies.pop_front().filter(|reply| !reply.is_empty());
        Some(reply.map_or_else(|| Answer::good(&head), |bytes| Answer { last: !ends_by_itself(&head, &bytes), bytes }))
    }
}

/// The request that a buffer begins with.
fn whole(buffer: &[u8]) -> Option<(Head, usize)> {
    let (head, length) = Head::read(buffer)?;
    match body(head.framing(), &buffer[length..]) {
        Body::Whole(_, more) => Some((head, length + more)),
        Body::Cut | Body::Broken => None,
    }
}

struct Answer {
    bytes: Vec<u8>,
    /// Nothing comes after it.
    last: bool,
}

impl Answer {
    fn good(request: &Head) -> Self {
        let text = |text: &str| text.as_bytes().to_vec();
        match request.all("upgrade").first() {
            Some(protocol) => Self {
                bytes: text(&format!("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\nearly")),
                last: true,
            },
            None if is_own(&request.line) => Self { bytes: text("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"), last: false },
            None if request.line.starts_with("HEAD ") => Self { bytes: text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), last: false },
            None => Self { bytes: text("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"), last: false },
        }
    }
}

/// A look-up of the container that dockgate may run in, which is none of this engine's.
fn is_own(line: &str) -> bool {
    let id = line.strip_prefix("GET /containers/").and_then(|rest| rest.split('/').next());
    id.is_some_and(|id| id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether a reader of this reply knows that it is whole without an end of the connection; bytes after it do not matter.
fn ends_by_itself(request: &Head, reply: &[u8]) -> bool {
    let Some((head, length)) = Head::read(reply) else { return false };
    let status = head.line.get(9..12).unwrap_or_default();
    if !head.line.starts_with("HTTP/1.1 2") || !head.all("connection").is_empty() || !request.all("upgrade").is_empty() {
        return false;
    }
    if request.line.starts_with("HEAD ") || status == "204" {
        return true;
    }
    let framing = head.framing();
    framing != Framing::None && matches!(body(framing, &reply[length..]), Body::Whole(..))
}
