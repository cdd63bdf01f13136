//! TLS: which files are taken, and what is said about those that are not.

use std::path::Path;

use tempfile::TempDir;

use crate::config::{Config, EngineTls, Loaded, Purpose, TlsClients, load, load_to_judge};
use crate::pki::{Authority, Issued, Wanted, write};

/// A folder with `ca.pem`, `cert.pem`, `key.pem` and `crl.pem`.
fn folder() -> (TempDir, Authority) {
    let (folder, ca) = (tempfile::tempdir().unwrap(), Authority::new("ca"));
    put(folder.path(), &ca.issue(Wanted::SERVER));
    write(folder.path(), "ca.pem", &ca.pem());
    write(folder.path(), "crl.pem", &ca.list(&[], 2999));
    (folder, ca)
}

fn put(folder: &Path, issued: &Issued) {
    write(folder, "cert.pem", &issued.certificate);
    write(folder, "key.pem", &issued.key);
}

fn text(folder: &Path, listen: &str, more: &str) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    format!(
        "version = 1\n[[door]]\nlisten = \"{listen}\"\npolicy = \"ping\"\n[door.tls]\ncertificate = \"{}\"\nkey = \"{}\"\n{}",
        at("cert.pem"),
        at("key.pem"),
        more.replace("FOLDER", &folder.display().to_string())
    )
}

const LOOPBACK: &str = "tcp://127.0.0.1:2376";
const EVERYWHERE: &str = "tcp://0.0.0.0:2376";
const CLIENTS: &str = "client-ca = \"FOLDER/ca.pem\"\nclient-crl = \"FOLDER/crl.pem\"\n";

fn loaded(folder: &Path, listen: &str, more: &str) -> Loaded {
    load("x.toml", &text(folder, listen, more))
}

fn good(folder: &Path, listen: &str, more: &str) -> Config {
    let loaded = loaded(folder, listen, more);
    assert_eq!(loaded.diagnostics, []);
    loaded.config.unwrap()
}

/// Code, message and hint of everything that is said.
fn said(folder: &Path, more: &str) -> Vec<String> {
    let diagnostics = loaded(folder, LOOPBACK, more).diagnostics;
    let place = format!("{}/", folder.display());
    let line = |one: crate::config::Diagnostic| format!("{} {}: {}; {}", one.line, one.code, one.message, one.hint.unwrap_or_default());
    diagnostics.into_iter().map(|one| line(one).replace(&place, "")).collect()
}

#[test]
fn a_door_has_tls_with_clients_that_are_known_or_with_any() {
    let (folder, _ca) = folder();
    let config = good(folder.path(), EVERYWHERE, CLIENTS);
    let tls = config.doors[0].tls.as_ref().unwrap();
    assert_eq!((tls.clients, tls.ends.to_string().as_str()), (TlsClients::Certified, "2999-01-01T00:00:00Z"));
    assert_eq!(tls.files.len(), 4);
    assert_eq!(config.watched, tls.files, "a change of one of them is a change of the configuration");
    assert_eq!((tls.server.send_tls13_tickets, tls.server.session_storage.can_cache()), (0, false), "no session is resumed");
    assert_eq!(tls.server.alpn_protocols, [b"http/1.1"]);
    let any = good(folder.path(), EVERYWHERE, "any-client = \"i-know\"\n");
    assert_eq!(any.doors[0].tls.as_ref().unwrap().clients, TlsClients::Any);
    assert!(good(folder.path(), LOOPBACK, "min-version = \"1.2\"\n").doors[0].tls.is_some());
}

#[test]
fn the_digest_tells_files_and_settings_apart() {
    let (folder, ca) = folder();
    let digest = |more: &str| good(folder.path(), LOOPBACK, more).doors[0].tls.as_ref().unwrap().digest.clone();
    let first = digest(CLIENTS);
    assert_eq!(first, digest(CLIENTS));
    assert_ne!(first, digest(""));
    assert_ne!(first, digest(&format!("{CLIENTS}min-version = \"1.2\"\n")));
    write(folder.path(), "crl.pem", &ca.list(&[&ca.issue(Wanted::CLIENT)], 2999));
    assert_ne!(first, digest(CLIENTS));
}

#[test]
fn says_which_file_is_wrong_and_what_to_do() {
    let (folder, ca) = folder();
    let path = folder.path();
    let server = ca.issue(Wanted::SERVER);
    let missing = |file: &str| std::fs::remove_file(path.join(file)).unwrap();

    write(path, "key.pem", &server.key);
    assert_eq!(
        said(path, CLIENTS),
        ["7 bad-tls-file: the key does not belong to the certificate; give the key that the certificate was made for"]
    );
    write(path, "key.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    assert_eq!(
        said(path, ""),
        ["7 bad-tls-file: the key `key.pem` has a passphrase; take it out: `openssl pkey -in key.pem -out plain.pem`"]
    );
    put(path, &server);
    write(path, "cert.pem", &server.key);
    assert_eq!(said(path, ""), ["6 bad-tls-file: `cert.pem` holds no certificate; give certificates in PEM: `-----BEGIN …-----`"]);
    write(path, "cert.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    assert!(said(path, "")[0].starts_with("6 bad-tls-file: `cert.pem` is no PEM"), "{:?}", said(path, ""));
    write(path, "cert.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert!(said(path, "")[0].starts_with("6 bad-tls-file: `cert.pem` holds a certificate that cannot be read"), "{:?}", said(path, ""));
    put(path, &server);
    missing("crl.pem");
    missing("ca.pem");
    assert_eq!(
        said(path, CLIENTS),
        [
            "8 bad-tls-file: there is no file `ca.pem`; make it (docs/tls.md shows how), or name the place where it is",
            "9 bad-tls-file: there is no file `crl.pem`; make it (docs/tls.md shows how), or name the place where it is"
        ]
    );
    std::fs::create_dir(path.join("ca.pem")).unwrap();
    write(path, "crl.pem", &ca.pem());
    assert_eq!(
        said(path, CLIENTS),
        [
            "8 bad-tls-file: `ca.pem` cannot be read: invalid input parameter; name a regular file",
            "9 bad-tls-file: `crl.pem` holds no revocation list; give revocation lists in PEM: `-----BEGIN …-----`"
        ]
    );
}

#[test]
fn a_configuration_to_judge_by_needs_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let written = text(folder.path(), LOOPBACK, CLIENTS);
    let config = load_to_judge("x.toml", &written).config.unwrap();
    assert_eq!((config.purpose, config.doors.len(), config.doors[0].tls.is_none()), (Purpose::Judge, 1, true));
    let wrong = load_to_judge("x.toml", &written.replace("client-ca", "client-cas")).diagnostics;
    assert!(wrong.iter().any(|one| one.code == "unknown-key"), "the keys are looked at all the same");
}

#[test]
fn warns_of_keys_that_others_read_and_of_what_has_ended() {
    let (folder, ca) = folder();
    let path = folder.path();
    put(path, &ca.issue(Wanted { valid: (2000, 2001), ..Wanted::SERVER }));
    write(path, "crl.pem", &ca.list(&[], 2022));
    std::fs::set_permissions(path.join("key.pem"), std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    assert_eq!(
        said(path, CLIENTS),
        [
            "6 expired: the certificate of `cert.pem` has ended at 2001-01-01T00:00:00Z; renew it; the new file is taken without a restart",
            "7 open-key: others than its owner may read the key `key.pem`; `chmod 600 key.pem`",
            "9 expired: the revocation list of `crl.pem` has ended at 2022-01-01T00:00:00Z; renew it; the new file is taken without a restart"
        ]
    );
    assert!(loaded(path, LOOPBACK, CLIENTS).config.is_some(), "clients decide whether they accept it");
    put(path, &ca.issue(Wanted { valid: (2998, 2999), ..Wanted::SERVER }));
    assert!(said(path, "")[0].starts_with("6 not-yet-valid: the certificate of `cert.pem` is valid from 2998-01-01T00:00:00Z only"));
}

#[test]
fn an_engine_is_verified_by_its_ca_and_by_the_urls_name_or_another() {
    let (folder, _ca) = folder();
    let at = |name: &str| folder.path().join(name);
    let upstream = |url: &str, more: &str| {
        let text = format!("version = 1\n[upstream]\nurl = \"{url}\"\nca = \"{}\"\n{more}", at("ca.pem").display());
        let loaded = load("x.toml", &text);
        loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
    };
    let name = |config: &Config, authority: &str| config.engine_tls.as_ref().unwrap().name_of(authority).unwrap().to_str().into_owned();
    let config = upstream("https://engine.example:2376/", "");
    assert_eq!(config.upstream.as_ref().unwrap().to_string(), "https://engine.example:2376");
    assert_eq!(name(&config, "engine.example:2376"), "engine.example");
    assert_eq!(name(&upstream("https://[::1]:2376", ""), "[::1]:2376"), "::1");
    assert_eq!(name(&upstream("https://10.0.0.1:2376", "server-name = \"engine\"\n"), "10.0.0.1:2376"), "engine");
    let own = format!("certificate = \"{}\"\nkey = \"{}\"\n", at("cert.pem").display(), at("key.pem").display());
    assert_eq!(upstream("https://engine:2376", &own).watched.len(), 3);
}

#[test]
fn files_that_no_table_names_are_taken_too() {
    let (folder, ca) = folder();
    let at = |name: &str| folder.path().join(name);
    let (ca_file, certificate, key) = (at("ca.pem"), at("cert.pem"), at("key.pem"));
    assert_eq!(EngineTls::of(&ca_file, None).unwrap().1, [""; 0]);
    assert!(EngineTls::of(&ca_file, Some((&certificate, &key))).is_ok());
    assert!(EngineTls::of(&at("none.pem"), None).unwrap_err().message.contains("there is no file"));
    write(folder.path(), "key.pem", &ca.issue(Wanted::SERVER).key);
    assert!(EngineTls::of(&ca_file, Some((&certificate, &key))).unwrap_err().message.contains("does not belong"));
}
