//! What a client is known by, and which entry of a door is the first that fits: a pure function over entries and a subject.
//! Knows nothing of how it was found out who a client is.

use std::net::IpAddr;

use crate::policy::{Glob, Subject};

use super::cidr::Cidr;
use super::client::Client;

/// The id that the kernel shows for users and groups of other namespaces: it names nobody here.
pub(super) const OVERFLOW: u32 = 65534;

/// One thing that a client is known by. What is not known of a client fits nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// Its user is one of these.
    Uid(Vec<u32>),
    /// Its primary group is one of these.
    Gid(Vec<u32>),
    /// Its primary group, or one of its supplementary groups, is one of these.
    Group(Vec<u32>),
    /// Its container is one of these.
    Container(Vec<ContainerMark>),
    /// Its container has this label with such a value.
    Label(String, Glob),
    /// Its address is in one of these ranges.
    From(Vec<Cidr>),
    /// Its certificate has one of these names.
    TlsName(Vec<TlsName>),
    /// The SHA-256 of its certificate's public key is one of these.
    TlsPin(Vec<[u8; 32]>),
}

/// How a container is named.
#[derive(Debug, Clone, PartialEq)]
pub enum ContainerMark {
    /// By its name, without the slash before it.
    Name(Glob),
    /// By its id, or at least 12 digits of its beginning.
    Id(String),
}

/// A name in a certificate: that one, or one label more than what follows a `*.`; in small letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsName {
    /// This name.
    Exact(String),
    /// `*.internal`, kept as `.internal`.
    Below(String),
}

/// A container, as the engine knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Container {
    /// Its full id.
    pub id: String,
    /// Its name, without the slash before it.
    pub name: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
}

/// Where a client runs.
#[derive(Debug, Clone, Copy)]
pub enum Home<'a> {
    /// Nobody has asked yet.
    Unasked,
    /// In no container that is known.
    Unknown,
    /// In this one.
    In(&'a Container),
}

/// Which entry a client has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The one at this index.
    Entry(usize),
    /// None.
    Nobody,
    /// It depends on the container that the client runs in.
    Ask,
}

/// How a mark fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Yes,
    No,
    Ask,
}

/// The first entry whose marks all fit. The container matters only where everything else of an entry fits.
pub fn choose<'c>(clients: impl IntoIterator<Item = &'c Client>, subject: &Subject, home: Home<'_>) -> Choice {
    for (at, client) in clients.into_iter().enumerate() {
        match fit(&client.marks, subject, home) {
            Fit::Yes => return Choice::Entry(at),
            Fit::Ask => return Choice::Ask,
            Fit::No => {}
        }
    }
    Choice::Nobody
}

fn fit(marks: &[Mark], subject: &Subject, home: Home<'_>) -> Fit {
    let mut all = if marks.is_empty() { Fit::No } else { Fit::Yes };
    for mark in marks {
        match mark.fit(subject, home) {
            Fit::No => return Fit::No,
            Fit::Ask => all = Fit::Ask,
            Fit::Yes => {}
        }
    }
    all
}

impl Mark {
    fn fit(&self, subject: &Subject, home: Home<'_>) -> Fit {
        let peer = subject.peer.as_ref();
        let known = |id: u32, list: &[u32]| id != OVERFLOW && list.contains(&id);
        let fits = match self {
            Self::Uid(uids) => peer.is_some_and(|peer| known(peer.uid, uids)),
            Self::Gid(gids) => peer.is_some_and(|peer| known(peer.gid, gids)),
            Self::Group(gids) => peer.is_some_and(|peer| known(peer.gid, gids) || subject.groups.iter().any(|gid| known(*gid, gids))),
            Self::Container(_) | Self::Label(..) => return self.at_home(home),
            Self::From(ranges) => subject.address.is_some_and(|address| within(ranges, address.ip())),
            Self::TlsName(names) => {
                subject.tls.as_ref().is_some_and(|tls| tls.names.iter().any(|name| names.iter().any(|own| own.fits(name))))
            }
            Self::TlsPin(pins) => subject.tls.as_ref().is_some_and(|tls| pins.contains(&tls.spki)),
        };
        if fits { Fit::Yes } else { Fit::No }
    }

    fn at_home(&self, home: Home<'_>) -> Fit {
        let container = match home {
            Home::Unasked => return Fit::Ask,
            Home::Unknown => return Fit::No,
            Home::In(container) => container,
        };
        let fits = match self {
            Self::Container(marks) => marks.iter().any(|mark| mark.fits(container)),
            Self::Label(key, value) => container.labels.iter().any(|(known, text)| known == key && value.matches(text)),
            Self::Uid(_) | Self::Gid(_) | Self::Group(_) | Self::From(_) | Self::TlsName(_) | Self::TlsPin(_) => false,
        };
        if fits { Fit::Yes } else { Fit::No }
    }

    /// True where whoever fits the other one fits this one too. False may mean that it is not known.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Uid(own), Self::Uid(theirs)) | (Self::Gid(own), Self::Gid(theirs)) => subset(theirs, own),
            (Self::Group(own), Self::Group(theirs) | Self::Gid(theirs)) => subset(theirs, own),
            (Self::Container(own), Self::Container(theirs)) => theirs.iter().all(|mark| own.iter().any(|cover| cover.covers(mark))),
            (Self::Label(key, own), Self::Label(other, theirs)) => key == other && wider(own, theirs),
            (Self::From(own), Self::From(theirs)) => theirs.iter().all(|range| own.iter().any(|cover| cover.covers(range))),
            (Self::TlsName(own), Self::TlsName(theirs)) => theirs.iter().all(|name| own.iter().any(|cover| cover.covers(name))),
            (Self::TlsPin(own), Self::TlsPin(theirs)) => theirs.iter().all(|pin| own.contains(pin)),
            (
                Self::Uid(_)
                | Self::Gid(_)
                | Self::Group(_)
                | Self::Container(_)
                | Self::Label(..)
                | Self::From(_)
                | Self::TlsName(_)
                | Self::TlsPin(_),
                _,
            ) => false,
        }
    }
}

/// True where whoever fits the later entry fits the earlier one already.
pub(super) fn covers(earlier: &Client, later: &Client) -> bool {
    earlier.marks.iter().all(|mark| later.marks.iter().any(|other| mark.covers(other)))
}

impl ContainerMark {
    fn fits(&self, container: &Container) -> bool {
        match self {
            Self::Name(glob) => glob.matches(&container.name),
            Self::Id(start) => container.id.starts_with(start.as_str()),
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(own), Self::Name(theirs)) => wider(own, theirs),
            (Self::Id(own), Self::Id(theirs)) => theirs.starts_with(own.as_str()),
            (Self::Name(own), Self::Id(_)) => own.as_str() == "*",
            (Self::Id(_), Self::Name(_)) => false,
        }
    }
}

impl TlsName {
    fn fits(&self, name: &str) -> bool {
        match self {
            Self::Exact(own) => own.eq_ignore_ascii_case(name),
            Self::Below(end) => {
                let parts = name.len().checked_sub(end.len()).and_then(|at| name.split_at_checked(at));
                let one = |label: &str| !label.is_empty() && !label.contains(['.', '*']);
                parts.is_some_and(|(label, rest)| rest.eq_ignore_ascii_case(end) && one(label))
            }
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match other {
            Self::Exact(name) => self.fits(name),
            Self::Below(_) => self == other,
        }
    }
}

fn within(ranges: &[Cidr], address: IpAddr) -> bool {
    ranges.iter().any(|range| range.contains(address))
}

fn subset(part: &[u32], whole: &[u32]) -> bool {
    part.iter().all(|id| whole.contains(id))
}

/// True for patterns that are alike, that match the other one's only name, or that match everything.
fn wider(own: &Glob, other: &Glob) -> bool {
    own == other || own.as_str().bytes().all(|b| b == b'*') || other.is_literal() && own.matches(other.as_str())
}

#[cfg(test)]
mod tests;
