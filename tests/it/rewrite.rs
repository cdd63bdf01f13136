//! `dockgate rewrite` as a command: diffs and configurations over files of all kinds, as golden files, and what it leaves alone.
//! `corpus/rewrite/NAME.yml` holds the files, `NAME.out` what is said about each. Knows nothing of YAML.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{bless, data};

const FILES: [&str; 5] = ["anchors", "newcomer", "podman", "proxies", "several"];

/// Runs it in a folder; what it printed, both ways, and its exit code.
fn rewrite(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_dockgate")).arg("rewrite").args(args).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn check(folder: &Path) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_dockgate")).args(["check", "dockgate.toml"]).current_dir(folder).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// A folder with one of the files as `compose.yml`.
fn stack(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(data(&format!("rewrite/{name}.yml")), folder.path().join("compose.yml")).unwrap();
    folder
}

#[test]
fn what_is_proposed_for_each_file_is_what_was_agreed() {
    let mut wrong = Vec::new();
    for name in FILES {
        let folder = stack(name);
        let before = fs::read(folder.path().join("compose.yml")).unwrap();
        let (code, out, err) = rewrite(folder.path(), &["compose.yml"]);
        let said = format!("exit {code}\n--- standard error\n{err}--- standard output\n{out}");
        let golden = data(&format!("rewrite/{name}.out"));
        if bless() {
            fs::write(&golden, &said).unwrap();
        }
        if fs::read_to_string(&golden).unwrap_or_default() != said {
            wrong.push(format!("{name}:\n{said}"));
        }
        assert_eq!(fs::read(folder.path().join("compose.yml")).unwrap(), before, "{name} was changed");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{name}");
    }
    let there = fs::read_dir(data("rewrite")).unwrap().filter(|entry| entry.as_ref().unwrap().path().extension().unwrap() == "yml").count();
    assert_eq!(there, FILES.len());
    assert!(wrong.is_empty(), "{}\nBLESS=1 writes them anew", wrong.join("\n"));
}

#[test]
fn written_files_pass_the_check_and_have_nothing_left_to_do() {
    for name in FILES.iter().filter(|name| **name != "anchors") {
        let folder = stack(name);
        let before = fs::read(folder.path().join("compose.yml")).unwrap();
        let (code, out, err) = rewrite(folder.path(), &["compose.yml", "--write", "--config-out", "dockgate.toml"]);
        assert_eq!((code, out.as_str()), (0, ""), "{name}: {err}");
        assert_eq!(fs::read(folder.path().join("compose.yml.bak")).unwrap(), before);
        let (code, said) = check(folder.path());
        assert!(code == 0 && said.contains("no errors"), "{name}: {said}");
        let written = fs::read(folder.path().join("compose.yml")).unwrap();
        let (code, out, err) = rewrite(folder.path(), &["compose.yml", "--write"]);
        assert!(code == 0 && out.is_empty() && err.contains("nothing to do"), "{name}: {out}{err}");
        assert_eq!(fs::read(folder.path().join("compose.yml")).unwrap(), written);
    }
}

#[test]
fn lines_that_are_not_about_the_socket_survive() {
    let folder = stack("several");
    let before = fs::read_to_string(folder.path().join("compose.yml")).unwrap();
    rewrite(folder.path(), &["compose.yml", "--write"]);
    let after = fs::read_to_string(folder.path().join("compose.yml")).unwrap();
    let mut rest = after.lines();
    let changed = ["docker.sock", "depends_on", "- db", "- proxy", "read_only", "type: bind", "source:", "target:", "environment: {"];
    for line in before.lines().filter(|line| !changed.iter().any(|word| line.contains(word))) {
        assert!(rest.any(|other| other == line), "`{line}` is gone or out of order:\n{after}");
    }
}

#[test]
fn nothing_is_overwritten() {
    let folder = stack("newcomer");
    fs::write(folder.path().join("dockgate.toml"), "mine").unwrap();
    let (code, _, err) = rewrite(folder.path(), &["compose.yml", "--write", "--config-out", "dockgate.toml"]);
    assert!(code == 2 && err.contains("`dockgate.toml` exists already"), "{err}");
    assert!(!folder.path().join("compose.yml.bak").exists());
    fs::write(folder.path().join("compose.yml.bak"), "mine").unwrap();
    let (code, _, err) = rewrite(folder.path(), &["compose.yml", "--write", "--config-out", "new.toml"]);
    assert!(code == 2 && err.contains("`compose.yml.bak` exists already"), "{err}");
    assert!(!folder.path().join("new.toml").exists());
    assert_eq!(fs::read(folder.path().join("compose.yml")).unwrap(), fs::read(data("rewrite/newcomer.yml")).unwrap());
    assert_eq!(rewrite(folder.path(), &["-", "--write"]).0, 2);
    assert_eq!(rewrite(folder.path(), &["missing.yml"]).0, 2);
}
