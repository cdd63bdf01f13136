//! Certificates, keys and revocation lists as PEM files → what rustls takes, and what is to be said about each.
//! Knows nothing of who uses them, nor of the tables that name them.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode;
use x509_cert::time::Time;

use super::error::Severity;

/// The largest file that is read; what follows the files for changes reads no more either.
const MAX_FILE: u64 = 4 << 20;
/// An end that is nearer than this is warned of; of what lives shortly, the last third of its time.
const SOON: Duration = Duration::from_secs(30 * 86_400);
/// Access bits that let others than the owner read.
const OTHERS_READ: u32 = 0o044;

/// Something to be said about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Whether it can be used all the same.
    pub level: Severity,
    /// The key that names the file.
    pub key: &'static str,
    /// A stable word for the kind of mistake.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// Files that are read together, with everything that is to be said about them.
#[derive(Debug, Default)]
pub(super) struct Pems {
    pub(super) notes: Vec<Note>,
    digest: Sha256,
}

impl Pems {
    /// Tells one state of everything that was read from another.
    pub(super) fn digest(&self) -> String {
        format!("{:x}", self.digest.clone().finalize())
    }

    /// Notes a mistake; `None`, so that it can end what was asked for.
    pub(super) fn wrong<T>(&mut self, key: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Option<T> {
        let (message, hint) = (message.into(), hint.into());
        self.notes.push(Note { level: Severity::Error, key, code: "bad-tls-file", message, hint });
        None
    }

    fn warn(&mut self, key: &'static str, code: &'static str, message: String, hint: String) {
        self.notes.push(Note { level: Severity::Warning, key, code, message, hint });
    }

    fn bytes(&mut self, key: &'static str, path: &Path) -> Option<Vec<u8>> {
        match read(path) {
            Ok(bytes) => {
                self.digest.update(Sha256::digest(&bytes));
                Some(bytes)
            }
            Err(ErrorKind::NotFound) => self.wrong(
                key,
                format!("there is no file `{}`", path.display()),
                "make it (docs/tls.md shows how), or name the place where it is",
            ),
            Err(ErrorKind::PermissionDenied) => self.wrong(
                key,
                format!("`{}` may not be read by this user", path.display()),
                "make the user that dockgate runs as its owner",
            ),
            Err(ErrorKind::FileTooLarge) => {
                self.wrong(key, format!("`{}` is larger than 4 MiB", path.display()), "name a file of certificates, keys or lists")
            }
            Err(other) => self.wrong(key, format!("`{}` cannot be read: {other}", path.display()), "name a regular file"),
        }
    }

    /// All sections of one kind, at least one.
    fn sections<T: PemObject>(&mut self, key: &'static str, path: &Path, what: &str) -> Option<Vec<T>> {
        let bytes = self.bytes(key, path)?;
        let name = path.display();
        match T::pem_slice_iter(&bytes).collect::<Result<Vec<T>, _>>() {
            Ok(found) if !found.is_empty() => Some(found),
            Ok(_) => self.wrong(key, format!("`{name}` holds no {what}"), format!("give {what}s in PEM: `-----BEGIN …-----`")),
            Err(_) => self.wrong(key, format!("`{name}` is no PEM"), "make it anew: a line is damaged or missing"),
        }
    }

    /// A certificate and those between it and who signed it; the first one's end.
    pub(super) fn chain(&mut self, key: &'static str, path: &Path) -> Option<(Vec<CertificateDer<'static>>, Timestamp)> {
        let chain: Vec<CertificateDer<'static>> = self.sections(key, path, "certificate")?;
        let dates = chain.first().and_then(|first| dates(first));
        let Some((begins, ends)) = dates else {
            return self.wrong(key, format!("`{}` holds a certificate that cannot be read", path.display()), "make it anew");
        };
        if begins > Timestamp::now() {
            let message = format!("the certificate of `{}` is valid from {begins} only", path.display());
            self.warn(key, "not-yet-valid", message, "wait, or set the clock".to_owned());
        }
        self.ends("certificate", key, path, (begins, ends));
        Some((chain, ends))
    }

    /// An unencrypted private key: PKCS#8, SEC1 or PKCS#1.
    pub(super) fn private(&mut self, key: &'static str, path: &Path) -> Option<PrivateKeyDer<'static>> {
        let bytes = self.bytes(key, path)?;
        let name = path.display();
        if std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & OTHERS_READ != 0) {
            let message = format!("others than its owner may read the key `{name}`");
            self.warn(key, "open-key", message, format!("`chmod 600 {name}`"));
        }
        match PrivateKeyDer::from_pem_slice(&bytes) {
            Ok(private) => Some(private),
            Err(_) if bytes.windows(9).any(|word| word == b"ENCRYPTED") => self.wrong(
                key,
                format!("the key `{name}` has a passphrase"),
                format!("take it out: `openssl pkey -in {name} -out plain.pem`"),
            ),
            Err(_) => self.wrong(key, format!("`{name}` holds no private key"), "give one in PEM: PKCS#8, SEC1 or PKCS#1"),
        }
    }

    /// Certificates of those whose signature is believed.
    pub(super) fn roots(&mut self, key: &'static str, path: &Path) -> Option<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for certificate in self.sections::<CertificateDer<'static>>(key, path, "certificate")? {
            if let Some(dates) = dates(&certificate) {
                self.ends("CA", key, path, dates);
            }
            if let Err(error) = roots.add(certificate) {
                return self.wrong(key, format!("`{}` holds a certificate that cannot be used: {error}", path.display()), "make it anew");
            }
        }
        Some(roots)
    }

    /// Lists of certificates that were taken back.
    pub(super) fn lists(&mut self, key: &'static str, path: &Path) -> Option<Vec<CertificateRevocationListDer<'static>>> {
        let lists: Vec<CertificateRevocationListDer<'static>> = self.sections(key, path, "revocation list")?;
        for list in &lists {
            match updates(list) {
                Some(dates) => self.ends("revocation list", key, path, dates),
                None => {
                    return self.wrong(
                        key,
                        format!("`{}` holds a revocation list that does not say until when it holds", path.display()),
                        "make it with a next update: `openssl ca -gencrl -crldays 30`",
                    );
                }
            }
        }
        Some(lists)
    }

    fn ends(&mut self, what: &str, key: &'static str, path: &Path, (begins, ends): (Timestamp, Timestamp)) {
        let (now, name) = (Timestamp::now(), path.display());
        let hint = "renew it; the new file is taken without a restart".to_owned();
        if ends < now {
            self.warn(key, "expired", format!("the {what} of `{name}` has ended at {ends}"), hint);
        } else if ends.duration_since(now).unsigned_abs() < SOON.min(ends.duration_since(begins).unsigned_abs() / 3) {
            self.warn(key, "expires-soon", format!("the {what} of `{name}` ends at {ends}"), hint);
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ErrorKind> {
    // opening a pipe could wait for ever
    if !std::fs::metadata(path).map_err(|error| error.kind())?.is_file() {
        return Err(ErrorKind::InvalidInput);
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.kind())?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| error.kind())?;
    if bytes.len() as u64 > MAX_FILE { Err(ErrorKind::FileTooLarge) } else { Ok(bytes) }
}

/// From when and until when a certificate holds.
fn dates(certificate: &CertificateDer<'_>) -> Option<(Timestamp, Timestamp)> {
    let validity = Certificate::from_der(certificate).ok()?.tbs_certificate.validity;
    Some((timestamp(validity.not_before)?, timestamp(validity.not_after)?))
}

/// When a list was made and when the next one is due, where it says so.
fn updates(list: &CertificateRevocationListDer<'_>) -> Option<(Timestamp, Timestamp)> {
    let list = CertificateList::from_der(list).ok()?.tbs_cert_list;
    Some((timestamp(list.this_update)?, timestamp(list.next_update?)?))
}

fn timestamp(time: Time) -> Option<Timestamp> {
    i64::try_from(time.to_unix_duration().as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok())
}
