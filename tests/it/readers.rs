//! Our reader beside Go's net/http server and hyper's on raw requests: what ours accepts, neither of them reads differently.
//! Knows nothing of policies; `corpus/readers.json` holds what the two servers saw (made by `tests/oracle`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests"
)]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use dockgate::docker::chunked::{BodyDecoder, Piece};
use dockgate::docker::target::Target;
use dockgate::docker::{FaultKind, Head};
use serde_json::Value as Json;

/// How many raw requests the file holds.
const CASES: usize = 1126;

/// Cases that a server reads differently although ours accepts them, and why nothing can follow from it.
const DIFFERENT: [(&str, &str); 1] = [(
    "own/v10-keep-alive-close",
    "Go keeps an HTTP/1.0 connection that says keep-alive and close; ours closes it and never reads the second request",
)];

/// Cases that ours accepts and both servers refuse, and why that is right.
const OURS_ALONE: [(&str, &str); 0] = [];

#[derive(Debug, Clone, PartialEq)]
struct Seen {
    method: String,
    path: String,
    /// Decoded pairs, sorted by key.
    query: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    /// False where the server got the head and then an error in the body.
    whole: bool,
}

/// Why our reader stopped.
#[derive(Debug, PartialEq)]
enum End {
    /// Every byte was read.
    Clean,
    /// The last request closes the connection; what follows is never read.
    Close,
    /// The bytes ended inside a head or a body.
    Incomplete,
    /// The next bytes are refused, and the connection with them.
    Refused(FaultKind),
}

struct Case {
    id: String,
    raw: Vec<u8>,
    go: Vec<Seen>,
    hyper: Vec<Seen>,
}

/// Our reader over a connection, as a door drives it.
fn ours(raw: &[u8]) -> (Vec<Seen>, End) {
    let (mut buffer, mut seen) = (BytesMut::from(raw), Vec::new());
    while !buffer.is_empty() {
        let (head, length) = match Head::parse(&buffer) {
            Ok(Some(found)) => found,
            Ok(None) => return (seen, End::Incomplete),
            Err(fault) => return (seen, End::Refused(fault.kind)),
        };
        let _head = buffer.split_to(length);
        let (mut decoder, mut body) = (BodyDecoder::new(head.framing), Vec::new());
        loop {
            match decoder.next(&mut buffer) {
                Ok(Piece::Data(data)) => body.extend_from_slice(&data),
                Ok(Piece::Pending) => return (seen, End::Incomplete),
                Ok(Piece::End) => break,
                Err(kind) => return (seen, End::Refused(kind)),
            }
        }
        seen.push(as_seen(&head, body));
        if !head.keep_alive {
            return (seen, End::Close);
        }
    }
    (seen, End::Clean)
}

fn as_seen(head: &Head, body: Vec<u8>) -> Seen {
    let mut query: Vec<_> = head.target.query.iter().map(|(key, value)| (key.clone(), value.clone().into_bytes())).collect();
    query.sort_by(|a, b| a.0.cmp(&b.0));
    Seen { method: head.method.to_string(), path: path(&head.target), query, body, whole: true }
}

fn path(target: &Target) -> String {
    let version = target.version.map(|version| format!("/v{version}")).unwrap_or_default();
    target.segments.iter().fold(version, |path, segment| path + "/" + &segment.text)
}

fn cases() -> &'static [Case] {
    static READ: LazyLock<Vec<Case>> = LazyLock::new(|| {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/readers.json")).unwrap();
        let list: Vec<Json> = serde_json::from_str(&text).unwrap();
        assert_eq!(list.len(), CASES, "every case is loaded");
        list.iter().map(case).collect()
    });
    &READ
}

fn case(facts: &Json) -> Case {
    let server = |name: &str| facts.get(name).map(|seen| seen.as_array().unwrap().iter().map(request).collect::<Vec<_>>());
    let go = server("go").expect("what Go saw");
    Case {
        id: facts["id"].as_str().unwrap().to_owned(),
        raw: bytes(facts, "raw"),
        // left out where it is the same
        hyper: server("hyper").unwrap_or_else(|| go.clone()),
        go,
    }
}

fn request(facts: &Json) -> Seen {
    let pair = |pair: &Json| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().map_or_else(|| runs(&pair[1]), |text| text.into()));
    Seen {
        method: facts["method"].as_str().unwrap().to_owned(),
        path: facts["path"].as_str().unwrap().to_owned(),
        query: facts.get("query").map(|pairs| pairs.as_array().unwrap().iter().map(pair).collect()).unwrap_or_default(),
        body: bytes(facts, "body"),
        whole: facts.get("whole").is_none(),
    }
}

/// Bytes in base64, or as runs, or none.
fn bytes(facts: &Json, name: &str) -> Vec<u8> {
    match (facts.get(format!("{name}_b64")), facts.get(name)) {
        (Some(text), None) => STANDARD.decode(text.as_str().unwrap()).unwrap(),
        (None, Some(parts)) => runs(parts),
        (None, None) => Vec::new(),
        both => panic!("{both:?}"),
    }
}

/// `[[text, times], …]`, a character per byte.
fn runs(parts: &Json) -> Vec<u8> {
    let part = |part: &Json| {
        let text: Vec<u8> = part[0].as_str().unwrap().chars().map(|c| u8::try_from(c).unwrap()).collect();
        text.repeat(part[1].as_u64().unwrap().try_into().unwrap())
    };
    parts.as_array().unwrap().iter().flat_map(part).collect()
}

/// What a server read differently than ours. A server that refused where ours accepted read nothing, and none after it.
fn difference(ours: &[Seen], end: &End, theirs: &[Seen]) -> Option<String> {
    let short = |seen: &Seen| format!("{seen:?}").chars().take(300).collect::<String>();
    if let Some((at, (ours, theirs))) = ours.iter().zip(theirs).enumerate().find(|(_, (ours, theirs))| ours != theirs) {
        return Some(format!("request {at}: ours {}, theirs {}", short(ours), short(theirs)));
    }
    let over = matches!(end, End::Clean | End::Close);
    theirs.get(ours.len()).filter(|_| over).map(|more| format!("ours ends ({end:?}), theirs goes on: {}", short(more)))
}

#[test]
fn accepts_nothing_that_go_or_hyper_reads_differently() {
    let mut found = Vec::new();
    for case in cases() {
        let (seen, end) = ours(&case.raw);
        for (server, theirs) in [("go", &case.go), ("hyper", &case.hyper)] {
            if let Some(difference) = difference(&seen, &end, theirs) {
                found.push((case.id.clone(), format!("{server}: {difference}")));
            }
        }
    }
    let explained = |id: &str| DIFFERENT.iter().any(|(other, _)| *other == id);
    let unexplained: Vec<_> = found.iter().filter(|(id, _)| !explained(id)).collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    for (id, why) in DIFFERENT {
        assert!(found.iter().any(|(other, _)| other == id), "{id} is no exception any more ({why})");
    }
}

#[test]
fn accepts_nothing_that_go_and_hyper_both_refuse() {
    let mut alone = Vec::new();
    for case in cases() {
        let (seen, _) = ours(&case.raw);
        if seen.len() > case.go.len().max(case.hyper.len()) {
            alone.push(case.id.as_str());
        }
    }
    assert_eq!(alone, OURS_ALONE.map(|(id, _)| id), "{OURS_ALONE:?}");
}

/// The corpus would prove nothing if ours refused all of it, or if the servers agreed on everything.
#[test]
fn the_corpus_has_both_kinds() {
    let cases = cases();
    let accepted = cases.iter().filter(|case| !ours(&case.raw).0.is_empty()).count();
    let disputed = cases.iter().filter(|case| case.go != case.hyper).count();
    assert!(accepted > 600 && accepted < cases.len() - 100, "{accepted} accepted");
    assert!(disputed > 100, "{disputed} disputed");
}
