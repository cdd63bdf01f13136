//! What the reconciler asks of the engine: its clock, its swarm, and what containers are like.
//! Knows nothing of what events mean.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::event::Raw;
use super::matcher::Facts;
use crate::proxy::upstream::{Address, Exchange, Upstream};

/// The largest answer that is read.
const MAX_ANSWER: usize = 8 << 20;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Containers that are looked at when it begins.
const CONTAINERS: usize = 2048;

/// The engine, with the difference of its clock.
pub struct Engine {
    upstream: Upstream,
    skew: AtomicI64,
}

/// What holds for the whole engine.
pub struct Info {
    /// It is part of a swarm.
    pub swarm: bool,
    /// Its time, in nanoseconds since 1970.
    pub nanos: i64,
}

impl Engine {
    /// An engine.
    pub fn new(upstream: Upstream) -> Self {
        Self { upstream, skew: AtomicI64::new(0) }
    }

    /// What must be added to its times, in microseconds: nothing on this machine.
    pub fn skew(&self) -> i64 {
        self.skew.load(Ordering::Relaxed)
    }

    /// False for an engine that stops: its listener goes before its containers do.
    pub async fn reachable(&self) -> bool {
        self.upstream.reachable().await
    }

    /// An open reply.
    pub async fn get(&self, target: &str) -> Result<Exchange, String> {
        let late = || "the engine does not answer in time".to_owned();
        tokio::time::timeout(PATIENCE, self.upstream.get(target)).await.map_err(|_| late())?.map_err(|error| error.to_string())
    }

    /// The engine's own state.
    pub async fn info(&self) -> Result<Info, String> {
        let info = self.json("/info").await?.ok_or("the engine has no /info")?;
        let time = info.get("SystemTime").and_then(Value::as_str).and_then(|time| time.parse::<jiff::Timestamp>().ok());
        let now = jiff::Timestamp::now();
        let time = time.unwrap_or(now);
        if !matches!(self.upstream.address(), Address::Unix(_)) {
            self.skew.store(now.as_microsecond() - time.as_microsecond(), Ordering::Relaxed);
        }
        let swarm = info.pointer("/Swarm/LocalNodeState").and_then(Value::as_str) == Some("active");
        Ok(Info { swarm, nanos: i64::try_from(time.as_nanosecond()).unwrap_or_default() })
    }

    /// The ids of all containers.
    pub async fn containers(&self) -> Vec<String> {
        let list = self.json("/containers/json?all=1").await.ok().flatten().unwrap_or_default();
        let ids = list.as_array().into_iter().flatten().filter_map(|container| container.get("Id")?.as_str().map(str::to_owned));
        ids.take(CONTAINERS).collect()
    }

    /// What a container is like; `None` where it is gone, or the engine does not say.
    pub async fn container(&self, id: &str) -> Option<Facts> {
        if !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        self.json(&format!("/containers/{id}/json")).await.ok().flatten().as_ref().map(facts)
    }

    /// The events that the engine keeps of a time that has passed.
    pub async fn events(&self, target: &str) -> Result<Vec<Raw>, String> {
        let body = self.body(target).await?.ok_or("the engine does not tell of past events")?;
        serde_json::Deserializer::from_slice(&body).into_iter().collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    async fn json(&self, target: &str) -> Result<Option<Value>, String> {
        let Some(body) = self.body(target).await? else { return Ok(None) };
        serde_json::from_slice(&body).map(Some).map_err(|error| error.to_string())
    }

    /// A whole answer; `None` for one that is no success.
    async fn body(&self, target: &str) -> Result<Option<Bytes>, String> {
        let reply = self.get(target).await?;
        let status = reply.status();
        let reading = tokio::time::timeout(PATIENCE, reply.whole(MAX_ANSWER));
        let body = reading.await.map_err(|_| "the engine's answer does not end")?.map_err(|error| error.to_string())?;
        Ok(status.is_success().then_some(body))
    }
}

/// What an inspected container is like.
pub fn facts(container: &Value) -> Facts {
    let text = |at: &str| container.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let volumes = container.get("Mounts").and_then(Value::as_array).into_iter().flatten();
    Facts {
        auto_remove: container.pointer("/HostConfig/AutoRemove").and_then(Value::as_bool).unwrap_or_default(),
        restarts: !matches!(text("/HostConfig/RestartPolicy/Name"), "" | "no"),
        restarted: container.get("RestartCount").and_then(Value::as_u64).unwrap_or_default(),
        health: health(container),
        volumes: volumes.filter_map(|mount| mount.get("Name")?.as_str().map(str::to_owned)).collect(),
    }
}

/// The command of a health check as the engine writes it into its events: program and arguments with a space between.
fn health(container: &Value) -> Option<String> {
    let words = |at: &str| -> Vec<&str> {
        container.pointer(at).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let test = words("/Config/Healthcheck/Test");
    let (kind, rest) = test.split_first()?;
    let shell = Some(words("/Config/Shell")).filter(|shell| !shell.is_empty()).unwrap_or_else(|| vec!["/bin/sh", "-c"]);
    let command = match *kind {
        "CMD-SHELL" => shell.into_iter().chain(rest.iter().copied()).collect::<Vec<_>>().join(" "),
        "CMD" => rest.join(" "),
        _ => return None,
    };
    Some(command.trim_end().to_owned())
}
