//! An engine that stalls, resets, answers garbage, truncates, or answers too much.
//! Each case says what the client gets and what the record says; meanwhile others are served, and nothing is left afterwards.

use std::io::Read as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use super::{Bed, SERVED, read, said};
use crate::support::client::Client;
use crate::support::gate::Gate;

/// What a client gets of an engine that does this; `0` for a reply that never comes.
const CASES: [(&str, u16, &str); 17] = [
    // nobody can know whether an engine that is silent works: the client decides how long it waits
    ("stalls", 0, "null client-gone"),
    ("stalls-in-head", 0, "null client-gone"),
    // what came is passed on at once; the rest is waited for
    ("stalls-in-body", 200, "200 client-gone"),
    ("closes", 502, "502 refused"),
    ("closes-in-head", 502, "502 refused"),
    // a reply that breaks off is never ended well
    ("truncates", 200, "200 upstream-gone"),
    ("truncates-chunks", 200, "200 upstream-gone"),
    ("breaks-a-chunk", 200, "200 upstream-gone"),
    ("garbage", 502, "502 refused"),
    ("not-http", 502, "502 refused"),
    ("two-lengths", 502, "502 refused"),
    ("length-and-chunks", 502, "502 refused"),
    ("upgrades", 502, "502 refused"),
    ("gigantic-head", 502, "502 refused"),
    ("endless-head", 502, "502 refused"),
    ("endless-line", 502, "502 refused"),
    ("endless-interim", 502, "502 refused"),
];

/// Reads until the end; within the patience of the test, or it is not one of these.
fn rest(mut stream: &UnixStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _a_reset_counts_as_end = stream.read_to_end(&mut bytes);
    bytes
}

#[test]
fn whatever_the_engine_answers_the_client_is_told_and_others_are_served() {
    let bed = Bed::new("");
    for (name, status, _) in CASES {
        let stream = UnixStream::connect(&bed.door).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        std::io::Write::write_all(&mut &stream, &read(name)).unwrap();
        bed.engine.asked.recv_timeout(Duration::from_secs(20)).expect("the engine is asked");
        bed.serves();
        let mut head = [0; 12];
        if status > 0 {
            (&stream).read_exact(&mut head).unwrap();
            assert_eq!(String::from_utf8_lossy(&head), format!("HTTP/1.1 {status}"), "{name}");
        }
        if name.starts_with("truncates") || name.starts_with("breaks") {
            let body = rest(&stream);
            let text = String::from_utf8_lossy(&body);
            assert!(text.contains("0123456789") && !text.contains("\r\n0\r\n\r\n"), "{name}: {text}");
        }
        drop(stream);
        bed.serves();
    }
    bed.leaves_nothing();
    let records = bed.records(|record| record["path"].as_str().is_some_and(|path| path.ends_with("/json")));
    for (name, _, expected) in CASES {
        let path = format!("/v1.44/containers/{name}/json");
        let of: Vec<String> =
            records.iter().filter(|record| record["path"] == *path).map(|record| said(record, &["status", "ended"])).collect();
        assert_eq!(of, [expected], "{name}");
    }
}

#[test]
fn bytes_after_a_reply_are_nobodys_reply() {
    let bed = Bed::new("");
    for _ in 0..20 {
        let mut client = bed.client();
        client.send(&read("more"));
        assert_eq!(client.reply(false).unwrap().text(), "{}");
        bed.serves();
        client.send(super::LIST);
        assert_eq!(client.reply(false).unwrap().text(), "[]", "the client's own connection goes on, with an answer to its own question");
    }
    bed.leaves_nothing();
}

#[test]
fn an_engine_that_answers_an_upload_before_it_is_whole_is_heard() {
    let bed = Bed::new("");
    let (length, chunks) = ("Content-Length: 67108864\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n");
    let (unix, tcp) = (|| bed.client(), || Client::tcp(bed.tcp));
    // a connection that is closed while the client sends is reset; over TCP what was sent to the client last may never be read then
    for (framing, connect) in [(length, &unix as &dyn Fn() -> Client), (chunks, &unix), (length, &tcp), (chunks, &tcp)] {
        let head =
            format!("PUT /v1.44/containers/early/archive?path=/ HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\n{framing}");
        let mut client = connect();
        client.send(head.as_bytes());
        // zeros are an archive without an entry; a client that sends in one thread does not look before it has sent a lot
        let piece = if framing.starts_with('C') { vec![0; 1 << 20] } else { [&b"100000\r\n"[..], &vec![0; 1 << 20], b"\r\n"].concat() };
        (0..4).for_each(|_| client.send_all(&piece));
        bed.serves();
        let reply = client.reply(false).expect("the engine's answer");
        assert_eq!((reply.status, &*reply.text()), (507, "{\"message\":\"full\"}"), "{framing}");
        drop(client);
    }
    bed.leaves_nothing();
    let records = bed.records(|record| record["path"] == "/v1.44/containers/early/archive");
    let ends: Vec<String> = records.iter().map(|record| said(record, &["status", "ended"])).collect();
    assert_eq!(ends, ["507 complete"; 4]);
}

/// The engine may have begun what it was asked for: nothing is ever sent twice, not even a read. The client is told, and knows
/// best whether to ask again.
#[test]
fn a_request_on_a_kept_connection_that_the_engine_closes_just_then_is_not_sent_twice() {
    let bed = Bed::new("");
    bed.serves(); // a connection is kept from here on
    let mut client = bed.client();
    client.send(&read("closes"));
    let reply = client.reply(false).unwrap();
    assert!(reply.status == 502 && reply.text().contains("[no-upstream]"), "{}", reply.text());
    bed.serves();
    client.send(super::LIST);
    assert_eq!(client.reply(false).unwrap().status, 200, "the client's connection goes on");
    assert_eq!(bed.engine.asked.try_iter().count(), 1);
}

#[test]
fn a_tunnel_that_the_engine_never_opens_ends_with_its_client() {
    let bed = Bed::new("");
    let attach =
        b"POST /v1.44/containers/stalls/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    let mut client = bed.client();
    client.send(attach);
    bed.engine.asked.recv_timeout(Duration::from_secs(20)).expect("the engine is asked");
    bed.serves();
    drop(client);
    let end = bed.gate.line("the end of the tunnel", |line| line["path"] == "/v1.44/containers/stalls/attach" && line["ended"].is_string());
    assert_eq!(end["ended"], "client-gone");
    bed.leaves_nothing();
}

/// A listener whose queue is full: on a unix socket, connecting fails at once (`EAGAIN`) instead of waiting.
#[test]
fn an_engine_that_does_not_accept_is_waited_for_and_then_502_is_said() {
    let folder = crate::support::folder();
    let (socket, door) = (folder.path().join("engine.sock"), folder.path().join("a/docker.sock"));
    let listener = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    listener.bind(&socket2::SockAddr::unix(&socket).unwrap()).unwrap();
    listener.listen(0).unwrap();
    let first = UnixStream::connect(&socket).unwrap();
    let config = format!(
        "version = 1\n[upstream]\nurl = \"unix://{}\"\n[[door]]\nlisten = \"unix://{}\"\npolicy = \"unrestricted\"\n",
        socket.display(),
        door.display()
    );
    // its own first look gets 502 after the time that connecting may take
    let gate = Gate::start(folder.path(), &config, std::slice::from_ref(&door));
    let start = Instant::now();
    let mut waiting = Client::unix(&door);
    waiting.send(super::LIST);
    let mut denied = Client::unix(&door);
    denied.send(b"GET /no/such/thing HTTP/1.1\r\nHost: d\r\n\r\n");
    assert_eq!(denied.reply(false).unwrap().status, 403, "who needs no engine is answered meanwhile");
    assert!(start.elapsed() < SERVED, "{:?}", start.elapsed());
    // now it accepts
    drop(first);
    let accepting = UnixListener::from(std::os::fd::OwnedFd::from(listener));
    let engine = std::thread::spawn(move || {
        for stream in accepting.incoming().map_while(Result::ok) {
            let (mut stream, mut head) = (stream, [0; 4096]);
            if stream.read(&mut head).is_ok_and(|read| read > 0) {
                let _gone_already = std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]");
                return;
            }
        }
    });
    assert_eq!(waiting.reply(false).unwrap().status, 200, "who waited is served once the engine accepts");
    engine.join().unwrap();
    drop(gate);
}
