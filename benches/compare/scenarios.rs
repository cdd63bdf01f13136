//! What is measured: one entry for each kind of traffic.
//! Knows nothing of who is measured, and of which figures are good.

use super::load::{Framing, Reuse, Work};
use super::peers::Kind;

/// One kind of traffic.
pub struct Scenario {
    pub name: &'static str,
    pub job: Job,
    pub rules: Rules,
    pub who: Who,
    /// Part of the short comparison.
    pub quick: bool,
}

pub enum Job {
    /// The generator does it.
    Load(Work),
    /// The process is started again and again.
    Start,
}

/// What the proxy allows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Reads and logs. HAProxy: GET of four sections.
    Read,
    /// What the docker command line needs to run containers, and the loading of images. HAProxy: everything.
    Run,
    /// The same, and the trail without fsync. HAProxy: everything.
    Create,
    /// The same with grants for mounts, a network and ports, at the level `restricted`, and with what it injects.
    Grants,
}

/// Who can be measured with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    All,
    /// Who refuses.
    Judging,
    /// Who can hold so many streams: the images' HAProxy is bounded far below.
    Holding,
    /// Who is a process.
    Proxies,
}

impl Who {
    pub fn includes(self, kind: Kind) -> bool {
        match kind {
            Kind::Dockgate => true,
            Kind::HaproxyRules => self != Self::Holding,
            Kind::HaproxyBare => self != Self::Judging,
            Kind::Direct => self == Self::All,
        }
    }
}

const USER_AGENT: &str = "Host: docker\r\nUser-Agent: Docker-Client/28.2.2 (linux)\r\n";

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\n{USER_AGENT}\r\n")
}

fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\n{USER_AGENT}Content-Length: {}\r\nContent-Type: application/json\r\n\r\n{body}", body.len())
}

/// Attach has no body: HAProxy takes the wish for a tunnel out of a request that has one.
fn attach() -> String {
    let path = "/v1.51/containers/web/attach?stream=1&stdin=1&stdout=1";
    format!("POST {path} HTTP/1.1\r\n{USER_AGENT}Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n")
}

/// A real create, with more environment, so that it has 3 KiB.
fn create(real: &str) -> String {
    const SIZE: usize = 3 << 10;
    let filling = "x".repeat(SIZE.saturating_sub(real.len() + "\"FEATURES=\",".len()));
    let body = real.replacen("\"Env\":[", &format!("\"Env\":[\"FEATURES={filling}\","), 1);
    post("/v1.47/containers/create?name=api-1", &body)
}

/// What a create of a service asks for, with mounts, a network and a port.
const SERVICE: &str = include_str!("../create.json").trim_ascii_end();

/// The same without what needs a grant.
fn plain() -> String {
    let parts = [
        (r#""Binds":["/srv/ci:/src:ro","ci-cache:/cache"]"#, r#""Binds":null"#),
        (r#""NetworkMode":"ci""#, r#""NetworkMode":"default""#),
        (r#""PortBindings":{"8080/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}"#, r#""PortBindings":{}"#),
        (r#"[{"Type":"volume","Source":"ci-data","Target":"/data"}]"#, "null"),
    ];
    let without = parts.iter().fold(SERVICE.to_owned(), |text, (part, instead)| text.replacen(part, instead, 1));
    let networks = without.find(r#""NetworkingConfig":"#).unwrap_or(without.len());
    format!("{}\"NetworkingConfig\":{{\"EndpointsConfig\":{{}}}}}}", without.get(..networks).unwrap_or_default())
}

/// All of them, in the order in which they run.
pub fn all() -> Vec<Scenario> {
    let (list, inspect, long) = ("/v1.51/containers/json", "/v1.51/containers/web/json", "/v1.51/containers/json?all=1");
    let log = |id: &str| Work::Download { request: get(&format!("/v1.51/containers/{id}/logs?stdout=1&follow=1")) };
    let upload = |framing| {
        let head = format!("POST /v1.51/images/load HTTP/1.1\r\n{USER_AGENT}Content-Type: application/x-tar\r\n");
        Work::Upload { head, mib: 256, framing }
    };
    let trips = |connections| Work::RoundTrips { connections, request: attach() };
    let held = |count, request| Work::Held { count, request };
    let events = || get("/v1.51/events");
    let mut all = vec![
        reads("ping-1", 1, "/_ping"),
        reads("ping-10", 10, "/_ping"),
        reads("ping-50", 50, "/_ping").quick(),
        reads("ping-200", 200, "/_ping"),
        reads("list-2k-1", 1, list),
        reads("list-2k-10", 10, list),
        reads("list-2k-50", 50, list).quick(),
        reads("list-2k-200", 200, list),
        reads("inspect-8k-1", 1, inspect),
        reads("inspect-8k-10", 10, inspect),
        reads("inspect-8k-50", 50, inspect),
        reads("inspect-8k-200", 200, inspect),
        reads("list-200k-10", 10, long),
        requests("connect-1", 1, get("/_ping"), 200, Reuse::Never),
        requests("connect-10", 10, get("/_ping"), 200, Reuse::Never),
        requests("denied-50", 50, post("/v1.51/containers/web/kill", ""), 403, Reuse::KeepAlive).of(Who::Judging).quick(),
        requests("create-50", 50, create(&plain()), 201, Reuse::KeepAlive).by(Rules::Create).quick(),
        requests("create-grants-50", 50, create(SERVICE), 201, Reuse::KeepAlive).by(Rules::Grants),
    ];
    all.extend([
        load("log-32k", log("web")).quick(),
        load("log-4k", log("small")),
        load("ticks", Work::Ticks { request: post("/v1.51/images/create?fromImage=docker.io%2Flibrary%2Falpine&tag=3.22", "") })
            .by(Rules::Run),
        load("upload-length", upload(Framing::ContentLength)).by(Rules::Run),
        load("upload-chunked", upload(Framing::Chunked)).by(Rules::Run),
        load("tunnel-echo", Work::Echo { request: attach() }).by(Rules::Run).quick(),
        load("tunnel-trip-1", trips(1)).by(Rules::Run),
        load("tunnel-trip-50", trips(50)).by(Rules::Run),
        load("held-tunnels-1000", held(1000, attach())).by(Rules::Run).of(Who::Holding),
        load("held-tunnels-5000", held(5000, attach())).by(Rules::Run).of(Who::Holding),
        load("held-events-1000", held(1000, events())).of(Who::Holding),
        load("held-events-5000", held(5000, events())).of(Who::Holding),
        Scenario { name: "start", job: Job::Start, rules: Rules::Read, who: Who::Proxies, quick: true },
    ]);
    all
}

fn load(name: &'static str, work: Work) -> Scenario {
    Scenario { name, job: Job::Load(work), rules: Rules::Read, who: Who::All, quick: false }
}

fn requests(name: &'static str, connections: u32, request: String, expected: u16, reuse: Reuse) -> Scenario {
    load(name, Work::Requests { connections, request, expected, reuse })
}

fn reads(name: &'static str, connections: u32, path: &str) -> Scenario {
    requests(name, connections, get(path), 200, Reuse::KeepAlive)
}

impl Scenario {
    fn by(self, rules: Rules) -> Self {
        Self { rules, ..self }
    }

    fn of(self, who: Who) -> Self {
        Self { who, ..self }
    }

    fn quick(self) -> Self {
        Self { quick: true, ..self }
    }
}
