//! The tour of `dockgate demo`: calls through the gate, what came back, and what is on record.
//! Knows nothing of the engine and of the gate but their wire.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::config::Listen;

use super::Outcome;
use super::demo::Seen;
use super::say::{self, Failure, Paint};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const MOST: u64 = 1 << 20;

/// One stop of the tour.
struct Stop {
    title: &'static str,
    calls: &'static [Call],
}

/// One call, and the status that it must have.
struct Call {
    method: &'static str,
    path: &'static str,
    body: &'static str,
    status: u16,
}

const fn get(path: &'static str) -> Call {
    Call { method: "GET", path, body: "", status: 200 }
}

const fn post(path: &'static str, body: &'static str, status: u16) -> Call {
    Call { method: "POST", path, body, status }
}

const CREATE: &str = "/containers/create";

static TOUR: &[Stop] = &[
    Stop { title: "docker ps", calls: &[get("/containers/json")] },
    Stop { title: "docker inspect web", calls: &[get("/containers/web/json")] },
    Stop {
        title: "docker run --privileged nginx:1.27",
        calls: &[post(CREATE, r#"{"Image":"nginx:1.27","HostConfig":{"Privileged":true}}"#, 403)],
    },
    Stop {
        title: "docker run -v /:/host nginx:1.27",
        calls: &[post(CREATE, r#"{"Image":"nginx:1.27","HostConfig":{"Binds":["/:/host"]}}"#, 403)],
    },
    Stop {
        title: "docker run -v /var/run/docker.sock:/s nginx:1.27",
        calls: &[post(CREATE, r#"{"Image":"nginx:1.27","HostConfig":{"Binds":["/var/run/docker.sock:/s"]}}"#, 403)],
    },
    Stop {
        title: "docker run -d --name hello nginx:1.27 sleep 60",
        calls: &[
            post("/containers/create?name=hello", r#"{"Image":"nginx:1.27","Cmd":["sleep","60"]}"#, 201),
            post("/containers/hello/start", "", 204),
        ],
    },
    Stop { title: "docker exec web sh", calls: &[post("/containers/web/exec", r#"{"Cmd":["sh"]}"#, 403)] },
    Stop {
        title: "a field where the API has none: some reader might take it all the same",
        calls: &[post(CREATE, r#"{"Image":"nginx:1.27","Privileged":true}"#, 403)],
    },
];

/// Walks the tour. Exit code 1 where something came back that should not.
///
/// # Errors
/// Where the gate does not answer, or leaves no record.
pub async fn walk(door: &Listen, seen: &Seen) -> Outcome {
    let paint = Paint::stdout();
    say::out("dockgate in front of a small engine in memory. Policy: read-only, and plain containers may be created and started.");
    let mut surprises = 0;
    for (number, stop) in TOUR.iter().enumerate() {
        say::out(format_args!("\n{}", paint.bold(&format!("{}. {}", number + 1, stop.title))));
        for call in stop.calls {
            let (status, body) = asked(door, call).await?;
            say::out(format!("   asked     {} {} {}", call.method, call.path, call.body).trim_end());
            let word = if status < 400 { paint.green("allowed") } else { paint.red("refused") };
            say::out(format!("   answered  {word} {status} {}", gist(&body)).trim_end());
            surprises += usize::from(status != call.status);
            let lines = tokio::time::timeout(PATIENCE, seen.call()).await.map_err(|_| Failure::refused("a call has no record"))?;
            lines.iter().for_each(|line| say::out(format_args!("   record    {}", shortened(line))));
        }
    }
    if surprises > 0 {
        return Err(Failure::refused(format!("{surprises} of the calls did not come back as they should")));
    }
    Ok(0)
}

async fn asked(door: &Listen, call: &Call) -> Result<(u16, String), Failure> {
    let exchange = async {
        match door {
            Listen::Unix(path) => exchange(UnixStream::connect(path).await?, call).await,
            Listen::Tcp(address) => exchange(TcpStream::connect(address).await?, call).await,
        }
    };
    let late = || Err(std::io::ErrorKind::TimedOut.into());
    let answer = tokio::time::timeout(PATIENCE, exchange).await.unwrap_or_else(|_| late());
    let answer = answer.map_err(|error: std::io::Error| Failure::refused(format!("the gate does not answer: {error}")))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok((status, body.to_owned()))
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, call: &Call) -> std::io::Result<String> {
    let Call { method, path, body, .. } = call;
    let typed = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let length = body.len();
    // HTTP/1.0 answers come without chunks, so that they can be shown as they are
    let request =
        format!("{method} {path} HTTP/1.0\r\nHost: docker\r\nUser-Agent: dockgate-demo\r\n{typed}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut stream = stream.take(MOST);
    while !complete(&answer) && stream.read_buf(&mut answer).await? > 0 {}
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// True where the answer says its length and that much is there; others end with the connection.
fn complete(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length) || head.contains(" 204 ")
}

/// What matters of an answer.
fn gist(body: &str) -> String {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(|text| text.trim_start_matches('/').to_owned());
    match serde_json::from_str::<Value>(body) {
        Ok(Value::Array(items)) => {
            let name = |item: &Value| {
                item.get("Names").and_then(|names| names.get(0)).and_then(Value::as_str).map(|name| name.trim_start_matches('/').to_owned())
            };
            format!("{} containers: {}", items.len(), items.iter().filter_map(name).collect::<Vec<_>>().join(", "))
        }
        Ok(value) => {
            let short = |id: String| id.chars().take(12).collect::<String>();
            let named = text(&value, "message").or_else(|| text(&value, "Name")).or_else(|| text(&value, "Id").map(short));
            named.unwrap_or_default()
        }
        Err(_) => body.chars().take(60).collect(),
    }
}

/// A record's line, cut to what matters here.
pub fn shortened(line: &str) -> String {
    let Ok(record) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    let keys = ["stage", "operation", "path", "verdict", "reason", "at", "rule", "status", "ended"];
    let shown = keys.iter().filter_map(|key| record.get(*key).map(|value| format!("\"{key}\":{value}")));
    format!("{{{},…}}", shown.collect::<Vec<_>>().join(","))
}
