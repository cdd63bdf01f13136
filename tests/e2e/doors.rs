//! The process itself: its doors, its health, its end.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::bed::{Bed, denial, on_every_engine, usable};
use crate::gate::Gate;
use crate::process::{Output, run};

#[test]
fn doors_of_one_process_answer_by_their_own_policies() {
    on_every_engine(|bed| {
        for (door, allowed) in [("everything", true), ("ci", false), ("read-only", false)] {
            let volume = bed.name(door);
            let made = bed.run(door, &format!("volume create {volume}"));
            let socket = bed.socket(door);
            if allowed {
                made.ok();
            } else {
                made.fails(1, &[&denial(door, "[not-allowed]: VolumeCreate")]);
            }
            assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
            let record = bed.gate.record("the call", |record| record["operation"] == "VolumeCreate" && record["policy"] == *door);
            assert_eq!(record["door"], format!("unix://{}", socket.display()));
            assert_eq!(record["verdict"], if allowed { "allow" } else { "deny" });
        }
    });
}

#[test]
fn healthcheck_succeeds_while_dockgate_answers_and_fails_after() {
    for engine in usable() {
        let mut bed = Bed::new(engine, "", &[]);
        for door in ["everything", "ci", "read-only"] {
            healthcheck(&bed, door).ok();
        }
        bed.gate.terminate();
        assert_eq!(bed.gate.code(), 0);
        healthcheck(&bed, "read-only").fails(1, &["does not answer"]);
    }
}

fn healthcheck(bed: &Bed, door: &str) -> Output {
    run(Gate::command(&["healthcheck", "--socket", &format!("unix://{}", bed.socket(door).display())]))
}

#[test]
fn sigterm_ends_it_within_the_drain_time_although_events_are_open() {
    for engine in usable() {
        let mut bed = Bed::new(engine, "", &[]);
        let name = bed.name("x");
        bed.plain_container(&name);
        let events = bed.start("read-only", "events");
        let attached = bed.start("ci", &format!("attach {name}"));
        for operation in ["SystemEvents", "ContainerAttach"] {
            bed.gate.record(operation, |record| record["operation"] == *operation && record["stage"] == "intent");
        }
        let start = Instant::now();
        bed.gate.terminate();
        assert_eq!(bed.gate.code(), 0, "{}", bed.gate.log());
        assert!(start.elapsed() < Duration::from_secs(15), "it took {:?}, and the drain time is 8 s", start.elapsed());
        let _closed = (events.end(), attached.end());
        let outcome = bed.gate.record("the end of the stream", |record| record["operation"] == "SystemEvents" && record["stage"] == "end");
        assert_eq!(outcome["ended"], "drained", "{outcome}");
        bed.gate.record("the end of the tunnel", |record| record["operation"] == "ContainerAttach" && record["stage"] == "end");
        assert!(!bed.socket("ci").exists(), "a socket that nobody serves stayed");
    }
}
