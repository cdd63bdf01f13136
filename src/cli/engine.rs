//! The engine that commands talk to: named, or found.
//! Knows nothing of what they ask it.

use crate::config::{Config, Listen, UpstreamUrl};
use crate::proxy::Upstream;
use crate::proxy::upstream::Address;

use super::around;
use super::find::{self, Found, NotFound};
use super::say::{self, Failure};

/// The engine at a place; nothing is connected yet.
pub fn at(url: UpstreamUrl) -> Upstream {
    Upstream::new(match url {
        UpstreamUrl::Unix(path) => Address::Unix(path),
        UpstreamUrl::Tcp(address) => Address::Tcp(address),
    })
}

/// The first engine that is found; what was passed over is said on standard error.
///
/// # Errors
/// Where there is none, with every place that was looked at.
pub fn found(config: &Config) -> Result<Found, Failure> {
    let found = search(config)?;
    found.skipped.iter().for_each(|skipped| say::warn(format_args!("passed over {skipped}")));
    Ok(found)
}

/// As [`found`], in silence.
///
/// # Errors
/// As [`found`].
pub fn search(config: &Config) -> Result<Found, Failure> {
    let doors: Vec<Listen> = config.doors.iter().map(|door| door.listen.clone()).collect();
    find::upstream(&around::surroundings(), &doors, around::there).map_err(|missing| match missing {
        NotFound::BadDockerHost(why) => {
            Failure::usage(format!("DOCKER_HOST cannot be used: {why}")).hint("name the engine with --upstream")
        }
        NotFound::Nowhere(looked) => {
            let places: String = looked.iter().map(|place| format!("\n    {place}")).collect();
            Failure::usage(format!("no engine was found; looked at{places}"))
                .hint("start docker, or name an engine with --upstream URL or DOCKER_HOST")
                .hint("in a container: mount the engine's socket, as `dockgate init` writes it")
                .hint("`dockgate demo` shows the gate in front of a small engine in memory")
        }
    })
}

/// The engine that a flag names.
///
/// # Errors
/// URLs that are none.
pub fn named(url: &str) -> Result<UpstreamUrl, Failure> {
    url.parse().map_err(|error: crate::config::UrlError| Failure::usage(format!("--upstream: {}", error.message)).hint(error.hint))
}
