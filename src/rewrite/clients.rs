//! Clients by their images: the narrowest preset of each, and how it is told where its door is.
//! Knows nothing of compose files. The presets' examples say the same, which a test holds it to.

/// A client.
pub(super) struct Known {
    /// Its images, without registry, tag and `library/`.
    pub(super) images: &'static [&'static str],
    /// What its settings must hold for this entry to count.
    pub(super) with: Option<&'static str>,
    pub(super) preset: &'static str,
    pub(super) tell: Tell,
}

/// How a client is told where its door is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tell {
    /// A variable, and its value.
    Variable(&'static str, &'static str),
    /// Words of its command; the sentence is for files that have no command.
    Flags(&'static [&'static str], Option<&'static str>),
    /// It reads a file or a database that is not in the compose file: what to do there.
    ByHand(&'static str),
}

const URL: &str = "unix:///run/dockgate/docker.sock";
const PATH: &str = "/run/dockgate/docker.sock";

/// What most clients and all of Docker's own libraries look at.
pub(super) const USUAL: Tell = Tell::Variable("DOCKER_HOST", URL);

const fn known(images: &'static [&'static str], preset: &'static str, tell: Tell) -> Known {
    Known { images, with: None, preset, tell }
}

/// The first that fits counts.
pub(super) const CLIENTS: &[Known] = &[
    Known {
        images: &["traefik"],
        with: Some("providers.swarm"),
        preset: "traefik-swarm",
        tell: Tell::Flags(&["--providers.swarm.endpoint=unix:///run/dockgate/docker.sock"], Some(TRAEFIK)),
    },
    known(&["traefik"], "traefik", Tell::Flags(&["--providers.docker.endpoint=unix:///run/dockgate/docker.sock"], Some(TRAEFIK))),
    known(&["nginxproxy/nginx-proxy", "jwilder/nginx-proxy", "nginxproxy/docker-gen", "jwilder/docker-gen"], "nginx-proxy", USUAL),
    known(&["nginxproxy/acme-companion", "jrcs/letsencrypt-nginx-proxy-companion"], "acme-companion", USUAL),
    known(&["lucaslorentz/caddy-docker-proxy"], "caddy-docker-proxy", Tell::Variable("CADDY_DOCKER_SOCKETS", URL)),
    known(
        &["portainer/portainer-ce", "portainer/portainer-ee", "portainer/portainer"],
        "portainer-read-only",
        Tell::Flags(&["-H", URL], None),
    ),
    known(&["containrrr/watchtower"], "watchtower", USUAL),
    known(&["nickfedor/watchtower", "nicholas-fedor/watchtower"], "watchtower-fork", USUAL),
    known(&["crazymax/diun"], "diun", Tell::Variable("DIUN_PROVIDERS_DOCKER_ENDPOINT", URL)),
    known(&["getwud/wud", "fmartinou/whats-up-docker"], "wud", Tell::Variable("WUD_WATCHER_LOCAL_SOCKET", PATH)),
    known(&["gethomepage/homepage"], "homepage", Tell::ByHand("its docker.yaml: `socket: /run/dockgate/docker.sock`")),
    known(&["homarr-labs/homarr"], "homarr", Tell::Variable("DOCKER_SOCKET_PATHS", PATH)),
    known(&["amir20/dozzle"], "dozzle", USUAL),
    known(&["grafana/alloy"], "alloy", Tell::ByHand("its config.alloy: `host = \"unix:///run/dockgate/docker.sock\"`")),
    known(&["crowdsecurity/crowdsec"], "crowdsec", Tell::ByHand("its acquis.yaml: `docker_host: unix:///run/dockgate/docker.sock`")),
    known(&["timberio/vector"], "vector", Tell::ByHand("its source `docker_logs`: `docker_host: unix:///run/dockgate/docker.sock`")),
    known(&["fluent/fluent-bit"], "fluent-bit", Tell::ByHand("its input `docker_events`: `Unix_Path /run/dockgate/docker.sock`")),
    known(&["telegraf"], "telegraf", Tell::ByHand("its input `docker`: `endpoint = \"unix:///run/dockgate/docker.sock\"`")),
    known(&["prom/prometheus"], "prometheus", Tell::ByHand("its `docker_sd_configs`: `host: unix:///run/dockgate/docker.sock`")),
    known(&["louislam/uptime-kuma"], "uptime-kuma", Tell::ByHand("Settings, Docker Hosts: the socket `/run/dockgate/docker.sock`")),
    known(&["henrygd/beszel-agent", "henrygd/beszel/beszel-agent"], "beszel", USUAL),
    known(&["nicolargo/glances"], "glances", USUAL),
    known(&["cadvisor/cadvisor", "google/cadvisor"], "cadvisor", Tell::Flags(&["--docker=unix:///run/dockgate/docker.sock"], None)),
    known(&["netdata/netdata"], "netdata", Tell::Variable("DOCKER_HOST", PATH)),
    known(&["datadog/agent"], "datadog", USUAL),
    known(&["willfarrell/autoheal"], "autoheal", Tell::Variable("DOCKER_SOCK", PATH)),
    known(&["mcuadros/ofelia"], "ofelia", USUAL),
    known(&["docker"], "docker-cli-read", USUAL),
    known(&["gitlab/gitlab-runner"], "gitlab-runner", USUAL),
    known(&["myoung34/github-runner", "actions/actions-runner"], "github-runner", USUAL),
    known(&["testcontainers/ryuk"], "ryuk", USUAL),
    known(&["jupyterhub/jupyterhub"], "dockerspawner", USUAL),
    known(&["aquasec/trivy", "aquasecurity/trivy"], "trivy", USUAL),
    known(&["docker/docker-bench-security"], "docker-bench", USUAL),
];

const TRAEFIK: &str = "its file: `providers.docker.endpoint: unix:///run/dockgate/docker.sock`";

/// The client of an image; `settings` is the text of its service.
pub(super) fn of(image: &str, settings: &str) -> Option<&'static Known> {
    let name = repository(image);
    CLIENTS.iter().find(|known| known.images.contains(&name) && known.with.is_none_or(|with| settings.contains(with)))
}

/// `ghcr.io/acme/app:1@sha256:…` → `acme/app`
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
    use super::*;

    #[test]
    fn images_are_known_by_their_repository() {
        for (image, preset) in [
            ("traefik", "traefik"),
            ("docker.io/library/traefik:v3@sha256:abc", "traefik"),
            ("gcr.io/cadvisor/cadvisor:v0.49.1", "cadvisor"),
            ("localhost:5000/amir20/dozzle", "dozzle"),
            ("portainer/portainer-ce:${TAG:-latest}", "portainer-read-only"),
        ] {
            assert_eq!(of(image, "").map(|known| known.preset), Some(preset), "{image}");
        }
        assert_eq!(of("traefik:v3", "--providers.swarm=true").map(|known| known.preset), Some("traefik-swarm"));
        assert!(of("acme/traefik", "").is_none() && of("", "").is_none());
    }

    #[test]
    fn the_examples_of_the_presets_say_the_same() {
        let mut seen = 0;
        for known in CLIENTS {
            assert!(crate::config::preset(known.preset).is_some(), "{}", known.preset);
            let file = format!("{}/config/examples/{}/compose.yml", env!("CARGO_MANIFEST_DIR"), known.preset);
            let text = std::fs::read_to_string(file).unwrap();
            let image =
                text.lines().filter_map(|line| line.trim().strip_prefix("image: ")).find(|image| !image.starts_with("dockgate")).unwrap();
            assert!(known.images.contains(&repository(image)), "{image}");
            let told = match known.tell {
                Tell::Variable(name, value) => text.contains(&format!("{name}: \"{value}\"")),
                Tell::Flags(flags, _) => flags.iter().all(|flag| text.contains(flag)),
                Tell::ByHand(_) => !text.contains("DOCKER_HOST"),
            };
            assert!(told, "{}", known.preset);
            seen += 1;
        }
        assert!(seen > 30, "{seen}");
    }
}
