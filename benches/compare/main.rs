//! Compares dockgate with HAProxy and with no proxy at all in front of a mock engine: `cargo bench --bench compare`.
//! Knows nothing of dockgate but its command line: it measures the program that is released.
//!
//! This program is three: it starts itself as the mock engine and as the load generator, so that the time of each process can be told
//! from that of the proxy. `docs/performance.md` says how to read what it prints.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for people, with its tables on standard output")]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts far below 2^52")]

mod answers;
mod bed;
mod engine;
mod goals;
mod load;
mod options;
mod peers;
mod processes;
mod report;
mod results;
mod scenarios;
mod wire;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

use self::bed::Bed;
use self::options::Options;
use self::peers::Peer;
use self::processes::{Pins, pin, raise_files};
use self::results::{Attempt, Results};
use self::scenarios::Scenario;

/// Anything that ends the comparison.
type Fault = Box<dyn Error>;

fn main() -> ExitCode {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let done = LocalSet::new().block_on(&runtime, role(Options::parse()));
    done.map_or_else(|fault| failed(&fault), |()| ExitCode::SUCCESS)
}

fn failed(fault: &Fault) -> ExitCode {
    eprintln!("error: {fault}");
    ExitCode::FAILURE
}

/// Progress, for who waits.
fn say(text: &str) {
    eprintln!("compare: {text}");
}

async fn role(options: Options) -> Result<(), Fault> {
    if let Some(socket) = &options.as_engine {
        return Ok(engine::serve(socket).await?);
    }
    if let Some(order) = &options.as_load {
        let attempt: Attempt = load::run(serde_json::from_str(order)?).await.map_err(|error| error.to_string());
        println!("{}", serde_json::to_string(&attempt)?);
        return Ok(());
    }
    if cfg!(debug_assertions) && options.dockgate.is_none() {
        println!("SKIPPED: nothing was compared: this is no optimised build; run `cargo bench --bench compare`");
        return Ok(());
    }
    // Whoever loses is dropped: its processes are killed, and its folder is removed.
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        done = compare(&options) => done,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
        _ = terminated.recv() => Err("terminated".into()),
    }
}

async fn compare(options: &Options) -> Result<(), Fault> {
    let scenarios = chosen(options)?;
    let peers = options.peers()?;
    let files = raise_files()?;
    let pins = if options.free { None } else { Pins::find()? };
    pins.map(|pins| pin(pins.load)).transpose()?;
    let processors = pins.map_or_else(
        || "nothing pinned".to_owned(),
        |pins| format!("proxy on processor {}, mock engine and load on {}", pins.proxy, pins.load),
    );
    let setting = report::setting(options, &peers, &processors);
    let bed = Bed::new(options, pins, files)?;
    let results = measure(options, &bed, &scenarios, &peers).await;
    println!("{setting}\n{}", report::report(&results, &scenarios));
    if let Some(file) = &options.json {
        let all = serde_json::json!({ "setting": setting, "measurements": results.json() });
        std::fs::write(file, serde_json::to_string_pretty(&all)?).map_err(|error| format!("`{}`: {error}", file.display()))?;
    }
    Ok(())
}

fn chosen(options: &Options) -> Result<Vec<Scenario>, Fault> {
    let all = scenarios::all();
    let names: Vec<&str> = all.iter().map(|scenario| scenario.name).collect();
    // A whole name stands for itself alone: `ping-1` is not `ping-10`.
    let fits = |scenario: &str, name: &str| if names.contains(&name) { scenario == name } else { scenario.contains(name) };
    let named = |scenario: &Scenario| options.only.is_empty() || options.only.iter().any(|name| fits(scenario.name, name));
    let none = format!("there is no such measurement; there are {}", names.join(", "));
    let chosen: Vec<Scenario> = all.into_iter().filter(|scenario| named(scenario) && (scenario.quick || !options.quick)).collect();
    if chosen.is_empty() { Err(none.into()) } else { Ok(chosen) }
}

/// Repeats are interleaved: what disturbs the machine for a while disturbs all alike.
async fn measure(options: &Options, bed: &Bed, scenarios: &[Scenario], peers: &[Peer]) -> Results {
    let mut results = Results::new(peers);
    for (number, scenario) in (1..).zip(scenarios) {
        say(&format!("{number} of {}: {}", scenarios.len(), scenario.name));
        for _ in 0..options.runs {
            for (place, peer) in peers.iter().enumerate().filter(|(_, peer)| scenario.who.includes(peer.kind)) {
                let attempt = bed.measure(scenario, peer).await;
                if let Err(fault) = &attempt {
                    say(&format!("{}: {fault}", peer.name));
                }
                results.add(scenario.name, place, attempt);
            }
        }
    }
    results
}
