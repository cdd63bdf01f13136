//! Questions of commands to the engine, each with its deadline.
//! Knows nothing of what answers mean.

use std::time::Duration;

use http::StatusCode;

use crate::docker::{Value, json};
use crate::proxy::Upstream;

use super::trouble::{Trouble, place};

/// How long the engine may take for one answer.
pub const ANSWER: Duration = Duration::from_secs(2);
/// The largest answer that is read.
const MAX_ANSWER: usize = 32 << 20;

/// What the engine answers to a GET, as JSON.
///
/// # Errors
/// No answer in time, none that is a success, none that is JSON.
pub async fn json(upstream: &Upstream, target: &str) -> Result<Value, Trouble> {
    let missing = || strange(upstream, target, StatusCode::NOT_FOUND);
    found(upstream, target, ANSWER).await?.ok_or_else(missing)
}

/// As [`json`], within this time; nothing where the engine says 404.
///
/// # Errors
/// As [`json`].
pub async fn found(upstream: &Upstream, target: &str, limit: Duration) -> Result<Option<Value>, Trouble> {
    tokio::time::timeout(limit, answer(upstream, target)).await.unwrap_or_else(|_| Err(Trouble::Silent(place(upstream), limit)))
}

async fn answer(upstream: &Upstream, target: &str) -> Result<Option<Value>, Trouble> {
    let reply = upstream.get(target).await.map_err(|error| Trouble::of(upstream, &error))?;
    let status = reply.status();
    let broken = |error| Trouble::NoEngine(place(upstream), format!("{target}: {error}"));
    let body = reply.whole(MAX_ANSWER).await.map_err(broken)?;
    if status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if !status.is_success() {
        return Err(strange(upstream, target, status));
    }
    json::read_trusted(&body).map(Some).map_err(|_| strange(upstream, target, "something that is no JSON"))
}

fn strange(upstream: &Upstream, target: &str, what: impl std::fmt::Display) -> Trouble {
    Trouble::NoEngine(place(upstream), format!("it answers {target} with {what}"))
}
