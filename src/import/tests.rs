//! What importers write, loaded again.
//! Knows nothing of the command line.

use super::*;

fn environment(text: &str) -> Environment {
    text.split_whitespace().map(|one| pair(one).unwrap()).collect()
}

fn equal(image: Image, text: &str) -> Imported {
    sections(image, &environment(text), Extent::Equal).unwrap()
}

#[test]
fn a_viewers_environment_is_short_when_tightened() {
    let imported = sections(Image::Tecnativa, &environment("CONTAINERS=1"), Extent::Least).unwrap();
    let lines: Vec<&str> = imported.toml.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with('#')).collect();
    assert_eq!(
        lines,
        [
            "version = 1",
            "[upstream]",
            "url = \"unix:///var/run/docker.sock\"",
            "[[door]]",
            "listen = \"tcp://[::]:2375\"",
            "plain-text = \"i-know\"",
            "policy = \"tecnativa\"",
            "[policy.tecnativa]",
            "allow = [",
            "    \"SystemPing\", \"SystemPingHead\",",
            "    \"SystemVersion\",",
            "    \"SystemEvents\",",
            "    \"ContainerList\", \"ContainerInspect\", \"ContainerStats\",",
            "]"
        ]
    );
}

#[test]
fn dangerous_reads_stand_on_lines_of_their_own_and_in_a_warning() {
    let imported = equal(Image::Tecnativa, "CONTAINERS=1");
    assert!(imported.toml.contains("    \"ContainerArchive\",  # dangerous: "), "{}", imported.toml);
    let said = imported.warnings.iter().find(|said| said.starts_with("dangerous reads")).unwrap();
    assert_eq!(
        said,
        "dangerous reads are open: CheckpointList, ContainerTop, ContainerLogs, ContainerChanges, ContainerExport, ContainerAttachWebsocket, ContainerArchive, ContainerArchiveInfo"
    );
}

#[test]
fn traps_are_named() {
    let warned =
        |image, text: &str, what: &str| assert!(equal(image, text).warnings.iter().any(|said| said.contains(what)), "{text}: {what}");
    warned(Image::Tecnativa, "CONTAINERS=true", "`CONTAINERS=true` is off there");
    warned(Image::Tecnativa, "IAMGES=1", "`IAMGES` is no variable of that image");
    warned(Image::Tecnativa, "POST=1", "every method");
    warned(Image::Tecnativa, "EXEC=1 POST=1", "does not open what prepares an exec");
    warned(Image::Tecnativa, "ALLOW_START=1", "open nothing there without POST=1");
    warned(Image::Linuxserver, "ALLOW_RESTARTS=1", "opens stop and kill too");
    warned(Image::Linuxserver, "CONTAINERS=1", "before August 2026");
    assert!(equal(Image::Tecnativa, "").exposed.iter().any(|said| said.contains("open to the network without TLS")));
    assert!(!equal(Image::Tecnativa, "CONTAINERS=0 IMAGES= POST=00").warnings.iter().any(|said| said.contains("is off there")));
}

#[test]
fn place_and_log_come_from_the_environment() {
    let imported = equal(Image::Tecnativa, "SOCKET_PATH=/run/other.sock LOG_LEVEL=warning DISABLE_IPV6=Yes");
    assert!(
        imported.toml.contains("url = \"unix:///run/other.sock\"") && imported.toml.contains("listen = \"tcp://0.0.0.0:2375\""),
        "{}",
        imported.toml
    );
    assert_eq!(imported.log, Some("warn"));
    assert!(equal(Image::Linuxserver, "DISABLE_IPV6=yes").toml.contains("tcp://[::]:2375"));
    assert!(sections(Image::Tecnativa, &environment("SOCKET_PATH=nowhere"), Extent::Equal).is_err());
}

#[test]
fn a_service_is_found_by_its_image_or_its_name() {
    let text = "\
name: x
services:
  web:
    image: traefik:v3
    environment: {A: 1}
  proxy: # the socket
    image: \"ghcr.io/tecnativa/docker-socket-proxy:0.3\"
    environment:
      CONTAINERS: 1 # all of them
      LOG_LEVEL: ${LEVEL:-err}
      POST: \"0\"
  list:
    image: lscr.io/linuxserver/socket-proxy
    environment:
    - CONTAINERS=1
    - 'POST=0'
volumes: {}
";
    let found = service(text, None, &["tecnativa/docker-socket-proxy"]).unwrap();
    assert_eq!((found.name.as_str(), &found.environment), ("proxy", &environment("CONTAINERS=1 LOG_LEVEL=err POST=0")));
    assert_eq!(service(text, Some("list"), &[]).unwrap().environment, environment("CONTAINERS=1 POST=0"));
    assert_eq!(service(text, None, &["nobody/nothing"]).unwrap_err().message, "no service has that image");
    let swapped = "services:\n  gate:\n    image: dockgate:1\n    environment:\n      DOCKGATE_COMPAT: tecnativa\n";
    assert_eq!(service(swapped, None, &["tecnativa/docker-socket-proxy"]).unwrap().name, "gate");
    assert!(service(text, Some("web"), &[]).is_err(), "an environment on one line is not guessed at");
    assert!(service("services:\n  p:\n    image: a\n    environment:\n      A: ${A}\n", Some("p"), &[]).is_err());
}

#[test]
fn commands_are_lists_and_blocks_of_rules_are_kept() {
    let text = "\
services:
  a:
    image: wollomatic/socket-proxy:1
    command:
      - '-loglevel=info'
      - '-allowGET=/v1\\..{1,2}/(version|events.*)'
  b:
    image: hectorm/cetusguard:v1
    environment:
      CETUSGUARD_RULES: |
        ! Events
        GET %API_PREFIX_EVENTS%
";
    let command = service(text, None, &["wollomatic/socket-proxy"]).unwrap().command;
    assert_eq!(command, ["-loglevel=info", "-allowGET=/v1\\..{1,2}/(version|events.*)"]);
    let rules = service(text, None, &["hectorm/cetusguard"]).unwrap().environment;
    assert_eq!(rules["CETUSGUARD_RULES"], "! Events\nGET %API_PREFIX_EVENTS%");
}

#[test]
fn flags_of_a_method_shut_out_its_variables() {
    let flags =
        ["-allowGET=/version".to_owned(), "--listenip".to_owned(), "0.0.0.0".to_owned(), "-allowfrom=10.0.0.0/8,traefik".to_owned()];
    let imported = wollomatic(&flags, &environment("SP_ALLOW_GET_2=/info SP_ALLOW_HEAD=/_ping SP_ALOW_GET=x"), Extent::Equal).unwrap();
    for part in ["\"SystemVersion\"", "\"SystemPingHead\"", "allow-from = [\"10.0.0.0/8\"]", "plain-text = \"i-know\""] {
        assert!(imported.toml.contains(part), "{part}: {}", imported.toml);
    }
    assert!(!imported.toml.contains("SystemInfo"));
    for what in ["`SP_ALLOW_GET_2` is ignored there", "`SP_ALOW_GET` is no variable", "`traefik` in the list of clients is a name"] {
        assert!(imported.warnings.iter().any(|said| said.contains(what)), "{what}: {:?}", imported.warnings);
    }
    assert!(wollomatic(&["-allowgit=x".to_owned()], &Environment::new(), Extent::Equal).is_err());
}

#[test]
fn an_alternation_without_a_group_is_said_to_be_wide() {
    let imported = wollomatic(&["-allowGET=/version|/info".to_owned()], &Environment::new(), Extent::Equal).unwrap();
    assert!(imported.warnings.iter().any(|said| said.contains("first alternative")), "{:?}", imported.warnings);
    assert!(imported.toml.contains("\"SystemVersion\", \"SystemInfo\""), "{}", imported.toml);
}

#[test]
fn hostile_values_stay_inside_comments_and_strings() {
    let imported =
        sections(Image::Tecnativa, &[("CONTAINERS".to_owned(), "1\nmode = \"warn\"\n".to_owned())].into(), Extent::Equal).unwrap();
    assert!(!imported.toml.lines().any(|line| line.starts_with("mode")), "{}", imported.toml);
    let imported = wollomatic(&["-allowGET=/containers/'\"/json".to_owned()], &Environment::new(), Extent::Equal).unwrap();
    assert!(crate::config::load("x", &imported.toml).config.is_some(), "{}", imported.toml);
}

#[test]
fn labels_of_clients_are_named_where_that_proxy_looks_at_them() {
    let text = "\
services:
  proxy:
    image: wollomatic/socket-proxy:1
    command:
      - '-proxycontainername=proxy'
  web:
    labels:
      - 'socket-proxy.allow.get=/v1.*'
      - traefik.enable=true
  other:
    labels:
      socket-proxy.allow.head: .*
";
    let flags = service(text, None, &["wollomatic/socket-proxy"]).unwrap().command;
    let prefix = label_prefix(&flags, &Environment::new()).unwrap().unwrap();
    let found = labels(text, &prefix);
    let expected = [("web", "socket-proxy.allow.get"), ("other", "socket-proxy.allow.head")];
    assert_eq!(found, expected.map(|(service, label)| (service.to_owned(), label.to_owned())));
    assert_eq!(label_prefix(&[], &Environment::new()).unwrap(), None);
    let own = label_prefix(&["-proxycontainername=p".to_owned(), "-dockerlabelprefix=x.".to_owned()], &Environment::new());
    assert_eq!(own.unwrap().as_deref(), Some("x."));
}
