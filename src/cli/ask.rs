//! Questions of commands to the engine, each with its deadline.
//! Knows nothing of what answers mean.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};

use crate::docker::{Value, json};
use crate::proxy::Upstream;
use crate::proxy::upstream::Exchange;

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
    tokio::time::timeout(ANSWER, answer(upstream, target)).await.unwrap_or_else(|_| Err(Trouble::Silent(place(upstream), ANSWER)))
}

async fn answer(upstream: &Upstream, target: &str) -> Result<Value, Trouble> {
    let Exchange { reply, lease } = upstream.get(target).await.map_err(|error| Trouble::of(upstream, &error))?;
    let status = reply.status();
    let strange = |why: String| Trouble::NoEngine(place(upstream), why);
    let body =
        Limited::new(reply.into_body(), MAX_ANSWER).collect().await.map_err(|error| strange(format!("{target}: {error}")))?.to_bytes();
    lease.give_back();
    if !status.is_success() {
        return Err(strange(format!("it answers {target} with {status}")));
    }
    json::read_trusted(&body).map_err(|_| strange(format!("it answers {target} with something that is no JSON")))
}
