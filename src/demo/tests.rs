//! The engine over its socket, as a client sees it.
//! It must not know the engine's insides.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{Engine, Running};

async fn engine() -> (Engine, Running, UnixStream, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker.sock");
    let engine = Engine::new();
    let running = engine.serve_unix(&path).await.unwrap();
    (engine, running, UnixStream::connect(&path).await.unwrap(), folder)
}

/// Sends everything, closes the sending side and reads to the end.
async fn talk(stream: &mut UnixStream, sent: &str) -> String {
    stream.write_all(sent.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn answers_pipelined_requests_and_remembers_them_in_order() {
    let (engine, _running, mut stream, _folder) = engine().await;
    let chunked = "POST /v1.51/volumes/create HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let answer = talk(&mut stream, &format!("GET /_ping HTTP/1.1\r\nX-One: 1\r\n\r\n{chunked}")).await;
    assert_eq!(answer.matches("HTTP/1.1 20").count(), 2, "{answer}");
    let seen = engine.requests();
    assert_eq!(seen[0].headers, [("X-One".to_owned(), "1".to_owned())]);
    assert_eq!((seen[1].target.as_str(), seen[1].body.as_slice()), ("/v1.51/volumes/create", b"{}".as_slice()));
}

#[tokio::test]
async fn answers_an_unknown_container_as_the_engine_does() {
    let (_engine, _running, mut stream, _folder) = engine().await;
    let answer = talk(&mut stream, "GET /containers/x/json HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains(r#"{"message":"No such container: x"}"#), "{answer}");
}

#[tokio::test]
async fn answers_nonsense_with_400_and_closes() {
    for sent in [
        "\u{1}\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ] {
        let (engine, _running, mut stream, _folder) = engine().await;
        let answer = talk(&mut stream, sent).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("Connection: close"), "{answer}");
        assert!(engine.requests().is_empty());
    }
}

#[tokio::test]
async fn echoes_standard_input_until_the_half_close() {
    let (_engine, _running, mut stream, _folder) = engine().await;
    let body = r#"{"Cmd":["cat"],"AttachStdin":true,"AttachStdout":true}"#;
    let request = format!("POST /containers/web/exec HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with("}\n") {
        let mut part = [0; 1024];
        let count = stream.read(&mut part).await.unwrap();
        answer.push_str(std::str::from_utf8(&part[..count]).unwrap());
    }
    let id = answer.split(r#""Id":""#).nth(1).unwrap().split('"').next().unwrap();
    let start = format!("POST /exec/{id}/start HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{{}}early");
    let answer = talk(&mut stream, &start).await;
    assert!(answer.starts_with("HTTP/1.1 101 UPGRADED"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n\u{1}\0\0\0\0\0\0\u{5}early"), "{answer:?}");
}
