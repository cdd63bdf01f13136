//! Clients by their images: the preset that fits, and how each is told where its door is.
//! Knows nothing of policies. A test holds this against config/examples, where each of them is a whole compose file.

use crate::docker::reference::ImageName;

/// Where a client finds its door when the door's folder is mounted at `/run/dockgate`.
const URL: &str = "unix:///run/dockgate/docker.sock";
/// The same as a path.
const PATH: &str = "/run/dockgate/docker.sock";

/// A client with a preset.
#[derive(Debug)]
pub struct Client {
    /// The preset.
    pub preset: &'static str,
    /// Its images, without registry and `library/`.
    pub images: &'static [&'static str],
    /// How it is told where its door is.
    pub told: Told,
}

/// How a client is told where its door is.
#[derive(Debug)]
pub enum Told {
    /// By a variable of its environment.
    Variable(&'static str, &'static str),
    /// By words of its command.
    Words(&'static [&'static str]),
    /// In a file of its own: its name, and the line.
    File(&'static str, &'static str),
    /// On a page of its own.
    Page(&'static str),
}

const HOST: Told = Told::Variable("DOCKER_HOST", URL);

const fn client(preset: &'static str, images: &'static [&'static str], told: Told) -> Client {
    Client { preset, images, told }
}

/// Of several presets for one image the narrower comes first.
pub static CLIENTS: &[Client] = &[
    client("traefik", &["traefik"], Told::Words(&["--providers.docker.endpoint=unix:///run/dockgate/docker.sock"])),
    client("traefik-swarm", &["traefik"], Told::Words(&["--providers.swarm.endpoint=unix:///run/dockgate/docker.sock"])),
    client("nginx-proxy", &["nginxproxy/nginx-proxy", "jwilder/nginx-proxy", "nginxproxy/docker-gen"], HOST),
    client("acme-companion", &["nginxproxy/acme-companion"], HOST),
    client("caddy-docker-proxy", &["lucaslorentz/caddy-docker-proxy"], Told::Variable("CADDY_DOCKER_SOCKETS", URL)),
    client("portainer-read-only", &["portainer/portainer-ce", "portainer/portainer-ee"], Told::Words(&["-H", URL])),
    client("portainer", &["portainer/portainer-ce", "portainer/portainer-ee"], Told::Words(&["-H", URL])),
    client("watchtower", &["containrrr/watchtower"], HOST),
    client("watchtower-fork", &["nickfedor/watchtower"], HOST),
    client("diun", &["crazymax/diun"], Told::Variable("DIUN_PROVIDERS_DOCKER_ENDPOINT", URL)),
    client("wud", &["getwud/wud", "fmartinou/whats-up-docker"], Told::Variable("WUD_WATCHER_LOCAL_SOCKET", PATH)),
    client("wud-update", &["getwud/wud", "fmartinou/whats-up-docker"], Told::Variable("WUD_WATCHER_LOCAL_SOCKET", PATH)),
    client("homepage", &["gethomepage/homepage"], Told::File("docker.yaml", "socket: /run/dockgate/docker.sock")),
    client("homarr", &["homarr-labs/homarr"], Told::Variable("DOCKER_SOCKET_PATHS", PATH)),
    client("dozzle", &["amir20/dozzle"], HOST),
    client("dozzle-actions", &["amir20/dozzle"], HOST),
    client("alloy", &["grafana/alloy"], Told::File("config.alloy", "host = \"unix:///run/dockgate/docker.sock\"")),
    client("crowdsec", &["crowdsecurity/crowdsec"], Told::File("acquis.yaml", "docker_host: unix:///run/dockgate/docker.sock")),
    client("vector", &["timberio/vector"], Told::File("vector.yaml", "docker_host: unix:///run/dockgate/docker.sock")),
    client("fluent-bit", &["fluent/fluent-bit"], Told::File("events.conf", "Unix_Path /run/dockgate/docker.sock")),
    client("uptime-kuma", &["louislam/uptime-kuma"], Told::Page("its settings, Docker hosts: /run/dockgate/docker.sock")),
    client("beszel", &["henrygd/beszel-agent"], HOST),
    client("prometheus", &["prom/prometheus"], Told::File("prometheus.yml", "host: unix:///run/dockgate/docker.sock")),
    client("prometheus-swarm", &["prom/prometheus"], Told::File("prometheus.yml", "host: unix:///run/dockgate/docker.sock")),
    client("glances", &["nicolargo/glances"], HOST),
    client("telegraf", &["telegraf"], Told::File("telegraf.conf", "endpoint = \"unix:///run/dockgate/docker.sock\"")),
    client("cadvisor", &["cadvisor/cadvisor", "google/cadvisor"], Told::Words(&["--docker=unix:///run/dockgate/docker.sock"])),
    client("netdata", &["netdata/netdata"], Told::File("docker.conf", "address: unix:///run/dockgate/docker.sock")),
    client("datadog", &["datadog/agent"], HOST),
    client("autoheal", &["willfarrell/autoheal"], Told::Variable("DOCKER_SOCK", PATH)),
    client("ofelia", &["mcuadros/ofelia"], HOST),
    client("docker-cli-read", &["docker"], HOST),
    client("docker-cli-run", &["docker"], HOST),
    client("compose", &["docker"], HOST),
    client("gitlab-runner", &["gitlab/gitlab-runner"], HOST),
    client("github-runner", &["myoung34/github-runner"], HOST),
    client("testcontainers", &[], HOST),
    client("ryuk", &["testcontainers/ryuk"], HOST),
    client("devcontainer", &[], HOST),
    client("dockerspawner", &["jupyterhub/jupyterhub"], HOST),
    client("trivy", &["aquasec/trivy"], HOST),
    client("docker-bench", &["docker/docker-bench-security"], HOST),
    // for any client
    client("read-only", &[], HOST),
    client("ping", &[], HOST),
    client("deny-all", &[], HOST),
    client("unrestricted", &[], HOST),
];

/// The clients of an image, as it was named when a container was made.
pub fn of_image(image: &str) -> impl Iterator<Item = &'static Client> {
    let name = repository(image);
    CLIENTS.iter().filter(move |client| name.as_deref().is_some_and(|name| client.images.contains(&name)))
}

/// `ghcr.io/acme/app:1` → `acme/app`, `traefik` → `traefik`; nothing for an image's id.
pub fn repository(image: &str) -> Option<String> {
    let ImageName::Named(reference) = image.parse().ok()? else { return None };
    let (_, path) = reference.repository.split_once('/')?;
    Some(path.strip_prefix("library/").unwrap_or(path).to_owned())
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
        assert_eq!(presets("traefik:v3"), ["traefik", "traefik-swarm"]);
        assert_eq!(
            presets("docker.io/portainer/portainer-ce@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
            ["portainer-read-only", "portainer"]
        );
        assert_eq!(presets("ghcr.io/gethomepage/homepage:v1"), ["homepage"]);
        assert_eq!(presets("acme/traefik"), [""; 0]);
        assert_eq!(presets("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"), [""; 0]);
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

    #[test]
    fn the_examples_tell_each_client_the_same_and_use_one_of_its_images() {
        let mut read_examples = 0;
        for client in CLIENTS.iter().filter(|client| example(client.preset).is_dir()) {
            let (folder, preset) = (example(client.preset), client.preset);
            let compose = read(&folder.join("compose.yml"));
            let told: Vec<String> = match client.told {
                Told::Variable(name, value) => vec![format!("{name}: \"{value}\"")],
                Told::Words(words) => words.iter().map(|word| format!("\"{word}\"")).collect(),
                Told::File(name, line) => {
                    let own = read(&folder.join(name));
                    assert!(
                        own.split_whitespace().collect::<String>().contains(&line.split_whitespace().collect::<String>()),
                        "{preset}: {name}"
                    );
                    Vec::new()
                }
                Told::Page(_) => Vec::new(),
            };
            assert!(told.iter().all(|text| compose.contains(text)), "{preset}: {told:?}");
            let images = compose.lines().filter_map(|line| line.trim().strip_prefix("image: ")).filter_map(repository);
            let own: Vec<String> = images.filter(|name| name != "dockgate").collect();
            assert!(client.images.is_empty() || own.iter().all(|image| client.images.contains(&image.as_str())), "{preset}: {own:?}");
            read_examples += 1;
        }
        assert!(read_examples >= 42, "{read_examples}");
    }
}
