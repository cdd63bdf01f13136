//! The shapes that only services have: published ports, networks and privileges.
//! Knows nothing of containers.

use crate::docker::Value;
use crate::docker::decode::Place;
use crate::policy::examine::{Context, Finding};
use crate::policy::verdict::Reason;

use super::{hollow, network, ports};

/// `EndpointSpec.Ports`: a service publishes on every address of every node, so the grant must say so.
pub(super) fn ports(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    for (at, port) in value.items().iter().enumerate() {
        let published = port.get("PublishedPort").and_then(Value::as_int).unwrap_or(0).to_string();
        if port.get("PublishedPort").and_then(Value::as_int).is_some_and(|port| (1..1024).contains(&port)) {
            out.push(Finding::at(Reason::LowPort, &Place::Index(place, at)));
        }
        if !ports::published(context.create, "", &published) {
            out.push(Finding::at(Reason::Ports, &Place::Index(place, at)));
        }
    }
}

/// `Networks`: by the name of the target; driver options set sysctls.
pub(super) fn networks(context: &Context<'_>, value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    for (at, attachment) in value.items().iter().enumerate() {
        let here = Place::Index(place, at);
        let target = attachment.text("Target");
        let reason = if target == "host" { Some(Reason::HostNamespace) } else { network::name(context.create, target) };
        out.extend(reason.map(|reason| Finding::at(reason, &Place::Key(&here, "Target"))));
        if attachment.get("DriverOpts").is_some_and(|options| !hollow(options)) {
            out.push(Finding::at(Reason::Endpoint, &Place::Key(&here, "DriverOpts")));
        }
    }
}

/// `Privileges`: what repeats a default or adds protection.
pub(super) fn privileges(value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    let is_default =
        |key: &str| value.get(key).is_none_or(|set| matches!(set.text("Mode"), "" | "default") && set.get("Profile").is_none_or(hollow));
    for (plain, key) in [
        (value.get("CredentialSpec").is_none_or(hollow), "CredentialSpec"),
        (value.get("SELinuxContext").is_none_or(hollow), "SELinuxContext"),
        (is_default("Seccomp"), "Seccomp"),
        (is_default("AppArmor"), "AppArmor"),
    ] {
        if !plain {
            out.push(Finding::at(Reason::SecurityOpt, &Place::Key(place, key)));
        }
    }
}

/// Tasks are containers; plugins and bare network attachments are refused.
pub(super) fn runtime(value: &Value, place: &Place<'_>, out: &mut Vec<Finding>) {
    if value.as_text() != Some("container") {
        out.push(Finding::at(Reason::Swarm, place));
    }
}
