//! A made-up trail of a week: some thousand records, always the same ones, and what they come to.
//! Knows nothing of how trails are written and read: chain and signatures are not real.

use std::path::Path;

use serde_json::{Value, json};

/// A trail and the numbers that any reader must find in it.
#[derive(Default)]
pub struct Sample {
    pub lines: Vec<String>,
    pub calls: u64,
    pub denied: u64,
    pub changes: u64,
    pub open: u64,
    /// An id that stands only in `folded.refs`.
    pub folded: String,
}

const CLIENTS: [(&str, u32, &str); 4] =
    [("traefik", 65532, "/traefik"), ("portainer", 0, "/portainer"), ("ci", 1000, "/usr/bin/docker"), ("watchtower", 0, "/watchtower")];
const DENIALS: [(&str, &str); 4] = [
    ("host-path", "HostConfig.Binds[0]"),
    ("privileged", "HostConfig.Privileged"),
    ("cap-add", "HostConfig.CapAdd[0]"),
    ("image", "Image"),
];

impl Sample {
    /// About 6,000 records.
    pub fn week() -> Self {
        let mut sample = Self::default();
        sample
            .push(json!({ "id": id(0), "stage": "event", "time": time(0), "event": "open", "detail": { "file": 1, "version": "0.1.0" } }));
        for n in 1..4000 {
            sample.call(n);
        }
        sample.push(json!({ "id": id(4000), "stage": "event", "time": time(4000), "event": "close", "detail": {} }));
        sample
    }

    pub fn write(&self, file: &Path) {
        std::fs::write(file, self.lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    }

    fn push(&mut self, mut record: Value) {
        let head = [("schema", json!(1)), ("sequence", json!(self.lines.len() + 1)), ("previous", json!("0".repeat(64)))];
        head.into_iter().for_each(|(name, value)| record[name] = value);
        self.lines.push(record.to_string());
    }

    fn call(&mut self, n: u64) {
        self.calls += 1;
        match n % 10 {
            0..5 => self.push(with(
                n,
                "ContainerList",
                "GET",
                json!({ "stage": "single", "verdict": "allow", "status": 200, "duration_us": 300 + n % 900 }),
            )),
            5..8 => self.change(n, "ContainerStart", "POST"),
            8 => self.change(n, "ContainerCreate", "POST"),
            _ => self.denial(n),
        }
    }

    fn change(&mut self, n: u64, operation: &str, method: &str) {
        let said = |stage: &str| json!({ "stage": stage, "verdict": "allow", "names": [name(n)], "image": "docker.io/library/nginx:1.27" });
        self.changes += 1;
        self.push(with(n, operation, method, said("intent")));
        if n % 1000 == 8 {
            self.open += 1;
            return;
        }
        let mut outcome = said("outcome");
        outcome["status"] = json!(201);
        outcome["duration_us"] = json!(20_000 + n % 5000);
        outcome["ended"] = json!("complete");
        self.push(with(n, operation, method, outcome));
    }

    fn denial(&mut self, n: u64) {
        let (reason, at) = DENIALS[usize::try_from(n / 10 % 4).unwrap()];
        let mut record = with(
            n,
            "ContainerCreate",
            "POST",
            json!({ "stage": "single", "verdict": "deny", "reason": reason, "at": at, "status": 403,
            "duration_us": 90, "ended": "refused", "names": [name(n)] }),
        );
        let mut count = 1;
        if n % 100 == 99 {
            count = 12;
            self.folded = id(100_000 + n);
            record["folded"] = json!({ "count": count, "first": time(n), "last": time(n), "refs": [self.folded] });
        }
        self.calls += count - 1;
        self.denied += count;
        self.push(record);
    }
}

/// Now and then somebody calls a container what no page may run.
fn name(n: u64) -> String {
    if n % 50 == 5 { "<script>document.title='owned'</script>".to_owned() } else { format!("web-{}", n % 40) }
}

fn id(n: u64) -> String {
    format!("01KAGZ{n:020}")
}

/// A call every two and a half minutes or so, fewer in the night.
fn time(n: u64) -> String {
    let (day, of_day) = (n / 572, n % 572);
    let minute = if of_day < 60 { of_day * 6 } else { 360 + (of_day - 60) * 1080 / 512 };
    format!("2026-11-{:02}T{:02}:{:02}:{:02}.{:06}Z", 14 + day, minute / 60, minute % 60, n * 7 % 60, n)
}

fn with(n: u64, operation: &str, method: &str, said: Value) -> Value {
    let (door, uid, exe) = CLIENTS[usize::try_from((n / 10 + n) % 4).unwrap()];
    let mut record = json!({ "id": id(n), "time": time(n), "host": "node-3", "door": format!("unix:///run/dockgate/{door}/docker.sock"), "uid": uid,
        "pid": 100 + n % 7, "exe": exe, "operation": operation, "method": method, "path": "/v1.52/containers/json", "policy": door, "mode": "enforce" });
    said.as_object().unwrap().iter().for_each(|(name, value)| record[name] = value.clone());
    record
}
