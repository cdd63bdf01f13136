//! A newcomer's first steps with the real binary: what it says when something is not as it should be, `doctor`, `init`.
//! Every situation here is a real one; where it takes another user, another is used, and without root it is left out.

mod doctor;
mod failures;
mod init;
mod page;

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A user and group that own nothing on any machine.
const NOBODY: u32 = 65_532;
/// How long a process may take to say something, or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a process said, and how it ended; -1 where it was stopped.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Asserts the exit code and that every text stands in its messages.
    #[track_caller]
    pub fn fails(self, code: i32, texts: &[&str]) -> String {
        assert_eq!(self.code, code, "{self:?}");
        for text in texts {
            assert!(self.err.contains(text), "`{text}` is not in\n{}", self.err);
        }
        self.err
    }

    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }
}

/// A folder that every user may enter, with the binary in it.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("dg").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        Self { folder }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn url(&self, name: &str) -> String {
        format!("unix://{}", self.at(name).display())
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.at(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    /// The binary, with none of this machine's variables.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dockgate"));
        command.args(args).env_clear().current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// The same as a user who owns nothing. The build's folder may be closed to others, this one is not.
    pub fn as_nobody(&self, args: &[&str]) -> Command {
        let own = self.at("dockgate");
        if !own.exists() && std::fs::hard_link(env!("CARGO_BIN_EXE_dockgate"), &own).is_err() {
            std::fs::copy(env!("CARGO_BIN_EXE_dockgate"), &own).unwrap();
        }
        let mut command = Command::new(own);
        command.args(args).env_clear().current_dir(self.folder.path()).stdin(Stdio::null()).uid(NOBODY).gid(NOBODY);
        command
    }

    pub fn run(&self, args: &[&str]) -> Said {
        ended(self.command(args))
    }

    pub fn run_as_nobody(&self, args: &[&str]) -> Said {
        ended(self.as_nobody(args))
    }

    /// `doctor` with a configuration in this folder.
    pub fn config(&self, text: &str) -> String {
        self.write("dockgate.toml", &format!("version = 1\n{text}")).display().to_string()
    }
}

/// Without root there is but one user.
pub fn root() -> bool {
    let root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !root {
        crate::support::report("SKIPPED: not root, so nothing can be shut to this user");
    }
    root
}

/// Runs a command to its end.
pub fn ended(command: Command) -> Said {
    until_said(command, None)
}

/// Runs a command until it has said something on standard error, or to its end.
pub fn until(command: Command, awaited: &str) -> Said {
    until_said(command, Some(awaited))
}

fn until_said(mut command: Command, awaited: Option<&str>) -> Said {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (out, err) = (heard(child.stdout.take().unwrap()), heard(child.stderr.take().unwrap()));
    let (start, mut code) = (Instant::now(), None);
    while code.is_none() && !awaited.is_some_and(|awaited| text(&err.0).contains(awaited)) {
        code = child.try_wait().unwrap().map(|status| status.code().unwrap_or(-1));
        if start.elapsed() > PATIENCE {
            stop(&mut child);
            panic!("it neither ends nor says `{awaited:?}`:\n{}{}", text(&out.0), text(&err.0));
        }
        std::thread::sleep(Duration::from_millis(5)); // another process speaks: there is nothing to wait on
    }
    stop(&mut child);
    out.1.join().unwrap();
    err.1.join().unwrap();
    Said { code: code.unwrap_or(-1), out: text(&out.0), err: text(&err.0) }
}

fn stop(child: &mut Child) {
    let _ended_already = child.kill();
    let _ended_already = child.wait();
}

type Heard = (Arc<Mutex<Vec<u8>>>, std::thread::JoinHandle<()>);

fn heard(mut from: impl Read + Send + 'static) -> Heard {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let own = Arc::clone(&bytes);
    let reader = std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            own.lock().unwrap().extend_from_slice(&piece[..length]);
        }
    });
    (bytes, reader)
}

fn text(bytes: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.lock().unwrap()).into_owned()
}

/// Something that listens on a socket: for each connection it gets the head of a request and gives back bytes; none keeps the connection open.
pub fn listening(path: &Path, answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) {
    let (listener, answer) = (UnixListener::bind(path).unwrap(), Arc::new(answer));
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = vec![0; 8192];
            let length = stream.read(&mut head).unwrap_or(0);
            match answer(&String::from_utf8_lossy(&head[..length])) {
                Some(bytes) => {
                    let _client_gone = stream.write_all(bytes.as_bytes());
                }
                None => kept.push(stream),
            }
        }
    });
}

/// An answer with a body in JSON.
pub fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
