//! The page, read as text; a browser reads it in the integration tests.

use serde_json::{Value, json};

use super::super::record::tests::call;
use super::data::{Data, LISTED};
use super::page::{About, page};
use super::{Integrity, IntegritySummary};

fn about(integrity: Option<IntegritySummary>) -> About {
    About {
        title: "Week <1>".into(),
        files: vec!["a&b.jsonl".into()],
        filtered: false,
        made: "2026-11-22T00:00:00Z".parse().unwrap(),
        integrity,
    }
}

fn data(names: &str) -> Data {
    let mut data = Data::default();
    let time = "2026-11-21T20:31:07.482913Z";
    data.add(&call(&[
        json!({ "stage": "intent", "time": time, "id": "01J", "uid": 7, "door": "unix:///run/ci.sock", "operation": "ContainerCreate", "names": [names], "verdict": "allow" }),
        json!({ "stage": "outcome", "time": time, "id": "01J", "status": 201, "duration_us": 4000 }),
    ]));
    data.add(&call(&[json!({ "stage": "intent", "time": time, "id": "01O", "operation": "ContainerDelete", "verdict": "allow" })]));
    data.add(&call(&[json!({ "stage": "single", "time": time, "id": "01K", "operation": "ContainerCreate", "verdict": "deny", "reason": "host-path", "at": names, "folded": { "count": 9 } })]));
    data.add(&call(&[json!({ "stage": "single", "time": time, "id": "01L", "operation": "ContainerList", "verdict": "allow" })]));
    data.add(&call(&[json!({ "stage": "event", "event": "open", "time": time, "id": "01M", "detail": { "file": 1, "host": names } })]));
    data
}

fn island(page: &str) -> Value {
    let text = page.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0;
    serde_json::from_str(text).unwrap()
}

#[test]
fn holds_the_numbers_in_text_and_in_a_data_island() {
    let page = page(&data("web"), &about(None));
    for part in [
        "<strong id=\"calls\">12</strong>",
        "<strong id=\"changes\">2</strong>",
        "<strong id=\"denied\">9</strong>",
        "<strong id=\"without-outcome\">1</strong>",
        "<strong>not verified</strong>",
        "<h1>Week &lt;1&gt;</h1>",
        "<code>a&amp;b.jsonl</code>",
        "<code>host-path</code> web",
    ] {
        assert!(page.contains(part), "{part}\n--- is not in\n{page}");
    }
    let data = island(&page);
    assert_eq!((&data["calls"], &data["verdicts"]["deny"], &data["changes"]["all"]), (&json!(12), &json!(9), &json!(2)));
    assert_eq!(data["denials"][0]["count"], 9);
    assert_eq!(data["changes"]["rows"][0]["what"], "web");
}

#[test]
fn nothing_of_a_record_becomes_markup() {
    let evil = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>'\"&\u{202e}\u{2028}";
    let page = page(&data(evil), &about(None));
    assert_eq!(page.matches("<script").count(), 2, "{page}");
    assert!(!page.contains("<img") && !page.contains("<!--") && !page.contains("\u{202e}") && !page.contains('\u{2028}'));
    assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_eq!(island(&page)["changes"]["rows"][0]["what"], evil);
}

#[test]
fn needs_nothing_from_anywhere() {
    let page = page(&data("web"), &about(None));
    for foreign in ["http://", "https://", "src=", "href=", "url(", "@import", "<link", "<iframe", " style=", " onclick", "fetch("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
}

#[test]
fn shows_what_the_verifier_found() {
    let found = IntegritySummary {
        state: Integrity::Tampered,
        headline: "record 7 does not follow record 6".into(),
        facts: vec![("files".into(), "1 of 1 linked".into())],
        findings: vec!["audit.jsonl:7".into()],
    };
    let page = page(&data("web"), &about(Some(found)));
    assert!(page.contains(
        "<section class=\"seal tampered\" id=\"integrity\"><h2>Integrity</h2><p><strong>record 7 does not follow record 6</strong>"
    ));
    assert!(page.contains("<dt>files</dt><dd>1 of 1 linked</dd>") && page.contains("<li>audit.jsonl:7</li>"));
    assert_eq!(island(&page)["integrity"], "tampered");
}

#[test]
fn the_seal_has_the_colour_of_what_was_found() {
    for (state, class) in [(Integrity::Whole, "whole"), (Integrity::Incomplete, "incomplete"), (Integrity::Tampered, "tampered")] {
        let found = IntegritySummary { state, headline: String::new(), facts: Vec::new(), findings: Vec::new() };
        assert!(page(&data("web"), &about(Some(found))).contains(&format!("<section class=\"seal {class}\"")));
    }
}

#[test]
fn long_trails_make_no_endless_page_and_empty_ones_no_error() {
    let mut data = Data::default();
    for n in 0..LISTED * 3 {
        data.add(&call(&[json!({ "stage": "outcome", "time": "2026-11-21T20:31:07Z", "id": n.to_string(), "operation": "ContainerStart",
            "verdict": "allow", "uid": n })]));
    }
    let long = page(&data, &about(None));
    assert!(long.contains("The last 500 of 1 500") && long.len() < 1_000_000, "{}", long.len());
    let empty = page(&Data::default(), &about(None));
    assert!(empty.contains("no calls") && empty.contains("Nothing was changed") && empty.contains("<strong id=\"calls\">0</strong>"));
}
