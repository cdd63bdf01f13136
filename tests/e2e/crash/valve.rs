//! A relay before an engine's socket that stops at a chosen point of a change, tells that the point was reached, and waits.
//! Knows only enough of HTTP to find where a request ends.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, mpsc};
use std::thread;

use crate::process::PATIENCE;

/// Where a change is held. What only reads passes freely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hold {
    #[default]
    Nowhere,
    /// Connections are left waiting, and the kept ones are closed.
    Accept,
    /// The whole request was received, and nothing of it was passed on.
    Request,
    /// The engine has answered, and nothing of that was passed on.
    Reply,
    /// All of the answer was passed on but its last byte.
    ReplyEnd,
}

/// What becomes of what was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    GoesOn,
    Dropped,
}

/// A change on its way to the engine.
pub struct Change {
    pub target: String,
    pub body: String,
}

pub struct Valve {
    shared: Arc<Shared>,
    socket: PathBuf,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Told of every change before a byte of it goes on.
    arrived: Box<dyn Fn(&Change) + Send + Sync>,
}

#[derive(Default)]
struct State {
    hold: Hold,
    reached: bool,
    then: Option<Then>,
    /// Nobody accepts.
    parked: bool,
    /// Directions of connections that are still open.
    open: usize,
    /// The engine's side of the connections since the last look.
    servers: Vec<UnixStream>,
}

impl Valve {
    /// Listens until the process ends.
    pub fn start(socket: &Path, engine: &Path, arrived: impl Fn(&Change) + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), arrived: Box::new(arrived) });
        let (listener, all, place, engine) =
            (UnixListener::bind(socket).unwrap(), Arc::clone(&shared), socket.to_owned(), engine.to_owned());
        thread::spawn(move || accept(listener, &all, &place, &engine));
        Self { shared, socket: socket.to_owned() }
    }

    /// Holds the next change there.
    pub fn hold(&self, hold: Hold) {
        self.shared.update(|state| state.hold = hold);
        if hold == Hold::Accept {
            drop(UnixStream::connect(&self.socket)); // whoever accepts looks up
            let mut state = self.shared.until("nobody to accept", |state| state.parked);
            state.servers.drain(..).for_each(|server| drop(server.shutdown(Shutdown::Both)));
            drop(state);
            drop(self.shared.until("the kept connections to end", |state| state.open == 0));
        }
    }

    /// Waits until the change is held.
    pub fn reached(&self) {
        drop(self.shared.until("a change to be held", |state| state.reached));
    }

    /// Lets go of what is held, and waits until every connection has ended; the engine has then done what it will do.
    pub fn release(&self, then: Then) {
        self.shared.update(|state| (state.hold, state.then) = (Hold::Nowhere, Some(then)));
        let mut state = self.shared.until("the connections to the engine to end", |state| state.open == 0 && !state.parked);
        (state.reached, state.then) = (false, None);
        state.servers.clear();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn until(&self, awaited: &str, ready: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let (state, waited) = self.changed.wait_timeout_while(self.lock(), PATIENCE, |state| !ready(state)).unwrap();
        assert!(!waited.timed_out(), "waited in vain: {awaited}");
        state
    }

    /// Where a change is held here: what became of it then.
    fn held(&self, here: Hold) -> Option<Then> {
        let mut state = self.lock();
        if state.hold != here {
            return None;
        }
        state.reached = true;
        self.changed.notify_all();
        let state = self.changed.wait_while(state, |state| state.then.is_none()).unwrap();
        state.then
    }
}

/// Passes connections on. Where it may not accept, those that wait are gone afterwards.
fn accept(mut listener: UnixListener, shared: &Arc<Shared>, socket: &Path, engine: &Path) {
    while let Ok((client, _)) = listener.accept() {
        if shared.lock().hold == Hold::Accept {
            shared.update(|state| state.parked = true);
            drop(shared.changed.wait_while(shared.lock(), |state| state.then.is_none()).unwrap());
            fs::remove_file(socket).unwrap();
            listener = UnixListener::bind(socket).unwrap();
            shared.update(|state| state.parked = false);
        } else {
            connect(shared, client, UnixStream::connect(engine).unwrap());
        }
    }
}

fn connect(shared: &Arc<Shared>, client: UnixStream, server: UnixStream) {
    shared.update(|state| {
        state.open += 2;
        state.servers.push(server.try_clone().unwrap());
    });
    let (back, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let (changing, (answered, answer)) = (Arc::new(AtomicBool::new(false)), mpsc::channel());
    let (all, asked) = (Arc::clone(shared), Arc::clone(&changing));
    thread::spawn(move || {
        let _counted = Open(&all);
        requests(&all, client, server, &asked, &answer);
    });
    let all = Arc::clone(shared);
    thread::spawn(move || {
        let _counted = Open(&all);
        replies(&all, back, to, &changing, &answered);
    });
}

/// A direction that ends with this.
struct Open<'s>(&'s Shared);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.update(|state| state.open -= 1);
    }
}

fn requests(shared: &Shared, mut client: UnixStream, mut server: UnixStream, changing: &AtomicBool, answer: &mpsc::Receiver<()>) {
    let mut ahead = Vec::new();
    while let Some(request) = next(&mut client, &mut ahead) {
        let mut held = None;
        if let Some(change) = change(&request) {
            (shared.arrived)(&change);
            held = shared.held(Hold::Request);
            changing.store(true, Ordering::SeqCst);
        }
        if held == Some(Then::Dropped) || server.write_all(&request).is_err() {
            break;
        }
        if held == Some(Then::GoesOn) {
            let _answered_or_ended = answer.recv(); // whoever sent it is gone, and the engine is not told before it is done
        }
    }
    let _ended_already = server.shutdown(Shutdown::Write);
}

fn replies(shared: &Shared, mut server: UnixStream, mut client: UnixStream, changing: &AtomicBool, answered: &mpsc::Sender<()>) {
    let mut piece = [0; 64 << 10];
    while let Ok(length @ 1..) = server.read(&mut piece) {
        let mut rest = &piece[..length];
        if changing.swap(false, Ordering::SeqCst) {
            let _nobody_waits = answered.send(());
            shared.held(Hold::Reply);
            if shared.lock().hold == Hold::ReplyEnd {
                let (most, last) = rest.split_at(length - 1);
                (_, rest) = (client.write_all(most), last);
                shared.held(Hold::ReplyEnd);
            }
        }
        if client.write_all(rest).is_err() {
            break;
        }
    }
    let _ended_already = client.shutdown(Shutdown::Write);
}

/// The next whole request of a connection.
fn next(client: &mut UnixStream, ahead: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut piece = [0; 4096];
    loop {
        if let Some(length) = whole(ahead) {
            let rest = ahead.split_off(length);
            return Some(std::mem::replace(ahead, rest));
        }
        let Ok(length @ 1..) = client.read(&mut piece) else { return None };
        ahead.extend_from_slice(&piece[..length]);
    }
}

/// How long the first request is, once all of it is there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    assert!(!text.contains("transfer-encoding"), "{text}");
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let end = head + length.map_or(0, |length| length.trim().parse().unwrap());
    (bytes.len() >= end).then_some(end)
}

fn change(request: &[u8]) -> Option<Change> {
    let text = String::from_utf8_lossy(request);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut words = head.split(' ');
    let changes = words.next() != Some("GET") && words.clone().next() != Some("/_ping");
    changes.then(|| Change { target: words.next().unwrap_or_default().to_owned(), body: body.to_owned() })
}
