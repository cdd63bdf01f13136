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
        tls: Some(Certificate { names: names.iter().map(|name| (*name).to_owned()).collect(), spki: [7; 32], ..Certificate::default() }),
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
