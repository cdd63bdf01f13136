//! `[[door.client]]`: who has which policy on a door.
//! Knows nothing of what a policy says, nor of how it is found out who a client is.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::policy::{Glob, Origin};

use super::cidr::Cidr;
use super::error::Report;
use super::ids;
use super::mark::{self, ContainerMark, Mark, OVERFLOW, TlsName};
use super::suggest::listed;
use super::tree::{Item, Span, Table};
use super::url::Listen;
use super::values;

/// An entry of a door: who is meant, and the policy that it has.
#[derive(Debug, Clone)]
pub struct Client {
    /// What it is known by: all of it must fit. Never empty.
    pub marks: Vec<Mark>,
    /// The name of its policy.
    pub policy: String,
    /// Where it is written.
    pub origin: Origin,
}

impl PartialEq for Client {
    /// Two entries that say the same, wherever they are written.
    fn eq(&self, other: &Self) -> bool {
        self.marks == other.marks && self.policy == other.policy
    }
}

/// Whether a door asks clients for certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certificates {
    /// It does, and verifies them.
    Asked,
    /// It does not.
    No,
}

/// An entry and the places that other checks point at.
pub(super) struct Written {
    pub(super) client: Client,
    pub(super) span: Span,
    pub(super) policy: Span,
}

const UNIX: &[&str] = &["uid", "gid", "group", "container", "container-label"];
const TCP: &[&str] = &["from"];
const TLS: &[&str] = &["tls-name", "tls-pin"];

/// Reads the entries of a door; what is wrong is reported and left out.
pub(super) fn read(item: &Item<'_>, door: &Listen, certificates: Certificates, report: &mut Report<'_>) -> Vec<Written> {
    if item.is_table() {
        report.error("wrong-type", &item.key, "`[door.client]` is one table, and clients are a list of them").hint =
            Some("write `[[door.client]]`".to_owned());
        return Vec::new();
    }
    let items = item.list(report).unwrap_or_default();
    let clients: Vec<Written> = items.iter().filter_map(|item| one(item, door, certificates, report)).collect();
    shadowed(&clients, report);
    clients
}

fn one(item: &Item<'_>, door: &Listen, certificates: Certificates, report: &mut Report<'_>) -> Option<Written> {
    let table = item.table("`[[door.client]]`", report)?.at(item.span.clone());
    let known: Vec<&str> = ["policy"].iter().chain(UNIX).chain(TCP).chain(TLS).copied().collect();
    table.only(&known, report);
    foreign(&table, door, certificates, report);
    let policy = table.require("policy", "add `policy = \"read-only\"`, or the name of another policy", report);
    let policy = policy.and_then(|policy| policy.string(report));
    let keys = UNIX.iter().chain(TCP).chain(TLS).filter_map(|key| table.get(key)).collect::<Vec<_>>();
    if keys.is_empty() {
        let hint = format!("add one of {}; clients that no entry means have the door's own `policy`", fitting(door, certificates));
        report.error("empty-client", &item.span, "this client is known by nothing").hint = Some(hint);
        return None;
    }
    advisory(&table, report);
    let marks: Vec<Option<Vec<Mark>>> = keys.iter().map(|key| marks(key, report)).collect();
    let marks: Vec<Mark> = marks.into_iter().collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
    let policy = policy?;
    let origin = Origin { source: Arc::clone(&report.source), line: report.line(&item.span) };
    let client = Client { marks, policy: policy.value.to_owned(), origin };
    Some(Written { client, span: item.span.clone(), policy: policy.span })
}

/// The keys that can match on this kind of door.
fn fitting(door: &Listen, certificates: Certificates) -> String {
    let own = match door {
        Listen::Unix(_) => UNIX,
        Listen::Tcp(_) => TCP,
    };
    listed(own.iter().chain(TLS.iter().filter(|_| certificates == Certificates::Asked)).copied())
}

/// Keys that can match nobody on this kind of door.
fn foreign(table: &Table<'_>, door: &Listen, certificates: Certificates, report: &mut Report<'_>) {
    let (keys, kind) = match door {
        Listen::Unix(_) => (TCP, "tcp"),
        Listen::Tcp(_) => (UNIX, "unix"),
    };
    for item in keys.iter().filter_map(|key| table.get(key)) {
        report.error("conflicting-keys", &item.key, format!("`{}` is for clients of {kind} doors only", item.name)).hint =
            Some("leave it out".to_owned());
    }
    if certificates == Certificates::No {
        for item in TLS.iter().filter_map(|key| table.get(key)) {
            report
                .error("conflicting-keys", &item.key, format!("`{}` matches nobody: this door asks for no client certificates", item.name))
                .hint = Some("leave it out".to_owned());
        }
    }
}

/// An address alone proves little.
fn advisory(table: &Table<'_>, report: &mut Report<'_>) {
    let proven = TLS.iter().any(|key| table.get(key).is_some());
    if let Some(from) = table.get("from").filter(|_| !proven) {
        report
            .warning("advisory", &from.key, "an address says little about who asks: others on the same network or host can have it")
            .hint = Some("use a unix door or client certificates where it matters who asks".to_owned());
    }
}

fn shadowed(clients: &[Written], report: &mut Report<'_>) {
    for (at, later) in clients.iter().enumerate() {
        if let Some(earlier) = clients.iter().take(at).find(|earlier| mark::covers(&earlier.client, &later.client)) {
            let line = earlier.client.origin.line;
            report
                .warning("unreachable-client", &later.span, format!("this client never matches: the one of line {line} comes first"))
                .hint = Some("put it before that one, or take it out".to_owned());
        }
    }
}

/// The marks of a key; `None` where it was reported as wrong.
fn marks(item: &Item<'_>, report: &mut Report<'_>) -> Option<Vec<Mark>> {
    let one = match item.name.as_str() {
        "uid" => Mark::Uid(several(item, "user", report, |item, report| local(item, ids::user(item, report)?, report))?),
        "gid" => Mark::Gid(several(item, "group", report, |item, report| local(item, ids::group(item, report)?, report))?),
        "group" => Mark::Group(several(item, "group", report, |item, report| local(item, ids::group(item, report)?, report))?),
        "container" => Mark::Container(several(item, "container", report, container)?),
        "from" => Mark::From(several(item, "range", report, range)?),
        "tls-name" => Mark::TlsName(several(item, "name", report, tls_name)?),
        "tls-pin" => Mark::TlsPin(several(item, "pin", report, pin)?),
        _ => return labels(item, report),
    };
    Some(vec![one])
}

/// One value, or a list of them; an empty list would match nobody.
fn several<T>(
    item: &Item<'_>,
    word: &str,
    report: &mut Report<'_>,
    mut read: impl FnMut(&Item<'_>, &mut Report<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let items = item.each();
    if items.is_empty() {
        report.error("bad-value", &item.span, format!("`{}` is empty, so nobody matches", item.name)).hint =
            Some(format!("name a {word}, or leave the key out"));
        return None;
    }
    let found: Vec<T> = items.iter().filter_map(|item| read(item, report)).collect();
    (found.len() == items.len()).then_some(found)
}

/// Ids of another namespace are shown as this one, so it means nobody.
fn local(item: &Item<'_>, id: u32, report: &mut Report<'_>) -> Option<u32> {
    if id == OVERFLOW {
        report
            .error(
                "bad-value",
                &item.span,
                format!("`{OVERFLOW}` is what everybody of another namespace is shown as, so it matches nobody"),
            )
            .hint = Some("let the client run as another user and group".to_owned());
        return None;
    }
    Some(id)
}

/// A pattern of names, or at least 12 digits of an id.
fn container(item: &Item<'_>, report: &mut Report<'_>) -> Option<ContainerMark> {
    let text = item.string(report)?;
    let digits = text.value.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if digits && (12..=64).contains(&text.value.len()) {
        return Some(ContainerMark::Id(text.value.to_owned()));
    }
    let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'*');
    if text.value.is_empty() || !text.value.bytes().all(name) {
        let hint = "write its name, a pattern of names (`ci-*`), or at least 12 digits of its id";
        return values::wrong(report, &text, format!("`{}` is no name of a container", text.value.escape_debug()), hint);
    }
    values::glob(&text, report).map(ContainerMark::Name)
}

fn labels(item: &Item<'_>, report: &mut Report<'_>) -> Option<Vec<Mark>> {
    let table = item.table("`container-label`", report)?;
    let items: Vec<Item<'_>> = table.items().collect();
    if items.is_empty() {
        report.error("bad-value", &item.span, "`container-label` is empty, so nobody matches").hint =
            Some("name a label, or leave the key out".to_owned());
        return None;
    }
    let found: Vec<Mark> = items.iter().filter_map(|item| Some(Mark::Label(item.name.clone(), value(item, report)?))).collect();
    (found.len() == items.len()).then_some(found)
}

/// The value of a label: exactly that one, which may be empty, or a pattern whose stars stop at nothing.
fn value(item: &Item<'_>, report: &mut Report<'_>) -> Option<Glob> {
    let text = item.string(report)?;
    Glob::across_slashes(text.value)
        .ok()
        .or_else(|| values::wrong(report, &text, "this pattern is too long".to_owned(), "write a shorter one"))
}

fn range(item: &Item<'_>, report: &mut Report<'_>) -> Option<Cidr> {
    let text = item.string(report)?;
    match text.value.parse() {
        Ok(range) => Some(range),
        Err(hint) => values::wrong(report, &text, format!("`{}` is no range of addresses", text.value.escape_debug()), hint),
    }
}

fn tls_name(item: &Item<'_>, report: &mut Report<'_>) -> Option<TlsName> {
    let text = item.string(report)?;
    let (below, rest) = text.value.strip_prefix('*').map_or((false, text.value), |rest| (true, rest));
    let usual = |b: u8| b.is_ascii_graphic() && b != b'*';
    if rest.is_empty() || !rest.bytes().all(usual) || (below && (!rest.starts_with('.') || rest.len() < 2)) {
        let hint = "write a name of the certificate's subjectAltName, or `*.` and what one label may stand before";
        return values::wrong(report, &text, format!("`{}` is no name of a certificate", text.value.escape_debug()), hint);
    }
    let rest = rest.to_ascii_lowercase();
    Some(if below { TlsName::Below(rest) } else { TlsName::Exact(rest) })
}

/// `sha256:` and the digest of the key, in hexadecimal or base64.
fn pin(item: &Item<'_>, report: &mut Report<'_>) -> Option<[u8; 32]> {
    let text = item.string(report)?;
    let digest = text.value.strip_prefix("sha256:").and_then(|digest| hex(digest).or_else(|| STANDARD.decode(digest).ok()));
    let digest = digest.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    digest.or_else(|| {
        let hint = "write `sha256:` and the SHA-256 of the certificate's public key (SubjectPublicKeyInfo, DER), in hexadecimal or base64";
        values::wrong(report, &text, format!("`{}` is no pin", text.value.escape_debug()), hint)
    })
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    let plain = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if plain { (0..64).step_by(2).map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    /// The entries of a door that asks for certificates, and the codes of what is said.
    fn tls(text: &str) -> (Vec<Mark>, Vec<&'static str>) {
        let text = format!("[[client]]\npolicy = \"ping\"\n{text}\n");
        let mut report = Report::new("x.toml", &text);
        let parsed = DeTable::parse(&text).unwrap();
        let item = Table::root(&parsed).get("client").unwrap();
        let clients = read(&item, &"tcp://127.0.0.1:2376".parse().unwrap(), Certificates::Asked, &mut report);
        (clients.into_iter().flat_map(|written| written.client.marks).collect(), report.finish().iter().map(|said| said.code).collect())
    }

    #[test]
    fn names_of_certificates_are_whole_or_have_one_star_before_them() {
        let name = |text: &str| tls(&format!("tls-name = {text}"));
        let exact = |name: &str| TlsName::Exact(name.to_owned());
        assert_eq!(name("\"Traefik.Internal\""), (vec![Mark::TlsName(vec![exact("traefik.internal")])], vec![]));
        assert_eq!(name("\"spiffe://acme/ci\""), (vec![Mark::TlsName(vec![exact("spiffe://acme/ci")])], vec![]));
        let both = vec![exact("a"), TlsName::Below(".b.internal".to_owned())];
        assert_eq!(name("[\"a\", \"*.b.internal\"]"), (vec![Mark::TlsName(both)], vec![]));
        for wrong in ["\"\"", "\"*\"", "\"*.\"", "\"*internal\"", "\"a.*.internal\"", "\"a b\"", "[]", "7"] {
            let (marks, codes) = name(wrong);
            assert!(marks.is_empty() && codes.len() == 1, "{wrong}: {marks:?} {codes:?}");
        }
    }

    #[test]
    fn pins_are_digests_in_hexadecimal_or_base64() {
        let (hex, base64) = ("0f".repeat(32), STANDARD.encode([15; 32]));
        for text in [hex.clone(), hex.to_uppercase(), base64.clone()] {
            assert_eq!(tls(&format!("tls-pin = \"sha256:{text}\"")), (vec![Mark::TlsPin(vec![[15; 32]])], vec![]), "{text}");
        }
        for wrong in
            [hex.as_str(), "sha256:", "sha256:0f", &format!("sha1:{hex}"), &format!("sha256:{hex}0f"), &format!("sha256:{}", &base64[4..])]
        {
            let (marks, codes) = tls(&format!("tls-pin = \"{wrong}\""));
            assert!(marks.is_empty() && codes == ["bad-value"], "{wrong}: {marks:?} {codes:?}");
        }
    }

    #[test]
    fn an_address_beside_a_certificate_is_not_warned_of() {
        assert_eq!(tls("from = \"10.0.0.0/8\"\ntls-name = \"a\"").1, [""; 0]);
        assert_eq!(tls("from = \"10.0.0.0/8\"").1, ["advisory"]);
    }
}
