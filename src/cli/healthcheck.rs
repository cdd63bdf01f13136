//! `dockgate healthcheck`: asks a door whether it answers, without a shell and without a runtime.
//! Knows nothing of what is behind the door.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::Listen;

use super::find::DOOR_FOLDER;
use super::say::{self, Failure};
use super::{Outcome, around};

/// How long connecting, sending and each read may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// What is read of an answer.
const MOST: usize = 16 * 1024;
/// The header that every answer of dockgate carries.
const OURS: &str = "dockgate-ref:";

/// Where the door is with `DOCKGATE_COMPAT`.
const COMPAT_DOOR: &str = "tcp://127.0.0.1:2375";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The door to ask (unix:///path or tcp://address:port)
    #[arg(long, value_name = "URL")]
    socket: Option<String>,
}

const EXAMPLES: &str = "\
Without --socket: DOCKGATE_SOCKET, else port 2375 where DOCKGATE_COMPAT is set, else /run/dockgate/docker.sock, else the first *.sock in a folder below
/run/dockgate, else $XDG_RUNTIME_DIR/dockgate/docker.sock.

Exit codes: 0 the door answers (a policy that denies pings is an answer too), 1 it does not.";

/// Asks.
pub fn run(args: &Args) -> Outcome {
    let door = match args.socket.clone().or_else(|| around::variable("DOCKGATE_SOCKET")) {
        Some(url) => url.parse().map_err(|error: crate::config::UrlError| Failure::usage(error.message).hint(error.hint))?,
        None => found().ok_or_else(|| Failure::refused("no door was found").hint("name it with --socket or DOCKGATE_SOCKET"))?,
    };
    let answer = ask(&door).map_err(|error| Failure::refused(format!("`{door}` does not answer: {error}")))?;
    match judged(&answer) {
        Ok(said) => {
            say::out(format_args!("ok: {door} {said}"));
            Ok(0)
        }
        Err(why) => Err(Failure::refused(format!("`{door}` {why}"))),
    }
}

fn found() -> Option<Listen> {
    if around::variable("DOCKGATE_COMPAT").is_some() {
        return COMPAT_DOOR.parse().ok();
    }
    let own = around::surroundings().runtime_dir.map(|folder| folder.join("dockgate/docker.sock"));
    let default = Path::new(DOOR_FOLDER).join("docker.sock");
    let mut places = vec![default];
    places.extend(below(Path::new(DOOR_FOLDER)));
    places.extend(own);
    places.into_iter().find(|path| around::is_socket(path)).map(Listen::Unix)
}

/// The sockets of a folder and of the folders in it, in the order of their names.
fn below(folder: &Path) -> Vec<PathBuf> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths
    };
    let here = list(folder);
    let deeper = here.iter().filter(|path| path.is_dir()).flat_map(|path| list(path));
    here.iter().cloned().chain(deeper).filter(|path| path.extension().is_some_and(|end| end == "sock")).collect()
}

fn ask(door: &Listen) -> io::Result<String> {
    match door {
        Listen::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            exchange(stream)
        }
        Listen::Tcp(address) => {
            let stream = TcpStream::connect_timeout(address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            exchange(stream)
        }
    }
}

/// The answer's head, which is all that is looked at.
fn exchange(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: localhost\r\nUser-Agent: dockgate-healthcheck\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    while answer.len() < MOST && !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut piece)?;
        answer.extend_from_slice(piece.get(..read).unwrap_or_default());
        if read == 0 {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn judged(answer: &str) -> Result<&'static str, String> {
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).unwrap_or_default();
    let ours = head.to_ascii_lowercase().contains(OURS);
    match status {
        "200" => Ok("answers"),
        "403" if ours => Ok("answers; its policy denies pings"),
        "429" if ours => Ok("answers; there are too many requests just now"),
        "400" if ours => Ok("answers; it speaks TLS"),
        "" => Err("did not answer with HTTP".to_owned()),
        other => Err(format!("answers with {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_engine_and_a_denial_of_the_gate_are_healthy() {
        assert!(judged("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK").is_ok());
        assert!(judged("HTTP/1.1 403 Forbidden\r\nDockgate-Ref: 01J\r\n\r\n{}").is_ok());
        assert!(judged("HTTP/1.1 400 Bad Request\r\nDockgate-Ref: 01J\r\n\r\n").is_ok(), "a request without TLS at a door with it");
    }

    #[test]
    fn other_answers_are_not() {
        for answer in [
            "HTTP/1.1 403 Forbidden\r\n\r\nDockgate-Ref: 01J",
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            "HTTP/1.1 502 Bad Gateway\r\nDockgate-Ref: 01J\r\n\r\n",
            "",
            "SSH-2.0",
        ] {
            assert!(judged(answer).is_err(), "{answer}");
        }
    }
}
