//! Marked secrets through every place of every operation that can carry one, with every verdict: none may show in the trail
//! or in the operator's log. Both formats of a mark, as it is sent and in base64, are looked for.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use base64::Engine as _;
use dockgate::config;
use dockgate::docker::Operation;
use dockgate::docker::operations::{BodyPlan, KeyType, TABLE};
use dockgate::docker::schema::{Schema, Type};
use dockgate::proxy::serve::Server;
use dockgate::proxy::upstream::{Address, Upstream};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use crate::support::client::Client;
use crate::support::engine::Recorder;
use crate::support::{report, schema};

/// Begins every mark.
const MARK: &str = "markq7";
/// The doors, each with another verdict for most requests: allowed, denied by rules, denied by checks.
const DOORS: [(&str, &str); 4] = [
    ("open", "extends = [\"unrestricted\"]"),
    ("closed", "extends = [\"read-only\"]"),
    ("checked", "allow = [\"*\"]\n[policy.checked.create]\nlevel = \"restricted\""),
    ("watched", "mode = \"warn\"\nallow = [\"@read\"]\n[policy.watched.create]\nlevel = \"restricted\""),
];

/// Makes marks, each another one.
#[derive(Default)]
struct Marks(usize);

impl Marks {
    /// Without a shape: for places that are for secrets.
    fn plain(&mut self) -> String {
        self.0 += 1;
        format!("{MARK}x{:012}", self.0)
    }

    /// With the shape of a token: for places where any text may stand.
    fn token(&mut self) -> String {
        format!("ghp_{}", self.plain())
    }

    fn value(&mut self, name: &str, ty: &Type) -> Value {
        match ty {
            Type::Bool => Value::Bool(true),
            Type::Int(..) => json!(1),
            Type::Float => json!(0.5),
            Type::Str => Value::String(self.text(name)),
            Type::StrSlice => self.list(name, &Type::Str),
            Type::List(of) => self.list(name, of),
            Type::Array(_, length) => Value::Array(vec![json!(1); *length]),
            Type::Map(Type::Str) => json!({
                self.token(): "x",
                "plain": self.token(),
                "registry.token": self.plain(),
                "a.basicauth.users": self.text("Data"),
                "o": format!("addr=h,username=u,password={}", self.plain()),
            }),
            Type::Map(of) => json!({ self.token(): self.value("", of) }),
            Type::Object(schema) => self.object(schema),
        }
    }

    fn object(&mut self, schema: &Schema) -> Value {
        let members = schema.fields.iter().map(|field| (field.name.to_owned(), self.value(field.name, &field.ty)));
        Value::Object(members.collect::<Map<String, Value>>())
    }

    fn list(&mut self, name: &str, of: &Type) -> Value {
        match name {
            "Env" | "env" => json!([format!("A={}", self.plain()), format!("{}=b", self.token())]),
            "Cmd" | "Entrypoint" | "Command" | "Args" | "Test" | "Shell" | "OnBuild" => json!([
                format!("--password={}", self.plain()),
                "--token",
                self.plain(),
                format!("-p{}", self.plain()),
                "-u",
                format!("name:{}", self.plain()),
                format!("mysql -p{} --password {} https://u:{}@h/?sig={}", self.plain(), self.plain(), self.plain(), self.plain()),
                self.token(),
            ]),
            _ => Value::Array(vec![self.value(name, of)]),
        }
    }

    fn text(&mut self, name: &str) -> String {
        match name {
            "Data" => base64::engine::general_purpose::STANDARD.encode(self.plain()),
            "JoinToken" | "UnlockKey" | "SigningCAKey" | "SigningCACert" | "CACert" | "password" | "auth" | "identitytoken"
            | "registrytoken" => self.plain(),
            "Image" | "remote" => format!("{}@reg.example/x", self.plain()),
            "URL" | "serveraddress" => format!("https://{}@reg.example/?a={}", self.plain(), self.plain()),
            _ => match self.0 % 3 {
                0 => self.token(),
                1 => format!("https://name:{}@host/?sig={}", self.plain(), self.plain()),
                _ => format!("a password={} \u{1b}[31m {}", self.plain(), self.token()),
            },
        }
    }

    /// The body of an operation, with a secret in every string.
    fn body(&mut self, plan: BodyPlan) -> Option<String> {
        match plan {
            BodyPlan::Json(schema) | BodyPlan::OptionalJson(schema) => Some(self.object(schema).to_string()),
            BodyPlan::JsonList(list) if matches!(list.ty, Type::List(Type::Str)) => Some(self.list("Env", &Type::Str).to_string()),
            BodyPlan::JsonList(list) => Some(self.value("", &list.ty).to_string()),
            BodyPlan::Opaque | BodyPlan::OpaqueIf(..) => Some(self.plain().repeat(40)),
            BodyPlan::None | BodyPlan::Tunnel => None,
        }
    }

    fn query(&mut self, name: &str, ty: KeyType) -> String {
        match (ty, name) {
            (KeyType::Bool | KeyType::Int | KeyType::ClassicBuilder, _) => self.plain(),
            (KeyType::StringMap, _) => json!({ "a.token": self.plain(), self.token(): self.token() }).to_string(),
            (KeyType::StringList, _) => json!([self.token(), format!("u:{}@reg.example/x", self.plain())]).to_string(),
            (KeyType::Filters, _) => {
                json!({ "label": [format!("a.secret={}", self.plain()), self.token()], self.token(): ["x"] }).to_string()
            }
            (KeyType::Json, _) => json!({ "password": self.plain(), "b": self.token() }).to_string(),
            (KeyType::Text, "changes") => format!("ENV A={} B=c", self.plain()),
            (KeyType::Text, "fromImage" | "repo" | "t" | "names" | "term") => format!("{}@reg.example/x", self.plain()),
            (KeyType::Text, "fromSrc" | "remote") => format!("https://{}@h/x.tar?sig={}", self.plain(), self.plain()),
            (KeyType::Text, _) => self.token(),
        }
    }

    /// Headers, with secrets in those that hold credentials and in some that nobody knows.
    fn headers(&mut self) -> String {
        let auth = json!({ "username": "u", "password": self.plain(), "identitytoken": self.plain(), "serveraddress": "reg.example" });
        let config = json!({ "reg.example": { "username": "u", "auth": self.plain() } });
        let encode = |value: Value| base64::engine::general_purpose::URL_SAFE.encode(value.to_string());
        let mut out = String::from("Host: docker\r\nContent-Type: application/json\r\n");
        let _infallible = write!(out, "X-Registry-Auth: {}\r\nX-Registry-Config: {}\r\n", encode(auth), encode(config));
        let _infallible = write!(out, "Authorization: Bearer {}\r\nCookie: a={}\r\n", self.plain(), self.plain());
        let _infallible = write!(out, "X-Token: {}\r\nProxy-Authorization: Basic {}\r\n", self.plain(), self.plain());
        let _infallible = write!(out, "User-Agent: tool/1 ({}) token={}\r\n", self.token(), self.plain());
        out
    }

    fn path(&mut self, operation: Operation) -> String {
        let path = operation.row().path;
        path.replace("{id}", &self.token()).replace("{checkpoint}", &self.token()).replace("{image}", &self.token())
    }

    fn request(&mut self, operation: Operation, path: &str, query: &str, body: Option<&str>) -> String {
        let mut head = format!("{} {path}{query} HTTP/1.1\r\n{}", operation.row().method, self.headers());
        if operation == Operation::ContainerAttachWebsocket {
            head.push_str(
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            );
        }
        let body = body.unwrap_or_default();
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        format!("{head}{length}\r\n{body}")
    }

    /// Every request of one operation: all of its body, each key of its query, and what breaks in each way.
    fn requests(&mut self, operation: Operation, queries: bool) -> Vec<String> {
        let row = operation.row();
        let (path, body) = (self.path(operation), self.body(row.body));
        let versioned = format!("/v1.47{path}");
        let mut out = vec![self.request(operation, &versioned, "", body.as_deref()), self.request(operation, &path, "", None)];
        for key in row.query.iter().filter(|_| queries) {
            let query = format!("?{}={}", key.name, escaped(&self.query(key.name, key.ty)));
            let body = self.body(row.body);
            out.push(self.request(operation, &path, &query, body.as_deref()));
        }
        let unknown = format!("?{}={}&a=b", self.token(), self.plain());
        out.push(self.request(operation, &path, &unknown, None));
        if let (Some(_), Some(body)) = (row.body.object(), &body) {
            let (token, plain) = (self.token(), self.plain());
            let field = format!("{{\"{token}\":\"{plain}\",{}", &body[1..]);
            let broken = &body[..body.len() - 3];
            let wrong = json!({ "Labels": self.plain(), "Env": self.plain(), "Name": { self.token(): 1 } }).to_string();
            for body in [field.as_str(), broken, &wrong] {
                out.push(self.request(operation, &path, "", Some(body)));
            }
        }
        if path.contains("ghp_") {
            let login =
                row.path.replace("{id}", "a").replace("{checkpoint}", "b").replace("{image}", &format!("u:{}@reg.example/x", self.plain()));
            out.push(self.request(operation, &login, "", None));
            let longer = format!("{path}/{}", self.token());
            out.push(self.request(operation, &longer, "", None));
        }
        out
    }

    /// Heads that are no requests of the API.
    fn malformed(&mut self) -> Vec<String> {
        let (token, plain) = (self.token(), self.plain());
        [
            format!("GET /{token}/x?{token}={plain} HTTP/1.1\r\nHost: docker\r\n\r\n"),
            format!("GET /containers/json?{token}=%zz HTTP/1.1\r\nHost: docker\r\n\r\n"),
            format!("{token} / HTTP/1.1\r\nHost: docker\r\n\r\n"),
            format!("GET /containers/%00{token}/json HTTP/1.1\r\nHost: docker\r\n\r\n"),
            format!("GET http://u:{plain}@h/info HTTP/1.1\r\nHost: docker\r\n\r\n"),
            format!("GET /info HTTP/1.1\r\nHost: {plain}@docker\r\n\r\n"),
            format!("GET /info HTTP/1.1\r\nHost: docker\r\n{token} : {plain}\r\n\r\n"),
            format!("POST /images/create?fromImage=a HTTP/1.1\r\nHost: docker\r\nX-Registry-Auth: {plain}\r\n\r\n"),
            format!("POST /containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: {plain}\r\nContent-Length: 2\r\n\r\n{{}}"),
            format!("GET /info HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: {plain}\r\n\r\n"),
        ]
        .to_vec()
    }
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The operator's log, kept.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The gate on a thread of its own, whose whole log is kept.
struct Gate {
    folder: tempfile::TempDir,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
    log: Kept,
}

impl Gate {
    fn start(engine: &Path, folder: tempfile::TempDir) -> Self {
        let mut text = String::from("version = 1\n");
        for (name, policy) in DOORS {
            let door = folder.path().join(format!("{name}/door.sock"));
            let _infallible = write!(text, "[[door]]\nlisten = \"unix://{}\"\npolicy = \"{name}\"\n", door.display());
            let _infallible = writeln!(text, "[policy.{name}]\n{policy}");
        }
        let loaded = config::load("test.toml", &text);
        let config = loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
        let (upstream, trail) = (engine.to_owned(), folder.path().join("trail.jsonl"));
        let (stop, stopped) = oneshot::channel();
        let (ready, bound) = std::sync::mpsc::channel();
        let log = Kept::default();
        let sink = log.clone();
        let running = std::thread::spawn(move || {
            let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || sink.clone()).finish();
            // for all threads: a log of this one alone loses what other tests' threads happen to log first (tracing keeps
            // for each place whether anybody listens), and what they log holds no mark
            tracing::subscriber::set_global_default(log).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let server = Server::bind(&config, Upstream::new(Address::Unix(upstream)), crate::support::trail(&trail)).unwrap();
                ready.send(()).unwrap();
                server.run(async { stopped.await.unwrap_or(()) }).await;
            });
        });
        bound.recv().unwrap();
        Self { folder, stop, running, log }
    }

    fn door(&self, name: &str) -> PathBuf {
        self.folder.path().join(name).join("door.sock")
    }

    /// The trail and the log.
    fn end(self) -> (String, String) {
        self.stop.send(()).unwrap();
        self.running.join().unwrap();
        let log = String::from_utf8_lossy(&self.log.0.lock().unwrap()).into_owned();
        (std::fs::read_to_string(self.folder.path().join("trail.jsonl")).unwrap(), log)
    }
}

/// The lines in which a mark stands, each with what is around it.
fn found(text: &str) -> Vec<String> {
    let base64 = base64::engine::general_purpose::STANDARD.encode(MARK);
    let around = |line: &str, at: usize| {
        let (from, to) = (line.floor_char_boundary(at.saturating_sub(60)), line.ceil_char_boundary((at + 40).min(line.len())));
        line[from..to].to_owned()
    };
    let hits = text.lines().filter_map(|line| [MARK, base64.as_str()].iter().find_map(|mark| line.find(mark)).map(|at| around(line, at)));
    hits.collect()
}

#[test]
fn no_marked_secret_shows_in_a_record_or_in_the_operators_log() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Recorder::start(&folder.path().join("engine.sock"));
    let gate = Gate::start(engine.path(), folder);
    let mut marks = Marks::default();
    let mut sent = 0;
    for (door, _) in DOORS {
        // a query is recorded alike where its request is judged by its body
        let queries = matches!(door, "open" | "closed");
        let requests = TABLE.iter().flat_map(|operation| marks.requests(*operation, queries)).collect::<Vec<_>>();
        for request in requests.iter().chain(&marks.malformed()) {
            let mut client = Client::unix(&gate.door(door));
            client.send(request.as_bytes());
            client.finish();
            sent += 1;
        }
    }
    let forwarded = engine.take().len();
    let (trail, log) = gate.end();
    let records: Vec<Value> = trail.lines().map(schema::record).collect();
    let count = |member: &str, word: &str| records.iter().filter(|record| record[member] == word).count();
    let verdicts = ["allow", "deny", "would-deny", "refuse"].map(|word| (word, count("verdict", word)));
    report(&format!("{} marks in {sent} requests, {forwarded} forwarded, {} records: {verdicts:?}", marks.0, records.len()));
    assert!(verdicts.iter().all(|(_, count)| *count > 100), "{verdicts:?}");
    assert!(count("stage", "intent") > 100 && log.lines().count() > 100, "the test does not reach what it is about");
    let summaries = records.iter().filter(|record| record["body"]["summary"].is_object()).count();
    let digests = trail.matches("hmac:").count();
    assert!(summaries > 60 && digests > 1000, "{summaries} summaries, {digests} digests");
    assert_eq!(found(&trail), [""; 0], "marks in the trail");
    assert_eq!(found(&log), [""; 0], "marks in the log");
}
