//! A soak: hours of mixed work by many clients, some of them bad, through one dockgate in front of a real engine; at the end
//! everything that was asked must be accounted for, and dockgate must be as it was at the beginning.
//!
//! `cargo bench --bench soak -- --minutes 60` starts an engine by `tests/e2e/engine.sh` (root), or uses the one of `--engine`.
//! The report is Markdown; the exit code is 1 where one of its claims does not hold. `docs/testing.md` says how to read it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    reason = "a test in the form of a command, with its report on standard output"
)]

mod bed;
mod held;
mod report;
mod sample;
mod stop;
mod tally;
mod trail;
mod wire;
mod work;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;

use bed::{Engine, Gate};
use report::Run;
use sample::Sample;
use stop::Stop;
use tally::Tally;
use work::{Client, KINDS, Share};

/// After that nothing of the past is left: connections to the engine that nobody needs are closed after 30 s.
const FORGOTTEN: Duration = Duration::from_secs(33);
/// How long what vanished clients began may go on: half-closed reads for 10 s, tunnels for 30 s, and then the above.
const SETTLED: Duration = Duration::from_secs(90);

/// A soak of dockgate
#[derive(Debug, Parser)]
struct Args {
    /// How long the mixed work goes on; without it nothing is done
    #[arg(long)]
    minutes: Option<f64>,
    /// The engine [default: one of its own, of version 28]
    #[arg(long, value_name = "URL")]
    engine: Option<String>,
    /// The binary [default: the one that was built with this command]
    #[arg(long, value_name = "PATH")]
    dockgate: Option<PathBuf>,
    /// How busy the clients are; 1 leaves most of a core to others
    #[arg(long, default_value_t = 1.0)]
    pace: f64,
    /// Event streams to hold while reads are measured; 0 leaves that out
    #[arg(long, default_value_t = 5000)]
    held: usize,
    /// Where the trail and everything else goes, about 500 MB an hour [default: a folder in /tmp]
    #[arg(long, value_name = "FOLDER", default_value = "/tmp")]
    folder: PathBuf,
    /// Write the report to this file too
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Keep the folder with the configuration, the trail and the log
    #[arg(long)]
    keep: bool,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let Some(minutes) = args.minutes else {
        println!("SKIPPED: `cargo bench --bench soak -- --minutes 60` runs the soak");
        return ExitCode::SUCCESS;
    };
    match soak(&args, minutes) {
        Ok(run) => {
            let (text, holds) = run.report();
            println!("{text}");
            if let Some(file) = &args.report
                && let Err(error) = std::fs::write(file, &text)
            {
                eprintln!("{}: {error}", file.display());
            }
            ExitCode::from(u8::from(!holds))
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn soak(args: &Args, minutes: f64) -> Result<Run, String> {
    dockgate::proxy::descriptors::raise();
    let program = args.dockgate.clone().unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_dockgate")));
    let mut folder = tempfile::Builder::new().prefix("dgs").tempdir_in(&args.folder).map_err(|error| error.to_string())?;
    folder.disable_cleanup(args.keep);
    println!("the folder is {}", folder.path().display());
    let held = (args.held > 0).then(|| hold(&program, folder.path(), args.held)).transpose()?;
    let engine = Engine::find(args.engine.as_deref(), folder.path())?;
    let left = engine.labelled()?;
    if !left.is_empty() {
        return Err(format!("the engine has containers of another soak: {}", left.join(", ")));
    }
    let gate = Gate::start(&program, folder.path(), &engine.socket())?;
    let mut run = mixed(args, minutes, gate, &engine)?;
    run.held = held;
    Ok(run)
}

/// Held streams, before anything else.
fn hold(program: &Path, folder: &Path, count: usize) -> Result<held::Held, String> {
    let tunnels = count / 10;
    println!("{} event streams and {tunnels} tunnels are held", count - tunnels);
    let plan = held::Plan { dockgate: program, folder, streams: count - tunnels, tunnels, readers: 16, measure: Duration::from_secs(5) };
    let held = held::run(&plan)?;
    println!("{:.0} reads a second without, {:.0} with them", held.before.per_second, held.with.per_second);
    Ok(held)
}

fn mixed(args: &Args, minutes: f64, gate: Gate, engine: &Engine) -> Result<Run, String> {
    let gate = Arc::new(gate);
    let (tally, stop, image) = (Arc::new(Tally::default()), Arc::new(Stop::default()), Arc::new(work::saved(&engine.place)?));
    let share = Share { gate: Arc::clone(&gate), tally: Arc::clone(&tally), stop: Arc::clone(&stop), image, pace: args.pace };
    let client = |seed: u64| Client::new(share.clone(), seed);
    let pid = gate.pid();
    thread::sleep(FORGOTTEN);
    let began = sample::look(pid, 0.0).ok_or("dockgate has ended")?;
    let made = work::standing(&client(0)).is_ok();
    let mut workers = Vec::new();
    if made {
        for (at, kind) in KINDS.iter().enumerate() {
            for which in 0..kind.clients {
                let client = client((at * 100 + which + 1) as u64);
                let name = thread::Builder::new().name(kind.name.to_owned());
                workers.push(name.spawn(move || client.run(kind)).map_err(|error| error.to_string())?);
            }
        }
    }
    let samples = if made { watched(&gate, &tally, Duration::from_secs_f64(minutes * 60.0)) } else { Vec::new() };
    stop.set();
    while workers.iter().any(|worker| !worker.is_finished()) {
        // those that wait for an event get one
        let _events_or_not = wire::ask(&engine.place, &wire::post("/containers/soak-cat/exec", r#"{"Cmd":["true"]}"#));
        thread::sleep(Duration::from_millis(200));
    }
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    swept(&client(0), engine)?;
    let (settled, ended) = settle(pid, began)?;
    let totals = tally.totals();
    let left = engine.labelled()?;
    drop(share);
    let mut gate = Arc::try_unwrap(gate).map_err(|_| "somebody still works")?;
    let status = gate.stop()?;
    let matched = trail::matched(&gate.trail(), &tally.seen().replies)?;
    Ok(Run {
        version: gate.version(),
        minutes,
        pace: args.pace,
        began,
        samples,
        ended,
        settled,
        totals,
        left,
        code: status.code().unwrap_or(-1),
        verified: gate.verify(),
        matched,
        own: gate.asked(),
        log: gate.log(),
        tally,
        held: None,
    })
}

/// Looks once a second until it is time; prints once a minute.
fn watched(gate: &Gate, tally: &Tally, long: Duration) -> Vec<Sample> {
    let (started, mut samples, mut minute) = (Instant::now(), Vec::new(), 0);
    while started.elapsed() < long {
        thread::sleep(Duration::from_secs(1));
        let Some(sample) = sample::look(gate.pid(), started.elapsed().as_secs_f64()) else { break };
        let totals = tally.totals();
        samples.push(Sample { requests: totals.sent, ..sample });
        if started.elapsed().as_secs() / 60 > minute {
            minute += 1;
            println!(
                "minute {minute}: {} requests, {} answered, {} broken off, {} lost, {} wrong; {} KiB, {} descriptors, {} threads, {:.0} s of processor",
                totals.sent,
                totals.answered,
                totals.broken,
                totals.lost,
                tally.seen().wrong,
                sample.resident,
                sample.descriptors,
                sample.threads,
                sample.cpu
            );
        }
    }
    samples
}

/// Removes every container of the run, through dockgate. What a vanished client asked for may still be made meanwhile.
fn swept(client: &Client, engine: &Engine) -> Result<(), String> {
    let started = Instant::now();
    while !engine.labelled()?.is_empty() && started.elapsed() < SETTLED {
        for kind in ["vanished", "standing"] {
            let _counted_already = work::removed(client, kind);
        }
        let cycles = work::removed(client, "cycle").unwrap_or_default();
        client.tally.seen().removed += cycles as u64;
    }
    Ok(())
}

/// Waits until there are no more descriptors than at the beginning, or too long.
fn settle(pid: u32, began: Sample) -> Result<(Duration, Sample), String> {
    let started = Instant::now();
    loop {
        let sample = sample::look(pid, 0.0).ok_or("dockgate has ended")?;
        if sample.descriptors <= began.descriptors || started.elapsed() > SETTLED {
            return Ok((started.elapsed(), sample));
        }
        thread::sleep(Duration::from_millis(100));
    }
}
