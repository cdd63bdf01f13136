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
mod tests {
    use super::*;
    use crate::policy::Origin;
    use crate::policy::subject::{Certificate, Peer};

    fn client(marks: Vec<Mark>) -> Client {
        Client { marks, policy: "p".into(), origin: Origin { source: "x".into(), line: 1 } }
    }

    fn uid(uid: u32) -> Mark {
        Mark::Uid(vec![uid])
    }

    fn named(pattern: &str) -> Mark {
        Mark::Container(vec![ContainerMark::Name(Glob::new(pattern).unwrap())])
    }

    fn label(key: &str, value: &str) -> Mark {
        Mark::Label(key.to_owned(), Glob::across_slashes(value).unwrap())
    }

    fn peer(uid: u32, gid: u32, groups: &[u32]) -> Subject {
        Subject { peer: Some(Peer { uid, gid, pid: Some(1) }), groups: groups.to_vec(), ..Subject::default() }
    }

    fn container(name: &str) -> Container {
        let labels = vec![("com.docker.compose.service".to_owned(), "web/1".to_owned()), ("empty".to_owned(), String::new())];
        Container { id: "0123456789abcdef".repeat(4), name: name.to_owned(), labels }
    }

    fn fits(mark: Mark, subject: &Subject, home: Home<'_>) -> bool {
        choose(&[client(vec![mark])], subject, home) == Choice::Entry(0)
    }

    #[test]
    fn ids_are_compared_where_the_kernel_gave_them() {
        let someone = peer(1000, 100, &[4, 27]);
        for (mark, expected) in [
            (uid(1000), true),
            (Mark::Uid(vec![1, 1000]), true),
            (uid(100), false),
            (Mark::Gid(vec![100]), true),
            (Mark::Gid(vec![27]), false),
            (Mark::Group(vec![27]), true),
            (Mark::Group(vec![100]), true),
            (Mark::Group(vec![28, 1000]), false),
        ] {
            assert_eq!(fits(mark.clone(), &someone, Home::Unknown), expected, "{mark:?}");
            assert!(!fits(mark, &Subject::default(), Home::Unknown), "nobody knows who this is");
        }
    }

    #[test]
    fn ids_of_other_namespaces_fit_nothing() {
        let stranger = peer(OVERFLOW, OVERFLOW, &[OVERFLOW]);
        for mark in [uid(OVERFLOW), Mark::Gid(vec![OVERFLOW]), Mark::Group(vec![OVERFLOW])] {
            assert!(!fits(mark, &stranger, Home::Unknown));
        }
    }

    #[test]
    fn containers_are_known_by_name_id_and_labels() {
        let (web, someone) = (container("web-1"), peer(0, 0, &[]));
        let id = |start: &str| Mark::Container(vec![ContainerMark::Id(start.to_owned())]);
        for (mark, expected) in [
            (named("web-1"), true),
            (named("web-*"), true),
            (named("web"), false),
            (id("0123456789ab"), true),
            (id("123456789abc"), false),
            (id(&web.id), true),
            (label("com.docker.compose.service", "web/1"), true),
            (label("com.docker.compose.service", "web*"), true),
            (label("com.docker.compose.service", "web"), false),
            (label("com.docker.compose.project", "*"), false),
            (label("empty", ""), true),
            (label("empty", "*"), true),
        ] {
            assert_eq!(fits(mark.clone(), &someone, Home::In(&web)), expected, "{mark:?}");
            assert!(!fits(mark, &someone, Home::Unknown));
        }
    }

    #[test]
    fn addresses_fit_ranges() {
        let from = |text: &str| Mark::From(vec![text.parse().unwrap()]);
        let tcp = |text: &str| Subject { address: Some(text.parse().unwrap()), ..Subject::default() };
        assert!(fits(from("10.0.0.0/8"), &tcp("10.1.2.3:4"), Home::Unknown));
        assert!(fits(from("10.0.0.0/8"), &tcp("[::ffff:10.1.2.3]:4"), Home::Unknown));
        assert!(!fits(from("10.0.0.0/8"), &tcp("11.1.2.3:4"), Home::Unknown));
        assert!(!fits(from("0.0.0.0/0"), &Subject::default(), Home::Unknown));
    }

    #[test]
    fn certificates_are_known_by_names_and_keys() {
        let certificate = |names: &[&str]| Subject {
            tls: Some(Certificate {
                names: names.iter().map(|name| (*name).to_owned()).collect(),
                spki: [7; 32],
                ..Certificate::default()
            }),
            ..Subject::default()
        };
        let exact = |name: &str| Mark::TlsName(vec![TlsName::Exact(name.to_owned())]);
        let below = |end: &str| Mark::TlsName(vec![TlsName::Below(end.to_owned())]);
        for (mark, name, expected) in [
            (exact("traefik.internal"), "traefik.internal", true),
            (exact("traefik.internal"), "Traefik.Internal", true),
            (exact("traefik.internal"), "*.internal", false),
            (exact("traefik.internal"), "a.traefik.internal", false),
            (below(".internal"), "traefik.internal", true),
            (below(".internal"), "a.traefik.internal", false),
            (below(".internal"), ".internal", false),
            (below(".internal"), "*.internal", false),
            (below(".internal"), "internal", false),
            (below(".internal"), "Traefik.INTERNAL", true),
            (below(".internal"), "ü.internal", true),
            (below(".internal"), "a.ünternal", false),
        ] {
            assert_eq!(fits(mark.clone(), &certificate(&["other", name]), Home::Unknown), expected, "{mark:?} {name}");
        }
        assert!(fits(Mark::TlsPin(vec![[1; 32], [7; 32]]), &certificate(&[]), Home::Unknown));
        assert!(!fits(Mark::TlsPin(vec![[1; 32]]), &certificate(&[]), Home::Unknown));
        assert!(!fits(Mark::TlsPin(vec![[0; 32]]), &Subject::default(), Home::Unknown), "nobody showed a certificate");
    }

    #[test]
    fn all_marks_of_an_entry_must_fit_and_the_first_entry_decides() {
        let entries = [client(vec![uid(1), Mark::Gid(vec![2])]), client(vec![uid(1)]), client(vec![Mark::Gid(vec![2])])];
        for (subject, expected) in [
            (peer(1, 2, &[]), Choice::Entry(0)),
            (peer(1, 3, &[]), Choice::Entry(1)),
            (peer(3, 2, &[]), Choice::Entry(2)),
            (peer(3, 3, &[]), Choice::Nobody),
            (Subject::default(), Choice::Nobody),
        ] {
            assert_eq!(choose(&entries, &subject, Home::Unasked), expected);
        }
        assert_eq!(choose(&[client(Vec::new())], &peer(1, 1, &[]), Home::Unknown), Choice::Nobody, "an entry without marks means nobody");
    }

    #[test]
    fn the_engine_is_asked_only_where_all_but_the_container_fits() {
        let entries = [client(vec![named("web"), uid(1)]), client(vec![uid(2)]), client(vec![label("a", "b")])];
        assert_eq!(choose(&entries, &peer(2, 0, &[]), Home::Unasked), Choice::Entry(1), "the first entry is out, and the second fits");
        assert_eq!(choose(&entries, &peer(1, 0, &[]), Home::Unasked), Choice::Ask);
        assert_eq!(choose(&entries, &peer(3, 0, &[]), Home::Unasked), Choice::Ask);
        assert_eq!(choose(&entries, &peer(1, 0, &[]), Home::Unknown), Choice::Nobody);
        assert_eq!(choose(&entries, &peer(1, 0, &[]), Home::In(&container("web"))), Choice::Entry(0));
    }

    #[test]
    fn an_entry_covers_those_that_ask_for_as_much_or_more() {
        let range = |text: &str| Mark::From(vec![text.parse().unwrap()]);
        let exact = Mark::TlsName(vec![TlsName::Exact("a.internal".into())]);
        let below = Mark::TlsName(vec![TlsName::Below(".internal".into())]);
        for (earlier, later, expected) in [
            (vec![uid(1)], vec![uid(1)], true),
            (vec![uid(1)], vec![uid(1), named("web")], true),
            (vec![uid(1), named("web")], vec![uid(1)], false),
            (vec![Mark::Uid(vec![1, 2])], vec![uid(2)], true),
            (vec![uid(2)], vec![Mark::Uid(vec![1, 2])], false),
            (vec![Mark::Group(vec![5])], vec![Mark::Gid(vec![5])], true),
            (vec![Mark::Gid(vec![5])], vec![Mark::Group(vec![5])], false),
            (vec![named("ci-*")], vec![named("ci-1")], true),
            (vec![named("ci-1")], vec![named("ci-*")], false),
            (vec![named("*")], vec![named("ci-*")], true),
            (vec![label("a", "*")], vec![label("a", "b")], true),
            (vec![label("a", "b")], vec![label("c", "b")], false),
            (vec![range("10.0.0.0/8")], vec![range("10.1.0.0/16")], true),
            (vec![range("10.1.0.0/16")], vec![range("10.0.0.0/8")], false),
            (vec![range("::/0")], vec![range("10.0.0.0/8")], false),
            (vec![below.clone()], vec![exact.clone()], true),
            (vec![exact], vec![below], false),
            (vec![Mark::TlsPin(vec![[1; 32], [2; 32]])], vec![Mark::TlsPin(vec![[2; 32]])], true),
        ] {
            assert_eq!(covers(&client(earlier.clone()), &client(later.clone())), expected, "{earlier:?} {later:?}");
        }
    }
}
