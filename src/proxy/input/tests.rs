//! The reader of a client's bytes over a pipe, with a clock that only moves when nothing else does.

use std::sync::{Arc, OnceLock};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::Instant;

use crate::docker::{Action, Endpoint, Operation};
use crate::policy::{Create, Denial, Facts, Mode, Origin, Permit, Policy, Rule, RuleTable, Subject, Verdict, judge};
use crate::proxy::engine::Connection;
use crate::proxy::stream::Stream;

use super::*;

const DEADLINES: Deadlines = Deadlines { head: Duration::from_secs(10), body: Duration::from_secs(20), idle: Duration::from_secs(30) };
const PING: &[u8] = b"GET /_ping HTTP/1.1\r\n\r\n";

/// A reader, and the client's end of what it reads. Our end stays open as long as the test.
fn pipe() -> (Input<'static>, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Input::new(Box::leak(Box::new(Stream::Unix(ours))).sides().0), theirs)
}

/// A reader of these bytes, whose client has closed.
async fn closed(bytes: &[u8]) -> Input<'static> {
    let (input, client) = pipe();
    sends(client, bytes.to_vec());
    input
}

/// The client sends this and closes; it may be more than the socket holds, and nobody may read it to its end.
fn sends(mut client: UnixStream, bytes: Vec<u8>) {
    drop(tokio::spawn(async move { client.write_all(&bytes).await }));
}

fn post(framing: &str, body: &[u8]) -> Vec<u8> {
    [format!("POST /build HTTP/1.1\r\n{framing}\r\n\r\n").as_bytes(), body].concat()
}

/// A reader whose head has been read, of a client that has closed.
async fn at_body(framing: &str, body: &[u8]) -> Input<'static> {
    let mut input = closed(&post(framing, body)).await;
    input.head(&DEADLINES).await.unwrap().unwrap();
    input
}

fn kind<T: std::fmt::Debug>(result: Result<T, Fault>) -> FaultKind {
    result.unwrap_err().kind
}

#[tokio::test(start_paused = true)]
async fn a_head_is_the_same_however_its_bytes_arrive() {
    let (mut input, mut client) = pipe();
    let sending = async {
        for byte in PING {
            client.write_all(&[*byte]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        client
    };
    let (head, _client) = tokio::join!(input.head(&DEADLINES), sending);
    assert_eq!(head.unwrap().unwrap(), Head::parse(PING).unwrap().unwrap().0);
    assert!(input.body_ended());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closes_between_requests_is_no_fault_and_one_that_closes_in_a_head_is() {
    assert_eq!(closed(b"").await.head(&DEADLINES).await.unwrap(), None);
    assert_eq!(kind(closed(b"GET /_pi").await.head(&DEADLINES).await), FaultKind::MalformedHead);
    let mut input = closed(PING).await;
    assert!(input.head(&DEADLINES).await.unwrap().is_some());
    assert_eq!(input.head(&DEADLINES).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_let_go_after_the_idle_time_and_a_slow_head_refused_after_its_own() {
    let began = Instant::now();
    let (mut input, mut client) = pipe();
    assert_eq!(input.head(&DEADLINES).await.unwrap(), None);
    assert_eq!(began.elapsed().as_secs(), 30);
    client.write_all(b"GET /").await.unwrap();
    assert_eq!(kind(input.head(&DEADLINES).await), FaultKind::HeadTimeout);
    assert_eq!(began.elapsed().as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_refused_by_its_size() {
    let (mut input, mut client) = pipe();
    client.write_all(b"GET /_ping HTTP/1.1\r\nX: ").await.unwrap();
    client.write_all(&vec![b'a'; MAX_HEAD]).await.unwrap();
    assert_eq!(kind(input.head(&DEADLINES).await), FaultKind::HeadTooLarge);
}

#[tokio::test(start_paused = true)]
async fn the_next_request_begins_where_the_body_of_the_last_one_ends() {
    let mut input =
        closed(&[post("Content-Length: 3", b"abc"), PING.to_vec(), post("Transfer-Encoding: chunked", b"1\r\nx\r\n0\r\n\r\n")].concat())
            .await;
    assert_eq!(input.head(&DEADLINES).await.unwrap().unwrap().target.segments[0].text, "build");
    assert!(!input.body_ended());
    assert_eq!(input.whole_body(3, &DEADLINES).await.unwrap(), "abc");
    assert!(input.body_ended());
    let began = Instant::now();
    assert_eq!(input.head(&DEADLINES).await.unwrap().unwrap().target.segments[0].text, "_ping");
    assert_eq!(input.head(&DEADLINES).await.unwrap().unwrap().framing, Framing::Chunked);
    assert_eq!(began.elapsed(), Duration::ZERO, "what is here is not waited for");
    assert_eq!(input.whole_body(1, &DEADLINES).await.unwrap(), "x");
    assert_eq!(input.head(&DEADLINES).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_whole_body_is_bounded_in_size_and_time_and_never_half() {
    let chunks = b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n";
    assert_eq!(at_body("Transfer-Encoding: chunked", chunks).await.whole_body(4, &DEADLINES).await.unwrap(), "abcd");
    assert_eq!(kind(at_body("Transfer-Encoding: chunked", chunks).await.whole_body(3, &DEADLINES).await), FaultKind::BodyTooLarge);
    assert_eq!(kind(at_body("Content-Length: 3", b"abc").await.whole_body(2, &DEADLINES).await), FaultKind::BodyTooLarge);
    assert_eq!(kind(at_body("Content-Length: 3", b"ab").await.whole_body(9, &DEADLINES).await), FaultKind::BodyIncomplete);
    assert_eq!(kind(at_body("Transfer-Encoding: chunked", b"+1\r\na").await.whole_body(9, &DEADLINES).await), FaultKind::BadChunk);
    let (mut input, mut client) = pipe();
    client.write_all(&post("Content-Length: 3", b"ab")).await.unwrap();
    input.head(&DEADLINES).await.unwrap().unwrap();
    let began = Instant::now();
    assert_eq!(kind(input.whole_body(9, &DEADLINES).await), FaultKind::BodyTimeout);
    assert_eq!(began.elapsed(), DEADLINES.body);
}

/// What `head` waits for, in tests of what does not resolve.
async fn resolves(closing: impl Future<Output = ()>) -> bool {
    timeout(Duration::from_secs(3600), closing).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn sees_a_client_go_behind_what_it_sent_ahead_and_keeps_that() {
    let (mut input, mut client) = pipe();
    client.write_all(PING).await.unwrap();
    assert!(!resolves(input.closed()).await, "it is still there");
    drop(client);
    assert!(resolves(input.closed()).await);
    assert!(input.head(&DEADLINES).await.unwrap().is_some(), "what was sent ahead is read afterwards");
}

#[tokio::test(start_paused = true)]
async fn reads_ahead_no_further_than_its_bound() {
    let (mut input, client) = pipe();
    sends(client, vec![b'a'; MAX_AHEAD * 4]);
    assert!(!resolves(input.closed()).await, "behind a full buffer nothing is watched");
    let (_, ahead) = input.parts();
    assert!((65_536..131_072).contains(&ahead.len()), "{}", ahead.len());
}

#[tokio::test(start_paused = true)]
async fn behind_a_buffer_that_is_just_full_nothing_is_watched_either() {
    let mut input = closed(&vec![b'a'; MAX_AHEAD]).await;
    assert!(!resolves(input.closed()).await, "its end is not read");
    let mut input = closed(&vec![b'a'; MAX_AHEAD - 1]).await;
    assert!(resolves(input.closed()).await);
}

#[tokio::test(start_paused = true)]
async fn who_closed_one_side_is_waited_for_and_who_closed_both_is_not() {
    let began = Instant::now();
    let (input, mut client) = pipe();
    client.shutdown().await.unwrap();
    input.given_up(Duration::from_secs(100)).await;
    assert_eq!(began.elapsed().as_secs(), 100);
    drop(client);
    input.given_up(Duration::from_secs(100)).await;
    assert!(began.elapsed().as_secs() < 102, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn hands_on_to_a_tunnel_what_was_read_ahead_and_nothing_twice() {
    let (mut input, mut client) = pipe();
    client.write_all(&[PING, b"raw bytes"].concat()).await.unwrap();
    input.head(&DEADLINES).await.unwrap().unwrap();
    let (reader, ahead) = input.parts();
    assert_eq!(ahead, "raw bytes");
    client.write_all(b"more").await.unwrap();
    let mut more = [0; 4];
    reader.read_exact(&mut more).await.unwrap();
    assert_eq!(&more, b"more");
    assert_eq!(input.parts().1, "");
}

#[tokio::test(start_paused = true)]
async fn forgets_what_is_still_sent_up_to_a_limit_a_time_or_the_end() {
    let patience = Duration::from_secs(2);
    let began = Instant::now();
    let (mut input, mut client) = pipe();
    client.write_all(&[b'a'; 100_000]).await.unwrap();
    input.discard(50_000, patience).await;
    assert_eq!(began.elapsed(), Duration::ZERO, "the limit is reached without waiting");
    let mut left = Vec::new();
    client.shutdown().await.unwrap();
    input.parts().0.read_to_end(&mut left).await.unwrap();
    assert!((1..=50_000).contains(&left.len()), "{}", left.len());
    let (mut input, client) = pipe();
    input.discard(50_000, patience).await;
    assert_eq!(began.elapsed(), patience, "a client that sends nothing is waited for");
    drop(client);
    input.discard(50_000, patience).await;
    assert_eq!(began.elapsed(), patience, "one that has gone is not");
}

fn policy(mode: Mode) -> Policy {
    let origin = Origin { source: Arc::from("test.toml"), line: 1 };
    let operations = vec![Operation::PutContainerArchive, Operation::ImageBuild];
    let rule = Rule { text: "a rule".to_owned(), origin: origin.clone(), operations, conditions: vec![] };
    let create = Create { targets: crate::policy::Targets::Any, ..Create::default() };
    Policy { name: "ci".to_owned(), origin, digest: Arc::from(""), mode, rules: RuleTable::new(vec![rule], vec![]), create }
}

fn permit(policy: &Policy, request: &str) -> Permit {
    let (head, _) = Head::parse(format!("{request} HTTP/1.1\r\nContent-Length: 1\r\n\r\n").as_bytes()).unwrap().unwrap();
    let action = Action::build(&head, Endpoint::find(&head).unwrap(), b"").unwrap();
    match judge(policy, &Subject::default(), action, &Facts::default()) {
        Verdict::Allow(permit) => permit,
        Verdict::Deny(denial) => panic!("{denial:?}"),
    }
}

/// What came of a body that was sent on: how it ended, whether it counts as whole, and the bytes that the engine got.
struct Pumped {
    ended: Result<(), String>,
    whole: bool,
    seen: String,
}

async fn pump(framing: Framing, body: &[u8], inspection: Option<Inspection<'_>>, most: u64) -> Pumped {
    let text = match framing {
        Framing::Chunked => "Transfer-Encoding: chunked".to_owned(),
        Framing::None | Framing::Length(_) => format!("Content-Length: {}", if let Framing::Length(length) = framing { length } else { 0 }),
    };
    let mut input = at_body(&text, body).await;
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut connection = Connection::new(Stream::Unix(ours));
    let mut sent = Uploaded::default();
    let upload = Upload { to: connection.halves(framing).1, inspection, most };
    let ended = input.pump(upload, &mut sent).await.map_err(|refusal| match &refusal {
        Refusal::Fault(fault) => fault.kind.code().to_owned(),
        Refusal::Denied(denial) => denial.reason.code().to_owned(),
        Refusal::ClientGone => "ClientGone".to_owned(),
        Refusal::Engine(..) | Refusal::Upstream | Refusal::Trail(_) | Refusal::Limit(_) | Refusal::Overload => panic!("{refusal:?}"),
    });
    drop(connection);
    let mut seen = String::new();
    theirs.read_to_string(&mut seen).await.unwrap();
    Pumped { ended, whole: sent.is_whole(), seen }
}

#[tokio::test]
async fn a_body_goes_on_in_its_framing_up_to_its_limit_and_is_whole_only_at_its_end() {
    for (framing, body, most, ended, whole, seen) in [
        (Framing::Length(4), &b"abcd"[..], 4, Ok(()), true, "abcd"),
        (Framing::Length(4), b"abcd", 3, Err("upload-too-large"), false, ""),
        (Framing::Length(4), b"abc", 9, Err("ClientGone"), false, "abc"),
        (Framing::Chunked, b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 3, Ok(()), true, "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
        (Framing::Chunked, b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 2, Err("upload-too-large"), false, "2\r\nab\r\n"),
        (Framing::Chunked, b"2\r\nab\r\n0\r\n", 9, Err("ClientGone"), false, "2\r\nab\r\n"),
        (Framing::Chunked, b"2\r\nab\r\n-1\r\n", 9, Err("bad-chunk"), false, "2\r\nab\r\n"),
        (Framing::Length(0), b"", 0, Ok(()), true, ""),
    ] {
        let pumped = pump(framing, body, None, most).await;
        assert_eq!((pumped.ended, pumped.whole, pumped.seen.as_str()), (ended.map_err(str::to_owned), whole, seen), "{body:?} {most}");
    }
}

/// An archive of one file.
fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let mut block = vec![0_u8; 512];
    let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block.extend(content);
    block.resize(block.len().next_multiple_of(512), 0);
    block.resize(block.len() + 1024, 0);
    block
}

async fn pump_inspected(request: &str, mode: Mode, body: &[u8], spare: i64) -> (Pumped, Option<Denial>) {
    let policy = policy(mode);
    let permit = permit(&policy, request);
    let would_deny = OnceLock::new();
    let inspection = Inspection::of(&permit, &policy, &would_deny).unwrap();
    assert!(inspection.is_some(), "{request} is walked");
    let length = body.len() as u64;
    let pumped = pump(Framing::Length(length), body, inspection, length.checked_add_signed(spare).unwrap()).await;
    (pumped, would_deny.into_inner())
}

const PUT: &str = "PUT /containers/a/archive?path=/";

#[tokio::test]
async fn an_archive_goes_on_as_far_as_it_was_judged() {
    let good = archive("etc/motd", b"hello");
    let (pumped, _) = pump_inspected(PUT, Mode::Enforce, &good, 0).await;
    assert_eq!((pumped.ended, pumped.whole, pumped.seen.as_bytes()), (Ok(()), true, good.as_slice()));
    let (pumped, _) = pump_inspected(PUT, Mode::Enforce, &good, -1).await;
    assert_eq!((pumped.ended, pumped.whole), (Err("upload-too-large".to_owned()), false));
    assert!(pumped.seen.len() < good.len());
    let cut = &good[..514];
    let (pumped, _) = pump_inspected(PUT, Mode::Enforce, cut, 0).await;
    assert!(pumped.ended.is_err() && !pumped.whole, "{:?}: an archive that breaks off is never ended", pumped.ended);
    let evil = [good[..1024].to_vec(), archive("../../etc/passwd", b"root")].concat();
    let (pumped, _) = pump_inspected(PUT, Mode::Enforce, &evil, 0).await;
    assert!(pumped.ended.is_err() && !pumped.whole && !pumped.seen.contains("passwd"), "{:?}", pumped.ended);
}

#[tokio::test]
async fn an_engine_that_closes_amid_a_body_is_asked_for_its_reply_and_the_body_is_not_whole() {
    for walked in [false, true] {
        let body = archive("f", &vec![b'x'; 400_000]);
        let mut input = at_body(&format!("Content-Length: {}", body.len()), &body).await;
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let mut connection = Connection::new(Stream::Unix(ours));
        let policy = policy(Mode::Enforce);
        let (permit, would_deny) = (permit(&policy, PUT), OnceLock::new());
        let inspection = if walked { Inspection::of(&permit, &policy, &would_deny).unwrap() } else { None };
        let mut sent = Uploaded::default();
        let upload = Upload { to: connection.halves(Framing::Length(body.len() as u64)).1, inspection, most: u64::MAX };
        assert!(input.pump(upload, &mut sent).await.is_ok());
        assert!(!sent.is_whole() && !input.body_ended());
    }
}

#[tokio::test]
async fn a_mode_that_lets_pass_notes_what_it_would_have_denied() {
    let body = archive("Dockerfile", b"FROM evil/image\n");
    for mode in [Mode::Enforce, Mode::Warn, Mode::Observe] {
        let mut policy = policy(mode);
        policy.create.images = Some(vec![]);
        let (permit, would_deny) = (permit(&policy, "POST /build?version=1"), OnceLock::new());
        let inspection = Inspection::of(&permit, &policy, &would_deny).unwrap();
        let pumped = pump(Framing::Length(body.len() as u64), &body, inspection, u64::MAX).await;
        if mode == Mode::Enforce {
            assert_eq!((pumped.ended, pumped.whole), (Err("image".to_owned()), false));
            assert!(!pumped.seen.contains("evil"), "{}", pumped.seen);
        } else {
            assert_eq!((pumped.ended, pumped.whole, pumped.seen.as_bytes()), (Ok(()), true, body.as_slice()));
            assert_eq!(would_deny.get().unwrap().reason.code(), "image");
        }
    }
}
