//! An engine behind TLS: who it must be, and who dockgate is for it.

use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::{ATTACH, LIST, POLICY, door_file, put};
use crate::support::client::Client;
use crate::support::engine::Recorder;
use crate::support::folder;
use crate::support::gate::Gate;
use crate::support::pki::{Authority, Issued, Wanted, write};

/// TLS in front of a socket; clients need a certificate of the CA.
fn wrapped(ca: &Authority, own: &Issued, socket: &Path) -> SocketAddr {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.pem().as_bytes()).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let chain = CertificateDer::pem_slice_iter(own.certificate.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
    let config = builder.with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap();
    let (acceptor, socket, (send, receive)) = (TlsAcceptor::from(Arc::new(config)), socket.to_owned(), mpsc::channel());
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            send.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, socket) = (acceptor.clone(), socket.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut engine = UnixStream::connect(socket).await.unwrap();
                    let _one_side_broke = tokio::io::copy_bidirectional(&mut stream, &mut engine).await;
                });
            }
        });
    });
    receive.recv().unwrap()
}

fn config(folder: &Path, url: &str, more: &str) -> String {
    let text = format!(
        "version = 1\n[upstream]\nurl = \"{url}\"\nca = \"FOLDER/ca.pem\"\n{more}\n{POLICY}\
         [[door]]\nlisten = \"unix://FOLDER/doors/door.sock\"\npolicy = \"all\"\n"
    );
    text.replace("FOLDER", &folder.display().to_string())
}

const OWN: &str = "certificate = \"FOLDER/cert.pem\"\nkey = \"FOLDER/key.pem\"\n";

/// A folder with `ca.pem`, and dockgate's own certificate in `cert.pem` and `key.pem`.
fn files(ca: &Authority) -> tempfile::TempDir {
    let folder = folder();
    write(folder.path(), "ca.pem", &ca.pem());
    put(folder.path(), &ca.issue(Wanted { subject: "dockgate", ..Wanted::CLIENT }));
    folder
}

fn status(folder: &Path) -> u16 {
    let mut client = Client::unix(&door_file(folder));
    client.send(LIST);
    client.reply(false).unwrap().status
}

#[test]
fn requests_and_tunnels_go_to_an_engine_that_proves_who_it_is() {
    let ca = Authority::new("ours");
    let folder = files(&ca);
    let engine = Recorder::start(&folder.path().join("engine.sock"));
    let address = wrapped(&ca, &ca.issue(Wanted::SERVER), engine.path());
    let url = format!("https://localhost:{}", address.port());
    let gate = Gate::start(folder.path(), &config(folder.path(), &url, OWN), &[door_file(folder.path())]);
    assert_eq!(status(folder.path()), 200);
    let mut tunnel = std::os::unix::net::UnixStream::connect(door_file(folder.path())).unwrap();
    std::io::Write::write_all(&mut tunnel, ATTACH).unwrap();
    tunnel.shutdown(std::net::Shutdown::Write).unwrap();
    let mut seen = String::new();
    tunnel.read_to_string(&mut seen).unwrap();
    assert!(seen.starts_with("HTTP/1.1 101 "), "{seen}");
    let end = gate.line("the end", |line| line["stage"] == "end");
    assert_eq!(end["ended"], "complete", "{end}");
    assert!(!gate.messages().contains("does not answer"), "{}", gate.messages());
}

#[test]
fn an_engine_that_is_another_one_gets_no_request_and_it_is_said_why() {
    let (ca, others) = (Authority::new("ours"), Authority::new("theirs"));
    let engine_folder = folder();
    let engine = Recorder::start(&engine_folder.path().join("engine.sock"));
    let elsewhere = ca.issue(Wanted { names: &["elsewhere"], ..Wanted::SERVER });
    let expired = ca.issue(Wanted { valid: (2000, 2001), ..Wanted::SERVER });
    for (own, more, said) in [
        (others.issue(Wanted::SERVER), OWN, "`ca` of `[upstream]` did not sign the engine's certificate"),
        (elsewhere, OWN, "set `server-name` of `[upstream]` to a name that the engine's certificate holds"),
        (expired, OWN, "certificate expired"),
        (ca.issue(Wanted::SERVER), "", "the engine does not accept `certificate` of `[upstream]`"),
    ] {
        let folder = files(&ca);
        let url = format!("https://localhost:{}", wrapped(&ca, &own, engine.path()).port());
        let gate = Gate::start(folder.path(), &config(folder.path(), &url, more), &[door_file(folder.path())]);
        assert_eq!(status(folder.path()), 502, "{said}");
        assert!(gate.messages().contains(said), "{said}: {}", gate.messages());
        let refused = gate.line("the call", |line| line["operation"] == "ContainerList");
        assert_eq!(refused["reason"], "no-upstream");
    }
    assert_eq!(engine.take().len(), 0);
}

#[test]
fn an_engine_may_have_another_name_than_its_address() {
    let ca = Authority::new("ours");
    let folder = files(&ca);
    let engine = Recorder::start(&folder.path().join("engine.sock"));
    let address = wrapped(&ca, &ca.issue(Wanted { names: &["elsewhere"], ..Wanted::SERVER }), engine.path());
    let more = format!("{OWN}server-name = \"elsewhere\"\n");
    let _gate = Gate::start(folder.path(), &config(folder.path(), &format!("https://{address}"), &more), &[door_file(folder.path())]);
    assert_eq!(status(folder.path()), 200);
}

#[test]
fn a_renewed_certificate_is_shown_to_the_engine_without_a_restart() {
    let (ca, others) = (Authority::new("ours"), Authority::new("theirs"));
    let folder = files(&ca);
    put(folder.path(), &others.issue(Wanted::CLIENT));
    let engine = Recorder::start(&folder.path().join("engine.sock"));
    let address = wrapped(&ca, &ca.issue(Wanted::SERVER), engine.path());
    let url = format!("https://{address}");
    let gate = Gate::start(folder.path(), &config(folder.path(), &url, OWN), &[door_file(folder.path())]);
    assert_eq!(status(folder.path()), 502);
    put(folder.path(), &ca.issue(Wanted::CLIENT));
    gate.signal("HUP");
    let reloaded = gate.line("a reload", |line| line["event"] == "policy-reloaded");
    assert_eq!(reloaded["detail"]["tls"], serde_json::json!([url]), "{reloaded}");
    assert_eq!(status(folder.path()), 200);
}

#[test]
fn the_variables_of_dockers_own_cli_are_honoured() {
    let ca = Authority::new("ours");
    let folder = files(&ca);
    let engine = Recorder::start(&folder.path().join("engine.sock"));
    let host = format!("tcp://{}", wrapped(&ca, &ca.issue(Wanted::SERVER), engine.path()));
    let certificates = folder.path().display().to_string();
    let trail = folder.path().join("trail.jsonl").display().to_string();
    let listen = format!("unix://{}", door_file(folder.path()).display());
    let flags = ["--listen", &listen, "--audit", &trail, "--policy", "docker-cli-run"];
    let variables = [("DOCKER_HOST", host.as_str()), ("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", &certificates)];
    let gate = Gate::spawn_in(folder.path(), &flags, &variables, &[door_file(folder.path())]);
    assert!(gate.messages().contains(&format!("{} (DOCKER_HOST)", host.replace("tcp", "https"))), "{}", gate.messages());
    let body = format!("{{\"Image\":\"alpine\",\"HostConfig\":{{\"Binds\":[\"{certificates}/key.pem:/x:ro\"]}}}}");
    let head = format!("Host: docker\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
    let mut client = Client::unix(&door_file(folder.path()));
    client.send(b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n");
    assert_eq!(client.reply(false).unwrap().status, 200);
    client.send(format!("POST /v1.44/containers/create HTTP/1.1\r\n{head}\r\n\r\n{body}").as_bytes());
    let reply = client.reply(false).unwrap();
    assert!(reply.status == 403 && reply.text().contains("[socket-mount]"), "{}: {}", reply.status, reply.text());
}
