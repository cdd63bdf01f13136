//! `docs/torture.md`: every case of the file and what comes of it, as the tests hold it.
//! Knows nothing of running them.

use std::fmt::Write as _;
use std::path::Path;

use super::case::{After, Case, ReplyCase, Torture};
use crate::support::bless;

const HEAD: &str = "# HTTP torture: the cases and what comes of them

Written from `tests/corpus/torture.toml`, which has the bytes; the tests described in [testing.md](testing.md#http-torture) hold every line of
it. Each request below went through dockgate in one piece, byte by byte, and in two pieces that were cut at up to 40 places.

";

#[test]
fn the_page_of_torture_cases_is_what_the_file_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/torture.md");
    let page = page(&Torture::load());
    if bless() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "docs/torture.md is stale: BLESS=1 writes it");
}

const MARKS: (&str, &str) = ("<!-- torture: begin -->\n", "<!-- torture: end -->\n");

#[test]
fn the_page_about_testing_counts_the_cases_of_the_file() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/testing.md");
    let written = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = written.split_once(MARKS.0).expect("the first mark");
    let (_, after) = rest.split_once(MARKS.1).expect("the second mark");
    let page = [before, MARKS.0, &counts(&Torture::load()), MARKS.1, after].concat();
    if bless() {
        std::fs::write(&file, &page).unwrap();
        return;
    }
    assert!(written == page, "docs/testing.md is stale: BLESS=1 writes it");
}

/// What each part of the catalogue is about.
const PARTS: [(&str, &str); 15] = [
    ("T-F1", "Content-Length beside Transfer-Encoding"),
    ("T-F2", "more than one Content-Length, and strange ones"),
    ("T-F3", "codings that are not exactly `chunked`"),
    ("T-F4", "chunks"),
    ("T-F5", "the grammar of heads"),
    ("T-F6", "requests inside bodies, behind each other, and after the end"),
    ("T-F7", "targets that are no path, other protocols"),
    ("T-F8", "Host, and fields that Connection names"),
    ("T-F9", "heads that are too much"),
    ("T-F10", "trailers"),
    ("T-F11", "expectations"),
    ("T-B4", "sizes around the limit, encodings"),
    ("T-B5", "paths as they stand on the wire"),
    ("T-H", "bytes around heads that open a tunnel"),
    ("wire", "rows of the table of wire semantics that are none of these"),
];

fn counts(torture: &Torture) -> String {
    let part = |case: &&Case| case.covers.split(':').next().unwrap_or_default().to_owned();
    let known = |case: &Case| PARTS.iter().any(|(name, _)| *name == part(&case));
    assert!(torture.cases.iter().all(known), "a case stands for a part that is not listed");
    let mut text = "| part of the catalogue | cases |\n|---|---|\n".to_owned();
    for (name, about) in PARTS {
        let count = torture.cases.iter().filter(|case| part(case) == name).count();
        let _cannot_fail = writeln!(text, "| {name}: {about} | {count} |");
    }
    let _cannot_fail =
        writeln!(text, "| replies of an engine | {} |\n| all | {} |", torture.replies.len(), torture.cases.len() + torture.replies.len());
    text
}

fn page(torture: &Torture) -> String {
    let mut page = HEAD.to_owned();
    let _cannot_fail = write!(
        page,
        "## Requests ({})\n\n| case | stands for | reaches the engine | the client gets | connection |\n|---|---|---|---|---|\n",
        torture.cases.len()
    );
    torture.cases.iter().for_each(|case| request(case, &mut page));
    let _cannot_fail = write!(
        page,
        "\n## Replies ({})\n\n| the engine sends | the client gets | of its body | the engine's connection |\n|---|---|---|---|\n",
        torture.replies.len()
    );
    torture.replies.iter().for_each(|case| reply(case, &mut page));
    page
}

fn request(case: &Case, page: &mut String) {
    let forwarded = if case.forwarded.is_empty() { "nothing".to_owned() } else { format!("`{}`", case.forwarded.join("`, `")) };
    let mut statuses: Vec<String> = vec!["100".to_owned(); case.continues];
    statuses.extend(case.status.iter().map(u16::to_string));
    let connection = match case.after {
        After::Closed => "closed",
        After::Open => "goes on",
    };
    let statuses = if statuses.is_empty() { "no reply".to_owned() } else { statuses.join(", ") };
    let _cannot_fail = writeln!(page, "| {} | {} | {forwarded} | {statuses} | {connection} |", case.name, case.covers);
}

fn reply(case: &ReplyCase, page: &mut String) {
    let body = match (case.body.as_str(), case.client) {
        (_, 502) => "nothing".to_owned(),
        ("", _) if !case.broken => "nothing".to_owned(),
        ("", _) => "nothing, broken off".to_owned(),
        (body, _) if case.broken => format!("`{body}`, broken off"),
        (body, _) => format!("`{body}`"),
    };
    let connection = if case.reused { "kept" } else { "closed" };
    let _cannot_fail = writeln!(page, "| {} | {} | {body} | {connection} |", case.name, case.client);
}
