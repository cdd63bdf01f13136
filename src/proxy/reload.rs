//! Swaps the policies of open doors for those of a configuration that was loaded anew: all of them, or none.
//! Knows nothing of files and signals; what it cannot change it names.

use std::sync::Arc;

use crate::config::{Audit, Config, Door, Limits, UpstreamUrl};

use super::access::{Access, NoPolicy};
use super::door::DoorState;
use super::own::OwnSearch;
use super::upstream::Upstream;

/// The open doors, and what holds from start to stop.
pub struct Policies {
    open: Vec<Arc<DoorState>>,
    doors: Vec<Door>,
    upstream: Option<UpstreamUrl>,
    engine: Upstream,
    audit: Audit,
    limits: Limits,
    protected: Vec<String>,
    own: Arc<OwnSearch>,
}

/// What a swap came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The names of policies that say something else now, each once.
    pub policies: Vec<String>,
    /// The doors that have a policy of another name now.
    pub doors: Vec<Renamed>,
    /// The URLs of doors, and of the engine, whose certificates, keys or lists are others now.
    pub tls: Vec<String>,
    /// The URLs of doors whose client entries differ.
    pub clients: Vec<String>,
    /// What the configuration says and only a restart brings about.
    pub restart: Vec<String>,
}

/// A door that has a policy of another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// Its URL.
    pub door: String,
    /// The policy that it had.
    pub old: String,
    /// The policy that it has.
    pub new: String,
}

impl Policies {
    /// The policies of these doors; `config` is what the doors were bound from, and what `own` protects.
    pub(super) fn new(config: &Config, open: Vec<Arc<DoorState>>, engine: Upstream, own: Arc<OwnSearch>) -> Self {
        let (upstream, audit, protected) = (config.upstream.clone(), config.audit.clone(), config.protected.clone());
        Self { open, doors: config.doors.clone(), upstream, engine, audit, limits: config.limits, protected, own }
    }

    /// From now on every door has the policies and client entries that the configuration gives it, and what the configuration names is
    /// protected. Requests that have begun keep theirs.
    ///
    /// # Errors
    /// Where a door would have none; then every door keeps its own.
    pub fn swap(&self, config: &Config) -> Result<Changes, NoPolicy> {
        let next: Vec<Access> = self.open.iter().map(|door| next(door, config)).collect::<Result<_, _>>()?;
        let mut changes = Changes { restart: self.restart(config), ..Changes::default() };
        for (door, next) in self.open.iter().zip(&next) {
            changes.note(door, &door.access(), next);
        }
        self.own.also(config, &self.engine);
        // nothing waits in between, so no request of this thread sees some doors changed and others not
        for (door, next) in self.open.iter().zip(next) {
            door.swap(next);
        }
        changes.tls = self.renewed(config);
        Ok(changes)
    }

    /// Doors and the engine get what their files hold now.
    fn renewed(&self, config: &Config) -> Vec<String> {
        let mut renewed = Vec::new();
        for door in &self.open {
            let known = config.doors.iter().find(|known| known.listen.to_string() == door.name);
            let (Some(old), Some(new)) = (door.tls(), known.and_then(|known| known.tls.as_ref())) else { continue };
            if old.digest != new.digest {
                door.renew(Arc::new(new.clone()));
                renewed.push(door.name.clone());
            }
        }
        let engine = self.upstream.as_ref().filter(|_| self.upstream == config.upstream).zip(config.engine_tls.as_ref());
        renewed.extend(engine.filter(|(_, tls)| self.engine.renew(tls)).map(|(url, _)| url.to_string()));
        renewed
    }

    /// What differs from the start and stays as it is.
    fn restart(&self, config: &Config) -> Vec<String> {
        let mut restart = Vec::new();
        for door in &self.doors {
            match config.doors.iter().find(|known| known.listen == door.listen) {
                None => restart.push(format!("door `{}` is still open", door.listen)),
                Some(known) => restart.extend(differences(door, known)),
            }
        }
        let unknown = config.doors.iter().filter(|door| !self.doors.iter().any(|known| known.listen == door.listen));
        restart.extend(unknown.map(|door| format!("door `{}` is not open yet", door.listen)));
        let tables = [
            ("upstream", self.upstream != config.upstream),
            ("audit", self.audit != config.audit),
            ("limits", self.limits != config.limits),
            ("protected", self.protected.iter().any(|path| !config.protected.contains(path))),
        ];
        restart.extend(tables.iter().filter(|(_, differs)| *differs).map(|(name, _)| format!("`{name}` has changed")));
        restart
    }
}

/// What a configuration gives a door. One that the file does not name any more is open until the restart: it follows the file's
/// policies of its names, and keeps its own where there are none.
fn next(door: &DoorState, config: &Config) -> Result<Access, NoPolicy> {
    match config.doors.iter().find(|known| known.listen.to_string() == door.name) {
        Some(known) => Access::new(known, config),
        None => Ok(door.access().renewed(config)),
    }
}

/// The keys of a door that differ, other than its policy and clients.
fn differences(started: &Door, known: &Door) -> Option<String> {
    let keys = [
        ("mode", started.mode != known.mode),
        ("owner", started.owner != known.owner),
        ("group", started.group != known.group),
        ("allow-from", started.allow_from != known.allow_from),
        ("hosts", started.hosts != known.hosts),
        ("tls", started.tls.is_some() != known.tls.is_some()),
        ("limits", started.limits != known.limits),
    ];
    let names: Vec<&str> = keys.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    (!names.is_empty()).then(|| format!("door `{}` has another {}", started.listen, names.join(", ")))
}

impl Changes {
    /// True where everything is as it was.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty() && self.doors.is_empty() && self.clients.is_empty() && self.tls.is_empty() && self.restart.is_empty()
    }

    fn note(&mut self, door: &DoorState, old: &Access, new: &Access) {
        let (before, after) = (&old.policy().name, &new.policy().name);
        if before != after {
            self.doors.push(Renamed { door: door.name.clone(), old: before.clone(), new: after.clone() });
        }
        if !old.same_entries(new) {
            self.clients.push(door.name.clone());
        }
        for policy in new.policies() {
            let differs = old.policies().any(|known| known.name == policy.name && !known.says_the_same(policy));
            if differs && !self.policies.contains(&policy.name) {
                self.policies.push(policy.name.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::upstream::Address;
    use super::*;
    use crate::config;

    const DOORS: &str =
        "[[door]]\nlisten = \"unix:///run/a/a.sock\"\npolicy = \"a\"\n[[door]]\nlisten = \"tcp://127.0.0.1:2375\"\npolicy = \"b\"\n";
    const A: &str = "[policy.a]\nallow = [\"ContainerList\", { operation = \"ContainerInspect\", id = \"web-.*\" }]\n";
    const B: &str = "[policy.b]\nextends = [\"read-only\"]\n[policy.b.create]\nimages = [\"docker.io/library/*\"]\n";

    fn config(text: &str) -> Config {
        let loaded = config::load("x.toml", &format!("version = 1\n{text}"));
        loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
    }

    fn started(text: &str) -> Policies {
        let config = config(text);
        let state = |door| Arc::new(DoorState::new(door, Access::new(door, &config).unwrap(), &config.limits));
        let open = config.doors.iter().map(state).collect();
        let engine = Upstream::new(Address::Unix("/run/engine.sock".into()));
        Policies::new(&config, open, engine.clone(), Arc::new(OwnSearch::new(&config, &engine)))
    }

    fn names(policies: &Policies) -> Vec<String> {
        policies.open.iter().map(|door| door.access().policy().name.clone()).collect()
    }

    #[test]
    fn a_file_that_says_the_same_at_other_places_changes_nothing() {
        let policies = started(&format!("{DOORS}{A}{B}"));
        let moved = format!("\n\n# a comment\n{B}\n{A}\n{DOORS}");
        let changes = policies.swap(&config(&moved)).unwrap();
        assert!(changes.is_empty(), "{changes:?}");
        assert_eq!(policies.open[0].access().policy().origin.line, 10, "the places are the new file's all the same");
    }

    #[test]
    fn names_the_policies_whose_rules_conditions_or_grants_differ() {
        for (old, new, name) in [
            ("ContainerList", "ContainerTop", "a"),
            ("web-.*", "web-[0-9]+", "a"),
            ("allow", "deny", "a"),
            ("library/*", "library/**", "b"),
            ("read-only", "ping", "b"),
            ("[policy.b.create]", "mode = \"warn\"\n[policy.b.create]", "b"),
        ] {
            let policies = started(&format!("{DOORS}{A}{B}"));
            let text = format!("{A}{B}").replace(old, new);
            let changes = policies.swap(&config(&format!("{DOORS}{text}"))).unwrap();
            assert_eq!(changes, Changes { policies: vec![name.to_owned()], ..Changes::default() }, "{old} to {new}");
        }
    }

    #[test]
    fn a_door_may_take_another_policy() {
        let policies = started(&format!("{DOORS}{A}{B}"));
        let changes = policies.swap(&config(&format!("{DOORS}{A}{B}").replace("policy = \"a\"", "policy = \"b\""))).unwrap();
        let renamed = Renamed { door: "unix:///run/a/a.sock".to_owned(), old: "a".to_owned(), new: "b".to_owned() };
        assert_eq!(changes, Changes { doors: vec![renamed], ..Changes::default() });
        assert_eq!(names(&policies), ["b", "b"]);
    }

    #[test]
    fn says_what_needs_a_restart_as_long_as_it_does() {
        let before = format!("protected = [\"/srv/keys\"]\n{DOORS}{A}{B}");
        let policies = started(&before);
        let text = "protected = [\"/srv/other\"]\n[upstream]\nurl = \"unix:///run/other.sock\"\n[audit]\nfile = \"/var/log/other.jsonl\"\n\
            [limits]\nconnections = 5\n[[door]]\nlisten = \"unix:///run/a/a.sock\"\nmode = \"0600\"\ngroup = 7\npolicy = \"a\"\n\
            [[door]]\nlisten = \"tcp://127.0.0.1:2376\"\npolicy = \"b\"\n";
        let changed = config(&format!("{text}{A}{B}"));
        let expected = [
            "door `unix:///run/a/a.sock` has another mode, group",
            "door `tcp://127.0.0.1:2375` is still open",
            "door `tcp://127.0.0.1:2376` is not open yet",
            "`upstream` has changed",
            "`audit` has changed",
            "`limits` has changed",
            "`protected` has changed",
        ];
        assert_eq!(policies.swap(&changed).unwrap().restart, expected);
        assert_eq!(policies.swap(&changed).unwrap().restart, expected, "a second reload does not forget");
        assert!(policies.swap(&config(&before)).unwrap().is_empty(), "taken back");
    }

    #[test]
    fn a_door_that_left_the_file_follows_its_policy_and_keeps_it_where_that_is_gone_too() {
        let policies = started(&format!("{DOORS}{A}{B}"));
        let one = "[[door]]\nlisten = \"tcp://127.0.0.1:2375\"\npolicy = \"b\"\n";
        let changes = policies.swap(&config(&format!("{one}{}{B}", A.replace("ContainerList", "ContainerTop")))).unwrap();
        assert_eq!((changes.policies, changes.restart.len()), (vec!["a".to_owned()], 1));
        let before = Arc::clone(policies.open[0].access().policy());
        let changes = policies.swap(&config(&format!("{one}{B}"))).unwrap();
        assert!(changes.policies.is_empty() && Arc::ptr_eq(&before, policies.open[0].access().policy()));
    }

    const CLIENT: &str = "[[door.client]]\nuid = 7\npolicy = \"b\"\n";

    /// The configuration with these clients on the first door.
    fn with_clients(clients: &str, policies: &str) -> String {
        format!("{}{policies}", DOORS.replace("policy = \"a\"\n", &format!("policy = \"a\"\n{clients}")))
    }

    #[test]
    fn clients_that_come_go_or_differ_change_their_door_alone() {
        let rules = format!("{A}{B}");
        let policies = started(&format!("{DOORS}{rules}"));
        let changed = Changes { clients: vec!["unix:///run/a/a.sock".to_owned()], ..Changes::default() };
        let other = CLIENT.replace('7', "8");
        let twice = format!("{CLIENT}{other}");
        let turned = format!("{other}{CLIENT}");
        for clients in [CLIENT, &other, &twice, &turned, &CLIENT.replace("\"b\"", "\"ping\""), ""] {
            let text = with_clients(clients, &rules);
            assert_eq!(policies.swap(&config(&text)).unwrap(), changed, "{clients}");
            assert!(policies.swap(&config(&format!("\n\n{text}"))).unwrap().is_empty(), "at another place: {clients}");
        }
    }

    #[test]
    fn the_policy_of_a_client_is_swapped_with_the_others() {
        let text = with_clients(CLIENT, &format!("{A}{B}")).replace("policy = \"b\"\n[policy", "policy = \"a\"\n[policy");
        let policies = started(&text);
        let changes = policies.swap(&config(&text.replace("library/*", "library/**"))).unwrap();
        assert_eq!(changes, Changes { policies: vec!["b".to_owned()], ..Changes::default() });
        // a door that left the file follows what the file says of its clients' policies
        let one = format!("[[door]]\nlisten = \"tcp://127.0.0.1:2375\"\npolicy = \"a\"\n{A}{}", B.replace("read-only", "ping"));
        let changes = policies.swap(&config(&one)).unwrap();
        assert_eq!((changes.policies, changes.restart.len()), (vec!["b".to_owned()], 1));
    }

    #[test]
    fn a_client_without_a_policy_leaves_all_doors_as_they_are() {
        let text = with_clients(CLIENT, &format!("{A}{B}"));
        let policies = started(&format!("{DOORS}{A}{B}"));
        let mut changed = config(&text.replace("\"b\"\n[[door]]", "\"c\"\n[[door]]").replace("[policy.a]", "[policy.c]\n[policy.a]"));
        changed.policies.remove("c");
        let missing = NoPolicy { door: "unix:///run/a/a.sock".to_owned(), policy: "c".to_owned() };
        assert_eq!(policies.swap(&changed), Err(missing));
        assert!(!policies.open[0].access().has_entries());
    }

    #[test]
    fn other_limits_of_a_door_need_a_restart() {
        let policies = started(&format!("{DOORS}{A}{B}"));
        let text = with_clients("[door.limits]\nchanges = 1\n", &format!("{A}{B}"));
        assert_eq!(policies.swap(&config(&text)).unwrap().restart, ["door `unix:///run/a/a.sock` has another limits"]);
    }

    #[test]
    fn one_door_without_a_policy_leaves_all_doors_as_they_are() {
        let policies = started(&format!("{DOORS}{A}{B}"));
        let mut changed = config(&format!("{DOORS}{A}{B}").replace("ContainerList", "ContainerTop"));
        changed.policies.remove("b");
        let before = Arc::clone(policies.open[0].access().policy());
        let missing = NoPolicy { door: "tcp://127.0.0.1:2375".to_owned(), policy: "b".to_owned() };
        assert_eq!(policies.swap(&changed), Err(missing));
        assert!(Arc::ptr_eq(&before, policies.open[0].access().policy()));
    }
}
