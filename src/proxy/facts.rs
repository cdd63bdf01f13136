//! Fetches the facts that the judge asks for.
//! Knows nothing of what they are for.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::docker::{Action, Value, json};
use crate::policy::{Facts, Need, Own, Policy, next_need};

use super::refuse::Refusal;
use super::upstream::Upstream;

/// The largest answer that is read as a fact.
const MAX_FACT: usize = 8 << 20;
/// How long the engine may take to tell one.
const TELLING: Duration = Duration::from_secs(30);

/// All facts that an action needs. A 404 of the engine about the object is relayed as its own answer.
///
/// # Errors
/// The engine's refusals, and [`Refusal::Upstream`] where it does not answer.
pub async fn gather(upstream: &Upstream, policy: &Policy, action: &Action, own: Arc<Own>) -> Result<Facts, Refusal> {
    let mut facts = Facts::new(own);
    if action.json().is_some() {
        facts.now = now(); // what is approved is so for a time; nothing else asks
    }
    while let Some(need) = next_need(policy, action, &facts) {
        let value = fetch(upstream, &need).await?;
        facts.insert(need, value);
    }
    Ok(facts)
}

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(0)
}

/// One fact.
///
/// # Errors
/// As [`gather`].
pub async fn fetch(upstream: &Upstream, need: &Need) -> Result<Value, Refusal> {
    let target = match need {
        Need::Container(name) => format!("/containers/{name}/json"),
        Need::Exec(name) => format!("/exec/{name}/json"),
        Need::Network(name) => format!("/networks/{name}"),
        Need::Volume(name) => format!("/volumes/{name}"),
        Need::Image(name) => format!("/images/{name}/json"),
        Need::Info => "/info".to_owned(),
        Need::HostPath(path) => return Ok(leads_to(path)),
    };
    let late = || {
        tracing::warn!(asked = target, "the engine does not answer what it is asked");
        Err(Refusal::Upstream)
    };
    tokio::time::timeout(TELLING, told(upstream, &target)).await.unwrap_or_else(|_| late())
}

async fn told(upstream: &Upstream, target: &str) -> Result<Value, Refusal> {
    let reply = upstream.get(target).await.map_err(|error| {
        tracing::warn!(%error, "the engine cannot be asked");
        Refusal::Upstream
    })?;
    let status = reply.status();
    let body = reply.whole(MAX_FACT).await.map_err(|_| Refusal::Upstream)?;
    if !status.is_success() {
        return Err(Refusal::Engine(status, body.to_vec()));
    }
    json::read_trusted(&body).map_err(|_| Refusal::Upstream)
}

/// Where a path leads when every symbolic link on it is followed; `null` where nothing can be seen at that place.
/// One look at a local file system, short enough for the one thread.
fn leads_to(path: &str) -> Value {
    let real = std::fs::canonicalize(path).ok().and_then(|real| real.into_os_string().into_string().ok());
    real.map_or(Value::Null, Value::Text)
}
