//! The toy programs that stand for processes, and the console (log, attached streams, standard input) of each.
//! It must not know HTTP, nor any container or image.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

/// What a console keeps for `logs`; older lines are dropped.
const LOG_BYTES: usize = 1 << 20;
/// Most streams attached to one console at a time.
const MOST_TAPS: usize = 256;
/// Chunks in flight between a program and each attached stream: a slow reader slows the program, as a pipe does.
const IN_FLIGHT: usize = 16;

/// One piece of output: when, on which stream (1 standard output, 2 standard error), what.
#[derive(Clone)]
pub(super) struct Chunk {
    pub(super) at: Timestamp,
    pub(super) stream: u8,
    pub(super) data: Bytes,
}

/// What an attached client sends to a program.
pub(super) enum Input {
    Data(Bytes),
    Eof,
}

/// The console of one container or one exec.
pub(super) struct Console(Mutex<Inner>);

struct Inner {
    log: VecDeque<Chunk>,
    log_bytes: usize,
    taps: Vec<mpsc::Sender<Chunk>>,
    stdin: mpsc::Sender<Input>,
    stdin_end: Option<mpsc::Receiver<Input>>,
    kill: watch::Sender<i64>,
}

impl Console {
    pub(super) fn new() -> Self {
        let (stdin, stdin_end) = mpsc::channel(IN_FLIGHT);
        Self(Mutex::new(Inner {
            log: VecDeque::new(),
            log_bytes: 0,
            taps: Vec::new(),
            stdin,
            stdin_end: Some(stdin_end),
            kill: watch::Sender::new(0),
        }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log so far and everything that follows; the receiver ends when the program ends.
    pub(super) fn tap(&self) -> (Vec<Chunk>, mpsc::Receiver<Chunk>) {
        let (to_tap, tap) = mpsc::channel(IN_FLIGHT);
        let mut inner = self.inner();
        inner.taps.retain(|tap| !tap.is_closed());
        if inner.taps.len() < MOST_TAPS {
            inner.taps.push(to_tap);
        }
        (inner.log.iter().cloned().collect(), tap)
    }

    pub(super) fn log(&self) -> Vec<Chunk> {
        self.inner().log.iter().cloned().collect()
    }

    /// The sending end of the standard input of this run.
    pub(super) fn stdin(&self) -> mpsc::Sender<Input> {
        self.inner().stdin.clone()
    }

    /// The program's end of its standard input; the second caller in one run gets none.
    pub(super) fn take_stdin(&self) -> Option<mpsc::Receiver<Input>> {
        self.inner().stdin_end.take()
    }

    pub(super) fn on_kill(&self) -> watch::Receiver<i64> {
        self.inner().kill.subscribe()
    }

    /// Ends the program with this exit code.
    pub(super) fn kill(&self, code: i64) {
        self.inner().kill.send_replace(code);
    }

    /// Ends every attached stream and makes a fresh standard input for the next run.
    pub(super) fn finish(&self) {
        let (stdin, stdin_end) = mpsc::channel(IN_FLIGHT);
        let mut inner = self.inner();
        inner.taps.clear();
        inner.stdin = stdin;
        inner.stdin_end = Some(stdin_end);
    }

    /// Keeps a chunk in the log without waiting for anybody.
    pub(super) fn remember(&self, stream: u8, data: Bytes) -> Chunk {
        let chunk = Chunk { at: Timestamp::now(), stream, data };
        let mut inner = self.inner();
        inner.log_bytes += chunk.data.len();
        inner.log.push_back(chunk.clone());
        while inner.log_bytes > LOG_BYTES {
            let Some(oldest) = inner.log.pop_front() else { break };
            inner.log_bytes = inner.log_bytes.saturating_sub(oldest.data.len());
        }
        chunk
    }

    async fn print(&self, stream: u8, data: Bytes) {
        let chunk = self.remember(stream, data);
        let taps = self.inner().taps.clone();
        for tap in taps {
            // a stream whose client is gone takes nothing more; the next `tap` forgets it
            let _ = tap.send(chunk.clone()).await;
        }
    }
}

/// What a run needs besides its console.
pub(super) struct Run {
    pub(super) argv: Vec<String>,
    pub(super) tty: bool,
    pub(super) stdin: Option<mpsc::Receiver<Input>>,
    pub(super) kill: watch::Receiver<i64>,
}

/// Runs the toy program that `argv` names until it ends or is killed; returns its exit code.
pub(super) async fn run(console: &Console, mut run: Run) -> i64 {
    let mut kill = run.kill.clone();
    let killed = async move {
        match kill.changed().await {
            Ok(()) => *kill.borrow(),
            Err(_) => 137,
        }
    };
    tokio::select! {
        code = program(console, &mut run) => code,
        code = killed => code,
    }
}

async fn program(console: &Console, run: &mut Run) -> i64 {
    let argv = without_shell(&run.argv);
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["true"] => 0,
        ["false"] => 1,
        ["exit", code] => code.parse().unwrap_or(2),
        ["echo", rest @ ..] => print_line(console, 1, rest, run.tty).await,
        // the toy that writes to standard error
        ["warn", rest @ ..] => print_line(console, 2, rest, run.tty).await,
        ["cat"] => read(console, run, Reads::Echoed).await,
        ["sh" | "bash" | "ash" | "/bin/sh" | "/bin/bash"] => read(console, run, Reads::ToEnd).await,
        ["sleep", seconds] if seconds.parse::<u32>().is_ok() => {
            let seconds = seconds.parse().unwrap_or(0);
            tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
            0
        }
        _ => read(console, run, Reads::Ignored).await,
    }
}

/// `sh -c "a b"` runs `a b`: split at spaces, quotes dropped; no other shell syntax.
fn without_shell(argv: &[String]) -> Vec<String> {
    match argv {
        [shell, flag, script, ..] if shell.ends_with("sh") && flag == "-c" => {
            script.split_whitespace().map(|word| word.trim_matches(['"', '\'']).to_owned()).collect()
        }
        _ => argv.to_vec(),
    }
}

async fn print_line(console: &Console, stream: u8, words: &[&str], tty: bool) -> i64 {
    let end = if tty { "\r\n" } else { "\n" };
    console.print(if tty { 1 } else { stream }, Bytes::from(words.join(" ") + end)).await;
    0
}

#[derive(Clone, Copy, PartialEq)]
enum Reads {
    Echoed,
    ToEnd,
    Ignored,
}

/// Reads standard input; on a terminal control-C and control-D mean what they mean there.
async fn read(console: &Console, run: &mut Run, how: Reads) -> i64 {
    loop {
        let input = match run.stdin.as_mut() {
            Some(stdin) => stdin.recv().await,
            // no standard input: as if it were /dev/null
            None => Some(Input::Eof),
        };
        match input {
            Some(Input::Data(data)) if run.tty && data.contains(&3) => return 130,
            Some(Input::Data(data)) if run.tty && data.contains(&4) && how != Reads::Ignored => return 0,
            Some(Input::Data(data)) if how == Reads::Echoed => console.print(1, data).await,
            Some(Input::Data(_)) => {}
            Some(Input::Eof) | None if how != Reads::Ignored => return 0,
            Some(Input::Eof) | None => return std::future::pending().await,
        }
    }
}
