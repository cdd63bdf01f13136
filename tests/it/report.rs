//! The report in a real browser: the numbers that its script has read are those of the trail.
//! Knows nothing of how the page is made.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::trail::Sample;

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A browser of this machine; without one it says so, past the capture of test output.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).flat_map(|folder| BROWSERS.map(|name| folder.join(name))).find(|file| file.is_file());
    if found.is_none() {
        let _nobody_reads_it = writeln!(std::io::stderr(), "SKIPPED: no chromium here, so the report was not looked at in a browser");
        assert!(std::env::var("DOCKGATE_REQUIRE_ENGINE").as_deref() != Ok("1"), "DOCKGATE_REQUIRE_ENGINE=1, and there is no chromium");
    }
    found
}

fn report(folder: &Path, sample: &Sample) -> PathBuf {
    let (trail, page) = (folder.join("audit.jsonl"), folder.join("report.html"));
    sample.write(&trail);
    let made = Command::new(env!("CARGO_BIN_EXE_dockgate")).args(["audit", "report"]).arg(&trail).arg("-o").arg(&page).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    page
}

/// The page's elements after its script has run.
fn dom(browser: &Path, folder: &Path, page: &Path) -> String {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--dump-dom", &profile];
    let output = Command::new("timeout")
        .args(["--kill-after=5", "120"])
        .arg(browser)
        .args(flags)
        .arg(format!("file://{}", page.display()))
        .env("HOME", folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The text of the element with this id, without elements in it.
fn text<'d>(dom: &'d str, id: &str) -> &'d str {
    let at = dom.find(&format!(" id=\"{id}\"")).unwrap_or_else(|| panic!("no element `{id}`"));
    dom[at..].split_once('>').unwrap().1.split_once('<').unwrap().0
}

/// The sum of the first column of numbers of a table.
fn sum(dom: &str, id: &str) -> u64 {
    let at = dom.find(&format!("<table id=\"{id}\"")).unwrap_or_else(|| panic!("no table `{id}`"));
    let body = dom[at..].split_once("</table>").unwrap().0.split_once("<tbody>").unwrap().1;
    let rows = body.split("<tr").filter_map(|row| row.split_once("<td class=\"n\">"));
    rows.map(|(_, cell)| number(cell.split_once('<').unwrap().0)).sum()
}

fn number(text: &str) -> u64 {
    text.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

#[test]
fn a_browser_reads_the_numbers_of_the_trail_from_the_report() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let sample = Sample::week();
    let dom = dom(&browser, folder.path(), &report(folder.path(), &sample));

    // what stands in the page
    for (id, expected) in
        [("calls", sample.calls), ("changes", sample.changes), ("denied", sample.denied), ("clients", 4), ("without-outcome", sample.open)]
    {
        assert_eq!(number(text(&dom, id)), expected, "{id}");
    }
    for table in ["by-client", "by-operation"] {
        assert_eq!(sum(&dom, table), sample.calls, "{table}");
    }
    assert_eq!(sum(&dom, "by-reason"), sample.denied);

    // what the script has made of the data
    assert!(dom.contains("<html lang=\"en\" class=\"scripted\">"), "the script did not run");
    let parts: Vec<u64> = text(&dom, "readout").split([':', ',']).filter(|part| part.contains(char::is_numeric)).map(number).collect();
    assert_eq!(parts, [sample.calls, sample.calls - sample.denied, sample.denied]);
    assert_eq!(text(&dom, "changes-table-count"), "500 of 500 rows");
    assert_eq!(text(&dom, "open-count"), format!("{0} of {0} rows", sample.open));
    let data: Value = serde_json::from_str(text(&dom, "data")).unwrap();
    assert_eq!(data["changes"]["all"].as_u64(), Some(sample.changes));

    // and what a container was called has not become a script
    assert!(text(&dom, "data").contains("\\u003cscript\\u003e") && dom.contains("<title>Docker API audit report</title>"));
}
