//! `DOCKGATE_COMPAT`: the process's environment read as another image reads its own.
//! Knows nothing of what the variables open.

use std::net::{Ipv6Addr, UdpSocket};

use crate::config::{self, Config, Listen};
use crate::import::{self, Environment, Extent, Image};

use super::say::{self, Failure};
use super::serve::Args;
use super::{around, unbound};

/// A configuration from the environment.
pub struct Compat {
    /// It.
    pub config: Config,
    /// The level of the operator's log.
    pub log: &'static str,
}

impl Compat {
    /// What the environment asks for; a file wins over it, and flags over its doors.
    ///
    /// # Errors
    /// Images that are not known, and values that cannot be used.
    pub fn asked(args: &Args) -> Result<Option<Self>, Failure> {
        let Some(name) = around::variable("DOCKGATE_COMPAT") else { return Ok(None) };
        if let Some(file) = &args.config {
            say::warn(format_args!("DOCKGATE_COMPAT is passed over: `{file}` says what holds"));
            return Ok(None);
        }
        let unknown = || {
            Failure::usage(format!("DOCKGATE_COMPAT names no known image: `{}`", name.escape_debug()))
                .hint("known are: tecnativa, linuxserver")
        };
        let image = Image::named(&name).ok_or_else(unknown)?;
        Self::read(image, &own(image), args.listen.is_empty()).map(Some)
    }

    fn read(image: Image, environment: &Environment, own_doors: bool) -> Result<Self, Failure> {
        let imported =
            import::sections(image, environment, Extent::Equal).map_err(|error| Failure::usage(error.message).hint(error.hint))?;
        let source = format!("DOCKGATE_COMPAT={}", image.name());
        for warning in imported.warnings.iter().chain(imported.exposed.iter().filter(|_| own_doors)) {
            say::warn(format_args!("{source}: {warning}"));
        }
        let loaded = config::load(&source, &imported.toml);
        let wrong = || {
            let first = loaded.diagnostics.iter().find(|diagnostic| diagnostic.is_error()).map(|first| first.line());
            Failure::usage(format!("the environment cannot be used: {}", first.unwrap_or_default()))
        };
        let mut config = loaded.config.ok_or_else(wrong)?;
        if own_doors && UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_err() {
            without_ipv6(&mut config, &source);
        }
        let ways = config.policy(imported.policy).map(|policy| config::ways_to_root(&policy)).unwrap_or_default();
        if !ways.is_empty() {
            say::warn(format_args!("policy `{}` is as good as root on the host: {}", imported.policy, ways.join("; ")));
        }
        say::err(format_args!(
            "dockgate: `dockgate import {}` writes this environment as a file, and --tighten the least of it",
            image.name()
        ));
        Ok(Self { config, log: imported.log.unwrap_or("info") })
    }
}

/// Those images listen on all addresses of both families; where there is but one, on those of that one.
fn without_ipv6(config: &mut Config, source: &str) {
    for door in &mut config.doors {
        if let Listen::Tcp(address) = &mut door.listen
            && address.is_ipv6()
        {
            *address = unbound::without_ipv6(*address);
            say::warn(format_args!("{source}: there is no IPv6 here: listening on `{}`; DISABLE_IPV6=1 says so too", door.listen));
        }
    }
}

/// The image's own variables, and what was probably meant as one.
fn own(image: Image) -> Environment {
    let meant = |name: &str, value: &str| image.knows(name) || (matches!(value, "0" | "1") && name.bytes().all(|b| b.is_ascii_uppercase()));
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, value)| meant(name, value))
        .collect()
}
