//! What the repository shows as examples holds: configurations load, policy tests pass, the demo's tour ends well.

use std::process::Command;

fn dockgate(args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_dockgate")).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn every_configuration_that_is_shown_loads() {
    let mut files: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples"))
        .unwrap()
        .map(|entry| format!("config/examples/{}", entry.unwrap().file_name().into_string().unwrap()))
        .filter(|file| file.ends_with(".toml") && !file.ends_with(".test.toml"))
        .collect();
    files.push("config/dockgate.toml".to_owned());
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        let (code, text) = dockgate(&["check", &file]);
        assert_eq!(code, 0, "{file}: {text}");
    }
}

#[test]
fn the_policy_tests_that_are_shown_pass() {
    let (code, text) = dockgate(&["test", "--require-tests", "config/examples"]);
    assert!(code == 0 && text.ends_with("6 passed, 0 failed\n"), "{code}: {text}");
}

#[test]
fn the_tour_of_the_demo_ends_well() {
    let (code, text) = dockgate(&["demo", "--once"]);
    assert!(code == 0 && text.contains("privileged") && text.contains("403"), "{code}: {text}");
}
