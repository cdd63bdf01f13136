//! What must hold whatever came in: the engine got exactly the requests that were allowed, each in canonical form, and the client
//! at most one reply for each request.
//! Knows nothing of how either side was read; it reads both with `oracle`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Outcome;
use crate::engine::Arrived;
use crate::oracle::{Body, Framing, Head, Request, body, requests};

/// The last record of each call in the order of their first, events left out.
pub fn last_records(lines: &[u8]) -> Vec<Value> {
    let mut order: Vec<Value> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let record: Value = serde_json::from_slice(line).expect("a record is JSON");
        if record["stage"] == "event" {
            continue;
        }
        let place = *places.entry(text(&record, "id").to_owned()).or_insert(order.len());
        match order.get_mut(place) {
            Some(known) => *known = record,
            None => order.push(record),
        }
    }
    order
}

pub fn all(client: &[u8], outcome: &Outcome) {
    let Outcome { arrived, received, records } = outcome;
    let asked = requests(client);
    for (at, record) in records.iter().enumerate() {
        if allowed(record) {
            let request =
                asked.get(at).unwrap_or_else(|| panic!("request {at} was allowed, and there is none that all read alike: {record}"));
            same_request(request, record);
        }
    }
    upstream(arrived, records, &asked);
    if let Some(received) = received {
        replies(received, records);
    }
}

fn allowed(record: &Value) -> bool {
    record["verdict"] == "allow"
}

fn text<'a>(record: &'a Value, name: &str) -> &'a str {
    record[name].as_str().unwrap_or_default()
}

/// What was allowed is what the client sent, by a reader that refuses everything in doubt.
fn same_request(request: &Request, record: &Value) {
    assert_ne!(request.framing, Framing::Ambiguous, "allowed with an ambiguous framing: {:?} {record}", request.head);
    let words: Vec<&str> = request.head.line.split(' ').collect();
    assert!(words.len() == 3 && ["HTTP/1.1", "HTTP/1.0"].contains(&words[2]), "allowed with another request line: {:?}", request.head.line);
    assert_eq!(words[0], text(record, "method"), "another method was allowed: {record}");
    assert!(request.head.all("host").len() < 2, "allowed with two hosts: {record}");
    let bytes_in = record["bytes_in"].as_u64().unwrap_or_default();
    match &request.body {
        Some(_) if is_tunnel(record) => {}
        Some(body)
            if record["ended"] == "complete"
                && text(record, "reason").is_empty()
                && record["status"].as_u64().is_some_and(|status| status < 300) =>
        {
            assert_eq!(bytes_in, body.len() as u64, "another body was allowed: {record}");
        }
        Some(body) => assert!(bytes_in <= body.len() as u64, "more than the body was allowed: {record}"),
        None => assert!(text(record, "body").is_empty() && !is_json(record), "a body that broke off was judged: {record}"),
    }
}

fn is_tunnel(record: &Value) -> bool {
    ["ContainerAttach", "ContainerAttachWebsocket", "ExecStart"].contains(&text(record, "operation"))
}

/// Operations with a body that is judged.
fn is_json(record: &Value) -> bool {
    let bodies = ["Create", "Update", "Connect", "Disconnect", "ContainerExec", "SystemAuth"];
    bodies.iter().any(|end| text(record, "operation").ends_with(end)) && text(record, "operation") != "ImageCreate"
}

/// Every request that arrived was allowed, and every one that was allowed arrived; look-ups of dockgate's own stand between them.
fn upstream(arrived: &[Arrived], records: &[Value], asked: &[Request]) {
    let mut expected = records.iter().enumerate().filter(|(_, record)| allowed(record)).peekable();
    for request in arrived {
        let head = canonical(request);
        loop {
            match expected.peek() {
                Some((at, record)) if is_that(&head, record) => {
                    complete(request, &head, record, &asked[*at]);
                    expected.next();
                    break;
                }
                _ if is_look_up(&head) => break,
                Some((_, record)) => {
                    never_sent(record);
                    expected.next();
                }
                None => panic!("nobody allowed {:?}; records: {records:#?}", String::from_utf8_lossy(&request.bytes)),
            }
        }
    }
    expected.for_each(|(_, record)| never_sent(record));
}

/// An allowed request may stay away only where something is said about it.
fn never_sent(record: &Value) {
    let gone = record["ended"] == "client-gone" || record["ended"] == "aborted";
    assert!(gone || !text(record, "reason").is_empty(), "allowed and answered, but it never arrived: {record}");
}

fn is_that(head: &Head, record: &Value) -> bool {
    let mut words = head.line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let hidden = record["redacted"].as_array().is_some_and(|places| places.iter().any(|place| place == "path"));
    method == text(record, "method") && (path == text(record, "path") || hidden)
}

/// Unversioned, and about what facts are about.
fn is_look_up(head: &Head) -> bool {
    ["containers/", "exec/", "volumes/", "networks/", "images/", "info "]
        .iter()
        .any(|about| head.line.starts_with(&format!("GET /{about}")))
}

/// The head as dockgate writes it, and nothing else.
fn canonical(request: &Arrived) -> Head {
    let shown = String::from_utf8_lossy(&request.bytes);
    let (head, length) = Head::read(&request.bytes).unwrap_or_else(|| panic!("half a head arrived: {shown:?}"));
    let mut words = head.line.split(' ');
    let (method, target, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let line = ["GET", "HEAD", "POST", "PUT", "DELETE"].contains(&method)
        && target.starts_with('/')
        && target.bytes().all(|b| b.is_ascii_graphic());
    assert!(line && version == "HTTP/1.1" && words.next().is_none(), "{shown:?}");
    let known: [(&str, fn(&str) -> bool); 12] = [
        ("host", |value| value == "docker"),
        ("user-agent", |value| {
            value.strip_prefix("dockgate/").is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        }),
        ("content-type", |value| ["application/json", "application/x-tar"].contains(&value)),
        ("x-registry-auth", plain),
        ("x-registry-config", plain),
        ("connection", |value| value == "Upgrade"),
        ("upgrade", |value| ["tcp", "websocket"].contains(&value)),
        ("sec-websocket-version", |value| value == "13"),
        ("sec-websocket-key", plain),
        ("sec-websocket-protocol", plain),
        ("content-length", |value| value == "0" || !value.starts_with('0') && value.bytes().all(|b| b.is_ascii_digit())),
        ("transfer-encoding", |value| value == "chunked"),
    ];
    let mut rest = known.iter();
    for (name, value) in &head.fields {
        let found = rest.find(|(known, _)| known == name);
        assert!(found.is_some_and(|(_, fits)| fits(value)), "no such field, or out of order: `{name}: {value}` in {shown:?}");
    }
    assert!(head.fields.len() >= 2 && head.fields[0].0 == "host" && head.fields[1].0 == "user-agent", "{shown:?}");
    assert!(head.framing() != Framing::Ambiguous, "{shown:?}");
    let rewritten: String = head.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    assert!(request.bytes.starts_with(format!("{}\r\n{rewritten}\r\n", head.line).as_bytes()), "another spelling: {shown:?}");
    if head.framing() == Framing::Chunked && request.whole {
        canonical_chunks(&request.bytes[length..]);
    }
    head
}

fn plain(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

fn canonical_chunks(mut bytes: &[u8]) {
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n").expect("a size has an end");
        let digits = std::str::from_utf8(&bytes[..end]).expect("a size is text");
        let size = usize::from_str_radix(digits, 16).expect("a size is a number");
        assert_eq!(digits, format!("{size:x}"));
        if size == 0 {
            assert_eq!(&bytes[end..], b"\r\n\r\n", "trailers, or more after the end");
            return;
        }
        bytes = &bytes[end + 2 + size + 2..];
    }
}

/// What arrived of an allowed request is what the client sent of it.
fn complete(request: &Arrived, head: &Head, record: &Value, asked: &Request) {
    let (_, length) = Head::read(&request.bytes).expect("it was read before");
    let json = head.all("content-type") == ["application/json"];
    if !request.whole {
        let opaque = head.all("content-type") == ["application/x-tar"];
        assert!(opaque && record["ended"] != "complete" || opaque && text(record, "body").is_empty(), "half a request arrived: {record}");
        return;
    }
    let Body::Whole(body, _) = body(head.framing(), &request.bytes[length..]) else { panic!("its body is none: {record}") };
    if json {
        serde_json::from_slice::<Value>(&body).unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&body)));
    } else if !body.is_empty() {
        assert_eq!(Some(&body), asked.body.as_ref(), "another body arrived: {record}");
    }
    assert!(request.tunnel.is_empty() || is_tunnel(record), "bytes came after a request that opens no tunnel: {record}");
}

/// One reply for each record at most, in their order, each whole where its record says so.
fn replies(mut bytes: &[u8], records: &[Value]) {
    let mut records = records.iter();
    while !bytes.is_empty() {
        let shown = || String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]).into_owned();
        if let Some(rest) = bytes.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n") {
            bytes = rest;
            continue;
        }
        let Some((head, length)) = Head::read(bytes) else {
            let cut = records.next().is_some_and(|record| record["ended"] != "complete");
            assert!(cut && !bytes.windows(4).any(|four| four == b"\r\n\r\n"), "no head: {:?}", shown());
            return;
        };
        let reference = head.all("dockgate-ref");
        let record = records.find(|record| reference == [text(record, "id")]);
        let record = record.unwrap_or_else(|| panic!("a reply without a request: {:?}", shown()));
        let status = head.line.get(9..12).and_then(|digits| digits.parse::<u64>().ok());
        assert!(head.line.starts_with("HTTP/1.1 ") && status.is_some() && record["status"].as_u64() == status, "{:?}: {record}", shown());
        if status == Some(101) || is_tunnel(record) && head.framing() == Framing::None && status != Some(204) && status != Some(304) {
            return; // what follows is the tunnel's
        }
        bytes = &bytes[length..];
        let bodyless = record["method"] == "HEAD" || status == Some(204) || status == Some(304);
        match (bodyless, head.framing()) {
            (true, _) => {}
            (false, Framing::None) => return, // to the end of the connection
            (false, framing) => match body(framing, bytes) {
                Body::Whole(_, length) => bytes = &bytes[length..],
                Body::Cut => {
                    assert!(record["ended"] != "complete", "a reply that broke off is told to be whole: {record}");
                    return;
                }
                Body::Broken => panic!("a broken reply: {:?}", shown()),
            },
        }
    }
}
