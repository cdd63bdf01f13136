//! A listener before an engine's socket: passes every byte on and keeps what was asked.
//! Knows only enough of HTTP to find the bodies of container creates.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The bytes of each connection since the last look.
type Heard = Arc<Mutex<BTreeMap<usize, Vec<u8>>>>;

pub struct Tap {
    heard: Heard,
}

impl Tap {
    /// Listens until the process ends.
    pub fn start(socket: &Path, engine: &Path) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let (heard, engine) = (Heard::default(), engine.to_owned());
        let all = Arc::clone(&heard);
        std::thread::spawn(move || {
            for (at, client) in listener.incoming().enumerate() {
                let (Ok(client), Ok(server)) = (client, UnixStream::connect(&engine)) else { continue };
                let (Ok(from), Ok(to)) = (server.try_clone(), client.try_clone()) else { continue };
                let all = Arc::clone(&all);
                std::thread::spawn(move || {
                    pass(client, server, |piece| all.lock().unwrap().entry(at).or_default().extend_from_slice(piece))
                });
                std::thread::spawn(move || pass(from, to, |_| {}));
            }
        });
        Self { heard }
    }

    /// The bodies of the creates since the last look.
    pub fn take(&self) -> Vec<String> {
        let heard = std::mem::take(&mut *self.heard.lock().unwrap());
        heard.into_values().flat_map(|bytes| bodies(&String::from_utf8(bytes).unwrap())).collect()
    }
}

/// Keeps first, passes on then: what was answered was heard.
fn pass(mut from: UnixStream, mut to: UnixStream, keep: impl Fn(&[u8])) {
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        keep(&piece[..length]);
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    let _ended_already = to.shutdown(Shutdown::Write);
}

fn bodies(mut text: &str) -> Vec<String> {
    let mut found = Vec::new();
    while let Some((head, rest)) = text.split_once("\r\n\r\n") {
        assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
        let lines = head.lines().map(str::to_lowercase);
        let length =
            lines.filter_map(|line| line.strip_prefix("content-length:").map(|length| length.trim().parse::<usize>().unwrap())).sum();
        let (body, next) = rest.split_at(length);
        if head.lines().next().is_some_and(|line| line.starts_with("POST ") && line.contains("/containers/create")) {
            found.push(body.to_owned());
        }
        text = next;
    }
    assert!(text.is_empty(), "half a request: {text}");
    found
}
