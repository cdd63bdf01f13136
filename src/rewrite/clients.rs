//! Clients by their images: the preset that fits, and how each is told where its door is.
//! Knows nothing of policies and compose files. A test holds this against config/examples, where each of them is a whole compose file.

/// Where a client finds its door when the door's folder is mounted at `/run/dockgate`.
const URL: &str = "unix:///run/dockgate/docker.sock";
/// The same as a path.
const PATH: &str = "/run/dockgate/docker.sock";

/// A client with a preset.
#[derive(Debug)]
pub struct Client {
    /// The preset.
    pub preset: &'static str,
    /// Its images, without registry, tag and `library/`.
    pub images: &'static [&'static str],
    /// What the settings of one of these images hold where this preset is meant and no other.
    pub with: Option<&'static str>,
    /// How it is told where its door is; all of these.
    pub told: &'static [Told],
}

/// How a client is told where its door is.
#[derive(Debug, Clone, Copy)]
pub enum Told {
    /// By a variable of its environment, and its value.
    Variable(&'static str, &'static str),
    /// By words of its command; the text is for clients that have none and read a file instead.
    Words(&'static [&'static str], Option<&'static str>),
    /// In a file of its own: its name, and the line.
    File(&'static str, &'static str),
    /// On a page of its own.
    Page(&'static str),
}

/// What most clients and all of Docker's own libraries look at.
pub const HOST: &[Told] = &[Told::Variable("DOCKER_HOST", URL)];

const PORTAINER: &[&str] = &["portainer/portainer-ce", "portainer/portainer-ee", "portainer/portainer"];
const TRAEFIK: &str = "its file: `providers.docker.endpoint: unix:///run/dockgate/docker.sock`";
const TRAEFIK_SWARM: &str = "its file: `providers.swarm.endpoint: unix:///run/dockgate/docker.sock`";

const fn client(preset: &'static str, images: &'static [&'static str], told: &'static [Told]) -> Client {
    Client { preset, images, with: None, told }
}

/// Of several presets for one image the narrower comes first.
pub static CLIENTS: &[Client] = &[
    client("traefik", &["traefik"], &[Told::Words(&["--providers.docker.endpoint=unix:///run/dockgate/docker.sock"], Some(TRAEFIK))]),
    Client {
        with: Some("providers.swarm"),
        ..client(
            "traefik-swarm",
            &["traefik"],
            &[Told::Words(&["--providers.swarm.endpoint=unix:///run/dockgate/docker.sock"], Some(TRAEFIK_SWARM))],
        )
    },
    client("nginx-proxy", &["nginxproxy/nginx-proxy", "jwilder/nginx-proxy", "nginxproxy/docker-gen", "jwilder/docker-gen"], HOST),
    client("acme-companion", &["nginxproxy/acme-companion", "jrcs/letsencrypt-nginx-proxy-companion"], HOST),
    client("caddy-docker-proxy", &["lucaslorentz/caddy-docker-proxy"], &[Told::Variable("CADDY_DOCKER_SOCKETS", URL)]),
    client("portainer-read-only", PORTAINER, &[Told::Words(&["-H", URL], None)]),
    client("portainer", PORTAINER, &[Told::Words(&["-H", URL], None)]),
    client("watchtower", &["containrrr/watchtower"], HOST),
    client("watchtower-fork", &["nickfedor/watchtower", "nicholas-fedor/watchtower"], HOST),
    client("diun", &["crazymax/diun"], &[Told::Variable("DIUN_PROVIDERS_DOCKER_ENDPOINT", URL)]),
    client("wud", &["getwud/wud", "fmartinou/whats-up-docker"], &[Told::Variable("WUD_WATCHER_LOCAL_SOCKET", PATH)]),
    client("wud-update", &["getwud/wud", "fmartinou/whats-up-docker"], &[Told::Variable("WUD_WATCHER_LOCAL_SOCKET", PATH)]),
    client("homepage", &["gethomepage/homepage"], &[Told::File("docker.yaml", "socket: /run/dockgate/docker.sock")]),
    client("homarr", &["homarr-labs/homarr"], &[Told::Variable("DOCKER_SOCKET_PATHS", PATH)]),
    client("dozzle", &["amir20/dozzle"], HOST),
    client("dozzle-actions", &["amir20/dozzle"], HOST),
    client("alloy", &["grafana/alloy"], &[Told::File("config.alloy", "host = \"unix:///run/dockgate/docker.sock\"")]),
    client("crowdsec", &["crowdsecurity/crowdsec"], &[Told::File("acquis.yaml", "docker_host: unix:///run/dockgate/docker.sock")]),
    client("vector", &["timberio/vector"], &[Told::File("vector.yaml", "docker_host: unix:///run/dockgate/docker.sock")]),
    client("fluent-bit", &["fluent/fluent-bit"], &[Told::File("events.conf", "Unix_Path /run/dockgate/docker.sock")]),
    client("uptime-kuma", &["louislam/uptime-kuma"], &[Told::Page("Settings, Docker Hosts: the socket `/run/dockgate/docker.sock`")]),
    client("beszel", &["henrygd/beszel-agent", "henrygd/beszel/beszel-agent"], HOST),
    client("prometheus", &["prom/prometheus"], &[Told::File("prometheus.yml", "host: unix:///run/dockgate/docker.sock")]),
    client("prometheus-swarm", &["prom/prometheus"], &[Told::File("prometheus.yml", "host: unix:///run/dockgate/docker.sock")]),
    client("glances", &["nicolargo/glances"], HOST),
    client("telegraf", &["telegraf"], &[Told::File("telegraf.conf", "endpoint = \"unix:///run/dockgate/docker.sock\"")]),
    client("cadvisor", &["cadvisor/cadvisor", "google/cadvisor"], &[Told::Words(&["--docker=unix:///run/dockgate/docker.sock"], None)]),
    client(
        "netdata",
        &["netdata/netdata"],
        &[Told::Variable("DOCKER_HOST", PATH), Told::File("docker.conf", "address: unix:///run/dockgate/docker.sock")],
    ),
    client("datadog", &["datadog/agent"], HOST),
    client("autoheal", &["willfarrell/autoheal"], &[Told::Variable("DOCKER_SOCK", PATH)]),
    client("ofelia", &["mcuadros/ofelia"], HOST),
    client("docker-cli-read", &["docker"], HOST),
    client("docker-cli-run", &["docker"], HOST),
    client("compose", &["docker"], HOST),
    client("gitlab-runner", &["gitlab/gitlab-runner"], HOST),
    client("github-runner", &["myoung34/github-runner", "actions/actions-runner"], HOST),
    client("testcontainers", &[], HOST),
    client("ryuk", &["testcontainers/ryuk"], HOST),
    client("devcontainer", &[], HOST),
    client("dockerspawner", &["jupyterhub/jupyterhub"], HOST),
    client("trivy", &["aquasec/trivy", "aquasecurity/trivy"], HOST),
    client("docker-bench", &["docker/docker-bench-security"], HOST),
    // for any client
    client("read-only", &[], HOST),
    client("ping", &[], HOST),
    client("deny-all", &[], HOST),
    client("unrestricted", &[], HOST),
];

/// The client of a preset.
pub fn of_preset(preset: &str) -> Option<&'static Client> {
    CLIENTS.iter().find(|client| client.preset == preset)
}

/// The clients of an image, as it was named when a container was made.
pub fn of_image(image: &str) -> impl Iterator<Item = &'static Client> {
    let name = repository(image);
    CLIENTS.iter().filter(move |client| client.images.contains(&name))
}

/// The client of an image by the text of its settings too: the narrowest where these say nothing.
pub fn of_service(image: &str, settings: &str) -> Option<&'static Client> {
    let meant = of_image(image).find(|client| client.with.is_some_and(|with| settings.contains(with)));
    meant.or_else(|| of_image(image).find(|client| client.with.is_none()))
}

/// True for an image that is called dockgate, wherever it comes from.
pub fn is_dockgate(image: &str) -> bool {
    repository(image).rsplit('/').next() == Some("dockgate")
}

/// `ghcr.io/acme/app:1@sha256:…` → `acme/app`, `traefik` → `traefik`. The tag may be a variable of compose.
fn repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or_default();
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let tag = name.get(last..).and_then(|rest| rest.find(':')).map_or(name.len(), |colon| last + colon);
    let name = name.get(..tag).unwrap_or(name);
    let name = match name.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => rest,
        _ => name,
    };
    name.strip_prefix("library/").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::config;

    fn presets(image: &str) -> Vec<&'static str> {
        of_image(image).map(|client| client.preset).collect()
    }

    #[test]
    fn an_image_has_the_presets_of_its_name() {
        let digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        for image in ["traefik", "traefik:v3", "docker.io/library/traefik:v3@sha256:abc", "localhost:5000/traefik"] {
            assert_eq!(presets(image), ["traefik", "traefik-swarm"], "{image}");
        }
        assert_eq!(presets(&format!("docker.io/portainer/portainer-ce@{digest}")), ["portainer-read-only", "portainer"]);
        assert_eq!(presets("gcr.io/cadvisor/cadvisor:v0.49.1"), ["cadvisor"]);
        assert_eq!(presets("ghcr.io/gethomepage/homepage:v1"), ["homepage"]);
        for unknown in ["acme/traefik", "", digest] {
            assert_eq!(presets(unknown), [""; 0], "{unknown}");
        }
        assert!(is_dockgate("dockgate") && is_dockgate("ghcr.io/acme/dockgate:1") && !is_dockgate("dockgate/other"));
    }

    #[test]
    fn settings_choose_among_the_presets_of_an_image() {
        let preset = |image: &str, settings: &str| of_service(image, settings).map(|client| client.preset);
        assert_eq!(preset("traefik:v3", ""), Some("traefik"));
        assert_eq!(preset("traefik:v3", "--providers.swarm=true"), Some("traefik-swarm"));
        assert_eq!(preset("portainer/portainer-ce:${TAG:-latest}", ""), Some("portainer-read-only"));
        assert_eq!(preset("acme/traefik", ""), None);
    }

    #[test]
    fn every_preset_is_here_once() {
        let mut here: Vec<&str> = CLIENTS.iter().map(|client| client.preset).collect();
        let mut presets: Vec<&str> = config::presets().iter().map(|preset| preset.name).collect();
        here.sort_unstable();
        presets.sort_unstable();
        assert_eq!(here, presets);
    }

    fn example(preset: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples").join(preset)
    }

    fn read(file: &Path) -> String {
        std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    fn without_blanks(text: &str) -> String {
        text.split_whitespace().collect()
    }

    #[test]
    fn the_examples_tell_each_client_the_same_and_use_one_of_its_images() {
        let mut read_examples = 0;
        for client in CLIENTS.iter().filter(|client| example(client.preset).is_dir()) {
            let (folder, preset) = (example(client.preset), client.preset);
            let compose = read(&folder.join("compose.yml"));
            for told in client.told {
                let said = match told {
                    Told::Variable(name, value) => compose.contains(&format!("{name}: \"{value}\"")),
                    Told::Words(words, _) => words.iter().all(|word| compose.contains(&format!("\"{word}\""))),
                    Told::File(name, line) => without_blanks(&read(&folder.join(name))).contains(&without_blanks(line)),
                    Told::Page(_) => !compose.contains("DOCKER_HOST"),
                };
                assert!(said, "{preset}: {told:?}");
            }
            let own: Vec<&str> = compose.lines().filter_map(|line| line.trim().strip_prefix("image: ")).map(repository).collect();
            let known = |image: &&str| *image == "dockgate" || client.images.contains(image);
            assert!(client.images.is_empty() || own.iter().all(known), "{preset}: {own:?}");
            read_examples += 1;
        }
        assert!(read_examples >= 42, "{read_examples}");
    }
}
