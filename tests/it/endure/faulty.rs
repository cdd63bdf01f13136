//! An engine that misbehaves where the name of the container that it is asked for says how, and answers everything else.
//! Knows nothing of what should come of that.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::engine::position;

/// Listens until it is dropped.
pub struct Faulty {
    path: PathBuf,
    shared: Arc<Shared>,
    /// Each head of a request for a container with a name, as it arrives.
    pub asked: Receiver<String>,
}

struct Shared {
    open: Mutex<Vec<UnixStream>>,
    stop: AtomicBool,
}

impl Faulty {
    pub fn start(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let shared = Arc::new(Shared { open: Mutex::default(), stop: AtomicBool::new(false) });
        let (own, (tell, asked)) = (Arc::clone(&shared), channel());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if own.stop.load(Ordering::SeqCst) {
                    return;
                }
                own.open.lock().unwrap().push(stream.try_clone().unwrap());
                let tell = tell.clone();
                thread::spawn(move || serve(stream, &tell));
            }
        });
        Self { path: path.to_owned(), shared, asked }
    }

    /// Closes all connections that are open, in both directions.
    pub fn close_all(&self) {
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _gone_already = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _wakes_the_listener = UnixStream::connect(&self.path);
        self.close_all();
    }
}

/// What follows an answer.
enum Then {
    /// The next request.
    Goes,
    /// Nothing, for as long as the connection is held.
    Stalls,
    /// The end of the connection.
    Closes,
    /// These bytes, again and again, until nobody takes them.
    Repeats(&'static [u8]),
}

fn serve(mut stream: UnixStream, tell: &Sender<String>) {
    let (mut buffer, mut piece) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let end = loop {
            if let Some(at) = position(&buffer, b"\r\n\r\n") {
                break at + 4;
            }
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => return,
                Ok(read) => buffer.extend_from_slice(&piece[..read]),
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        buffer.drain(..end);
        let name = named(&head);
        if !name.is_empty() {
            let _nobody_looks = tell.send(head.clone());
        }
        let (bytes, then) = answer(&name, &head);
        if stream.write_all(&bytes).is_err() {
            return;
        }
        match then {
            Then::Goes => {}
            Then::Stalls => {
                while stream.read(&mut piece).is_ok_and(|read| read > 0) {}
                return;
            }
            Then::Closes => {
                let _gone_already = stream.shutdown(Shutdown::Both);
                return;
            }
            Then::Repeats(bytes) => {
                while stream.write_all(bytes).is_ok() {}
                return;
            }
        }
    }
}

/// The name in `/containers/NAME/…`, where it is a word of ours.
fn named(head: &str) -> String {
    let path = head.split(' ').nth(1).unwrap_or_default();
    let mut parts = path.split(['/', '?']).skip_while(|part| *part != "containers").skip(1);
    match (parts.next(), parts.next()) {
        (Some(name), Some(_)) if name.len() < 40 => name.to_owned(),
        _ => String::new(),
    }
}

fn answer(name: &str, head: &str) -> (Vec<u8>, Then) {
    let fine = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let text = |text: &str| text.as_bytes().to_vec();
    match name {
        "stalls" => (Vec::new(), Then::Stalls),
        "stalls-in-head" => (text("HTTP/1.1 200 OK\r\nContent-Le"), Then::Stalls),
        "stalls-in-body" => (text("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789"), Then::Stalls),
        "closes" => (Vec::new(), Then::Closes),
        "closes-in-head" => (text("HTTP/1.1 200 OK\r\nContent-Le"), Then::Closes),
        "truncates" => (text("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789"), Then::Closes),
        "truncates-chunks" => (text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n"), Then::Closes),
        "breaks-a-chunk" => (text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\nzz\r\n"), Then::Stalls),
        "garbage" => (vec![0x16, 3, 1, 2, 0, 1, b'\r', b'\n', b'\r', b'\n'], Then::Stalls),
        "not-http" => (text("-ERR unknown command 'GET'\r\n\r\n"), Then::Stalls),
        "two-lengths" => (text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]]"), Then::Stalls),
        "length-and-chunks" => (text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n[]"), Then::Stalls),
        "upgrades" => (text("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nraw"), Then::Stalls),
        "more" => (text(&(fine("{}") + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")), Then::Goes),
        "gigantic-head" => (format!("HTTP/1.1 200 OK\r\nX-Large: {}\r\n\r\n", "x".repeat(1 << 20)).into_bytes(), Then::Stalls),
        "endless-head" => (text("HTTP/1.1 200 OK\r\n"), Then::Repeats(b"X-More: and more\r\n")),
        "endless-line" => (text("HTTP/1.1 200 OK\r\nX-Line: "), Then::Repeats(b"and more and more and more and more ")),
        "endless-interim" => (Vec::new(), Then::Repeats(b"HTTP/1.1 102 Processing\r\n\r\n")),
        "early" => (
            text(
                "HTTP/1.1 507 Insufficient Storage\r\nContent-Type: application/json\r\nContent-Length: 18\r\nConnection: close\r\n\r\n{\"message\":\"full\"}",
            ),
            Then::Closes,
        ),
        "events" => (text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"), Then::Stalls),
        _ if head.contains("/containers/json") => (text(&fine("[]")), Then::Goes),
        _ if name.len() > 40 || head.contains(&"0".repeat(8)) => {
            (text("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"), Then::Goes)
        }
        _ => (text(&fine("{}")), Then::Goes),
    }
}
