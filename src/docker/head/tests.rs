use super::*;

fn parse(head: &str) -> Result<Head, FaultKind> {
    Head::parse(head.as_bytes()).map(|head| head.expect("complete").0).map_err(|fault| fault.kind)
}

fn with(headers: &str) -> Result<Head, FaultKind> {
    parse(&format!("POST /containers/create HTTP/1.1\r\nHost: d\r\n{headers}\r\n"))
}

#[test]
fn waits_for_the_whole_head_and_leaves_the_rest() {
    let wire = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\nGET";
    for end in 0..wire.len() - 3 {
        assert_eq!(Head::parse(&wire[..end]), Ok(None), "{end}");
    }
    assert_eq!(Head::parse(wire).unwrap().unwrap().1, wire.len() - 3);
    assert_eq!(Head::parse(b"\r\n\r\nGET /_ping HTTP/1.1\r\n\r\n").unwrap().unwrap().1, 27);
}

#[test]
fn refuses_line_ends_that_readers_take_differently() {
    for bad in [
        "GET /_ping HTTP/1.1\nHost: d\n\n",
        "GET /_ping HTTP/1.1\r\nHost: d\n\r\n",
        "GET /_ping HTTP/1.1\r\nA: b\rC: d\r\n\r\n",
        "GET /_ping HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        "GET /_ping HTTP/1.1\r\nA : b\r\n\r\n",
        "GET /_ping HTTP/1.1\r\n: b\r\n\r\n",
        "GET /_ping HTTP/1.1\r\nX: a\0b\r\n\r\n",
        "GET\t/_ping\tHTTP/1.1\r\n\r\n",
        "GET  /_ping HTTP/1.1\r\n\r\n",
        "\r\n\r\n\r\nGET /_ping HTTP/1.1\r\n\r\n",
        "GET /_ping\r\n\r\n",
        "GET /_ping HTTP/1.1\r\nno colon\r\n\r\n",
        "\nGET /_ping HTTP/1.1\r\n\r\n",
        " GET /_ping HTTP/1.1\r\n\r\n",
    ] {
        assert_eq!(parse(bad), Err(FaultKind::MalformedHead), "{bad:?}");
    }
}

#[test]
fn refuses_other_protocols_methods_and_target_forms() {
    for (line, kind) in [
        ("GET /_ping HTTP/1.2", FaultKind::HttpVersion),
        ("GET /_ping HTTP/2.0", FaultKind::HttpVersion),
        ("GET /_ping http/1.1", FaultKind::HttpVersion),
        ("get /_ping HTTP/1.1", FaultKind::UnknownMethod),
        ("CONNECT /x HTTP/1.1", FaultKind::UnknownMethod),
        ("OPTIONS /_ping HTTP/1.1", FaultKind::UnknownMethod),
        ("GET http://d/_ping HTTP/1.1", FaultKind::TargetForm),
        ("GET * HTTP/1.1", FaultKind::TargetForm),
        ("GET /é HTTP/1.1", FaultKind::BadPath),
    ] {
        assert_eq!(parse(&format!("{line}\r\n\r\n")), Err(kind), "{line}");
    }
    assert_eq!(Head::parse(b"PRI * HTTP/2.0\r\n\r\nSM").unwrap_err().kind, FaultKind::Http2);
}

#[test]
fn frames_a_body_in_exactly_one_way() {
    assert_eq!(with("").unwrap().framing, Framing::None);
    assert_eq!(with("Content-Length: 5\r\n").unwrap().framing, Framing::Length(5));
    assert_eq!(with("Transfer-Encoding: Chunked\r\n").unwrap().framing, Framing::Chunked);
    for (bad, kind) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", FaultKind::LengthAndEncoding),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", FaultKind::RepeatedHeader),
        ("Content-Length: +5\r\n", FaultKind::BadContentLength),
        ("Content-Length: 5, 5\r\n", FaultKind::BadContentLength),
        ("Content-Length: 0x5\r\n", FaultKind::BadContentLength),
        ("Content-Length:\r\n", FaultKind::BadContentLength),
        ("Content-Length: 99999999999999999999\r\n", FaultKind::BadContentLength),
        ("Transfer-Encoding: gzip, chunked\r\n", FaultKind::TransferEncoding),
        ("Transfer-Encoding: identity\r\n", FaultKind::TransferEncoding),
        ("Transfer-Encoding: chunked;q=1\r\n", FaultKind::TransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", FaultKind::RepeatedHeader),
    ] {
        assert_eq!(with(bad), Err(kind), "{bad}");
    }
    assert_eq!(parse("POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(FaultKind::TransferEncoding));
}

#[test]
fn refuses_what_is_never_forwarded() {
    for (bad, kind) in [
        ("Content-Type: Application/X-WWW-Form-Urlencoded; a=b\r\n", FaultKind::FormBody),
        ("Content-Type: multipart/mixed\r\n", FaultKind::FormBody),
        ("Content-Encoding: identity\r\n", FaultKind::ContentEncoding),
        ("Upgrade: h2c\r\n", FaultKind::Http2),
        ("Upgrade: tcp, h2c\r\n", FaultKind::Http2),
        ("Expect: 200-ok\r\n", FaultKind::Expectation),
        ("Expect: 100-continue\r\n", FaultKind::Expectation),
        ("Host: e\r\n", FaultKind::RepeatedHeader),
        ("Content-Type: a/b\r\nContent-Type: application/x-www-form-urlencoded\r\n", FaultKind::FormBody),
        ("Content-Type: a/b\r\nContent-Type: a/b\r\n", FaultKind::RepeatedHeader),
        ("Content-Type: a/b\r\nContent-Type: application/x-tar\r\n", FaultKind::RepeatedHeader),
        ("Content-Type: application/json\r\nContent-Type: application/json\r\n", FaultKind::RepeatedHeader),
        ("Content-Type: application/json\r\nContent-Encoding: gzip\r\n", FaultKind::ContentEncoding),
        ("Content-Type: application/x-tar\r\nContent-Encoding: br\r\n", FaultKind::ContentEncoding),
        ("Content-Encoding: gzip\r\n", FaultKind::ContentEncoding),
        ("Upgrade: websocket\r\n", FaultKind::BadUpgrade),
    ] {
        assert_eq!(with(bad), Err(kind), "{bad}");
    }
    assert_eq!(parse("GET /_ping HTTP/1.1\r\nHost: a b\r\n\r\n"), Err(FaultKind::BadHost));
}

#[test]
fn reads_what_clients_really_send() {
    assert!(parse("GET /_ping HTTP/1.1\r\nHost: %2Fvar%2Frun%2Fdocker.sock\r\n\r\n").is_ok());
    assert!(parse("GET /_ping HTTP/1.1\r\n\r\n").is_ok());
    let head = parse("GET /containers/json?filters={\"label\":[\"a\"]} HTTP/1.1\r\nHost: 1.28\r\n\r\n").unwrap();
    assert_eq!(head.target.query[0].1, "{\"label\":[\"a\"]}");
    assert!(with("Content-Length: 2\r\nExpect: 100-Continue\r\n").unwrap().expects_continue);
    assert_eq!(with("Content-Type: Application/JSON; charset=utf-8\r\n").unwrap().content_type.as_deref(), Some("application/json"));
    assert!(with("Content-Type: application/tar\r\nContent-Encoding: gzip\r\n").is_ok(), "docker-py's compressed contexts");
    let two = "Content-Type: application/x-tar\r\nContent-Type: application/json\r\n";
    assert_eq!(with(two).unwrap().content_type.as_deref(), Some("application/x-tar"), "the first, as the engine has it");
    assert_eq!(with("Connection: Upgrade\r\nUpgrade: tcp\r\n").unwrap().upgrade, Some(Upgrade::Tcp));
    assert!(!with("Connection: close\r\n").unwrap().keep_alive);
    assert!(parse("GET /_ping HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").unwrap().keep_alive);
}

#[test]
fn refuses_at_once_what_no_further_byte_can_mend() {
    for begun in [&b"GET /\0"[..], b"GET /_ping HTTP/1.1\r\nA: b\rC", b"GET /_ping\n", b"GET /_ping HTTP/1.1\r\nA: \0", b"PRI * HTTP/2"] {
        assert!(Head::parse(begun).is_err(), "{begun:?}");
    }
}

#[test]
fn a_fault_of_a_head_ends_the_connection_and_one_of_what_is_asked_for_does_not() {
    for bad in
        ["GET /_ping HTTP/1.1\nHost: d\n\n", "PUSH / HTTP/1.1\r\n\r\n", "GET /a//b HTTP/1.1\r\n\r\n", "GET /v1.2/info HTTP/1.1\r\n\r\n"]
    {
        assert!(parse(bad).unwrap_err().breaks_framing(), "{bad}");
    }
    for bad in ["Content-Length: 1, 1", "Transfer-Encoding: gzip", "Expect: tea", "Host: e", "Upgrade: h2c", "Content-Encoding: gzip"] {
        assert!(with(&format!("{bad}\r\n")).unwrap_err().breaks_framing(), "{bad}");
    }
    let asked = with("Content-Length: 2\r\n").unwrap();
    let unknown = super::super::Endpoint::route(Method::Get, &asked.target.segments).unwrap_err();
    assert!(!unknown.kind.breaks_framing(), "{unknown:?}");
}

#[test]
fn knows_a_browser_by_what_no_other_client_sends() {
    for line in ["Origin: null", "Origin: http://evil.example", "Sec-Fetch-Site: cross-site", "SEC-FETCH-MODE: cors"] {
        assert!(with(&format!("{line}\r\n")).unwrap().browser, "{line}");
        assert!(with(&format!("{line}\r\nX: y\r\n")).unwrap().browser, "{line} before another");
    }
    assert!(!with("X-Origin: a\r\nSec-WebSocket-Key: a\r\n").unwrap().browser);
}

#[test]
fn takes_a_web_socket_with_a_short_printable_key_of_version_13_alone() {
    let socket = |lines: &str| with(&format!("Upgrade: WebSocket\r\n{lines}")).map(|head| head.upgrade);
    let key = |key: &str| socket(&format!("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"));
    let found =
        |key: &str, protocol: Option<&str>| Ok(Some(Upgrade::WebSocket { key: key.to_owned(), protocol: protocol.map(str::to_owned) }));
    for good in ["dGhlIHNhbXBsZQ==", "two words", "k".repeat(128).as_str()] {
        assert_eq!(key(good), found(good, None));
    }
    for bad in ["k".repeat(129).as_str(), "a\tb", "é"] {
        assert_eq!(key(bad), Err(FaultKind::BadUpgrade), "{bad}");
    }
    let protocol =
        |protocol: &str| socket(&format!("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: k\r\nSec-WebSocket-Protocol: {protocol}\r\n"));
    assert_eq!(protocol("a, b"), found("k", Some("a, b")));
    assert_eq!(protocol("a\tb"), Err(FaultKind::BadUpgrade), "a protocol is refused, not dropped");
    assert_eq!(socket("Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: k\r\n"), Err(FaultKind::BadUpgrade));
    assert_eq!(socket("Sec-WebSocket-Version: 13\r\n"), Err(FaultKind::BadUpgrade));
}

#[test]
fn bounds_the_head() {
    let many = "X: y\r\n".repeat(MAX_HEADERS + 1);
    assert_eq!(with(&many), Err(FaultKind::HeadTooLarge));
    let of_length = |length: usize| format!("GET /_ping HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(length - 28));
    assert_eq!(of_length(32_768).len(), 32_768);
    assert!(parse(&of_length(32_768)).is_ok());
    assert_eq!(parse(&of_length(32_769)), Err(FaultKind::HeadTooLarge));
    let long = format!("GET /_ping HTTP/1.1\r\nX: {}", "a".repeat(MAX_HEAD));
    assert_eq!(Head::parse(long.as_bytes()).unwrap_err().kind, FaultKind::HeadTooLarge);
}
