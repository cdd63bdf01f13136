//! TLS on doors: handshakes with a deadline, who the client proved to be, and the record of those that fail.
//! Knows nothing of requests.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use rustls::ServerConfig;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_cert::Certificate as X509;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::audit::{Ended, Record, Who};
use crate::policy::Subject;
use crate::policy::subject::Certificate;

use super::caller::Caller;
use super::door::DoorState;
use super::handshake::{HandshakeFault, detail};
use super::input::Input;
use super::output::{Output, ReplyFraming, ReplyHead};
use super::pipeline::{self, Gate};
use super::refuse::Refusal;
use super::stream::{ReadSide, Stream, WriteSide};

/// What a client whose handshake failed may still send, so that it can read why; and how long that may take.
const DISCARD: usize = 64 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// What came of a connection's first bytes.
enum Opened {
    /// A client, and who it proved to be.
    Client(Box<TlsStream<TcpStream>>, Option<Certificate>),
    /// It failed; the connection, where something can still be said on it.
    Failed(HandshakeFault, String, Option<TcpStream>),
    /// Nothing was sent: a look at whether the port is open.
    Nothing,
}

/// Serves one connection of a door with TLS until it ends.
pub(super) async fn serve(gate: &Gate, door: &DoorState, subject: Subject, stream: TcpStream, config: Arc<ServerConfig>) {
    let opened = tokio::select! {
        opened = tokio::time::timeout(door.bounds.deadlines.head, open(stream, config)) => opened,
        () = gate.stopped() => return,
    };
    match opened.unwrap_or_else(|_| Opened::Failed(HandshakeFault::Timeout, String::new(), None)) {
        Opened::Nothing => {}
        Opened::Client(stream, tls) => {
            let mut stream = Stream::tls(*stream);
            pipeline::serve(gate, door, &Caller::from(Subject { tls, ..subject }), stream.sides()).await;
        }
        Opened::Failed(fault, why, stream) => refuse(gate, door, &subject, (fault, &why), stream).await,
    }
}

/// Records a connection that there is no room for. It gets no answer: a handshake would cost what there is too little of.
pub(super) async fn turned_away(gate: &Gate, door: &DoorState, subject: &Subject, refusal: &Refusal) {
    let access = door.access();
    let who = Who::new(subject, gate.trail.redactor());
    let mut record = Record::begin(&gate.trail, &who, access.policy(), None);
    record.refused(refusal.code());
    record.close(Ended::Refused).await;
}

async fn open(stream: TcpStream, config: Arc<ServerConfig>) -> Opened {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(0) | Err(_) => return Opened::Nothing,
        // a TLS record begins with a small number, a request with a method's letters
        Ok(_) if first.iter().all(u8::is_ascii_uppercase) => return Opened::Failed(HandshakeFault::PlainHttp, String::new(), Some(stream)),
        Ok(_) => {}
    }
    match TlsAcceptor::from(config).accept(stream).into_fallible().await {
        Ok(stream) => identified(stream),
        Err((error, stream)) => Opened::Failed(HandshakeFault::of(&error), detail(&error), Some(stream)),
    }
}

/// A certificate that rustls believes and that cannot be told names nobody, so its holder is nobody we serve.
fn identified(stream: TlsStream<TcpStream>) -> Opened {
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).map(|certificate| facts(certificate));
    match shown {
        None => Opened::Client(Box::new(stream), None),
        Some(Some(facts)) => Opened::Client(Box::new(stream), Some(facts)),
        Some(None) => Opened::Failed(HandshakeFault::BadCertificate, "its names cannot be read".to_owned(), None),
    }
}

/// What a certificate says of its holder. Whether it is to be believed was decided before.
fn facts(der: &[u8]) -> Option<Certificate> {
    let certificate = X509::from_der(der).ok()?.tbs_certificate;
    let names = certificate.get::<SubjectAltName>().ok()?.map(|(_, names)| names.0).unwrap_or_default();
    let spki = certificate.subject_public_key_info.to_der().ok()?;
    Some(Certificate {
        subject: certificate.subject.to_string(),
        names: names.iter().filter_map(name).collect(),
        spki: Sha256::digest(spki).into(),
    })
}

/// The kinds of names that people write: hosts, mail addresses, URIs and addresses.
fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(text) | GeneralName::Rfc822Name(text) | GeneralName::UniformResourceIdentifier(text) => Some(text.to_string()),
        GeneralName::IpAddress(bytes) => address(bytes.as_bytes()).map(|address| address.to_string()),
        GeneralName::OtherName(_) | GeneralName::DirectoryName(_) | GeneralName::EdiPartyName(_) | GeneralName::RegisteredId(_) => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).into());
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).into())).ok()
}

/// Records a handshake that failed, and tells the client where it can read it.
async fn refuse(gate: &Gate, door: &DoorState, subject: &Subject, (fault, why): (HandshakeFault, &str), stream: Option<TcpStream>) {
    let access = door.access();
    let who = Who::new(subject, gate.trail.redactor());
    let mut record = Record::begin(&gate.trail, &who, access.policy(), None);
    record.refused(fault.code());
    let (sentence, advice) = fault.said();
    let address = subject.address.map(|address| address.to_string()).unwrap_or_default();
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    tracing::info!(id = record.id(), door = door.name, address, "[{}] {sentence}{why}; {advice}", fault.code());
    if let Some(stream) = stream {
        let mut stream = Stream::Tcp(stream);
        let (reader, writer) = stream.sides();
        match fault == HandshakeFault::PlainHttp {
            true => plain(&mut record, reader, writer).await,
            false => let_go(reader, writer).await,
        }
    }
    record.close(Ended::Refused).await;
}

/// The sentence of Go's servers, which clients and people know.
async fn plain(record: &mut Record<'_>, reader: ReadSide<'_>, writer: WriteSide<'_>) {
    let reference = record.id().to_owned();
    let body = format!("Client sent an HTTP request to an HTTPS server: dockgate speaks TLS here (ref {reference})\n");
    let framing = ReplyFraming::Length(body.len() as u64);
    let content_type = Some(&b"text/plain; charset=utf-8"[..]);
    let head = ReplyHead { content_type, ..ReplyHead::json(StatusCode::BAD_REQUEST, &reference, framing, false) };
    record.status(head.status.as_u16());
    record.count_out(body.len() as u64);
    let mut output = Output::new(writer);
    if output.whole(&head, body.as_bytes()).await.is_ok() {
        output.shutdown().await;
        Input::new(reader).discard(DISCARD, DISCARD_TIME).await;
    }
}

/// Closes gently: bytes that nobody has read would turn the end into a reset, and the client would not see our alert.
async fn let_go(reader: ReadSide<'_>, mut writer: WriteSide<'_>) {
    if writer.shutdown().await.is_ok() {
        Input::new(reader).discard(DISCARD, DISCARD_TIME).await;
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;
    use crate::pki::{Authority, Wanted};

    #[test]
    fn a_certificate_names_its_holder_in_every_way_that_people_write() {
        let names = ["ci.example", "*.runner.example", "spiffe://example/ci", "10.0.0.7", "2001:db8::7", "ci@example.org"];
        let issued = Authority::new("ca").issue(Wanted { names: &names, ..Wanted::CLIENT });
        let facts = facts(&CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()).unwrap();
        assert_eq!(facts.subject, "CN=ci-7");
        let mut found: Vec<&str> = facts.names.iter().map(String::as_str).collect();
        let mut wanted = names.to_vec();
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
        assert_eq!(facts.spki, <[u8; 32]>::from(Sha256::digest(issued.public_key())));
    }

    #[test]
    fn what_is_no_certificate_names_nobody() {
        assert!(facts(b"\x30\x03\x02\x01\x01").is_none() && facts(b"").is_none());
    }
}
