//! Clients that send slowly, wait, or are too many.
//! Each time others are served meanwhile, and nothing is left afterwards.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use super::{Bed, LIST, said};
use crate::support::client::Client;

const CREATE: &[u8] =
    b"POST /v1.44/containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 10000\r\n\r\n{\"Image\":\"a\",\"x\":\"";

/// Many clients that send these bytes one by one, then spaces; meanwhile others are served. Returns each client's reply.
fn trickled(bed: &Bed, clients: usize, whole: &[u8], bytes: &[u8]) -> Vec<String> {
    let mut slow: Vec<UnixStream> = (0..clients).map(|_| UnixStream::connect(&bed.door).unwrap()).collect();
    for stream in &mut slow {
        stream.write_all(whole).unwrap();
    }
    let start = Instant::now();
    let mut refused = 0;
    for at in 0.. {
        let byte = bytes.get(at).copied().unwrap_or(b'x');
        // a write fails once the gate has closed
        refused = slow.iter_mut().filter_map(|stream| stream.write_all(&[byte]).err()).count();
        bed.serves();
        if refused == clients {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{refused} of {clients} were cut off");
        thread::sleep(Duration::from_millis(5)); // the pace is what is tested
    }
    assert_eq!(refused, clients);
    slow.into_iter()
        .map(|mut stream| {
            let mut reply = Vec::new();
            let _a_reset_counts_as_end = stream.read_to_end(&mut reply);
            String::from_utf8_lossy(&reply).into_owned()
        })
        .collect()
}

fn cut_off(bed: Bed, replies: &[String], reason: &str) {
    for reply in replies {
        assert!(reply.starts_with("HTTP/1.1 408 ") && reply.contains(&format!("[{reason}]")), "{reply}");
    }
    bed.leaves_nothing();
    let records = bed.records(|record| record["reason"] == reason);
    assert_eq!(records.len(), replies.len());
    assert!(records.iter().all(|record| said(record, &["status", "verdict", "ended"]) == "408 refuse refused"), "{records:?}");
}

#[test]
fn heads_that_come_byte_by_byte_are_cut_off() {
    let bed = Bed::new("head-timeout = \"400ms\"");
    let head = [&b"GET /v1.44/containers/json HTTP/1.1\r\nHost: docker\r\nX-Slow: "[..], &[b'a'; 20_000]].concat();
    let replies = trickled(&bed, 60, b"", &head);
    cut_off(bed, &replies, "head-timeout");
}

#[test]
fn bodies_that_come_byte_by_byte_are_cut_off() {
    let bed = Bed::new("body-timeout = \"400ms\"");
    let replies = trickled(&bed, 60, CREATE, b"");
    cut_off(bed, &replies, "body-timeout");
}

/// An upload has no end that could be foreseen; it takes a place (`connections`, `changes`) and no more.
#[test]
fn uploads_that_stand_still_take_their_places_alone() {
    let bed = Bed::new("");
    let head = b"PUT /v1.44/containers/stalls/archive?path=/ HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\nContent-Length: 10240\r\n\r\n";
    let mut slow: Vec<Client> = (0..40).map(|_| bed.client()).collect();
    for client in &mut slow {
        client.send(head);
        client.send(&[0; 512]);
        bed.engine.asked.recv_timeout(Duration::from_secs(20)).expect("the engine is asked");
    }
    bed.serves();
    drop(slow);
    bed.gate.until("the engine's connections are closed with their clients", || (bed.descriptors() <= bed.idle + 1).then_some(()));
    bed.leaves_nothing();
    let records = bed.records(|record| record["path"] == "/v1.44/containers/stalls/archive");
    assert_eq!(records.len(), 40);
    assert!(records.iter().all(|record| record["ended"] == "client-gone"), "{:?}", records[0]);
}

#[test]
fn idle_connections_are_closed_without_a_word_and_cost_others_nothing() {
    let bed = Bed::new("idle-timeout = \"1500ms\"");
    let served = |client: &mut Client| {
        client.send(LIST);
        client.reply(false).unwrap().status
    };
    // some have never asked, others wait for their next question
    let silent: Vec<UnixStream> = (0..200).map(|_| UnixStream::connect(&bed.door).unwrap()).collect();
    let mut kept: Vec<Client> = (0..100).map(|_| bed.client()).collect();
    assert!(kept.iter_mut().all(|client| served(client) == 200));
    bed.serves();
    for mut stream in silent {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        assert_eq!(stream.read(&mut [0; 64]).unwrap(), 0, "closed, and nothing was said");
    }
    for mut client in kept {
        assert!(client.reply(false).is_none());
    }
    bed.serves();
    bed.leaves_nothing();
    assert!(bed.records(|record| record["ended"] != "complete").is_empty(), "waiting is no request");
}

#[test]
fn connections_beyond_the_limit_are_told_so_while_the_others_are_served() {
    let bed = Bed::new("connections = 50");
    let mut held: Vec<Client> = (0..50).map(|_| bed.client()).collect();
    let mut served = |which: usize| {
        held[which].send(LIST);
        held[which].reply(false).unwrap().status
    };
    assert!((0..50).all(|which| served(which) == 200));
    for flood in 0..400 {
        let start = Instant::now();
        let reply = bed.client().reply(false).expect("who is too many is told");
        assert!(reply.status == 503 && reply.text().contains("[overload]"), "{}", reply.text());
        assert_eq!(served(flood % 50), 200, "who has a place is served");
        assert!(start.elapsed() < super::SERVED);
    }
    drop(held);
    bed.gate.until("there are places again", || {
        let mut client = bed.client();
        client.send(LIST);
        (client.reply(false)?.status == 200).then_some(())
    });
    bed.leaves_nothing();
    let records = bed.records(|record| record["reason"] == "overload");
    assert!(records.len() >= 400 && records.iter().all(|record| said(record, &["status", "ended"]) == "503 refused"), "{}", records.len());
}

#[test]
fn the_limit_of_a_door_keeps_its_flood_from_the_other_doors() {
    let folder = crate::support::folder();
    let engine = super::faulty::Faulty::start(&folder.path().join("engine.sock"));
    let doors = ["a", "b"].map(|name| folder.path().join(name).join("docker.sock"));
    let door =
        |at: usize, limits: &str| format!("[[door]]\nlisten = \"unix://{}\"\npolicy = \"unrestricted\"\n{limits}\n", doors[at].display());
    let config = format!(
        "version = 1\n[upstream]\nurl = \"unix://{}\"\n{}{}[limits]\nconnections = 60\n",
        folder.path().join("engine.sock").display(),
        door(0, "[door.limits]\nconnections = 50"),
        door(1, "")
    );
    let gate = crate::support::gate::Gate::start(folder.path(), &config, &doors);
    let flood: Vec<UnixStream> = (0..300).map(|_| UnixStream::connect(&doors[0]).unwrap()).collect();
    let reply = Client::unix(&doors[0]).reply(false).unwrap();
    assert!(reply.status == 503 && reply.text().contains("[door-connections]"), "{}", reply.text());
    let mut other = Client::unix(&doors[1]);
    other.send(LIST);
    assert_eq!(other.reply(false).unwrap().status, 200);
    drop((flood, gate, engine));
}

#[test]
fn ten_thousand_connections_are_served_where_nothing_else_is_said() {
    assert_eq!(dockgate::config::defaults().limits.connections, 10_000);
}
