//! Who made a connection, and the container that it runs in, asked for once and only where an entry depends on it.
//! Knows nothing of what entries say.

use std::time::Duration;

use http::StatusCode;
use tokio::sync::OnceCell;

use crate::config::{Container, Home};
use crate::docker::{Fault, FaultKind, Value};
use crate::policy::{Need, Subject};

use super::access::{Access, Admission, Standing};
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
                let container = self.container.get_or_try_init(|| self.look_up(upstream, peer::cgroups)).await?;
                let home = container.as_ref().map_or(Home::Unknown, Home::In);
                access.standing(&self.subject, home).unwrap_or_else(|| access.others())
            }
        };
        match standing.admission {
            Admission::Served => Ok(standing),
            Admission::Refused => Err(Fault::new(FaultKind::UnknownClient, "").into()),
        }
    }

    /// The control groups of its process.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// The full id of the container that it was found to run in.
    pub fn container(&self) -> Option<&str> {
        self.container.get()?.as_ref().map(|container| container.id.as_str())
    }

    fn home(&self) -> Home<'_> {
        match self.container.get() {
            Some(Some(container)) => Home::In(container),
            Some(None) => Home::Unknown,
            None if self.groups.is_empty() => Home::Unknown,
            None => Home::Unasked,
        }
    }

    /// The container of the engine whose processes share the control groups of this one. An engine that does not answer leaves
    /// the question open; then nobody is let in by a guess.
    async fn look_up(&self, upstream: &Upstream, of: impl Fn(i32) -> Groups) -> Result<Option<Container>, Refusal> {
        let asking = async {
            for id in self.groups.ids().take(MOST) {
                match fetch(upstream, &Need::Container(id.to_owned())).await {
                    Ok(found) if self.runs_in(id, &found, &of) => return Ok(Some(container(&found))),
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
    fn runs_in(&self, id: &str, found: &Value, of: impl Fn(i32) -> Groups) -> bool {
        let number = found.get("State").and_then(|state| state.get("Pid")).and_then(Value::as_int);
        let pid = number.and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0);
        found.text("Id") == id && pid.is_some_and(|pid| self.groups.within(id, &of(pid)))
    }
}

fn container(found: &Value) -> Container {
    let labels = found.get("Config").and_then(|config| config.get("Labels")).map(Value::members).unwrap_or_default();
    let labels = labels.iter().filter_map(|(key, value)| Some((key.to_string(), value.as_text()?.to_owned()))).collect();
    Container { id: found.text("Id").to_owned(), name: found.text("Name").trim_start_matches('/').to_owned(), labels }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::super::upstream::Address;
    use super::*;

    const PID: i32 = 4711;

    fn id(digit: &str) -> String {
        digit.repeat(64)
    }

    fn line(id: &str) -> String {
        format!("0::/system.slice/docker-{id}.scope\n")
    }

    fn caller(text: &str) -> Caller {
        Caller::new(Subject::default(), Groups::parse(text))
    }

    /// An engine that answers every question alike; with it how often it was asked.
    fn engine(status: &'static str, body: String) -> (tempfile::TempDir, Upstream, Arc<AtomicUsize>) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let (listener, asked) = (UnixListener::bind(&socket).unwrap(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = [0; 4096];
                assert!(stream.read(&mut head).await.unwrap() > 0);
                count.fetch_add(1, Ordering::SeqCst);
                let reply = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
                stream.write_all(reply.as_bytes()).await.unwrap();
            }
        });
        (folder, Upstream::new(Address::Unix(socket)), asked)
    }

    fn container(id: &str) -> String {
        format!(r#"{{"Id":"{id}","Name":"/web","State":{{"Pid":{PID}}},"Config":{{"Labels":{{"a":"b"}}}}}}"#)
    }

    #[tokio::test]
    async fn a_container_is_its_clients_where_both_share_control_groups() {
        let (web, other) = (id("a"), id("b"));
        for (text, own, expected) in [
            (line(&web), line(&web), Some(("web", "b"))),
            (format!("0::/system.slice/docker-{web}.scope/deeper\n"), line(&web), Some(("web", "b"))),
            // made by a user who knows the id
            (format!("0::/user.slice/docker-{web}.scope\n"), line(&web), None),
            // its own process has ended, and another has its pid
            (line(&web), line(&other), None),
            (line(&web), String::new(), None),
        ] {
            let (_folder, upstream, _) = engine("200 OK", container(&web));
            let own = |pid| if pid == PID { Groups::parse(&own) } else { Groups::default() };
            let found = caller(&text).look_up(&upstream, own).await.unwrap();
            let shown = found.as_ref().map(|found| (found.name.as_str(), found.labels[0].1.as_str()));
            assert_eq!(shown, expected, "{text}");
            assert!(found.is_none_or(|found| found.id == web));
        }
    }

    #[tokio::test]
    async fn an_engine_that_names_another_container_confirms_nothing() {
        let (_folder, upstream, _) = engine("200 OK", container(&id("b")));
        assert_eq!(caller(&line(&id("a"))).look_up(&upstream, |_| Groups::parse(&line(&id("a")))).await.unwrap(), None);
    }

    #[tokio::test]
    async fn every_id_of_nested_groups_is_asked_about_up_to_a_bound() {
        let path: String = "abcdef".chars().map(|digit| format!("/{}", id(&digit.to_string()))).collect();
        let (_folder, upstream, asked) = engine("404 Not Found", "{}".to_owned());
        assert_eq!(caller(&format!("0::{path}\n")).look_up(&upstream, |_| Groups::default()).await.unwrap(), None);
        assert_eq!(asked.load(Ordering::SeqCst), MOST);
    }

    #[tokio::test]
    async fn an_engine_that_fails_leaves_the_question_open_and_says_nothing_to_the_client() {
        let (_folder, upstream, _) = engine("500 Internal Server Error", r#"{"message":"a secret"}"#.to_owned());
        let failed = caller(&line(&id("a"))).look_up(&upstream, |_| Groups::default()).await;
        assert!(matches!(failed, Err(Refusal::Upstream)), "{failed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_never_answers_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let _listens = UnixListener::bind(&socket).unwrap();
        let start = tokio::time::Instant::now();
        let failed = caller(&line(&id("a"))).look_up(&Upstream::new(Address::Unix(socket)), |_| Groups::default()).await;
        assert!(matches!(failed, Err(Refusal::Upstream)) && start.elapsed() <= LOOK_UP + Duration::from_millis(10));
    }

    fn access(text: &str) -> Access {
        let loaded = crate::config::load("x.toml", &format!("version = 1\n[[door]]\nlisten = \"unix:///run/a/a.sock\"\n{text}"));
        let config = loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
        Access::new(&config.doors[0], &config).unwrap()
    }

    const ENTRY: &str = "[[door.client]]\ncontainer = \"web\"\npolicy = \"read-only\"\n";

    #[tokio::test]
    async fn the_engine_is_asked_once_for_a_connection_and_only_where_an_entry_depends_on_it() {
        let (_folder, upstream, asked) = engine("404 Not Found", "{}".to_owned());
        let (plain, entries) = (access("policy = \"ping\"\n"), access(&format!("policy = \"ping\"\n{ENTRY}")));
        let (nowhere, somewhere) = (caller("0::/user.slice\n"), caller(&line(&id("a"))));
        for (caller, access, expected) in
            [(&somewhere, &plain, 0), (&nowhere, &entries, 0), (&somewhere, &entries, 1), (&somewhere, &entries, 1)]
        {
            let standing = caller.standing(access, &upstream).await.unwrap();
            assert_eq!((standing.policy.name.as_str(), standing.client), ("ping", None));
            assert_eq!(asked.load(Ordering::SeqCst), expected);
        }
    }

    #[tokio::test]
    async fn whom_no_entry_means_is_refused_where_the_door_has_no_policy() {
        let upstream = Upstream::new(Address::Unix("/nowhere".into()));
        let refused = caller("0::/user.slice\n").standing(&access(ENTRY), &upstream).await.map(|standing| standing.policy.name.clone());
        assert!(matches!(&refused, Err(Refusal::Fault(fault)) if fault.kind == FaultKind::UnknownClient), "{refused:?}");
        let open = caller(&line(&id("a"))).standing(&access(ENTRY), &upstream).await.map(|standing| standing.policy.name.clone());
        assert!(matches!(open, Err(Refusal::Upstream)), "an engine that is away lets nobody in: {open:?}");
    }
}
