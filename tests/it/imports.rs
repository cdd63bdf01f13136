//! Imported policies against the proxies that they stand for: what those decide is computed here from their documented rules.
//! Knows nothing of how the importer works.

mod proxies;

use std::collections::{BTreeMap, BTreeSet};

use dockgate::config;
use dockgate::docker::action::Reading;
use dockgate::docker::operations::TABLE;
use dockgate::docker::{Action, Endpoint, FaultKind, Head, Operation};
use dockgate::import::{Environment, Extent, Image, Imported, cetusguard, sections, wollomatic};
use dockgate::policy::{Facts, Policy, Subject, Verdict, judge};

use crate::support::client::Client;
use crate::support::gate::Gate;
use crate::support::{folder, report};
use proxies::{Proxy, Rules};

const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"];
const PREFIXES: [&str; 3] = ["", "/v1.43", "/v1.56"];
/// What HAProxy reads as true, and what only looks so.
const VALUES: [&str; 14] = ["1", "0", "", "2", "-1", "+1", "01", "1abc", "true", "yes", "on", " 1", "00", "-0"];
const COMBINATIONS: u64 = 400;

/// What our side says about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ours {
    Allows,
    Denies,
    /// By design, whatever the policy says.
    Stricter(Kind),
}

/// The differences that are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// No operation has this method and path.
    UnknownEndpoint,
    /// A method that no operation has.
    UnknownMethod,
    /// BuildKit's sessions and HTTP/2.
    BuildKit,
    /// Paths that another reader could take for another path.
    Path,
    /// Names that no object can have.
    Name,
}

fn policy(imported: &Imported) -> std::sync::Arc<Policy> {
    let loaded = config::load("imported", &imported.toml);
    let said: String =
        loaded.diagnostics.iter().filter(|one| one.code != "as-good-as-root").map(|one| one.render(&imported.toml, false)).collect();
    assert!(said.is_empty(), "{said}\n{}", imported.toml);
    loaded.config.unwrap().policy(imported.policy).unwrap()
}

fn ours(policy: &Policy, method: &str, path: &str) -> Ours {
    let upgrade = if path.ends_with("/attach/ws") {
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    } else {
        ""
    };
    let text = format!("{method} {path} HTTP/1.1\r\nHost: gate\r\nContent-Type: application/json\r\n{upgrade}\r\n");
    let read = || {
        let (head, _) = Head::parse(text.as_bytes())?.unwrap();
        let endpoint = Endpoint::find(&head)?;
        let whole = Action::reading(endpoint.operation.row(), &head, 1 << 20)?;
        let body: &[u8] = if matches!(whole, Reading::Whole(_)) && endpoint.operation.row().body.object().is_some() { b"{}" } else { b"" };
        Action::build(&head, endpoint, body)
    };
    match read() {
        Ok(action) => match judge(policy, &Subject::default(), action, &Facts::default()) {
            Verdict::Allow(_) => Ours::Allows,
            Verdict::Deny(_) => Ours::Denies,
        },
        Err(fault) => Ours::Stricter(match fault.kind {
            FaultKind::UnknownEndpoint => Kind::UnknownEndpoint,
            FaultKind::UnknownMethod => Kind::UnknownMethod,
            FaultKind::Http2 => Kind::BuildKit,
            FaultKind::BadPath => Kind::Path,
            FaultKind::BadReference | FaultKind::BadName => Kind::Name,
            other => panic!("{method} {path}: {other:?}"),
        }),
    }
}

fn path(operation: Operation) -> String {
    operation.row().path.replace("{image}", "library/alpine:3.20").replace("{id}", "my_web.1-a").replace("{checkpoint}", "cp")
}

/// Where the two sides differ, what kind of difference it is, and how many requests there were.
#[derive(Default)]
struct Tally {
    requests: usize,
    allowed: usize,
    stricter: BTreeMap<Kind, usize>,
    wrong: Vec<String>,
}

impl Tally {
    fn compare(&mut self, said: &str, policy: &Policy, (method, path): (&str, &str), theirs: bool) {
        self.requests += 1;
        let ours = ours(policy, method, path);
        match ours {
            Ours::Allows | Ours::Denies if (ours == Ours::Allows) != theirs => {
                self.wrong.push(format!("{said}: {method} {path}: {ours:?}, they say {theirs}"));
            }
            Ours::Allows => self.allowed += 1,
            Ours::Stricter(kind) if theirs => *self.stricter.entry(kind).or_default() += 1,
            Ours::Denies | Ours::Stricter(_) => {}
        }
    }

    fn finish(self, name: &str, kinds: &[Kind]) {
        let some: Vec<&String> = self.wrong.iter().take(20).collect();
        assert!(self.wrong.is_empty(), "{name}: {} of {} differ: {some:#?}", self.wrong.len(), self.requests);
        let unlisted: Vec<&Kind> = self.stricter.keys().filter(|kind| !kinds.contains(kind)).collect();
        assert!(unlisted.is_empty(), "{name}: {unlisted:?}");
        report(&format!(
            "{name}: {} requests alike, {} of them allowed; stricter by design: {:?}",
            self.requests, self.allowed, self.stricter
        ));
    }
}

fn said(environment: &Environment) -> String {
    environment.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// Operations by every method, with and without a version: what single variables and pairs with POST=1 open.
fn singles(image: Image, proxy: Proxy) {
    let rules = Rules::new(proxy);
    let mut tally = Tally::default();
    let mut paths: BTreeSet<String> = TABLE.iter().map(|operation| path(*operation)).collect();
    paths.extend(proxies::ODD_PATHS.iter().map(|path| (*path).to_owned()));
    let cases: Vec<(String, &str)> = paths
        .iter()
        .flat_map(|path| PREFIXES.map(|prefix| format!("{prefix}{path}")))
        .flat_map(|path| METHODS.map(|method| (path.clone(), method)))
        .collect();
    let fits: Vec<_> = cases.iter().map(|(path, _)| rules.fitting(path)).collect();
    let mut environments = vec![Environment::new()];
    for variable in rules.variables() {
        environments.push([(variable.to_owned(), "1".to_owned())].into());
        environments.push([(variable.to_owned(), "1".to_owned()), ("POST".to_owned(), "1".to_owned())].into());
        environments.push([(variable.to_owned(), "0".to_owned()), ("POST".to_owned(), "1".to_owned())].into());
    }
    for environment in &environments {
        let policy = policy(&sections(image, environment, Extent::Equal).unwrap());
        for ((path, method), fits) in cases.iter().zip(&fits) {
            tally.compare(&said(environment), &policy, (method, path), rules.allow(environment, method, fits));
        }
    }
    let own = TABLE
        .iter()
        .filter(|operation| {
            !matches!(
                ours(
                    &policy(&sections(image, &Environment::new(), Extent::Equal).unwrap()),
                    operation.row().method.as_str(),
                    &path(**operation)
                ),
                Ours::Stricter(_)
            )
        })
        .count();
    assert_eq!(own, TABLE.len() - 2, "all but BuildKit's two are judged");
    assert!(tally.allowed > 1000, "{}", tally.allowed);
    tally.finish(
        &format!("{} environments of {proxy:?}", environments.len()),
        &[Kind::UnknownEndpoint, Kind::UnknownMethod, Kind::BuildKit, Kind::Path, Kind::Name],
    );
}

/// xorshift64: the same combinations in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

/// Operations by their own methods under environments that are made of everything.
fn combinations(image: Image, proxy: Proxy) {
    let rules = Rules::new(proxy);
    let mut tally = Tally::default();
    let mut dice = Dice(0x0d0c_6a7e);
    let cases: Vec<(String, &str)> = TABLE
        .iter()
        .flat_map(|operation| ["", "/v1.51"].map(|prefix| (format!("{prefix}{}", path(*operation)), operation.row().method.as_str())))
        .collect();
    let fits: Vec<_> = cases.iter().map(|(path, _)| rules.fitting(path)).collect();
    for _ in 0..COMBINATIONS {
        let mut environment = Environment::new();
        for variable in rules.variables().into_iter().chain(["POST"]) {
            // a third unset, a third plainly on, the others anything
            match dice.roll(3) {
                0 => {}
                1 => drop(environment.insert(variable.to_owned(), "1".to_owned())),
                _ => drop(environment.insert(variable.to_owned(), VALUES[dice.roll(VALUES.len())].to_owned())),
            }
        }
        let policy = policy(&sections(image, &environment, Extent::Equal).unwrap());
        for ((path, method), fits) in cases.iter().zip(&fits) {
            tally.compare(&said(&environment), &policy, (method, path), rules.allow(&environment, method, fits));
        }
    }
    assert!(tally.allowed > 10_000, "{}", tally.allowed);
    tally.finish(&format!("{COMBINATIONS} combinations of {proxy:?}"), &[Kind::BuildKit]);
}

#[test]
fn single_variables_of_tecnativa_open_what_they_open_there() {
    singles(Image::Tecnativa, Proxy::Tecnativa);
}

#[test]
fn single_variables_of_linuxserver_open_what_they_open_there() {
    singles(Image::Linuxserver, Proxy::Linuxserver);
}

#[test]
fn combinations_of_tecnativa_open_what_they_open_there() {
    combinations(Image::Tecnativa, Proxy::Tecnativa);
}

#[test]
fn combinations_of_linuxserver_open_what_they_open_there() {
    combinations(Image::Linuxserver, Proxy::Linuxserver);
}

/// The least version is inside the equal one and has no read that shows what should stay inside.
#[test]
fn the_least_version_opens_nothing_that_the_equal_one_does_not() {
    let everything: Environment =
        Rules::new(Proxy::Linuxserver).variables().into_iter().chain(["POST"]).map(|name| (name.to_owned(), "1".to_owned())).collect();
    for image in [Image::Tecnativa, Image::Linuxserver] {
        let (equal, least) = (sections(image, &everything, Extent::Equal).unwrap(), sections(image, &everything, Extent::Least).unwrap());
        let known = |imported: &Imported| config::load("imported", &imported.toml).config.unwrap().policy(imported.policy).unwrap();
        let (equal, least) = (known(&equal), known(&least));
        let open = |policy: &Policy| -> BTreeSet<Operation> {
            TABLE.iter().copied().filter(|operation| policy.rules.may_allow(*operation)).collect()
        };
        assert!(open(&least).is_subset(&open(&equal)) && open(&least).len() < open(&equal).len() / 2 + 10);
        for operation in [
            Operation::ContainerArchive,
            Operation::ContainerExport,
            Operation::ContainerAttachWebsocket,
            Operation::ContainerCreate,
            Operation::SwarmUnlockkey,
        ] {
            assert!(open(&equal).contains(&operation) && !open(&least).contains(&operation), "{operation:?}");
        }
        assert!(config::ways_to_root(&least).is_empty(), "{:?}", config::ways_to_root(&least));
    }
}

/// Expressions on every operation. A rule of ours holds for all versions, so one that they let in with any version counts.
fn patterns(name: &str, policy: &Policy, rules: &[(&str, &str)]) {
    let mut tally = Tally::default();
    let compiled: Vec<(&str, regex::Regex)> =
        rules.iter().map(|(method, regex)| (*method, regex::Regex::new(&format!("^{regex}$")).unwrap())).collect();
    for operation in TABLE {
        let (method, path) = (operation.row().method.as_str(), path(*operation));
        let fits = |(own, regex): &(&str, regex::Regex)| {
            *own == method && PREFIXES.iter().any(|prefix| regex.is_match(&format!("{prefix}{path}")))
        };
        tally.compare(name, policy, (method, &format!("/v1.43{path}")), compiled.iter().any(fits));
    }
    tally.finish(name, &[Kind::BuildKit]);
}

#[test]
fn expressions_of_wollomatic_open_what_they_open_there() {
    let sets: &[&[(&str, &str)]] = &[
        &[("GET", r"/v1\..{1,2}/(version|containers/.*|events.*)"), ("HEAD", "/_ping")],
        &[("GET", r"/(v1\.[0-9]+/)?(_ping|info|images/[^/]+/json)"), ("POST", r"/v1\..{2}/containers/my_web\.1-a/(start|stop)")],
        &[("GET", ".*"), ("POST", r"/v1\.\d+/containers/create"), ("DELETE", r"/v1\.\d+/containers/[a-z]+")],
        &[("GET", r"/v1\.4[0-9]/containers/json"), ("PUT", ".*")],
    ];
    for rules in sets {
        let flags: Vec<String> = rules.iter().map(|(method, regex)| format!("-allow{method}={regex}")).collect();
        let imported = wollomatic(&flags, &Environment::new(), Extent::Equal).unwrap();
        patterns(&flags.join(" "), &policy(&imported), rules);
    }
}

#[test]
fn rules_of_cetusguard_open_what_they_open_there() {
    let text = "! viewers\nGET %API_PREFIX_CONTAINERS%/json\nGET,HEAD %API_PREFIX_CONTAINERS%/%CONTAINER_ID_OR_NAME%/(json|logs|stats)\nPOST %API_PREFIX_CONTAINERS%/my_web\\.1-a/restart\n";
    let imported = cetusguard(text, &[], &Environment::new(), Extent::Equal).unwrap();
    let prefix = r"(?:/v[0-9]+(?:\.[0-9]+)*)?";
    let own: Vec<(&str, String)> = vec![
        ("GET", format!("{prefix}/_ping")),
        ("HEAD", format!("{prefix}/_ping")),
        ("GET", format!("{prefix}/version")),
        ("GET", format!("{prefix}/info")),
        ("GET", format!("{prefix}/containers/json")),
        ("GET", format!("{prefix}/containers/(?:(?:[a-fA-F0-9]+)|(?:[a-zA-Z0-9][a-zA-Z0-9_.-]+))/(json|logs|stats)")),
        ("POST", format!(r"{prefix}/containers/my_web\.1-a/restart")),
    ];
    let rules: Vec<(&str, &str)> = own.iter().map(|(method, regex)| (*method, regex.as_str())).collect();
    patterns("cetusguard", &policy(&imported), &rules);
}

/// Asks the door of a gate whose engine does not answer: what is allowed comes to 502, what is denied to 403.
fn statuses(door: &std::path::Path, requests: &[&str]) -> Vec<u16> {
    let status = |request: &&str| {
        let mut client = Client::unix(door);
        client.send(format!("{request} HTTP/1.1\r\nHost: gate\r\n\r\n").as_bytes());
        client.reply(false).unwrap().status
    };
    requests.iter().map(status).collect()
}

#[test]
fn serves_another_images_environment_without_a_file() {
    let folder = folder();
    let (door, engine) = (folder.path().join("door/docker.sock"), folder.path().join("engine.sock"));
    let listen = format!("unix://{}", door.display());
    // port 2375 may be somebody's, so the door is another one
    let flags = ["--listen", listen.as_str(), "--policy", "linuxserver", "--audit", "trail.jsonl"];
    let variables = [
        ("DOCKGATE_COMPAT", "linuxserver"),
        ("SOCKET_PATH", engine.to_str().unwrap()),
        ("CONTAINERS", "1"),
        ("IMAGES", "true"),
        ("VERSION", "0"),
        ("ALLOW_START", "1"),
        ("IAMGES", "1"),
    ];
    let gate = Gate::spawn_in(folder.path(), &flags, &variables, std::slice::from_ref(&door));
    let requests = [
        "GET /containers/json",
        "POST /containers/prune",
        "GET /images/json",
        "GET /version",
        "GET /containers/a/logs?stdout=1",
        "POST /containers/a/start",
    ];
    assert_eq!(statuses(&door, &requests), [502, 403, 403, 403, 403, 502], "{}", gate.messages());
    let messages = gate.messages();
    for said in [
        "dangerous reads are open: CheckpointList, ContainerAttachWebsocket",
        "`IMAGES=true` is off there",
        "`IAMGES` is no variable of that image",
        "(DOCKGATE_COMPAT)",
    ] {
        assert!(messages.contains(said), "{said}: {messages}");
    }
    assert!(!messages.contains("is open to the network"), "that door was replaced: {messages}");
    drop(gate.stop());
}

#[test]
fn says_which_images_it_can_stand_for() {
    let ended = std::process::Command::new(env!("CARGO_BIN_EXE_dockgate"))
        .arg("serve")
        .env_clear()
        .env("DOCKGATE_COMPAT", "traefik")
        .output()
        .unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("DOCKGATE_COMPAT names no known image: `traefik`") && said.contains("tecnativa, linuxserver"), "{said}");
}
