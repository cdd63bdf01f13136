//! `[door.tls]`, and TLS towards the engine: tables as written → what rustls takes.
//! Knows nothing of connections.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, Error, InconsistentKeys, ServerConfig, SupportedProtocolVersion};

use super::Purpose;
use super::error::{Report, Severity};
use super::file::path;
use super::pem::{Note, Pems};
use super::suggest::did_you_mean;
use super::tree::{Item, Table};
use super::url::UrlError;

/// The one protocol that is spoken inside.
const ALPN: &[u8] = b"http/1.1";
/// The one value of keys that open what should be shut.
pub(super) const KNOWN: &str = "i-know";

/// What a door needs for TLS.
#[derive(Debug, Clone)]
pub struct DoorTls {
    /// What rustls asks: certificate, key, versions, and whom it believes.
    pub server: Arc<ServerConfig>,
    /// Who may finish a handshake.
    pub clients: TlsClients,
    /// When its own certificate ends.
    pub ends: Timestamp,
    /// Every file that it comes from.
    pub files: Vec<PathBuf>,
    /// Tells one state of files and settings from another.
    pub digest: String,
}

/// Who may finish a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsClients {
    /// Who holds a certificate that `client-ca` signed.
    Certified,
    /// Everybody: no certificate is asked for.
    Any,
}

/// What dockgate needs to speak TLS with the engine.
#[derive(Debug, Clone)]
pub struct EngineTls {
    /// What rustls asks: whom it believes, and dockgate's own certificate.
    pub client: Arc<ClientConfig>,
    /// The name that the engine's certificate must hold, where it is not the URL's.
    pub name: Option<ServerName<'static>>,
    /// Every file that it comes from.
    pub files: Vec<PathBuf>,
    /// Tells one state of files and settings from another.
    pub digest: String,
}

impl EngineTls {
    /// The name that the certificate of the engine at `host:port` must hold.
    pub fn name_of(&self, authority: &str) -> Option<ServerName<'static>> {
        self.name.clone().or_else(|| name_of(authority))
    }

    /// Of files that no table names, with what is to be warned of.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn of(ca: &Path, own: Option<(&Path, &Path)>) -> Result<(Self, Vec<String>), UrlError> {
        let mut pems = Pems::default();
        let made = engine(&mut pems, ca, own);
        let (errors, warnings): (Vec<Note>, Vec<Note>) = pems.notes.into_iter().partition(|note| note.level == Severity::Error);
        match (made, errors.into_iter().next()) {
            (Some(tls), None) => Ok((tls, warnings.into_iter().map(|note| format!("{}; {}", note.message, note.hint)).collect())),
            (_, Some(note)) => Err(UrlError { message: note.message, hint: note.hint }),
            (None, None) => {
                Err(UrlError { message: "TLS with the engine is not possible".to_owned(), hint: "look at its files".to_owned() })
            }
        }
    }
}

/// The host of `host:port` as a name that certificates hold.
fn name_of(authority: &str) -> Option<ServerName<'static>> {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).ok()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

const DOOR: &[&str] = &["certificate", "key", "client-ca", "client-crl", "min-version", "any-client"];

/// Reads `[door.tls]`; `None` where it was reported as wrong.
pub(super) fn door(item: &Item<'_>, report: &mut Report<'_>) -> Option<DoorTls> {
    let table = item.table("`[door.tls]`", report)?;
    table.only(DOOR, report);
    let certificate = named(table.require("certificate", "add `certificate = \"/etc/dockgate/tls/cert.pem\"`", report), report);
    let key = named(table.require("key", "add `key = \"/etc/dockgate/tls/key.pem\"`", report), report);
    let (ca, crl) = (named(table.get("client-ca"), report), named(table.get("client-crl"), report));
    let clients = clients(&table, report);
    let versions = table.get("min-version").map_or(Some(ONLY_13), |version| versions(&version, report));
    if report.purpose == Purpose::Judge {
        return None;
    }
    let files: Vec<PathBuf> = [&certificate, &key, &ca, &crl].into_iter().flatten().cloned().collect();
    let mut pems = Pems::default();
    let verifier = match (&ca, clients) {
        (Some(ca), TlsClients::Certified) => certified(&mut pems, ca, crl.as_deref()),
        (_, TlsClients::Any) => Some(WebPkiClientVerifier::no_client_auth()),
        (None, TlsClients::Certified) => None, // reported as no path
    };
    let own = certificate.zip(key).and_then(|(certificate, key)| own(&mut pems, &certificate, &key));
    let server = own.zip(verifier).zip(versions).and_then(|((own, verifier), versions)| {
        let ends = own.ends;
        server(&mut pems, own, verifier, versions).map(|server| (server, ends))
    });
    let digest = format!("{} {versions:?}", pems.digest());
    told(&table, pems.notes, report);
    server.map(|(server, ends)| DoorTls { server: Arc::new(server), clients, ends, files, digest })
}

/// Who may come in, as far as the keys say; loopback or not is the door's matter.
fn clients(table: &Table<'_>, report: &mut Report<'_>) -> TlsClients {
    let certified = table.get("client-ca").is_some();
    if let Some(crl) = table.get("client-crl").filter(|_| !certified) {
        report.error("conflicting-keys", &crl.key, "`client-crl` takes back certificates that nobody is asked for").hint =
            Some("add `client-ca`, or leave it out".to_owned());
    }
    if let Some(any) = table.get("any-client") {
        let _reported = acknowledged(&any, report);
        if certified {
            report.error("conflicting-keys", &any.key, "`any-client` and `client-ca` exclude each other").hint =
                Some("leave one of them out".to_owned());
        }
    }
    if certified { TlsClients::Certified } else { TlsClients::Any }
}

/// True for `"i-know"`; anything else is reported.
pub(super) fn acknowledged(item: &Item<'_>, report: &mut Report<'_>) -> bool {
    let Some(text) = item.text(report) else { return false };
    if text != KNOWN {
        let hint = did_you_mean(text, [KNOWN]).unwrap_or_else(|| "write `\"i-know\"`, or leave it out".to_owned());
        let message = format!("there is no value of `{}` `{}`", item.name, text.escape_debug());
        report.error("bad-value", &item.span, message).hint = Some(hint);
    }
    text == KNOWN
}

type Versions = &'static [&'static SupportedProtocolVersion];
const ONLY_13: Versions = &[&rustls::version::TLS13];

fn versions(item: &Item<'_>, report: &mut Report<'_>) -> Option<Versions> {
    match item.text(report)? {
        "1.3" => Some(ONLY_13),
        "1.2" => Some(rustls::ALL_VERSIONS),
        other => {
            let message = format!("there is no version of TLS `{}` here", other.escape_debug());
            report.error("bad-value", &item.span, message).hint = Some("write `\"1.3\"`, or `\"1.2\"` for old clients".to_owned());
            None
        }
    }
}

/// A certificate with its key.
struct Own {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    ends: Timestamp,
}

fn own(pems: &mut Pems, certificate: &Path, key: &Path) -> Option<Own> {
    let (chain, key) = (pems.chain("certificate", certificate), pems.private("key", key));
    chain.zip(key).map(|((chain, ends), key)| Own { chain, key, ends })
}

/// Who holds a certificate of these, and none that was taken back. A list that has ended lets nobody in, since what it does
/// not say yet cannot be known. The names of the CAs are not told to strangers; a client then shows what it has, and the
/// record can say what is wrong with it.
fn certified(pems: &mut Pems, ca: &Path, crl: Option<&Path>) -> Option<Arc<dyn ClientCertVerifier>> {
    let roots = pems.roots("client-ca", ca);
    let lists = crl.map_or(Some(Vec::new()), |crl| pems.lists("client-crl", crl));
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots?), provider());
    let verifier = verifier.with_crls(lists?).enforce_revocation_expiration().clear_root_hint_subjects();
    match verifier.build() {
        Ok(verifier) => Some(verifier),
        Err(error) => pems.wrong("client-crl", format!("clients cannot be verified: {error}"), "make the list anew"),
    }
}

/// No session is ever resumed: a client whose certificate was taken back, or whose CA is gone, must not come back with a ticket.
fn server(pems: &mut Pems, own: Own, verifier: Arc<dyn ClientCertVerifier>, versions: Versions) -> Option<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions);
    match builder.and_then(|builder| builder.with_client_cert_verifier(verifier).with_single_cert(own.chain, own.key)) {
        Ok(mut server) => {
            server.alpn_protocols = vec![ALPN.to_vec()];
            server.session_storage = Arc::new(NoServerSessionStorage {});
            server.send_tls13_tickets = 0;
            Some(server)
        }
        Err(error) => mismatched(pems, &error),
    }
}

fn mismatched<T>(pems: &mut Pems, error: &Error) -> Option<T> {
    if *error == Error::InconsistentKeys(InconsistentKeys::KeyMismatch) {
        return pems.wrong("key", "the key does not belong to the certificate", "give the key that the certificate was made for");
    }
    pems.wrong("certificate", format!("certificate and key cannot be used: {error}"), "use a key of RSA, P-256, P-384 or Ed25519")
}

/// The keys of `[upstream]` that are about TLS.
pub(super) const ENGINE: &[&str] = &["ca", "certificate", "key", "server-name"];

/// Reads what `[upstream]` says of TLS with the engine at `authority`; `None` where it was reported as wrong.
pub(super) fn upstream(table: &Table<'_>, authority: &str, report: &mut Report<'_>) -> Option<EngineTls> {
    let ca = table.require("ca", "add `ca = \"/etc/dockgate/engine/ca.pem\"`: who signed the engine's certificate", report);
    let ca = named(ca, report);
    for (one, other) in [("certificate", "key"), ("key", "certificate")] {
        if table.get(one).is_some() {
            let _reported = table.require(other, "a certificate and its key go together", report);
        }
    }
    let own = named(table.get("certificate"), report).zip(named(table.get("key"), report));
    let name = server_name(table, authority, report);
    if report.purpose == Purpose::Judge {
        return None;
    }
    let mut pems = Pems::default();
    let own = own.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
    let made = ca.and_then(|ca| engine(&mut pems, &ca, own));
    told(table, pems.notes, report);
    let name = name?;
    made.map(|made| EngineTls { digest: format!("{} {name:?}", made.digest), name, ..made })
}

/// The name that was written; nothing where the URL's own is one.
fn server_name(table: &Table<'_>, authority: &str, report: &mut Report<'_>) -> Option<Option<ServerName<'static>>> {
    let Some(item) = table.get("server-name") else {
        if name_of(authority).is_none() {
            report.error("missing-key", &table.span, format!("no certificate can hold the name of `{authority}`")).hint =
                Some("add `server-name = \"...\"`, a name that the engine's certificate holds".to_owned());
        }
        return Some(None);
    };
    let text = item.text(report)?;
    let name = ServerName::try_from(text.to_owned()).ok();
    if name.is_none() {
        report.error("bad-value", &item.span, format!("`{}` is no name of a server", text.escape_debug())).hint =
            Some("write a host's name or address, without scheme and port".to_owned());
    }
    name.map(Some)
}

fn engine(pems: &mut Pems, ca: &Path, files: Option<(&Path, &Path)>) -> Option<EngineTls> {
    let roots = pems.roots("ca", ca);
    let own = files.map(|(certificate, key)| own(pems, certificate, key));
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(rustls::ALL_VERSIONS);
    let made = builder.map(|builder| builder.with_root_certificates(roots.unwrap_or_else(rustls::RootCertStore::empty)));
    let client = match own {
        None => made.map(|builder| builder.with_no_client_auth()),
        Some(own) => {
            let own = own?;
            made.and_then(|builder| builder.with_client_auth_cert(own.chain, own.key))
        }
    };
    match client {
        Ok(mut client) => {
            client.alpn_protocols = vec![ALPN.to_vec()];
            let files = files.into_iter().flat_map(|(certificate, key)| [certificate, key]).chain([ca]).map(Path::to_owned);
            Some(EngineTls { client: Arc::new(client), name: None, files: files.collect(), digest: pems.digest() })
        }
        Err(error) => mismatched(pems, &error),
    }
}

/// The path of a key. Its file counts as part of the configuration.
fn named(item: Option<Item<'_>>, report: &mut Report<'_>) -> Option<PathBuf> {
    let path = PathBuf::from(path(&item?, report)?);
    report.files.push(path.clone());
    Some(path)
}

fn told(table: &Table<'_>, notes: Vec<Note>, report: &mut Report<'_>) {
    for note in notes {
        let span = table.get(note.key).map_or_else(|| table.span.clone(), |item| item.span);
        let said = match note.level {
            Severity::Error => report.error(note.code, &span, note.message),
            Severity::Warning => report.warning(note.code, &span, note.message),
        };
        said.hint = Some(note.hint);
    }
}
