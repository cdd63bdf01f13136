//! From a URL to the engine: what TLS needs comes from the file, or from the variables that docker's own CLI reads.
//! Knows nothing of which URL holds.

use std::path::Path;

use crate::config::{EngineTls, UpstreamUrl, UrlError};
use crate::proxy::Upstream;
use crate::proxy::upstream::Address;

use super::find::Surroundings;
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
