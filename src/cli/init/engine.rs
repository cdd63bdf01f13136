//! What init has to know of the engine: where it is, who may connect to it, and who has its socket now.
//! Knows nothing of what is written.

use std::fs;

use crate::cli::doctor::mounts;
use crate::cli::ids::{self, Owner};
use crate::cli::say::{self, Failure};
use crate::cli::{around, ask, engine};
use crate::config::{Config, UpstreamUrl};
use crate::docker::Value;
use crate::rewrite::clients::{self, Client};
use crate::rewrite::sidecar::{Engine, Rights, Socket};

/// An engine, as far as it is known.
#[derive(Debug)]
pub struct Surveyed {
    /// Where it is, as seen from here.
    pub url: UpstreamUrl,
    /// The path of its socket on its host, which differs from the one that is seen from a container.
    pub source: Option<String>,
    /// Where that was said.
    pub said_by: &'static str,
    /// The group of its socket, where the socket can be seen.
    pub group: Option<u32>,
    /// In whose name it runs containers.
    pub rights: Rights,
    /// Whether SELinux keeps containers from its socket.
    pub selinux: bool,
    /// Containers that have its socket: their names and images.
    pub holders: Vec<(String, String)>,
    /// Why it told nothing.
    pub silent: Option<String>,
}

/// Finds the engine and asks it.
///
/// # Errors
/// Where no engine is named and none is found.
pub fn survey(flag: Option<&str>) -> Result<Surveyed, Failure> {
    let (url, said_by) = match flag {
        Some(url) => (engine::named(url)?, "--upstream"),
        None => {
            let found = engine::found(&Config::default())?;
            (found.upstream, found.said_by)
        }
    };
    let group = match &url {
        UpstreamUrl::Unix(path) => fs::metadata(path).ok().map(|meta| Owner::of(&meta).gid),
        UpstreamUrl::Tcp(_) | UpstreamUrl::Https(_) => None,
    };
    let source = match &url {
        UpstreamUrl::Unix(path) => path.to_str().map(str::to_owned),
        UpstreamUrl::Tcp(_) | UpstreamUrl::Https(_) => None,
    };
    let nothing = Surveyed { url, source, said_by, group, rights: Rights::Root, selinux: false, holders: Vec::new(), silent: None };
    super::super::runtime()?.block_on(asked(nothing))
}

async fn asked(surveyed: Surveyed) -> Result<Surveyed, Failure> {
    let upstream = engine::upstream(surveyed.url.clone(), None, &around::surroundings())?;
    // all of them: the container that init runs in may not count as running yet
    let (info, containers, volumes) =
        tokio::join!(ask::json(&upstream, "/info"), ask::json(&upstream, "/containers/json?all=1"), ask::json(&upstream, "/volumes"));
    let (info, containers) = match (info, containers) {
        (Ok(info), Ok(containers)) => (info, containers),
        (Err(trouble), _) | (_, Err(trouble)) => return Ok(Surveyed { silent: Some(trouble.message()), ..surveyed }),
    };
    let volumes = volumes.unwrap_or(Value::Null);
    let surveyed = Surveyed { source: mounts::on_the_host(&containers, &surveyed.url, &around::own_container()), ..surveyed };
    let has = |name: &str| {
        info.get("SecurityOptions")
            .into_iter()
            .flat_map(Value::texts)
            .any(|option| option.trim_start_matches("name=").split(',').next() == Some(name))
    };
    let rights = match (has("rootless"), has("userns")) {
        (true, _) => Rights::Rootless,
        (false, true) => Rights::Remapped,
        (false, false) => Rights::Root,
    };
    let holders = mounts::holders(&containers, &volumes, surveyed.source.as_deref());
    let holders = holders.into_iter().filter(|holder| !holder.is_dockgate()).map(|holder| (holder.container, holder.image)).collect();
    Ok(Surveyed { rights, selinux: has("selinux"), holders, ..surveyed })
}

impl Surveyed {
    /// The engine as dockgate's container reaches it.
    pub fn engine(&self) -> Engine {
        let Some(source) = &self.source else { return Engine::Url(self.url.to_string()) };
        let group = self.group.map(|gid| (gid, ids::group(gid)));
        // `$` stands for itself
        Engine::Socket(Socket {
            source: source.replace('$', "$$"),
            shown: source.clone(),
            group,
            rights: self.rights,
            selinux: self.selinux,
        })
    }

    /// The presets of the containers that have its socket.
    pub fn proposed(&self) -> Vec<&'static Client> {
        let mut found: Vec<&'static Client> = Vec::new();
        for (_, image) in &self.holders {
            let first = clients::of_image(image).next();
            found.extend(first.filter(|client| !found.iter().any(|known| known.preset == client.preset)));
        }
        found
    }

    /// Says what was found.
    pub fn say(&self) {
        let group = self.group.map(|gid| format!(", group {}", ids::group(gid))).unwrap_or_default();
        let rights = match self.rights {
            Rights::Root => "",
            Rights::Rootless => ", rootless",
            Rights::Remapped => ", with user namespaces",
        };
        say::out(format_args!("engine: {} ({}){group}{rights}", self.url, self.said_by));
        if let Some(why) = &self.silent {
            say::warn(format_args!("the engine tells nothing, so it is taken for one of root with its socket at that path: {why}"));
        }
        for (container, image) in &self.holders {
            say::out(format_args!("has the raw socket: {container} ({image})"));
        }
    }
}
