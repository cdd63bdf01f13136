//! Who made a connection, and the container that it runs in, asked for once and only where an entry depends on it.
//! Knows nothing of what entries say.

use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::OnceCell;

use crate::config::{Container, Home};
use crate::docker::{Fault, FaultKind, Value};
use crate::policy::{Need, Subject};

use super::access::{Access, Standing};
use super::cgroup::Groups;
use super::facts::fetch;
use super::peer;
use super::refuse::Refusal;
use super::upstream::Upstream;

/// How long the engine may take to say which container it is.
const LOOK_UP: Duration = Duration::from_secs(5);
/// Control groups can be nested, and a client may have nested some by itself: so many containers are asked about.
const MOST: usize = 4;

/// The other end of a connection.
#[derive(Debug, Default)]
pub struct Caller {
    /// What the door saw when it was made.
    pub subject: Subject,
    /// The control groups of its process.
    groups: Groups,
    /// The container, once that has been asked; `None` inside for none that the engine knows.
    container: OnceCell<Option<Container>>,
}

impl From<Subject> for Caller {
    fn from(subject: Subject) -> Self {
        Self { subject, ..Self::default() }
    }
}

impl Caller {
    /// A peer whose control groups were read.
    pub fn new(subject: Subject, groups: Groups) -> Self {
        Self { subject, groups, container: OnceCell::new() }
    }

    /// What its next request is held against.
    ///
    /// # Errors
    /// A door that serves nobody like it, and an engine that does not say which container it runs in.
    pub async fn standing<'a>(&self, access: &'a Access, upstream: &Upstream) -> Result<Standing<'a>, Refusal> {
        let standing = match access.standing(&self.subject, self.home()) {
            Some(standing) => standing,
            None => {
                let container = self.container.get_or_try_init(|| self.look_up(upstream)).await?;
                let home = container.as_ref().map_or(Home::Unknown, Home::In);
                access.standing(&self.subject, home).unwrap_or_else(|| access.others())
            }
        };
        if standing.stranger { Err(Fault::new(FaultKind::UnknownClient, "").into()) } else { Ok(standing) }
    }

    /// The full id of the container that it was found to run in.
    pub fn container(&self) -> Option<&str> {
        self.container.get()?.as_ref().map(|container| container.id.as_str())
    }

    fn home(&self) -> Home<'_> {
        match self.container.get() {
            Some(Some(container)) => Home::In(container),
            Some(None) => Home::Unknown,
            None if self.groups.ids().next().is_none() => Home::Unknown,
            None => Home::Unasked,
        }
    }

    /// The container of the engine whose processes share the control groups of this one. An engine that does not answer leaves
    /// the question open; then nobody is let in by a guess.
    async fn look_up(&self, upstream: &Upstream) -> Result<Option<Container>, Refusal> {
        let asking = async {
            for id in self.groups.ids().take(MOST) {
                match fetch(upstream, &Need::Container(id.to_owned())).await {
                    Ok(found) if self.runs_in(id, &found) => return Ok(Some(container(&found))),
                    Ok(_) | Err(Refusal::Engine(StatusCode::NOT_FOUND, _)) => {}
                    // another answer is about nothing that the client asked for
                    Err(_) => return Err(Refusal::Upstream),
                }
            }
            Ok(None)
        };
        tokio::time::timeout(LOOK_UP, asking).await.unwrap_or(Err(Refusal::Upstream))
    }

    /// Whether the engine's container of this id has the control groups that this process is in: its own process tells.
    fn runs_in(&self, id: &str, found: &Value) -> bool {
        let number = found.get("State").and_then(|state| state.get("Pid")).and_then(Value::as_int);
        let pid = number.and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0);
        found.text("Id") == id && pid.is_some_and(|pid| self.groups.within(id, &peer::cgroups(pid)))
    }
}

fn container(found: &Value) -> Container {
    let labels = found.get("Config").and_then(|config| config.get("Labels")).map(Value::members).unwrap_or_default();
    let labels = labels.iter().filter_map(|(key, value)| Some((key.to_string(), value.as_text()?.to_owned()))).collect();
    Container { id: found.text("Id").to_owned(), name: found.text("Name").trim_start_matches('/').to_owned(), labels }
}
