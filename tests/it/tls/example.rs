//! The example and the commands of its page: run as they stand, with places of this test in them.

use std::path::Path;
use std::process::Command;

use dockgate::proxy::Upstream;
use dockgate::proxy::serve::Server;
use dockgate::proxy::upstream::Address;
use rustls::version::TLS13;

use super::{address, asked, door_file, trusting_file};
use crate::support::engine::Recorder;
use crate::support::gate::Gate;
use crate::support::{folder, report, trail};

const EXAMPLE: &str = include_str!("../../../config/examples/tls/dockgate.toml");
const PAGE: &str = include_str!("../../../docs/tls.md");

fn in_repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a command line; false where openssl is not installed.
fn ran(folder: &Path, line: &str) -> bool {
    if Command::new("openssl").arg("version").output().is_err() {
        report("SKIPPED: openssl is not installed");
        return false;
    }
    let output = Command::new("sh").args(["-ec", line]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    true
}

#[test]
fn check_names_every_file_of_the_example_that_is_missing() {
    let output = Command::new(env!("CARGO_BIN_EXE_dockgate")).arg("check").arg(in_repository("config/examples/tls/dockgate.toml")).output();
    let output = output.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    if Path::new("/etc/dockgate/tls").exists() {
        return report("SKIPPED: this machine has the example's files");
    }
    assert_eq!(output.status.code(), Some(1), "{text}");
    for file in ["cert.pem", "key.pem", "ca.pem", "crl.pem"] {
        assert!(text.contains(&format!("error[bad-tls-file]: there is no file `/etc/dockgate/tls/{file}`")), "{text}");
    }
    assert!(text.contains("4 errors, no warnings"), "{text}");
}

#[test]
fn policies_are_explained_and_tested_without_the_files_of_tls() {
    let (folder, file) = (folder(), in_repository("config/examples/tls/dockgate.toml"));
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_dockgate")).args(arguments).current_dir(folder.path()).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let explained = run(&["explain", "--config", file.to_str().unwrap(), "--policy", "docker-cli-read", "GET", "/containers/json"]);
    assert_eq!(explained.0, Some(0), "{}", explained.1);
    let case = format!(
        "version = 1\nconfig = \"{}\"\n[[test]]\nname = \"lists\"\npolicy = \"docker-cli-read\"\nrequest = {{ method = \"GET\", path = \"/containers/json\" }}\nexpect = \"allow\"\n",
        file.display()
    );
    std::fs::write(folder.path().join("x.test.toml"), case).unwrap();
    let tested = run(&["test", "x.test.toml"]);
    assert_eq!(tested.0, Some(0), "{}", tested.1);
}

#[test]
fn a_configuration_that_was_read_without_its_files_opens_no_door() {
    let folder = folder();
    let config = dockgate::config::load_to_judge("x.toml", EXAMPLE).config.unwrap();
    let (upstream, trail) = (Address::Unix(folder.path().join("engine.sock")), trail(&folder.path().join("trail.jsonl")));
    let refused = Server::bind(&config, Upstream::new(upstream), trail).err().unwrap();
    assert!(refused.to_string().contains("without its certificates"), "{refused}");
}

#[test]
fn the_example_works_with_the_certificates_that_its_script_makes() {
    let folder = folder();
    let script = in_repository("config/examples/tls/certificates.sh");
    if !ran(folder.path(), &format!("{} tls docker.example.com alice", script.display())) {
        return;
    }
    let _engine = Recorder::start(&folder.path().join("engine.sock"));
    let place = folder.path().display().to_string();
    let config = EXAMPLE
        .replace("/etc/dockgate/tls", &format!("{place}/tls"))
        .replace("/var/run/docker.sock", &format!("{place}/engine.sock"))
        .replace("tcp://0.0.0.0:2376", "tcp://127.0.0.1:0")
        .replace("/run/dockgate/health/docker.sock", &door_file(folder.path()).display().to_string());
    let config = config.split("[audit]").next().unwrap();
    let gate = Gate::start_auditing(folder.path(), config, &[door_file(folder.path())], "");
    assert!(!gate.messages().contains("warning"), "{}", gate.messages());

    let alice = trusting_file(&folder.path().join("tls/ca.pem"), &folder.path().join("tls/alice"), &[&TLS13]);
    assert_eq!(asked(&alice, address(&gate)).unwrap().status, 200);
    let record = gate.line("the call", |line| line["operation"] == "ContainerList");
    assert_eq!(record["tls_subject"], "CN=alice", "{record}");

    let revoking: Vec<&str> = PAGE.lines().filter_map(|line| line.strip_prefix("    openssl ca ")).collect();
    assert_eq!(revoking.len(), 2, "the page shows how a certificate is taken back");
    for line in revoking {
        ran(&folder.path().join("tls"), &format!("openssl ca {line}"));
    }
    gate.line("a reload", |line| line["event"] == "policy-reloaded");
    assert!(asked(&alice, address(&gate)).is_err());
    gate.line("the refusal", |line| line["reason"] == "tls-revoked");
}

#[test]
fn the_page_names_every_reason_and_every_key() {
    for fault in dockgate::proxy::handshake::HandshakeFault::ALL {
        assert!(PAGE.contains(&format!("`{}`", fault.code())), "{fault:?}");
    }
    for key in ["client-ca", "client-crl", "min-version", "any-client", "server-name"] {
        assert!(PAGE.contains(&format!("`{key}`")), "{key}");
    }
}
