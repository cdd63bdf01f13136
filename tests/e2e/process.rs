//! Processes that a test starts: their input, their output, their end, all within a deadline.
//! Knows nothing of engines and of dockgate.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The longest that anything may take; builds and first starts are slow on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const BREATH: Duration = Duration::from_millis(10);

/// Looks until there is something to see, or panics with what was awaited.
pub fn until<T>(awaited: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, look).unwrap_or_else(|| panic!("waited in vain: {awaited}"))
}

/// Looks until there is something to see.
pub fn within<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + patience;
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(BREATH);
    }
}

/// How a process ended and what it said.
pub struct Output {
    pub line: String,
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Output {
    /// What it printed, for a process that must succeed.
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}", self.shown());
        self.out
    }

    /// Asserts the exit code and that every text stands in its messages.
    pub fn fails(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, code, "{}", self.shown());
        for text in texts {
            assert!(self.err.contains(text), "`{text}` is not in the messages of {}", self.shown());
        }
    }

    pub fn shown(&self) -> String {
        format!("`{}`: code {}\n--- out\n{}\n--- err\n{}", self.line, self.code, self.out, self.err)
    }
}

/// Runs a command to its end.
pub fn run(command: Command) -> Output {
    fed(command, "")
}

/// Runs a command that reads `input` and then the end of its input.
pub fn fed(command: Command, input: &str) -> Output {
    let mut session = Session::start(command);
    session.send(input);
    session.close_input();
    session.end()
}

/// A process that a test talks with; killed when dropped.
pub struct Session {
    line: String,
    child: Child,
    input: Option<ChildStdin>,
    out: Heard,
    err: Heard,
}

struct Heard {
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Session {
    pub fn start(mut command: Command) -> Self {
        let line = shown(&command);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("`{line}`: {error}"));
        let (out, err) = (Heard::of(child.stdout.take().unwrap()), Heard::of(child.stderr.take().unwrap()));
        Self { line, input: child.stdin.take(), child, out, err }
    }

    /// Writes to its input; a process that has ended already does not mind.
    pub fn send(&mut self, text: &str) {
        if let Some(input) = &mut self.input {
            let _ended_already = input.write_all(text.as_bytes()).and_then(|()| input.flush());
        }
    }

    pub fn close_input(&mut self) {
        self.input = None;
    }

    pub fn said(&self) -> String {
        self.out.text()
    }

    /// Waits until its standard output holds a text.
    pub fn expect(&mut self, text: &str) {
        let seen = within(PATIENCE, || (self.said().contains(text) || self.ended()).then(|| self.said().contains(text)));
        assert_eq!(seen, Some(true), "`{text}` did not come from `{}`\n--- out\n{}\n--- err\n{}", self.line, self.said(), self.err.text());
    }

    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Output {
        let child = &mut self.child;
        let status = within(PATIENCE, || child.try_wait().unwrap());
        let Some(status) = status else { panic!("`{}` does not end\n--- out\n{}\n--- err\n{}", self.line, self.said(), self.err.text()) };
        for heard in [&self.out, &self.err] {
            until("the end of its output", || heard.reader.is_finished().then_some(()));
        }
        Output { line: self.line.clone(), code: status.code().unwrap_or(-1), out: self.out.text(), err: self.err.text() }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
    }
}

impl Heard {
    fn of(mut from: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut piece) {
                heard.lock().unwrap().extend_from_slice(&piece[..length]);
            }
        });
        Self { text, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
