//! Shows what hyper's server reads from raw bytes: `[{"raw_b64"}]` on standard input, `[{"seen", "status"}]` on standard output.
//! Knows nothing of dockgate.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

#[derive(Deserialize)]
struct Input {
    raw_b64: String,
}

#[derive(Serialize)]
struct Seen {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    body_b64: String,
    whole: bool,
}

#[derive(Serialize)]
struct Connection {
    seen: Vec<Seen>,
    status: Vec<u16>,
}

async fn handle(request: Request<Incoming>, seen: Arc<Mutex<Vec<Seen>>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, mut incoming) = request.into_parts();
    let (mut body, mut whole) = (Vec::new(), true);
    while let Some(frame) = incoming.frame().await {
        match frame {
            Ok(frame) => body.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..])),
            Err(_) => {
                whole = false;
                break;
            }
        }
    }
    // hyper leaves escapes alone: they are decoded once here, as its users do
    let path = match head.uri.authority() {
        Some(_) => head.uri.to_string(),
        None => percent_encoding::percent_decode_str(head.uri.path()).decode_utf8_lossy().into_owned(),
    };
    let mut query: Vec<(String, String)> = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    query.sort_by(|a, b| a.0.cmp(&b.0));
    let method = head.method.to_string();
    seen.lock().unwrap().push(Seen { method, path, query, body_b64: STANDARD.encode(body), whole });
    Ok(Response::new(Full::new(Bytes::from_static(b"ok"))))
}

async fn show(raw: &[u8]) -> Connection {
    let (mut client, server) = UnixStream::pair().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = seen.clone();
    let service = service_fn(move |request| handle(request, record.clone()));
    let serve = http1::Builder::new().half_close(true).serve_connection(TokioIo::new(server), service);
    let talk = async {
        let (mut read, mut write) = client.split();
        let mut reply = Vec::new();
        let send = async {
            let _closed_early = write.write_all(raw).await;
            let _closed_early = write.shutdown().await;
        };
        let _reset = tokio::join!(send, read.read_to_end(&mut reply)).1;
        reply
    };
    let (_, reply) = tokio::time::timeout(Duration::from_secs(5), async { tokio::join!(serve, talk) }).await.unwrap();
    let status = String::from_utf8_lossy(&reply).split("HTTP/1.").skip(1).filter_map(|text| text.get(2..5)?.parse().ok()).collect();
    Connection { seen: std::mem::take(&mut *seen.lock().unwrap()), status }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let cases: Vec<Input> = serde_json::from_reader(std::io::stdin()).unwrap();
    let mut out = Vec::new();
    for case in cases {
        out.push(show(&STANDARD.decode(case.raw_b64).unwrap()).await);
    }
    println!("{}", serde_json::to_string(&out).unwrap());
}
