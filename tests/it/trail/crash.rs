//! The real binary, killed at moments that nobody chooses while changes run through it.
//! Knows nothing of how the trail is written.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::client::Client;
use crate::support::engine::Recorder;
use crate::support::gate::Gate;

/// Clients that create at once.
const CLIENTS: usize = 4;

#[test]
fn no_change_reaches_the_engine_without_an_intent_however_dockgate_dies() {
    survive(60);
}

#[test]
#[ignore = "takes a minute"]
fn no_change_reaches_the_engine_without_an_intent_in_two_hundred_deaths() {
    survive(200);
}

fn survive(rounds: u64) {
    let folder = crate::support::folder();
    let upstream = Recorder::start(&folder.path().join("engine"));
    let door = folder.path().join("door/s");
    let config = format!(
        "version = 1\n[upstream]\nurl = \"unix://{}\"\n[[door]]\nlisten = \"unix://{}\"\npolicy = \"unrestricted\"\n",
        upstream.path().display(),
        door.display()
    );
    let (mut random, mut arrived, mut started) = (Random::new(), Vec::new(), Instant::now());
    for round in 0..rounds {
        let gate = Gate::start_auditing(folder.path(), &config, std::slice::from_ref(&door), "");
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, told) = mpsc::channel();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (door, stop, tell) = (door.clone(), Arc::clone(&stop), tell.clone());
                thread::spawn(move || create(&door, &format!("r{round}-c{client}"), &stop, &tell))
            })
            .collect();
        drop(tell);
        // after some replies, and then some moment: between any two steps of a request, in the end
        for _ in 0..random.below(12) {
            told.recv_timeout(Duration::from_secs(20)).unwrap();
        }
        let (moment, from) = (Duration::from_micros(random.below(3000)), Instant::now());
        while from.elapsed() < moment {
            std::hint::spin_loop();
        }
        drop(gate); // kill -9
        stop.store(true, Ordering::SeqCst);
        clients.into_iter().for_each(|client| client.join().unwrap());
        arrived.extend(upstream.take().iter().filter_map(|request| created(request)));
    }
    let killed = std::mem::replace(&mut started, Instant::now()).elapsed();
    Gate::start(folder.path(), &config, std::slice::from_ref(&door)).stop();
    let lines = whole(folder.path());
    let intents: Vec<&Value> = lines.iter().filter(|line| line["stage"] == "intent").collect();
    let texts: std::collections::BTreeSet<&str> =
        intents.iter().flat_map(|line| line["names"].as_array().into_iter().flatten()).filter_map(Value::as_str).collect();
    let missing: Vec<&String> = arrived.iter().filter(|name| !texts.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "{} of {} changes have no intent: {missing:?}", missing.len(), arrived.len());
    let recovered = lines.iter().filter(|line| line["event"] == "recovered").count();
    let torn = lines.iter().filter(|line| line["event"] == "recovered" && line["detail"]["torn-bytes"].is_u64()).count();
    assert_eq!(recovered as u64, rounds, "every death is told");
    assert!(arrived.len() as u64 > rounds, "only {} changes arrived", arrived.len());
    crate::support::report(&format!(
        "{rounds} deaths in {:.1} s: {} changes arrived, {} intents, {torn} torn lines",
        killed.as_secs_f64(),
        arrived.len(),
        intents.len()
    ));
}

/// The lines of `trail.jsonl`, whose chain must hold.
fn whole(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("trail.jsonl")).unwrap();
    let (mut previous, mut lines) = ("0".repeat(64), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (value["sequence"].as_u64(), value["previous"].as_str()),
            (Some(at as u64 + 1), Some(previous.as_str())),
            "line {}",
            at + 1
        );
        previous = dockgate::audit::merkle::hex(&dockgate::audit::merkle::digest(line.as_bytes()));
        lines.push(value);
    }
    lines
}

/// Creates containers with names of their own until the gate is gone.
fn create(door: &Path, prefix: &str, stop: &AtomicBool, tell: &mpsc::Sender<()>) {
    let Some(mut client) = Client::try_unix(door) else { return };
    let body = r#"{"Image":"docker.io/library/alpine:3.20"}"#;
    for number in 0_u64.. {
        let head =
            format!("POST /v1.45/containers/create?name={prefix}-n{number} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n");
        client.send(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
        if stop.load(Ordering::SeqCst) || client.reply(false).is_none() {
            return;
        }
        let _nobody_counts_any_more = tell.send(());
    }
}

/// The name of the container that a request creates.
fn created(request: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(request);
    let target = text.strip_prefix("POST ")?.split(' ').next()?;
    let (path, query) = target.split_once('?')?;
    let name = query.split('&').find_map(|pair| pair.strip_prefix("name="))?;
    path.ends_with("/containers/create").then(|| name.to_owned())
}

/// A small generator: what it gives differs from run to run.
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64 | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
