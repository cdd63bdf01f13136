//! TLS on doors and towards the engine, with the real binary and certificates that are made here.
//! Knows nothing of what policies say.

mod clients;
mod doors;
mod engine;
mod example;

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};

use crate::support::client::{Client, Reply, Secured};
use crate::support::gate::Gate;
use crate::support::pki::{Authority, Issued, write};

/// Longer than anything here takes: a wait that reaches it is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

pub const LIST: &[u8] = b"GET /v1.44/containers/json HTTP/1.1\r\nHost: docker\r\n\r\n";
pub const ATTACH: &[u8] =
    b"POST /v1.44/containers/abc/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

const POLICY: &str = "[policy.all]\nextends = [\"unrestricted\"]\n";

/// Writes a certificate and its key.
fn put(folder: &Path, issued: &Issued) {
    write(folder, "cert.pem", &issued.certificate);
    write(folder, "key.pem", &issued.key);
}

/// What a client trusts, and what it shows.
fn trusting(ca: &Authority, own: Option<&Issued>, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    with(&ca.pem(), own.map(|own| (own.certificate.as_str(), own.key.as_str())), versions)
}

/// The same of files: a CA, and a folder with a certificate and its key.
fn trusting_file(ca: &Path, own: &Path, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    with(&text(ca), Some((&text(&own.join("cert.pem")), &text(&own.join("key.pem")))), versions)
}

fn with(ca: &str, own: Option<(&str, &str)>, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(roots);
    Arc::new(match own {
        Some((certificate, key)) => {
            let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).map(Result::unwrap).collect();
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
        }
        None => builder.with_no_client_auth(),
    })
}

fn connected(config: &Arc<ClientConfig>, address: SocketAddr) -> Secured {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Secured::new(ClientConnection::new(Arc::clone(config), "localhost".try_into().unwrap()).unwrap(), stream)
}

/// The reply to a request, or why there is none.
fn asked(config: &Arc<ClientConfig>, address: SocketAddr) -> Result<Reply, String> {
    let mut stream = connected(config, address);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|error| error.to_string())?;
    }
    // the peer's verdict on our certificate comes after our side of the handshake
    let sent = std::io::Write::write_all(&mut stream, b"GET /v1.44/containers/json HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    sent.and(read).map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(text)?;
    Ok(Reply { status, ..Reply::default() })
}

/// The address at which a door with port 0 listens, from what the process says of its doors.
fn address(gate: &Gate) -> SocketAddr {
    gate.until("the door's address", || {
        let messages = gate.messages();
        let rest = messages.split_once("tcp://127.0.0.1:")?.1;
        let port: u16 = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
        Some(SocketAddr::from(([127, 0, 0, 1], port)))
    })
}

fn client(config: &Arc<ClientConfig>, address: SocketAddr) -> Client {
    Client::tls(connected(config, address))
}

fn door_file(folder: &Path) -> PathBuf {
    folder.join("doors/door.sock")
}
