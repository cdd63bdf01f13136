//! `[[door]]`: where clients come in, who may, and by which policy.
//! Knows nothing of what a policy says.

use std::path::Path;
use std::sync::Arc;

use crate::policy::Origin;

use super::cidr::Cidr;
use super::client::{self, Certificates, Client};
use super::error::Report;
use super::ids;
use super::limits::{self, DoorLimits};
use super::tls::{self, DoorTls, TlsClients};
use super::tree::{Item, Span, Table, Text};
use super::url::{Listen, UrlError};

/// A listener.
#[derive(Debug, Clone)]
pub struct Door {
    /// Where it is.
    pub listen: Listen,
    /// The access bits of its socket file.
    pub mode: u32,
    /// The user that the socket file belongs to, where it is not dockgate's own.
    pub owner: Option<u32>,
    /// The group that the socket file belongs to, where it is not dockgate's own.
    pub group: Option<u32>,
    /// The name of the policy of those whom no client entry matches; `None` where such clients are refused.
    pub policy: Option<String>,
    /// Who has another policy; the first entry that matches decides.
    pub clients: Vec<Client>,
    /// What bounds this door alone.
    pub limits: DoorLimits,
    /// The addresses that may connect; empty for all.
    pub allow_from: Vec<Cidr>,
    /// Host names that clients of a TCP door may use, beside addresses and names without dots.
    pub hosts: Vec<String>,
    /// What it speaks TLS with; `None` for plain text.
    pub tls: Option<DoorTls>,
    /// Where it is written.
    pub origin: Origin,
}

/// The access bits of a socket file where none are written.
pub const DEFAULT_MODE: u32 = 0o660;

impl Door {
    /// A door that was asked for outside a file, such as `--listen`.
    ///
    /// # Errors
    /// URLs that are none, and TCP beyond loopback: that needs a file that says so.
    pub fn new(listen: &str, policy: &str, source: &str) -> Result<Self, UrlError> {
        let listen: Listen = listen.parse()?;
        if let Some(message) = exposed(&listen) {
            return Err(UrlError {
                message,
                hint: "listen on loopback, or write a `[[door]]` with a `[door.tls]`, or with `plain-text = \"i-know\"`".to_owned(),
            });
        }
        let origin = Origin { source: Arc::from(source), line: 0 };
        Ok(Self { policy: Some(policy.to_owned()), ..Self::plain(listen, origin) })
    }

    /// The names of all policies that this door may give: its own first, then those of its clients.
    pub fn policies(&self) -> impl Iterator<Item = &String> {
        self.policy.iter().chain(self.clients.iter().map(|client| &client.policy))
    }

    /// These policies in words.
    pub fn named(&self) -> String {
        let mut names: Vec<String> = Vec::new();
        for name in self.policies().map(|name| format!("`{name}`")) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        format!("{} {}", if names.len() == 1 { "policy" } else { "policies" }, names.join(", "))
    }

    fn plain(listen: Listen, origin: Origin) -> Self {
        Self {
            listen,
            mode: DEFAULT_MODE,
            owner: None,
            group: None,
            policy: None,
            clients: Vec::new(),
            limits: DoorLimits::default(),
            allow_from: Vec::new(),
            hosts: Vec::new(),
            tls: None,
            origin,
        }
    }
}

/// Why a door may be reached, and read, by others than this host.
fn exposed(listen: &Listen) -> Option<String> {
    match listen {
        Listen::Tcp(address) if !address.ip().to_canonical().is_loopback() => {
            Some(format!("`{listen}` is open to the network, and without TLS"))
        }
        Listen::Tcp(_) | Listen::Unix(_) => None,
    }
}

const UNIX: &[&str] = &["mode", "owner", "group"];
const TCP: &[&str] = &["allow-from", "hosts", "plain-text", "tls"];

/// A door and the places that other checks point at.
pub(super) struct Written {
    pub(super) door: Door,
    pub(super) listen: Span,
    /// The places of the policies, in the order of [`Door::policies`].
    pub(super) policies: Vec<Span>,
}

impl Written {
    /// The names of its policies, each with its place.
    pub(super) fn policies(&self) -> impl Iterator<Item = (&String, &Span)> {
        self.door.policies().zip(&self.policies)
    }
}

/// Reads one door; `None` where it was reported as wrong.
pub(super) fn read(item: &Item<'_>, report: &mut Report<'_>) -> Option<Written> {
    let table = item.table("`[[door]]`", report)?.at(item.span.clone());
    let known: Vec<&str> = ["listen", "policy", "client", "limits"].iter().chain(UNIX).chain(TCP).copied().collect();
    table.only(&known, report);
    let policy = own_policy(&table, report);
    let place = table.require("listen", "add `listen = \"unix:///run/dockgate/docker.sock\"`", report)?;
    let listen = listen(&place, report)?;
    foreign(&table, &listen, report);
    guard(&table, &listen, &place, report);
    let origin = Origin { source: Arc::clone(&report.source), line: report.line(&item.span) };
    let mut door = Door::plain(listen, origin);
    door.mode = table.get("mode").and_then(|mode| bits(&mode, report)).unwrap_or(DEFAULT_MODE);
    door.owner = table.get("owner").and_then(|owner| ids::user(&owner, report));
    door.group = table.get("group").and_then(|group| ids::group(&group, report));
    door.allow_from = table.get("allow-from").and_then(|list| ranges(&list, report)).unwrap_or_default();
    door.hosts = table.get("hosts").and_then(|list| hosts(&list, report)).unwrap_or_default();
    door.tls = table.get("tls").filter(|_| matches!(door.listen, Listen::Tcp(_))).and_then(|tls| tls::door(&tls, report));
    door.limits =
        table.get("limits").and_then(|item| Some(limits::read_door(&item.table("`[door.limits]`", report)?, report))).unwrap_or_default();
    let clients =
        table.get("client").map(|item| client::read(&item, &door.listen, certificates(&table, &door), report)).unwrap_or_default();
    let policy = policy.ok()?;
    let policies = policy.iter().map(|policy| policy.span.clone()).chain(clients.iter().map(|client| client.policy.clone())).collect();
    door.policy = policy.map(|policy| policy.value.to_owned());
    door.clients = clients.into_iter().map(|written| written.client).collect();
    Some(Written { door, listen: place.span, policies })
}

/// Whether clients show certificates. Of TLS that was reported as wrong nothing more is said.
fn certificates(table: &Table<'_>, door: &Door) -> Certificates {
    match &door.tls {
        Some(tls) if tls.clients == TlsClients::Any => Certificates::No,
        Some(_) => Certificates::Asked,
        None if table.get("tls").is_some() => Certificates::Asked,
        None => Certificates::No,
    }
}

/// The policy of a door, which may be absent beside clients.
///
/// # Errors
/// Where it must be there or is none, which was reported.
fn own_policy<'t>(table: &Table<'t>, report: &mut Report<'_>) -> Result<Option<Text<'t>>, ()> {
    let item = if table.get("client").is_some_and(|clients| !clients.each().is_empty()) {
        let Some(item) = table.get("policy") else { return Ok(None) };
        Some(item)
    } else {
        table.require("policy", "add `policy = \"read-only\"`: a door without a policy would be open to anything", report)
    };
    item.and_then(|item| item.string(report)).map(Some).ok_or(())
}

fn listen(item: &Item<'_>, report: &mut Report<'_>) -> Option<Listen> {
    match item.text(report)?.parse() {
        Ok(listen) => Some(listen),
        Err(UrlError { message, hint }) => {
            report.error("bad-url", &item.span, message).hint = Some(hint);
            None
        }
    }
}

/// Keys of the other kind of door.
fn foreign(table: &Table<'_>, listen: &Listen, report: &mut Report<'_>) {
    let (keys, kind) = match listen {
        Listen::Unix(_) => (TCP, "tcp"),
        Listen::Tcp(_) => (UNIX, "unix"),
    };
    for item in keys.iter().filter_map(|key| table.get(key)) {
        report.error("conflicting-keys", &item.key, format!("`{}` is for {kind} doors only", item.name)).hint =
            Some("leave it out".to_owned());
    }
}

fn guard(table: &Table<'_>, listen: &Listen, place: &Item<'_>, report: &mut Report<'_>) {
    let plain = table.get("plain-text");
    let known = plain.as_ref().is_some_and(|plain| tls::acknowledged(plain, report));
    if let Some(tls) = table.get("tls") {
        if let Some(plain) = plain {
            report.error("conflicting-keys", &plain.key, "`plain-text` and `[door.tls]` exclude each other").hint =
                Some("leave one of them out".to_owned());
        }
        return certified(&tls, listen, report);
    }
    if let Some(message) = exposed(listen).filter(|_| plain.is_none() && !known) {
        report.error("plain-text", &place.span, message).hint =
            Some("listen on loopback, add a `[door.tls]` with a `client-ca`, or write `plain-text = \"i-know\"`".to_owned());
    }
}

/// Beyond loopback TLS alone keeps nobody out.
fn certified(item: &Item<'_>, listen: &Listen, report: &mut Report<'_>) {
    let Some(table) = item.table("`[door.tls]`", report) else { return };
    let says = ["client-ca", "any-client"].iter().any(|key| table.get(key).is_some());
    if exposed(listen).is_some() && !says {
        let message = format!("`{listen}` is open to the network, and asks no client who it is");
        report.error("any-client", &item.key, message).hint =
            Some("add `client-ca = \"/etc/dockgate/tls/ca.pem\"`, or `any-client = \"i-know\"`".to_owned());
    }
}

/// `"0660"`, or `0o660`; a plain 660 is a decimal number and means something else.
fn bits(item: &Item<'_>, report: &mut Report<'_>) -> Option<u32> {
    let bits = match item.whole() {
        Some((number, radix)) => u32::try_from(number).ok().filter(|_| radix == 8),
        None => {
            item.text(report).map(|text| if text.bytes().all(|b| b.is_ascii_digit()) { u32::from_str_radix(text, 8).ok() } else { None })?
        }
    };
    let Some(bits) = bits.filter(|bits| *bits <= 0o777) else {
        report.error("bad-value", &item.span, "`mode` is no number of access bits").hint =
            Some("write it in octal, as `\"0660\"`".to_owned());
        return None;
    };
    if bits & 0o002 != 0 {
        report.warning("open-door", &item.span, "every user of this host may connect to this door").hint =
            Some("use `\"0660\"` and `group = \"...\"`".to_owned());
    }
    Some(bits)
}

fn ranges(item: &Item<'_>, report: &mut Report<'_>) -> Option<Vec<Cidr>> {
    let mut found = Vec::new();
    let texts = item.texts(report)?;
    if texts.is_empty() {
        report.error("bad-value", &item.span, "`allow-from` is empty, so nobody could connect").hint =
            Some("name a range, or leave the key out".to_owned());
    }
    for text in texts {
        match text.value.parse::<Cidr>() {
            Ok(range) => found.push(range),
            Err(hint) => {
                report.error("bad-value", &text.span, format!("`{}` is no range of addresses", text.value.escape_debug())).hint =
                    Some(hint.to_owned())
            }
        }
    }
    Some(found)
}

/// Names of hosts, kept in small letters as they are compared.
fn hosts(item: &Item<'_>, report: &mut Report<'_>) -> Option<Vec<String>> {
    let name = |text: &str| {
        !text.is_empty() && text.len() < 254 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let mut found = Vec::new();
    for text in item.texts(report)? {
        if name(text.value) {
            found.push(text.value.to_ascii_lowercase());
        } else {
            report.error("bad-value", &text.span, format!("`{}` is no name of a host", text.value.escape_debug())).hint =
                Some("write the name alone, without scheme and port".to_owned());
        }
    }
    Some(found)
}

/// Reports doors that cannot be beside each other.
pub(super) fn together(doors: &[Written], report: &mut Report<'_>) {
    for (at, later) in doors.iter().enumerate() {
        let earlier = || doors.iter().take(at);
        if let Some(same) = earlier().find(|door| door.door.listen == later.door.listen) {
            report.error("duplicate-door", &later.listen, format!("another door listens on `{}` too", later.door.listen)).hint =
                Some(format!("change this one or the one of line {}", same.door.origin.line));
        } else if let Some(same) = earlier().find(|door| folder(&door.door).is_some() && folder(&door.door) == folder(&later.door)) {
            report.warning("shared-folder", &later.listen, "another door is in the same folder, so who mounts it has both").hint =
                Some(format!("give each door a folder of its own; the other one is in line {}", same.door.origin.line));
        }
    }
}

fn folder(door: &Door) -> Option<&Path> {
    match &door.listen {
        Listen::Unix(path) => path.parent(),
        Listen::Tcp(_) => None,
    }
}
