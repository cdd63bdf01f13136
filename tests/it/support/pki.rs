//! Certificates that tests make for themselves: CAs, servers, clients, and lists of what was taken back.
//! Knows nothing of who uses them.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "not every test needs everything")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

/// The first of January of a year.
pub type Year = i32;

/// A CA.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
pub struct Issued {
    pub certificate: String,
    pub key: String,
    serial: u64,
    public: Vec<u8>,
}

impl Issued {
    /// Its SubjectPublicKeyInfo.
    pub fn public_key(&self) -> &[u8] {
        &self.public
    }
}

/// What a certificate is to say.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub subject: &'a str,
    pub names: &'a [&'a str],
    pub serial: u64,
    pub valid: (Year, Year),
}

impl Wanted<'_> {
    /// For a door or an engine on this machine.
    pub const SERVER: Wanted<'static> = Wanted { subject: "engine", names: &["localhost", "127.0.0.1"], serial: 2, valid: (2020, 2999) };
    /// For a client.
    pub const CLIENT: Wanted<'static> =
        Wanted { subject: "ci-7", names: &["ci-7.example", "spiffe://example/ci"], serial: 7, valid: (2020, 2999) };
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn issue(&self, wanted: Wanted<'_>) -> Issued {
        let plain = |name: &&&str| !name.contains("://") && !name.contains('@');
        let mut params =
            CertificateParams::new(wanted.names.iter().filter(plain).map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        let uris = wanted.names.iter().filter(|name| name.contains("://"));
        params.subject_alt_names.extend(uris.map(|uri| SanType::URI(Ia5String::try_from(*uri).unwrap())));
        let mails = wanted.names.iter().filter(|name| name.contains('@'));
        params.subject_alt_names.extend(mails.map(|mail| SanType::Rfc822Name(Ia5String::try_from(*mail).unwrap())));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, wanted.subject);
        params.serial_number = Some(SerialNumber::from(wanted.serial));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) = (date_time_ymd(wanted.valid.0, 1, 1), date_time_ymd(wanted.valid.1, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Issued { certificate: certificate.pem(), key: key.serialize_pem(), serial: wanted.serial, public: key.subject_public_key_info() }
    }

    /// A list of what was taken back, which holds until a year.
    pub fn list(&self, revoked: &[&Issued], until: Year) -> String {
        let revoked = revoked.iter().map(|issued| RevokedCertParams {
            serial_number: SerialNumber::from(issued.serial),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().pem().unwrap()
    }
}

/// Writes a file that its owner alone may read.
pub fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}
