//! What the sources say about themselves: `use` goes one way, and pages that are made from tables are up to date.
//! Knows nothing of what the code does.

use std::path::{Path, PathBuf};

use crate::support::bless;

/// Fewer files than this were not the whole of the sources.
const LEAST_FILES: usize = 60;

/// What each folder may name of the others.
const ARROWS: [(&str, &[&str]); 10] = [
    ("docker", &[]),
    ("policy", &["docker"]),
    ("config", &["policy", "docker"]),
    ("audit", &["policy", "docker"]),
    ("import", &["config", "policy", "docker"]),
    ("demo", &[]),
    ("learn", &["docker", "policy", "config"]),
    ("rewrite", &["config"]),
    ("proxy", &["docker", "policy", "config", "audit"]),
    ("cli", &["docker", "policy", "config", "audit", "import", "learn", "rewrite", "proxy", "demo"]),
];

/// What the pure folders may not name of the world.
const IMPURE: [&str; 7] = ["tokio", "hyper", "hyper_util", "tracing", "std::net::TcpStream", "std::fs", "std::time::Instant"];
const PURE: [&str; 5] = ["docker", "policy", "import", "learn", "rewrite"];

struct Source {
    /// The module path: `docker`, `schema`, `container`.
    module: Vec<String>,
    path: PathBuf,
    code: String,
}

fn sources(root: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let code = std::fs::read_to_string(&path).unwrap();
                found.push(Source { module: module(path.strip_prefix(root).unwrap()), code: own_code(&code), path });
            }
        }
    }
    found
}

fn module(path: &Path) -> Vec<String> {
    let mut module: Vec<String> = path.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// The code without comments and without tests, which come last in a file.
fn own_code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    before_tests.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)).collect::<Vec<_>>().join("\n")
}

/// The top-level modules that a source names, by `crate::` or by enough `super::`.
fn named(source: &Source) -> Vec<String> {
    let root = "super::".repeat(source.module.len());
    let starts: [&str; 2] = ["crate::", &root];
    starts.iter().flat_map(|start| after(&source.code, start)).flat_map(first_words).collect()
}

/// What follows each whole occurrence of a start: a longer chain of `super::` or `$crate::` in a macro counts too.
fn after<'t>(code: &'t str, start: &'t str) -> impl Iterator<Item = &'t str> {
    code.match_indices(start).map(move |(at, _)| &code[at + start.len()..]).filter(|rest| !rest.starts_with("super::"))
}

/// `docker::Head` → docker; `{docker, policy::{Mode}}` → docker, policy.
fn first_words(rest: &str) -> Vec<String> {
    let word = |text: &str| text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let Some(list) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let (mut depth, mut words, mut item) = (0_usize, Vec::new(), String::new());
    for c in list.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => words.push(word(&std::mem::take(&mut item))),
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        item.push(c);
    }
    words.push(word(item.trim_start_matches([',', ' ', '\n'])));
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

#[test]
fn uses_go_one_way() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = sources(&root);
    assert!(sources.len() >= LEAST_FILES, "only {} files in {}", sources.len(), root.display());
    let folders: Vec<&str> = ARROWS.iter().map(|(folder, _)| *folder).collect();
    let mut wrong = Vec::new();
    for source in &sources {
        let own = source.module[0].as_str();
        if matches!(own, "main" | "lib") {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(folder, _)| *folder == own) else {
            wrong.push(format!("{}: `{own}` is no stage of the layout", source.path.display()));
            continue;
        };
        let others = named(source).into_iter().filter(|name| name != own && folders.contains(&name.as_str()));
        wrong.extend(
            others.filter(|name| !allowed.contains(&name.as_str())).map(|name| format!("{}: {own} → {name}", source.path.display())),
        );
        if PURE.contains(&own) {
            wrong.extend(
                IMPURE.iter().filter(|name| uses(&source.code, name)).map(|name| format!("{}: {own} → {name}", source.path.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A path that begins with a name.
fn uses(code: &str, name: &str) -> bool {
    let begins = |at: usize| !code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'));
    code.match_indices(name).any(|(at, _)| begins(at) && (name.contains("::") || code[at + name.len()..].starts_with("::")))
}

/// The names in the tables of dependencies of a manifest.
fn dependencies(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().unwrap();
    manifest["dependencies"].as_table().unwrap().keys().map(|name| name.replace('-', "_")).collect()
}

#[test]
fn the_bed_of_the_judges_mutants_has_every_crate_that_the_judge_uses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = |path: &str| dependencies(&std::fs::read_to_string(root.join(path)).unwrap());
    let (all, bed) = (manifest("Cargo.toml"), manifest("tests/mutants/judge.toml"));
    assert!(all.len() > bed.len() && bed.len() > 5, "{all:?} {bed:?}");
    for source in ["docker", "policy", "config"].iter().flat_map(|folder| sources(&root.join("src").join(folder))) {
        let missing: Vec<&String> = all.iter().filter(|name| !bed.contains(name) && uses(&source.code, name)).collect();
        assert!(missing.is_empty(), "{}: add {missing:?} to tests/mutants/judge.toml", source.path.display());
    }
}

#[test]
fn the_page_of_operations_says_what_the_table_says() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/endpoints.md");
    let page = format!("{}\n", dockgate::cli::docs::endpoints_md().trim_end());
    if bless() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "docs/endpoints.md is stale: `dockgate docs endpoints` prints it, and BLESS=1 writes it");
}

#[test]
fn sees_arrows_in_every_form() {
    let source = |module: &[&str], code: &str| Source {
        module: module.iter().map(|part| (*part).to_owned()).collect(),
        path: PathBuf::new(),
        code: own_code(code),
    };
    assert_eq!(named(&source(&["docker", "head"], "use crate::policy::Mode;")), ["policy"]);
    assert_eq!(named(&source(&["docker", "head"], "use crate::{policy::{Mode, Policy}, audit};")), ["policy", "audit"]);
    assert_eq!(named(&source(&["docker", "schema", "auth"], "use super::super::super::proxy::run;\nuse super::super::head;")), ["proxy"]);
    assert_eq!(
        named(&source(&["docker", "head"], "// use crate::policy::Mode;\n#[cfg(test)]\nmod tests {\n    use crate::policy::Mode;\n}")),
        [""; 0]
    );
    assert_eq!(named(&source(&["docker", "head"], "let a = crate::proxy::run();")), ["proxy"]);
    assert!(uses("use tokio::net;", "tokio") && uses("    hyper::Method::GET", "hyper") && !uses("a_tokio::x; tokio_x::y", "tokio"));
}

#[test]
fn the_page_of_hardening_rules_names_every_check_that_is_not_a_mere_shape() {
    let page = include_str!("../../docs/hardening.md");
    let shapes = [
        "anonymous-volume",
        "env",
        "exec-command",
        "extra-hosts",
        "group-add",
        "host-directory",
        "labels",
        "links",
        "ps-args",
        "refused-field",
        "registry",
        "shm-size",
        "volume",
        "working-dir",
    ];
    let missing: Vec<&str> = dockgate::policy::Reason::ALL
        .iter()
        .filter(|reason| reason.is_check())
        .map(|reason| reason.code())
        .filter(|id| !shapes.contains(id) && !page.contains(&format!("`{id}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
