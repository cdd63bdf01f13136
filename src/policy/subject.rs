//! Who asks.
//! Knows nothing of how that was found out.

use std::net::SocketAddr;

/// The client of a request, as far as the door can tell.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// The door it came through, as written in the configuration.
    pub door: String,
    /// The peer of a unix socket; `None` where the kernel gave nothing or another namespace's ids.
    pub peer: Option<Peer>,
    /// The supplementary groups of a peer, where its process can be looked at and the door asks who its clients are.
    pub groups: Vec<u32>,
    /// The address of a TCP peer.
    pub address: Option<SocketAddr>,
    /// The program of a peer, where its process can be looked at.
    pub exe: Option<String>,
    /// The container that a peer runs in, by the full id, where its process can be looked at.
    pub container: Option<String>,
    /// The certificate that a TLS client proved to hold.
    pub tls: Option<Certificate>,
}

/// What a verified client certificate says of its holder.
#[derive(Debug, Clone, Default)]
pub struct Certificate {
    /// Its holder as one line of text, for people and records.
    pub subject: String,
    /// The names in its subjectAltName, as written there.
    pub names: Vec<String>,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub spki: [u8; 32],
}

/// The credentials of a unix-socket peer at the time it connected (`SO_PEERCRED`).
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Process id, where it is in our namespace.
    pub pid: Option<i32>,
}
