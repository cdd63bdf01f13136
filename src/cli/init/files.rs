//! The texts that init writes: a configuration, and a compose file.
//! Knows nothing of how the clients were chosen and the engine was found.

use std::fmt::Write as _;

use crate::cli::clients::{Client, Told};
use crate::cli::ids;
use crate::config;

use super::engine::{Rights, Surveyed};

/// The user and the group of dockgate's image.
const OWN: u32 = 65_532;
/// Where the engine's socket is in dockgate's container.
const SOCKET: &str = "/var/run/docker.sock";

/// What is to be written.
#[derive(Debug)]
pub struct Plan {
    /// Who gets a door.
    pub clients: Vec<&'static Client>,
    /// The engine.
    pub surveyed: Surveyed,
}

/// True where a preset lets containers be created or entered, and what they may have is its user's to say.
pub fn needs_grants(client: &Client) -> bool {
    config::presets().iter().any(|preset| preset.name == client.preset && preset.text.contains("\n# grants:"))
}

impl Plan {
    /// `dockgate.toml`.
    pub fn toml(&self) -> String {
        let engine = if self.surveyed.source.is_some() { format!("unix://{SOCKET}") } else { self.surveyed.url.to_string() };
        let mut out = format!("version = 1\n\n[upstream]\nurl = \"{engine}\"\n");
        for client in &self.clients {
            let name = client.preset;
            let _ = write!(out, "\n[[door]]\nlisten = \"unix:///run/dockgate/{name}/docker.sock\"\ngroup = {OWN}\npolicy = \"{name}\"\n");
        }
        for client in self.clients.iter().filter(|client| needs_grants(client)) {
            let name = client.preset;
            let _ = write!(
                out,
                "\n[policy.{name}]\nextends = [\"{name}\"]\n\n# what its containers may have\n[policy.{name}.create]\n\
                 # images = [\"docker.io/library/*\"]\n# volumes = [\"{name}-*\"]\n# networks = [\"{name}\"]\n"
            );
        }
        out.push_str("\n[audit]\nfile = \"/var/log/dockgate/audit.jsonl\"\n");
        out
    }

    /// `compose.yml`.
    pub fn compose(&self) -> String {
        let mut out = String::from(
            "# dockgate in front of the engine's socket, with a door for each client. Written by `dockgate init`.\n\
             # The image is built in dockgate's repository: docker build -t dockgate .\n\nservices:\n  dockgate:\n    image: dockgate:latest\n    \
             command: [\"serve\", \"--config\", \"/etc/dockgate/dockgate.toml\"]\n",
        );
        let _ = writeln!(out, "    user: \"{OWN}:{OWN}\"");
        self.rights(&mut out);
        out.push_str("    read_only: true\n    cap_drop: [ALL]\n");
        let label = if self.surveyed.selinux { ", \"label:disable\"" } else { "" };
        let _ = writeln!(out, "    security_opt: [\"no-new-privileges:true\"{label}]");
        out.push_str("    restart: unless-stopped\n    healthcheck:\n      test: [\"CMD\", \"/dockgate\", \"healthcheck\"]\n      interval: 5s\n      timeout: 3s\n      retries: 5\n    volumes:\n");
        if let Some(socket) = &self.surveyed.source {
            let _ = writeln!(
                out,
                "      - type: bind\n        source: {}\n        target: {SOCKET}\n        read_only: true\n        bind:\n          create_host_path: false",
                quoted(socket)
            );
        }
        out.push_str("      - ./dockgate.toml:/etc/dockgate/dockgate.toml:ro\n      - trail:/var/log/dockgate\n");
        for Client { preset, .. } in &self.clients {
            let _ = writeln!(out, "      - {preset}:/run/dockgate/{preset}");
        }
        self.clients.iter().for_each(|client| service(client, &mut out));
        self.volumes(&mut out);
        out
    }

    /// How dockgate reaches the engine.
    fn rights(&self, out: &mut String) {
        let Surveyed { group, rights, .. } = &self.surveyed;
        let Some(socket) = &self.surveyed.source else { return };
        let (gid, why) = match (rights, group) {
            (Rights::Rootless, _) => {
                ("0".to_owned(), "the group of the engine's user, which is 0 in containers of a rootless engine".to_owned())
            }
            (Rights::Root | Rights::Remapped, Some(gid)) => {
                (gid.to_string(), format!("the group of {} on this host: {}", socket, ids::group(*gid)))
            }
            (Rights::Root | Rights::Remapped, None) => {
                ("${DOCKER_GID:?the group of the engine's socket}".to_owned(), format!("DOCKER_GID=$(stat -c %g {}) on the host", socket))
            }
        };
        let _ = writeln!(out, "    # {why}\n    group_add: [\"{gid}\"]");
        if *rights == Rights::Remapped {
            out.push_str("    # the engine's own user ids: else that group would be another one\n    userns_mode: \"host\"\n");
        }
        out.push_str("    network_mode: none\n");
    }

    fn volumes(&self, out: &mut String) {
        out.push_str("\nvolumes:\n  trail:\n  # a door's volume lies in memory and belongs to dockgate: who mounts it is that client\n");
        for Client { preset, .. } in &self.clients {
            let _ = writeln!(
                out,
                "  {preset}:\n    driver_opts: {{ type: tmpfs, device: tmpfs, o: \"size=1m,uid={OWN},gid={OWN},mode=0750\" }}"
            );
        }
    }
}

/// What changes in a client's own service, as a comment: its file is somebody else's.
fn service(client: &Client, out: &mut String) {
    let name = client.preset;
    let _ = writeln!(out, "\n# In the service of {name}, instead of its mount of the engine's socket:\n#   {name}:");
    let _ = writeln!(out, "#     group_add: [\"{OWN}\"]\n#     depends_on: {{ dockgate: {{ condition: service_healthy }} }}");
    match client.told {
        Told::Variable(variable, value) => {
            let _ = writeln!(out, "#     environment: {{ {variable}: \"{value}\" }}");
        }
        Told::Words(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            let _ = writeln!(out, "#     command: [{}]  # beside the words that it has", words.join(", "));
        }
        Told::File(file, line) => {
            let _ = writeln!(out, "#     # and in its {file}: {line}");
        }
        Told::Page(what) => {
            let _ = writeln!(out, "#     # and in {what}");
        }
    }
    let _ = writeln!(out, "#     volumes: [\"{name}:/run/dockgate:ro\"]");
}

/// A YAML string, where `$` stands for itself in compose.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::clients::CLIENTS;

    fn plan(names: &[&str], rights: Rights) -> Plan {
        let clients = names.iter().map(|name| CLIENTS.iter().find(|client| client.preset == *name).unwrap()).collect();
        let url = "unix:///var/run/docker.sock".parse().unwrap();
        let surveyed = Surveyed {
            url,
            source: Some("/var/run/docker.sock".to_owned()),
            said_by: "found there",
            group: Some(99_998),
            rights,
            selinux: false,
            holders: Vec::new(),
            silent: None,
        };
        Plan { clients, surveyed }
    }

    #[test]
    fn one_client_is_less_than_fifteen_lines_without_a_remark() {
        let toml = plan(&["traefik"], Rights::Root).toml();
        let loaded = config::load("dockgate.toml", &toml);
        assert!(loaded.diagnostics.is_empty() && loaded.config.is_some(), "{:?}", loaded.diagnostics);
        assert!(toml.lines().count() < 15, "{toml}");
    }

    #[test]
    fn every_client_is_a_configuration_that_can_be_used() {
        for client in CLIENTS.iter().filter(|client| client.preset != "ping") {
            let plan = plan(&[client.preset, "ping"], Rights::Root);
            let loaded = config::load("dockgate.toml", &plan.toml());
            assert!(loaded.config.is_some(), "{}: {:?}", client.preset, loaded.diagnostics);
            assert!(needs_grants(client) == plan.toml().contains(&format!("[policy.{}.create]", client.preset)));
        }
    }

    #[test]
    fn the_engines_rights_decide_how_its_socket_is_reached() {
        let group = |rights| {
            plan(&["traefik"], rights).compose().lines().find(|line| line.contains("group_add")).map(|line| line.trim().to_owned())
        };
        assert_eq!(group(Rights::Root).as_deref(), Some("group_add: [\"99998\"]"));
        assert_eq!(group(Rights::Rootless).as_deref(), Some("group_add: [\"0\"]"));
        assert!(plan(&["traefik"], Rights::Remapped).compose().contains("userns_mode: \"host\""));
        let mut other = plan(&["traefik"], Rights::Root);
        other.surveyed.group = None;
        other.surveyed.selinux = true;
        let text = other.compose();
        assert!(text.contains("${DOCKER_GID:?") && text.contains("\"label:disable\""), "{text}");
        (other.surveyed.url, other.surveyed.source) = ("tcp://engine:2375".parse().unwrap(), None);
        let text = other.compose();
        assert!(
            !text.contains("network_mode") && !text.contains("/var/run/docker.sock") && other.toml().contains("tcp://engine:2375"),
            "{text}"
        );
    }

    #[test]
    fn paths_are_written_so_that_compose_reads_them_back() {
        assert_eq!(quoted("/srv/a \"b\"/$x\\y"), "\"/srv/a \\\"b\\\"/$$x\\\\y\"");
    }
}
