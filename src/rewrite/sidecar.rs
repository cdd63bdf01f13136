//! dockgate beside its clients, as compose and its own configuration have it: one service, and a door and a volume for each client.
//! Knows nothing of the files that these stand in, and of the clients' own services.

use std::fmt::Write as _;

use crate::config::presets;

/// The user and the group of dockgate's image: of the door's socket, and of the folder that holds it.
pub const GROUP: &str = "65532";
/// The folder that a client mounts; in dockgate's container it has a folder for each door.
pub const FOLDER: &str = "/run/dockgate";
/// What the service is called.
pub const NAME: &str = "dockgate";
/// The volume of the trail.
pub const TRAIL: &str = "dockgate-trail";
/// Where the engine's socket is in dockgate's container.
const SOCKET: &str = "/var/run/docker.sock";
/// Where its configuration is there.
const CONFIG: &str = "/etc/dockgate/dockgate.toml";
/// What is to be known about the doors' volumes.
pub const REMARK: &str = "# one volume for one door, in memory and dockgate's own: whoever mounts it is that client";
/// A small memory file system that belongs to dockgate: an empty named volume would belong to root.
pub const TMPFS: &str = r#"driver_opts: {type: tmpfs, device: tmpfs, o: "size=1m,uid=65532,gid=65532,mode=0750"}"#;

/// dockgate's service and configuration.
#[derive(Debug)]
pub struct Sidecar {
    /// What it stands before.
    pub engine: Engine,
    /// The configuration as it is mounted: a path as compose reads it.
    pub config: String,
    /// A door for each client.
    pub doors: Vec<Door>,
}

/// An engine, as dockgate's container reaches it.
#[derive(Debug)]
pub enum Engine {
    /// By its socket.
    Socket(Socket),
    /// By a URL.
    Url(String),
}

/// The engine's socket on its host.
#[derive(Debug)]
pub struct Socket {
    /// Its path as compose reads it, where `$` begins a variable.
    pub source: String,
    /// Its path for people.
    pub shown: String,
    /// Its group, and that group's name for people, where that is known.
    pub group: Option<(u32, String)>,
    /// In whose name the engine runs containers.
    pub rights: Rights,
    /// Whether SELinux keeps containers from it.
    pub selinux: bool,
}

/// In whose name the engine runs containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// Root's.
    Root,
    /// A user's: its group is 0 in containers.
    Rootless,
    /// Root's, with other ids in containers.
    Remapped,
}

/// A client's door.
#[derive(Debug)]
pub struct Door {
    /// What its folder, its volume and its policy are called.
    pub name: String,
    /// `None` where no preset is known for the client.
    pub preset: Option<String>,
}

impl Door {
    /// The name of its volume.
    pub fn volume(&self) -> String {
        format!("{NAME}-{}", self.name)
    }

    /// The volume as its client mounts it.
    pub fn mount(&self) -> String {
        format!("{}:{FOLDER}:ro", self.volume())
    }
}

/// True where a preset lets containers be created or entered, and what they may have is its user's to say.
pub fn needs_grants(name: &str) -> bool {
    presets().iter().any(|preset| preset.name == name && preset.text.contains("\n# grants:"))
}

pub(super) fn blanks(width: usize) -> String {
    " ".repeat(width)
}

impl Sidecar {
    /// The service, in the column of a file's services and with its width of a level.
    pub fn service(&self, column: usize, step: usize) -> String {
        let (rights, security, socket) = match &self.engine {
            Engine::Socket(socket) => (socket.rights(), socket.security(), bind(&socket.source, SOCKET)),
            Engine::Url(_) => (String::new(), "", String::new()),
        };
        let doors: String = self.doors.iter().map(|door| format!("    - {}:{FOLDER}/{}\n", door.volume(), door.name)).collect();
        let text = format!(
            r#"# asks the engine for the others; its policies stand in {config}
# the image is built in dockgate's repository: docker build -t dockgate .
{NAME}:
  image: dockgate:latest
  command: ["serve", "--config", "{CONFIG}"]
  user: "{GROUP}:{GROUP}"
{rights}  read_only: true
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"{security}]
  pids_limit: 64
  mem_limit: 64m
  restart: unless-stopped
  volumes:
{socket}{file}    - {TRAIL}:/var/log/dockgate
{doors}  healthcheck:
    test: ["CMD", "/dockgate", "healthcheck"]
    interval: 5s
    timeout: 3s
    retries: 5
    start_period: 5s

"#,
            config = self.config,
            file = bind(&self.config, CONFIG),
        );
        text.lines().map(|line| indented(line, column, step)).collect()
    }

    /// The volumes, in the same way.
    pub fn volumes(&self, column: usize, step: usize) -> String {
        let doors: String = self.doors.iter().map(|door| format!("{}:\n  {TMPFS}\n", door.volume())).collect();
        format!("{REMARK}\n{doors}{TRAIL}:\n").lines().map(|line| indented(line, column, step)).collect()
    }

    /// The configuration: a door for each client, with its preset or a policy to begin with.
    pub fn toml(&self) -> String {
        let own = format!("unix://{SOCKET}");
        let url = match &self.engine {
            Engine::Socket(_) => &own,
            Engine::Url(url) => url,
        };
        let mut out = format!("version = 1\n\n[upstream]\nurl = \"{url}\"\n\n[audit]\nfile = \"/var/log/dockgate/audit.jsonl\"\n");
        for door in &self.doors {
            let (policy, text) = self.policy(door);
            let _ = write!(out, "\n[[door]]\nlisten = \"unix://{FOLDER}/{}/docker.sock\"\npolicy = \"{policy}\"\n{text}", door.name);
        }
        out
    }

    /// The name of a client's policy, and what is to be written for it.
    fn policy(&self, door: &Door) -> (String, String) {
        let mut own = door.name.replace('.', "-");
        // a policy of the file hides the preset of its name
        if self.doors.iter().any(|other| other.preset.as_ref() == Some(&own) && other.name != door.name) {
            own.push_str("-service");
        }
        let text = match &door.preset {
            Some(name) if !needs_grants(name) => return (name.clone(), String::new()),
            Some(name) => format!(
                "\n# what its containers may have; `dockgate preset show {name}` says more\n[policy.{own}]\nextends = [\"{name}\"]\n\n\
                 [policy.{own}.create]\n# images = [\"docker.io/library/*\"]\n# volumes = [\"{own}-*\"]\n# networks = [\"{own}\"]\n"
            ),
            None => format!(
                "\n# no preset is known for this client yet. Set `mode = \"observe\"` for a while, let it do its work, then put here what\n\
                 # `dockgate learn /var/log/dockgate/audit.jsonl --policy {own}` prints, and take the mode out.\n\
                 [policy.{own}]\nextends = [\"read-only\"]\n"
            ),
        };
        (own, text)
    }
}

impl Socket {
    /// How dockgate may connect to it.
    fn rights(&self) -> String {
        let group = match (self.rights, &self.group) {
            (Rights::Rootless, _) => {
                "  # the group of the engine's user, which is 0 in containers of a rootless engine\n  group_add: [\"0\"]\n".to_owned()
            }
            (Rights::Root | Rights::Remapped, Some((gid, name))) => {
                format!("  # the group of {} on this host: {name}\n  group_add: [\"{gid}\"]\n", self.shown)
            }
            (Rights::Root | Rights::Remapped, None) => {
                format!(
                    "  group_add: [\"${{DOCKER_GID:?put DOCKER_GID=NUMBER into .env, the number that stat -c %g {} prints}}\"]\n",
                    self.shown
                )
            }
        };
        let users = match self.rights {
            Rights::Remapped => "  # the engine's own user ids: else that group would be another one\n  userns_mode: \"host\"\n",
            Rights::Root | Rights::Rootless => "",
        };
        format!("{group}{users}  network_mode: none\n")
    }

    fn security(&self) -> &'static str {
        if self.selinux { ", \"label:disable\"" } else { "" }
    }
}

/// A mount of a file of the host. Where it is missing the engine says so, and makes no folder of its name.
fn bind(source: &str, target: &str) -> String {
    let source = source.replace('\\', "\\\\").replace('"', "\\\"");
    format!("    - {{type: bind, source: \"{source}\", target: {target}, read_only: true, bind: {{create_host_path: false}}}}\n")
}

/// A line that is written with two blanks a level, in the file's own width.
fn indented(line: &str, column: usize, step: usize) -> String {
    let bare = line.trim_start();
    if bare.is_empty() {
        return "\n".to_owned();
    }
    let level = (line.len() - bare.len()) / 2;
    format!("{}{bare}\n", blanks(column + level * step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::rewrite::clients::CLIENTS;

    fn sidecar(names: &[&str], rights: Rights) -> Sidecar {
        let path = "/srv/a \"b\"/$$x\\y".to_owned();
        let socket =
            Socket { source: path.clone(), shown: path, group: Some((99_998, "engine (99998)".to_owned())), rights, selinux: false };
        let doors = names.iter().map(|name| Door { name: (*name).to_owned(), preset: Some((*name).to_owned()) }).collect();
        Sidecar { engine: Engine::Socket(socket), config: "./dockgate.toml".to_owned(), doors }
    }

    #[test]
    fn one_client_is_less_than_fifteen_lines_without_a_remark() {
        let toml = sidecar(&["traefik"], Rights::Root).toml();
        let loaded = config::load("dockgate.toml", &toml);
        assert!(loaded.diagnostics.is_empty() && loaded.config.is_some(), "{:?}", loaded.diagnostics);
        assert!(toml.lines().count() < 15, "{toml}");
    }

    #[test]
    fn every_client_is_a_configuration_that_can_be_used() {
        for client in CLIENTS.iter().filter(|client| client.preset != "ping") {
            let toml = sidecar(&[client.preset, "ping"], Rights::Root).toml();
            let loaded = config::load("dockgate.toml", &toml);
            assert!(loaded.config.is_some(), "{}: {:?}", client.preset, loaded.diagnostics);
            assert_eq!(needs_grants(client.preset), toml.contains(&format!("[policy.{}.create]", client.preset)));
        }
    }

    #[test]
    fn the_engines_rights_decide_how_its_socket_is_reached() {
        let service = |rights| sidecar(&["traefik"], rights).service(2, 2);
        assert!(service(Rights::Root).contains("group_add: [\"99998\"]") && !service(Rights::Root).contains("userns"));
        assert!(service(Rights::Rootless).contains("group_add: [\"0\"]"));
        assert!(service(Rights::Remapped).contains("group_add: [\"99998\"]\n    # the engine's own user ids"));
        assert!(service(Rights::Remapped).contains("userns_mode: \"host\""));
        let mut other = sidecar(&["traefik"], Rights::Root);
        if let Engine::Socket(socket) = &mut other.engine {
            (socket.group, socket.selinux) = (None, true);
        }
        let text = other.service(2, 2);
        assert!(text.contains("${DOCKER_GID:?") && text.contains("\"label:disable\""), "{text}");
        other.engine = Engine::Url("tcp://engine:2375".to_owned());
        let text = other.service(2, 2);
        assert!(!text.contains("network_mode") && !text.contains("docker.sock"), "{text}");
        assert!(other.toml().contains("tcp://engine:2375"));
    }

    #[test]
    fn paths_are_written_so_that_compose_reads_them_back() {
        let text = sidecar(&["traefik"], Rights::Root).service(2, 2);
        assert!(text.contains("source: \"/srv/a \\\"b\\\"/$$x\\\\y\""), "{text}");
    }
}
