//! The engine that commands talk to: named, or found, and what TLS with it needs: from the file, or from the variables that docker's own
//! CLI reads. Knows nothing of what they ask it.

use std::path::Path;

use crate::config::{Config, EngineTls, Listen, UpstreamUrl, UrlError};
use crate::proxy::Upstream;
use crate::proxy::upstream::Address;

use super::around;
use super::find::{self, Found, NotFound, Surroundings};
use super::say::{self, Failure};

/// An engine to ask; nothing is connected yet. `tls` is what the file says of it.
///
/// # Errors
/// TLS without anything to verify the engine by.
pub fn upstream(url: UpstreamUrl, tls: Option<EngineTls>, surroundings: &Surroundings) -> Result<Upstream, Failure> {
    match url {
        UpstreamUrl::Unix(path) => Ok(Upstream::new(Address::Unix(path))),
        UpstreamUrl::Tcp(authority) => Ok(Upstream::new(Address::Tcp(authority))),
        UpstreamUrl::Https(authority) => {
            let tls = tls.map_or_else(|| of_docker(&authority, surroundings), Ok)?;
            if tls.name_of(&authority).is_none() {
                return Err(Failure::usage(format!("no certificate can hold the name of `{authority}`"))
                    .hint("write `server-name` in the `[upstream]` of a file"));
            }
            Ok(Upstream::over_tls(authority, tls))
        }
    }
}

/// The files of DOCKER_CERT_PATH: `ca.pem`, and `cert.pem` with `key.pem` where they are there.
fn of_docker(authority: &str, surroundings: &Surroundings) -> Result<EngineTls, Failure> {
    let Some(folder) = &surroundings.docker_cert_path else {
        return Err(Failure::usage(format!("`https://{authority}` cannot be verified: no CA was named"))
            .hint("write `ca` in the `[upstream]` of a file, or set DOCKER_CERT_PATH to a folder with ca.pem, cert.pem and key.pem"));
    };
    let [ca, certificate, key] = ["ca.pem", "cert.pem", "key.pem"].map(|file| folder.join(file));
    let own: Option<(&Path, &Path)> = (certificate.exists() || key.exists()).then_some((&certificate, &key));
    match EngineTls::of(&ca, own) {
        Ok((tls, warnings)) => {
            warnings.iter().for_each(say::warn);
            Ok(tls)
        }
        Err(UrlError { message, hint }) => Err(Failure::usage(format!("TLS with the engine: {message}")).hint(hint)),
    }
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
    url.parse().map_err(|error: UrlError| Failure::usage(format!("--upstream: {}", error.message)).hint(error.hint))
}
