//! Descriptors: as many as the process may have, and what happens when there are none left.
//! The limit of the running gate is lowered from outside, as far as it takes.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::{Bed, LIST, read, sample};
use crate::support::client::Client;

/// Processor time that a second without descriptors may take; an accept loop that spins takes all of it.
const CALM: f64 = 0.3;

fn limits(bed: &Bed) -> (Option<u64>, Option<u64>) {
    let text = std::fs::read_to_string(format!("/proc/{}/limits", bed.gate.pid())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let mut figures = line.split_ascii_whitespace().map(|figure| figure.parse().ok());
    (figures.next().flatten(), figures.next().flatten())
}

/// From now on nothing more can be opened: the kernel gives the lowest free number, and that one is beyond the limit now.
fn exhaust(bed: &Bed) {
    let taken = |number: &u64| std::fs::symlink_metadata(format!("/proc/{}/fd/{number}", bed.gate.pid())).is_ok();
    set(bed, (0..).find(|number| !taken(number)).unwrap());
}

fn set(bed: &Bed, descriptors: u64) {
    let pid = Pid::from_raw(i32::try_from(bed.gate.pid()).unwrap());
    let (_, maximum) = limits(bed);
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(descriptors), maximum }).unwrap();
}

#[test]
fn the_soft_limit_of_descriptors_is_raised_to_the_hard_one() {
    let bed = Bed::limited("connections = 400", (128, 4096));
    assert_eq!(limits(&bed), (Some(4096), Some(4096)));
    assert!(!bed.gate.messages().contains("descriptors"), "{}", bed.gate.messages());
}

#[test]
fn too_few_descriptors_for_all_connections_are_told_at_the_start_and_fewer_are_served() {
    let bed = Bed::limited("", (128, 256));
    let said = bed.gate.messages();
    assert!(said.contains("96 connections are served at once, and not 10000: this process may open 256 descriptors"), "{said}");
    assert!(said.contains("of the 20064 that it takes"), "{said}");
    // all 96 at once, each with a connection of its own to the engine: there are descriptors for that, and to refuse more
    let mut held: Vec<Client> = (0..96).map(|_| bed.client()).collect();
    for client in &mut held {
        client.send(&read("events"));
        assert_eq!(client.reply_head().unwrap().status, 200);
    }
    for _ in 0..20 {
        let reply = bed.client().reply(false).expect("who is too many is told, and not left waiting");
        assert!(reply.status == 503 && reply.text().contains("[overload]"), "{}", reply.text());
    }
    assert!(!bed.gate.messages().contains("cannot accept"), "{}", bed.gate.messages());
    drop(held);
    bed.leaves_nothing();
    bed.serves();
}

#[test]
fn more_connections_than_there_are_descriptors_for_are_warned_of_where_somebody_asked_for_them() {
    let said = Bed::limited("connections = 100", (128, 256)).gate.messages();
    assert!(said.contains("warning: 96 connections are served at once, and not 100: this process may open 256 descriptors"), "{said}");
    assert!(said.contains("help: let it open 264 (`LimitNOFILE=264`"), "{said}");
}

#[test]
fn without_descriptors_nobody_spins_those_that_are_served_go_on_and_all_are_served_afterwards() {
    let bed = Bed::limited("", (1024, 1024));
    let mut served = bed.client();
    let asks = |client: &mut Client| {
        client.send(LIST);
        client.reply(false).unwrap().status
    };
    assert_eq!(asks(&mut served), 200);
    exhaust(&bed);
    // nothing can be opened any more: these wait in the kernel's queue
    let mut waiting: Vec<Client> = (0..20).map(|_| bed.client()).collect();
    waiting.iter_mut().for_each(|client| client.send(LIST));
    bed.gate.until("the gate has seen that it cannot accept", || bed.gate.messages().contains("cannot accept").then_some(()));
    let (cpu, start) = (sample::cpu(bed.gate.pid()).unwrap(), Instant::now());
    let mut asked = 0;
    while start.elapsed() < Duration::from_secs(1) {
        assert_eq!(asks(&mut served), 200, "who is connected is served");
        asked += 1;
        std::thread::sleep(Duration::from_millis(50)); // what is measured is the rest of the time
    }
    let spent = sample::cpu(bed.gate.pid()).unwrap() - cpu;
    assert!(spent < CALM && asked > 5, "{spent} s of processor in a second, {asked} requests");
    let said = bed.gate.messages().matches("cannot accept").count();
    assert!(said <= 2, "said {said} times");
    set(&bed, 1024);
    for client in &mut waiting {
        assert_eq!(client.reply(false).unwrap().status, 200, "who waited is served");
    }
    drop((waiting, served));
    bed.leaves_nothing();
}

#[test]
fn an_engine_that_cannot_be_connected_to_for_want_of_descriptors_is_told_at_once() {
    let bed = Bed::limited("", (1024, 1024));
    let mut clients: Vec<Client> = (0..3).map(|_| bed.client()).collect();
    for client in &mut clients {
        client.send(LIST);
        assert_eq!(client.reply(false).unwrap().status, 200);
    }
    let [mut holder, mut other, mut third] = <[Client; 3]>::try_from(clients).ok().unwrap();
    // all that is open stays; what is kept for later is one connection to the engine
    bed.gate.until("one connection is kept", || (bed.descriptors() <= bed.idle + 4).then_some(()));
    holder.send(&read("events"));
    assert_eq!(holder.reply_head().unwrap().status, 200);
    exhaust(&bed);
    let start = Instant::now();
    other.send(LIST);
    let reply = other.reply(false).unwrap();
    assert!(reply.status == 502 && reply.text().contains("[no-upstream]"), "{} {}", reply.status, reply.text());
    assert!(start.elapsed() < super::SERVED, "{:?}", start.elapsed());
    third.send(b"GET /no/such/thing HTTP/1.1\r\nHost: d\r\n\r\n");
    assert_eq!(third.reply(false).unwrap().status, 403, "what needs no engine is answered");
    drop(holder);
    bed.gate.until("the engine can be asked again", || {
        other.send(LIST);
        (other.reply(false)?.status == 200).then_some(())
    });
    set(&bed, 1024);
    drop((other, third));
    bed.leaves_nothing();
    let refused = bed.records(|record| record["reason"] == "no-upstream");
    assert!(!refused.is_empty() && refused.iter().all(|record| record["status"] == 502), "{refused:?}");
}

#[test]
fn a_reload_and_the_trail_outlive_a_want_of_descriptors() {
    let bed = Bed::limited("", (1024, 1024));
    let mut served = bed.client();
    served.send(LIST);
    assert_eq!(served.reply(false).unwrap().status, 200);
    exhaust(&bed);
    let mut waiting = UnixStream::connect(&bed.door).unwrap();
    bed.gate.until("the gate has seen that it cannot accept", || bed.gate.messages().contains("cannot accept").then_some(()));
    bed.gate.signal("HUP");
    let refused = bed.gate.line("the reload is refused", |line| line["event"] == "policy-rejected");
    assert!(refused["detail"].to_string().contains("open files"), "{refused}");
    served.send(b"DELETE /v1.44/images/x HTTP/1.1\r\nHost: d\r\n\r\n");
    assert_eq!(served.reply(false).unwrap().status, 200, "a change has its intent in the trail, which is open");
    set(&bed, 1024);
    bed.gate.signal("HUP");
    bed.serves();
    std::io::Write::write_all(&mut waiting, b"GET /no/such/thing HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    waiting.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    waiting.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 403 "), "{reply}");
    drop(served);
    bed.leaves_nothing();
}
