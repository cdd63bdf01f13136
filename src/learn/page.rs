//! The learned policy as somebody reads it: TOML with comments.
//! Knows nothing of how it was learned.

use std::fmt::Write as _;

use super::{Danger, Learned, Shape, short};

/// The longest comment of one line.
const LONGEST: usize = 200;

/// The policy's file.
pub fn page(learned: &Learned) -> String {
    let mut out = String::new();
    head(learned, &mut out);
    let _ = write!(out, "version = 1\n\n[policy.{}]\nallow = [\n", learned.draft.name);
    for (rule, said) in learned.draft.allow() {
        let _ = writeln!(out, "    {rule}, # {}", comment(&said));
    }
    let _ = write!(out, "]\n\n[policy.{}.create]\nlevel = \"baseline\"\n", learned.draft.name);
    for (key, lines) in learned.draft.create() {
        list(&key, &lines, &mut out);
    }
    exec(learned, &mut out);
    if let Some(checks) = learned.draft.checks() {
        let _ = writeln!(out, "# taken because somebody said yes: it holds for every container\n{checks}");
    }
    left(learned, &mut out);
    out
}

fn head(learned: &Learned, out: &mut String) {
    let mut span = super::Tally::default();
    for shape in learned.taken.iter().chain(learned.left.iter().map(|(shape, _)| shape)) {
        span.merge(&shape.tally);
    }
    let _ = writeln!(out, "# Learned by `dockgate learn`: the least that allows what was seen.");
    if learned.calls > 0 {
        let _ = writeln!(out, "# From {} in all: {}.", calls(learned.calls), comment(&span.text()));
    } else {
        let _ = writeln!(out, "# From no calls at all, so nothing is allowed.");
    }
    if !learned.left.is_empty() {
        let _ = writeln!(out, "# Not everything was taken: see the end of this file.");
    }
    if !learned.foreign.is_empty() {
        let names: Vec<&str> = learned.foreign.iter().take(8).map(String::as_str).collect();
        let more = if learned.foreign.len() > names.len() { ", …" } else { "" };
        let _ = writeln!(
            out,
            "# Containers that were made elsewhere pass only if their own settings fit this policy: {}{more}",
            comment(&names.join(", "))
        );
    }
    out.push('\n');
}

fn calls(count: u64) -> String {
    if count == 1 { "1 call".to_owned() } else { format!("{count} calls") }
}

fn list(key: &str, lines: &[(String, String)], out: &mut String) {
    if lines.is_empty() {
        let _ = writeln!(out, "{key} = []");
        return;
    }
    let _ = writeln!(out, "{key} = [");
    for (entry, said) in lines {
        let _ = if said.is_empty() { writeln!(out, "    {entry},") } else { writeln!(out, "    {entry}, # {}", comment(said)) };
    }
    out.push_str("]\n");
}

fn exec(learned: &Learned, out: &mut String) {
    let Some(exec) = learned.draft.exec() else { return };
    for (command, tally) in &learned.draft.commands {
        let _ = writeln!(out, "# {}: {}", comment(command), comment(&tally.text()));
    }
    let _ = writeln!(out, "{exec}");
}

fn left(learned: &Learned, out: &mut String) {
    if learned.left.is_empty() {
        return;
    }
    out.push_str("\n# Not taken, because it is dangerous or because no policy can allow it. Add by hand what is really needed.\n");
    for (shape, dangers) in &learned.left {
        let _ = write!(out, "#\n# {}\n#   {}\n", comment(&what(shape)), comment(&shape.tally.text()));
        for danger in dangers {
            let _ = writeln!(out, "#   {}\n#     {}", comment(&reason(danger)), comment(&danger.advice(&learned.draft.name)));
        }
    }
}

/// A call in a few words.
pub(super) fn what(shape: &Shape) -> String {
    let call = &shape.call;
    let text = |key: &str| call.body.as_ref().map(|body| body.text(key).to_owned()).filter(|text| !text.is_empty());
    let command: Vec<String> =
        call.body.as_ref().and_then(|body| body.get("Cmd")).map(|cmd| cmd.texts().map(str::to_owned).collect()).unwrap_or_default();
    let mut out = call.operation.name().to_owned();
    if let Some(image) = text("Image") {
        let _ = write!(out, " of {image}");
    }
    if let Some(name) = call.names.first() {
        let _ = write!(out, ", `{}`", short(name));
    }
    if !command.is_empty() {
        let _ = write!(out, ", running `{}`", command.join(" "));
    }
    out
}

fn reason(danger: &Danger) -> String {
    let at = if danger.at.is_empty() { String::new() } else { format!(" at {}", danger.at) };
    format!("{}{at}: {}", danger.code, danger.why)
}

/// Text of clients on one line of a comment.
pub(super) fn comment(text: &str) -> String {
    let clean = |letter: char| {
        if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            '?'
        } else {
            letter
        }
    };
    let mut out: String = text.chars().take(LONGEST).map(clean).collect();
    if text.chars().count() > LONGEST {
        out.push('…');
    }
    out
}
