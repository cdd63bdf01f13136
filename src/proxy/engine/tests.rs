use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;

fn fields(answer: &Answer) -> String {
    String::from_utf8(answer.fields.clone()).unwrap()
}

#[test]
fn passes_end_to_end_fields_alone() {
    let wire = b"HTTP/1.1 200 OK\r\nApi-Version: 1.99\r\nX-A: 1\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 2\r\nKeep-Alive: 5\r\n\
        Dockgate-Ref: forged\r\nTrailer: X\r\nUpgrade: h2c\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc";
    let (answer, length) = Answer::parse(wire).unwrap().unwrap();
    assert_eq!(length, wire.len() - 3);
    assert_eq!(fields(&answer), "Api-Version: 1.56\r\nX-A: 1\r\n");
    assert_eq!((answer.content_type.as_deref(), answer.length, answer.closes), (Some(&b"text/plain"[..]), Some(3), false));
}

#[test]
fn keeps_back_what_belongs_to_one_connection_and_no_other_name_of_its_length() {
    let passed = |line: &str| {
        let wire = format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n");
        fields(&Answer::parse(wire.as_bytes()).unwrap().unwrap().0)
    };
    for own in [
        "TE: trailers",
        "Trailer: X",
        "Upgrade: h2c",
        "Connection: x",
        "Keep-Alive: 5",
        "Dockgate-Ref: forged",
        "Proxy-Connection: close",
        "Proxy-Authenticate: Basic",
        "Proxy-Authorization: Basic",
        "Content-Type: a/b",
        "Content-Length: 1",
        "Transfer-Encoding: chunked",
    ] {
        assert_eq!(passed(own), "", "{own}");
        let length = own.split_once(':').unwrap().0.len();
        let other = format!("{}: 1", "x".repeat(length));
        assert_eq!(passed(&other), format!("{other}\r\n"));
    }
    assert_eq!(passed("Xpi-Version: 1.99"), "Xpi-Version: 1.99\r\n", "only the engine's own is capped");
}

#[test]
fn refuses_framing_that_two_readers_may_understand_differently() {
    for bad in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Content-Length: 3\r\nContent-Length: 3",
        "Content-Length: 3, 3",
        "Content-Length: +3",
        "Content-Length: ",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Connection: Transfer-Encoding, Content-Length\r\nTransfer-Encoding: chunked\r\nContent-Length: 3",
        "X Y: 1",
        "X: a\r\n b",
        "X: \0",
    ] {
        assert!(Answer::parse(format!("HTTP/1.1 200 OK\r\n{bad}\r\n\r\n").as_bytes()).is_err(), "{bad}");
    }
    for garbage in [&b"\0\0\0"[..], b"SSH-2.0-OpenSSH\r\n", b"HTTP/2 200 OK\r\n\r\n", b"HTTP/1.1 99 \r\n\r\n"] {
        assert!(Answer::parse(garbage).is_err(), "{garbage:?}");
    }
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: 1\r\n".repeat(65));
    assert!(Answer::parse(many.as_bytes()).is_err());
}

#[test]
fn knows_how_a_body_ends() {
    for (head, head_only, framing) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false, Some(Framing::Length(3))),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true, Some(Framing::None)),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", false, Some(Framing::None)),
        ("HTTP/1.1 304 Not Modified\r\n\r\n", false, Some(Framing::None)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", false, Some(Framing::Chunked)),
        ("HTTP/1.1 200 OK\r\n\r\n", false, None),
        ("HTTP/1.0 200 OK\r\n\r\n", false, None),
    ] {
        assert_eq!(Answer::parse(head.as_bytes()).unwrap().unwrap().0.framing(head_only), framing, "{head}");
    }
}

/// The whole reply as it is read from a connection that gets these bytes in pieces, and whether the connection may be used again.
async fn read(pieces: &[&[u8]], closes: bool) -> (io::Result<Vec<u8>>, bool) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut connection = Connection::new(Stream::Unix(ours));
    let sending = async {
        for piece in pieces {
            theirs.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        (!closes).then_some(theirs)
    };
    let (mut reply, _) = connection.halves(Framing::None);
    let reading = async {
        reply.head(false).await?;
        let mut whole = Vec::new();
        loop {
            while let Some(piece) = reply.here()? {
                whole.extend_from_slice(&piece);
            }
            if reply.ended() {
                return Ok(whole);
            }
            reply.more().await?;
        }
    };
    let (body, _open) = tokio::join!(reading, sending);
    if let (true, Stream::Unix(socket)) = (closes, &connection.stream) {
        socket.readable().await.unwrap();
    }
    (body, connection.is_idle())
}

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn reads_bodies_to_their_end_and_keeps_only_clean_connections() {
    let length = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
    for (pieces, closes, body, kept) in [
        (&[&length[..], b"abc"][..], false, "abc", true),
        (&[&length[..20], &length[20..], b"a", b"bc"], false, "abc", true),
        (&[b"HTTP/1.1 100 Continue\r\n\r\n", &length[..], b"abc"], false, "abc", true),
        (&[&length[..], b"abcHTTP/1.1 200 OK"], false, "abc", false),
        (&[&length[..], b"abc"], true, "abc", false),
        (&[CHUNKED, b"3\r\nabc\r\n", b"0\r\n\r\n"], false, "abc", true),
        (&[CHUNKED, b"1\r\na\r\n2\r\nbc\r\n0\r\nX: y\r\n\r\n"], false, "abc", true),
        (&[b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"], false, "abc", false),
        (&[b"HTTP/1.0 200 OK\r\n\r\na", b"bc"], true, "abc", false),
    ] {
        let (whole, idle) = read(pieces, closes).await;
        assert_eq!((whole.unwrap(), idle), (body.as_bytes().to_vec(), kept), "{:?}", String::from_utf8_lossy(&pieces.concat()));
    }
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_never_whole() {
    for pieces in [
        &[&b""[..]][..],
        &[b"HTTP/1.1 200 OK\r\nConte"],
        &[b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"],
        &[CHUNKED, b"3\r\nab"],
        &[CHUNKED, b"3\r\nabc\r\n"],
        &[CHUNKED, b"3;x=y\r\nabc\r\n0\r\n\r\n"],
        &[CHUNKED, b"3\r\nabcd\r\n0\r\n\r\n"],
        &[CHUNKED, b"0\r\n"],
    ] {
        let (whole, idle) = read(pieces, true).await;
        assert!(whole.is_err() && !idle, "{:?}", String::from_utf8_lossy(&pieces.concat()));
    }
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let long = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'a'; MAX_HEAD + 1]].concat();
    assert!(read(&[&long], false).await.0.is_err());
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(MAX_INTERIM + 2);
    assert!(read(&[&interim], false).await.0.is_err());
    let last = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let storm = [b"HTTP/1.1 102 Processing\r\n\r\n".repeat(MAX_INTERIM + 1), last.to_vec()].concat();
    assert!(read(&[&storm], false).await.0.is_err(), "however many of them come at once");
    let few = [b"HTTP/1.1 102 Processing\r\n\r\n".repeat(MAX_INTERIM), last.to_vec()].concat();
    assert!(read(&[&few], false).await.0.is_ok());
}

/// What arrives of a body that is sent in these pieces, and whether it ended well.
async fn sent(framing: Framing, pieces: &[&[u8]]) -> (Vec<u8>, io::Result<()>) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut connection = Connection::new(Stream::Unix(ours));
    let (_, mut to) = connection.halves(framing);
    let mut ended = Ok(());
    for piece in pieces {
        ended = ended.and(to.piece(piece).await);
    }
    let ended = match ended {
        Ok(()) => to.end().await,
        Err(error) => Err(error),
    };
    drop(connection);
    let mut arrived = Vec::new();
    theirs.read_to_end(&mut arrived).await.unwrap();
    (arrived, ended)
}

#[tokio::test]
async fn a_body_is_neither_longer_nor_shorter_than_its_head_says() {
    for (framing, pieces, arrived, well) in [
        (Framing::Length(4), &[&b"ab"[..], b"", b"cd"][..], "abcd", true),
        (Framing::Length(4), &[b"abc"], "abc", false),
        (Framing::Length(4), &[b"abc", b"de"], "abc", false),
        (Framing::None, &[b"GET / HTTP/1.1\r\n\r\n"], "", false),
        (Framing::None, &[], "", true),
        (Framing::Chunked, &[b"ab", b"", b"c"], "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", true),
    ] {
        let (seen, ended) = sent(framing, pieces).await;
        assert_eq!((String::from_utf8(seen).unwrap().as_str(), ended.is_ok()), (arrived, well), "{framing:?} {pieces:?}");
    }
}
