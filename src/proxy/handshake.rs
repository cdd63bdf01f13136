//! Why a TLS handshake came to nothing: the reason code, what it means, and what to do.
//! Knows nothing of how handshakes are made.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// Letters of a library's message that are shown.
const MOST: usize = 200;

macro_rules! kinds {
    ($($(#[$doc:meta])+ $variant:ident $code:literal $sentence:literal $advice:literal,)*) => {
        /// What went wrong in a handshake with a client.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum HandshakeFault { $($(#[$doc])+ $variant,)* }

        impl HandshakeFault {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The reason code of its record.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What happened, and what the operator can do.
            pub fn said(self) -> (&'static str, &'static str) {
                match self { $(Self::$variant => ($sentence, $advice),)* }
            }
        }
    };
}

kinds! {
    /// A request without TLS.
    PlainHttp "tls-plain-http" "the client spoke HTTP without TLS"
        "set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH for the docker CLI, or https:// in other clients",
    /// Bytes that are no TLS, or TLS that breaks its own rules.
    Protocol "tls-protocol" "the client did not speak TLS as this door understands it"
        "let it speak TLS with a common cipher and, where it names a protocol, http/1.1",
    /// A version that the door does not speak.
    Version "tls-version" "the client speaks no version of TLS that this door accepts"
        "update the client, or set `min-version = \"1.2\"` in `[door.tls]`",
    /// No certificate where one is needed.
    NoCertificate "tls-no-certificate" "the client showed no certificate"
        "give it one that `client-ca` has signed (cert.pem and key.pem in DOCKER_CERT_PATH)",
    /// A certificate of somebody else.
    UnknownCa "tls-unknown-ca" "the client's certificate was signed by nobody in `client-ca`"
        "sign it with that CA, or add its CA to the file",
    /// A certificate whose time is over.
    Expired "tls-expired" "the client's certificate has expired"
        "renew it; if it should be valid, look at the clock of this machine",
    /// A certificate whose time has not come.
    NotYetValid "tls-not-yet-valid" "the client's certificate is not valid yet"
        "look at the clocks of this machine and of the one that made it",
    /// A certificate that was taken back.
    Revoked "tls-revoked" "the client's certificate was revoked by `client-crl`"
        "nothing, if that was meant; else give the client a new one",
    /// A list that has ended, or none for who signed.
    RevocationUnknown "tls-revocation-unknown" "`client-crl` does not say whether the client's certificate was revoked"
        "give it a list that has not ended from every CA that signs for clients",
    /// A certificate that cannot be used for this.
    BadCertificate "tls-bad-certificate" "the client's certificate cannot be used"
        "make it as version 3, for client authentication (docs/tls.md)",
    /// The client does not believe the door.
    NotTrusted "tls-not-trusted" "the client does not accept this door's certificate"
        "give it the CA of `certificate` (ca.pem in DOCKER_CERT_PATH), and call the door by a name that the certificate holds",
    /// It went away in the middle.
    BrokenOff "tls-broken-off" "the client went away during the handshake"
        "look at the client: it may not trust this door's certificate",
    /// It took too long.
    Timeout "tls-timeout" "the handshake did not end in time"
        "look at the client or the network; `head-timeout` of `[limits]` or `[door.limits]` bounds it",
}

/// What the client's side says of a certificate that it does not like.
const DISTRUST: [AlertDescription; 6] = [
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
];

impl HandshakeFault {
    /// The fault behind an error of the handshake.
    pub(super) fn of(error: &io::Error) -> Self {
        match inner(error) {
            Some(Error::NoCertificatesPresented) => Self::NoCertificate,
            Some(Error::InvalidCertificate(why)) => of_certificate(why),
            Some(Error::PeerIncompatible(why)) if is_version(why) => Self::Version,
            Some(Error::AlertReceived(AlertDescription::ProtocolVersion)) => Self::Version,
            Some(Error::AlertReceived(alert)) if DISTRUST.contains(alert) => Self::NotTrusted,
            Some(_) => Self::Protocol,
            None => Self::BrokenOff,
        }
    }
}

fn of_certificate(why: &CertificateError) -> HandshakeFault {
    use CertificateError as E;
    use HandshakeFault as F;
    let kinds: [(bool, F); 5] = [
        (matches!(why, E::UnknownIssuer | E::BadSignature), F::UnknownCa),
        (matches!(why, E::Expired | E::ExpiredContext { .. }), F::Expired),
        (matches!(why, E::NotValidYet | E::NotValidYetContext { .. }), F::NotYetValid),
        (matches!(why, E::Revoked), F::Revoked),
        (
            matches!(why, E::UnknownRevocationStatus | E::ExpiredRevocationList | E::ExpiredRevocationListContext { .. }),
            F::RevocationUnknown,
        ),
    ];
    kinds.into_iter().find(|(is, _)| *is).map_or(F::BadCertificate, |(_, fault)| fault)
}

fn is_version(why: &PeerIncompatible) -> bool {
    use PeerIncompatible as P;
    matches!(
        why,
        P::Tls12NotOffered
            | P::Tls12NotOfferedOrEnabled
            | P::SupportedVersionsExtensionRequired
            | P::ServerDoesNotSupportTls12Or13
            | P::ServerTlsVersionIsDisabledByOurConfig
    )
}

fn inner(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// The library's own words, for the operator.
pub(super) fn detail(error: &io::Error) -> String {
    error.to_string().chars().take(MOST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// What to do about an engine whose handshake came to nothing.
pub(super) fn engine_advice(error: &io::Error) -> &'static str {
    use CertificateError as E;
    match inner(error) {
        Some(Error::InvalidCertificate(E::UnknownIssuer | E::BadSignature)) => {
            "; `ca` of `[upstream]` did not sign the engine's certificate"
        }
        Some(Error::InvalidCertificate(E::NotValidForName | E::NotValidForNameContext { .. })) => {
            "; set `server-name` of `[upstream]` to a name that the engine's certificate holds"
        }
        Some(Error::InvalidMessage(_)) => "; the engine seems to speak without TLS there",
        Some(Error::AlertReceived(_)) => "; the engine does not accept `certificate` of `[upstream]`",
        Some(_) | None => "",
    }
}
