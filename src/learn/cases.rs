//! The learned policy's tests, for `dockgate test`: what must be allowed, and what was not taken.
//! Knows nothing of files; the policy is named or written inside.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::grant::quoted;
use super::page::{comment, what};
use super::{Learned, Shape, request};

/// The test file; `config` is the policy's file, or its text.
pub fn cases(learned: &Learned, config: &str) -> String {
    let mut out = String::from("# Made by `dockgate learn`: run it with `dockgate test`.\nversion = 1\n");
    let _ = writeln!(out, "config = {}", multiline(config));
    let mut names = BTreeSet::new();
    for shape in &learned.taken {
        case(shape, "allow", &learned.draft.name, &mut names, &mut out);
    }
    for (shape, _) in learned.left.iter().filter(|(shape, _)| shape.call.missing.is_none()) {
        case(shape, "deny", &learned.draft.name, &mut names, &mut out);
    }
    out
}

fn case(shape: &Shape, expect: &str, policy: &str, names: &mut BTreeSet<String>, out: &mut String) {
    let word = if expect == "allow" { "allows" } else { "does not allow" };
    let stem = format!("{word} {}", comment(&what(shape)));
    let mut name = stem.clone();
    let mut number = 2;
    while !names.insert(name.clone()) {
        name = format!("{stem} ({number})");
        number += 1;
    }
    let request = request(&shape.call);
    let body = request.body.map(|body| format!(", body = {}", quoted(&body))).unwrap_or_default();
    let _ = write!(
        out,
        "\n[[test]]\nname = {}\npolicy = {}\nrequest = {{ method = {}, path = {}{body} }}\nexpect = \"{expect}\"\n",
        quoted(&name),
        quoted(policy),
        quoted(&request.method),
        quoted(&request.path)
    );
}

/// A text of several lines, readable.
fn multiline(text: &str) -> String {
    if !text.contains('\n') {
        return quoted(text);
    }
    format!("\"\"\"\n{}\n\"\"\"", text.lines().map(escaped).collect::<Vec<_>>().join("\n"))
}

fn escaped(line: &str) -> String {
    line.replace('\\', "\\\\").replace("\"\"\"", "\\\"\\\"\\\"")
}
