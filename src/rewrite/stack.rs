//! The services of a compose file, and which of them mount the docker socket.
//! Knows nothing of what is done about it.

use super::mount::{Mount, Shows};
use super::sidecar::NAME;
use super::yaml::{Kind, Node};
use super::{Note, Problem, clients};

/// Other socket proxies, and the importer of their settings.
const PROXIES: [(&str, &str); 4] = [
    ("tecnativa/docker-socket-proxy", "tecnativa"),
    ("linuxserver/socket-proxy", "linuxserver"),
    ("wollomatic/socket-proxy", "wollomatic"),
    ("hectorm/cetusguard", "cetusguard"),
];

/// A compose file.
pub(super) struct Stack<'y> {
    root: &'y Node,
    pub(super) services: Vec<Service<'y>>,
    pub(super) notes: Vec<Note>,
}

/// A service.
#[derive(Debug, Clone)]
pub(super) struct Service<'y> {
    pub(super) name: String,
    pub(super) key: &'y Node,
    pub(super) body: &'y Node,
    pub(super) image: String,
}

/// A service that mounts the socket, and where.
#[derive(Debug)]
pub(super) struct Use<'y> {
    pub(super) service: Service<'y>,
    pub(super) item: &'y Node,
    /// True in `[…]`.
    pub(super) in_flow: bool,
    pub(super) mount: Mount,
}

/// Where a service has a key from.
pub(super) enum From<'y> {
    /// It is written in the service.
    Own(&'y Node, &'y Node),
    /// It comes with `<<`.
    Merged(&'y Node),
    Nowhere,
}

impl<'y> Stack<'y> {
    pub(super) fn read(root: &'y Node) -> Result<Self, Problem> {
        let hint = "name a compose file";
        let services = root.get("services").ok_or_else(|| Problem::new(None, "there is no `services:` in it", hint))?;
        if services.enclosed || !matches!(services.kind, Kind::Map(_)) {
            return Err(Problem::new(services.line, "`services` is no block of services", hint));
        }
        let image = |body: &Node| body.get("image").map(Node::text).unwrap_or_default().to_owned();
        let read = |(key, body): &'y (Node, Node)| Service { name: key.text().to_owned(), key, body, image: image(body) };
        let services = services.entries().iter().map(read).collect();
        let notes =
            root.entry("include").map(|(key, _)| Note { line: key.line, text: "files that are included are not looked at".to_owned() });
        Ok(Self { root, services, notes: notes.into_iter().collect() })
    }

    /// The key `services` and its value; a file without has been refused.
    pub(super) fn top(&self, key: &str) -> Option<(&'y Node, &'y Node)> {
        self.root.entry(key)
    }

    /// The node that an alias stands for, or the node itself.
    pub(super) fn resolved(&self, node: &'y Node) -> &'y Node {
        match node.kind {
            Kind::Alias(number) => self.root.anchored(number).unwrap_or(node),
            Kind::Text(_) | Kind::Block(_) | Kind::List(_) | Kind::Map(_) | Kind::Nothing => node,
        }
    }

    /// A key of a service, its own or one of what it merges.
    pub(super) fn find(&self, service: &Service<'y>, key: &str) -> From<'y> {
        let body = self.resolved(service.body);
        if let Some((name, value)) = body.entry(key) {
            return From::Own(name, value);
        }
        let merges = body.get("<<").map(|merged| self.resolved(merged));
        let maps = merges.into_iter().flat_map(|node| if node.items().is_empty() { std::slice::from_ref(node) } else { node.items() });
        maps.filter_map(|map| self.resolved(map).get(key)).next().map_or(From::Nowhere, From::Merged)
    }

    /// Every service that mounts the socket and can be changed.
    pub(super) fn uses(&self, notes: &mut Vec<Note>) -> Result<Vec<Use<'y>>, Problem> {
        let mut uses = Vec::new();
        for service in &self.services {
            if clients::is_dockgate(&service.image) {
                continue;
            }
            let used = self.used(service, notes)?;
            if let Some((_, proxy)) = PROXIES.iter().find(|(image, _)| service.image.contains(image)) {
                let text = format!(
                    "service `{}` is another socket proxy, which `dockgate import {proxy} --compose FILE` takes over: left as it is",
                    service.name
                );
                notes.push(Note { line: service.key.line, text });
            } else if let Some(used) = used {
                self.alone(service)?;
                uses.push(used);
            }
        }
        self.one_engine(&uses)?;
        Ok(uses)
    }

    fn used(&self, service: &Service<'y>, notes: &mut Vec<Note>) -> Result<Option<Use<'y>>, Problem> {
        let (list, own) = match self.find(service, "volumes") {
            From::Own(_, value) => (value, !matches!(value.kind, Kind::Alias(_)) && value.anchor == 0),
            From::Merged(value) => (value, false),
            From::Nowhere => return Ok(None),
        };
        let own = own && !matches!(service.body.kind, Kind::Alias(_));
        let list = self.resolved(list);
        let mut found: Option<Use<'y>> = None;
        for item in list.items() {
            let Some(mount) = Mount::read(self.resolved(item)) else { continue };
            match mount.shows() {
                Shows::Nothing => {}
                Shows::Folder => notes.push(Note {
                    line: item.line,
                    text: format!("service `{}` mounts `{}`, which holds the engine's socket: left as it is", service.name, mount.source),
                }),
                Shows::Socket if !own || matches!(item.kind, Kind::Alias(_)) || item.anchor != 0 => {
                    let message = format!("service `{}` has its mount of the socket through an anchor", service.name);
                    return Err(Problem::new(item.line, message, "write the mount in the service itself, then rewrite again"));
                }
                Shows::Socket if found.is_some() => {
                    let message = format!("service `{}` mounts the socket twice", service.name);
                    return Err(Problem::new(item.line, message, "leave one of them, then rewrite again"));
                }
                Shows::Socket => found = Some(Use { service: service.clone(), item, in_flow: list.enclosed, mount }),
            }
        }
        Ok(found)
    }

    /// Others that take a service's settings over would change with it.
    fn alone(&self, service: &Service<'y>) -> Result<(), Problem> {
        let hint = "write its settings out, then rewrite again";
        let name = &service.name;
        if service.body.enclosed {
            return Err(Problem::new(service.key.line, format!("service `{name}` is written on one line"), hint));
        }
        if service.body.anchor != 0 {
            return Err(Problem::new(
                service.key.line,
                format!("service `{name}` has an anchor, so others may take its settings over"),
                hint,
            ));
        }
        if let Some((key, _)) = service.body.entry("extends") {
            return Err(Problem::new(key.line, format!("service `{name}` takes settings of another service over"), hint));
        }
        let heir = self.services.iter().find_map(|other| {
            let (key, value) = other.body.entry("extends")?;
            let from = value.get("service").map_or(value.text(), Node::text);
            (from == name && value.get("file").is_none()).then_some((other, key))
        });
        match heir {
            Some((other, key)) => Err(Problem::new(
                key.line,
                format!("service `{}` takes settings of `{name}` over, its mount of the socket among them", other.name),
                hint,
            )),
            None => Ok(()),
        }
    }

    /// One dockgate has one engine.
    fn one_engine(&self, uses: &[Use<'y>]) -> Result<(), Problem> {
        let plain = |used: &Use<'y>| used.mount.filled.replacen("/var/run/", "/run/", 1);
        let Some(first) = uses.first() else { return Ok(()) };
        match uses.iter().find(|used| plain(used) != plain(first)) {
            Some(other) => {
                let message = format!(
                    "`{}` is another engine's socket than `{}` of line {}",
                    other.mount.source, first.mount.source, first.item.line
                );
                Err(Problem::new(other.item.line, message, "a dockgate stands before one engine: rewrite the file of each engine apart"))
            }
            None => Ok(()),
        }
    }

    /// A file with a dockgate in it has been set up already; whoever did that knows what the next door should be.
    pub(super) fn without_sidecar(&self) -> Result<(), Problem> {
        match self.services.iter().find(|service| service.name == NAME) {
            Some(service) => Err(Problem::new(
                service.key.line,
                format!("there is a service `{NAME}` already, and raw mounts of the socket beside it"),
                "add a `[[door]]` and a volume for each of them, as for the doors that are there",
            )),
            None => Ok(()),
        }
    }
}
