//! Bytes that readers of HTTP take differently, through the door to real engines: the engine does exactly what was allowed.
//! Knows nothing of how either side reads; `tests/corpus/torture.toml` says what must come of each case.

#[allow(dead_code, reason = "the tests with a recording engine use the rest")]
#[path = "../it/torture/case.rs"]
mod case;
#[allow(dead_code, reason = "the tests with a recording engine use the rest")]
#[path = "../it/torture/exchange.rs"]
mod exchange;
#[allow(dead_code, reason = "the tests with a recording engine use the rest")]
#[path = "../it/torture/wire.rs"]
mod wire;

use std::collections::BTreeSet;

use crate::bed::{Bed, RAW, with_policies};
use crate::process::{PATIENCE, within};
use crate::raw;

use case::{After, Case, POLICY, Torture};
use exchange::{Cut, run};

#[test]
fn an_engine_does_exactly_what_was_allowed_however_the_bytes_come() {
    with_policies(POLICY, &["torture"], |bed| {
        let torture = Torture::load();
        let (mut faults, mut allowed, mut runs) = (Vec::new(), 0, 0);
        for (number, case) in torture.cases.iter().enumerate() {
            for (other, cut) in [Cut::Whole, Cut::Every(1), Cut::Every(7)].into_iter().enumerate() {
                let large = torture.sent(case, "00000000").len() > 4096;
                if other > 0 && (case.is_slow() || large) {
                    continue;
                }
                let tag = format!("{:08x}", (u64::from(std::process::id()) * 10_000 + (number * 3 + other) as u64) & 0xffff_ffff);
                runs += 1;
                allowed += case.forwarded.len() + usize::from(goes_on(case));
                faults.extend(fault(bed, &torture, case, cut, &tag).map(|fault| format!("{} {cut:?}: {fault}", case.name)));
            }
        }
        let own = |record: &serde_json::Value| record["policy"] == "torture" && record["verdict"] == "allow";
        let told = || bed.gate.records().iter().filter(|record| own(record)).map(|record| record["id"].to_string()).collect();
        // With `sync = "none"` a record may come to the file after the reply came to the client.
        let whole = within(PATIENCE, || Some(told()).filter(|records: &BTreeSet<String>| records.len() >= allowed));
        let records = whole.unwrap_or_else(told);
        eprintln!("torture: {runs} connections, {} requests allowed, on {}", records.len(), bed.engine.label);
        assert!(faults.is_empty(), "{}:\n{}", faults.len(), faults.join("\n"));
        assert_eq!(records.len(), allowed, "requests that the trail calls allowed");
        assert_eq!(bed.run("torture", "version --format ok").ok().trim(), "ok", "the door still serves");
    });
}

/// Whether the client can go on: where the engine's own answer decides, nothing is said of that.
fn goes_on(case: &Case) -> bool {
    case.after == After::Open && !case.engine.contains(&0)
}

fn fault(bed: &Bed, torture: &Torture, case: &Case, cut: Cut, tag: &str) -> Option<String> {
    let bytes = torture.sent(case, tag);
    let ping = torture.request("ping", tag);
    let seen = run(&bed.socket("torture"), case, &bytes, cut, goes_on(case).then_some(ping.as_slice()));
    let expected = case.engine_status();
    let fits =
        seen.statuses().len() == expected.len() && seen.statuses().iter().zip(expected).all(|(seen, known)| *known == 0 || seen == known);
    let created = volumes(bed, tag);
    for name in &created {
        raw::ask(&bed.socket(RAW), "DELETE", &format!("/volumes/{name}"), None);
    }
    let wanted: BTreeSet<String> = torture.forwarded(case, tag).iter().filter_map(|request| name(&request.head, &request.body)).collect();
    if created != wanted {
        return Some(format!("the engine made {created:?}, and {wanted:?} was allowed"));
    }
    if !fits {
        return Some(format!("expected {expected:?}, got {:?}", seen.statuses()));
    }
    seen.fault
}

/// The volume that an allowed request creates.
fn name(head: &str, body: &[u8]) -> Option<String> {
    let body: serde_json::Value = head.starts_with("POST /v1.41/volumes/create ").then(|| serde_json::from_slice(body).unwrap())?;
    Some(body["Name"].as_str()?.to_owned())
}

/// Every volume whose name holds a word.
fn volumes(bed: &Bed, tag: &str) -> BTreeSet<String> {
    let list = raw::get(&bed.socket(RAW), &format!("/volumes?filters={}", raw::named(tag))).json();
    list["Volumes"].as_array().into_iter().flatten().filter_map(|volume| volume["Name"].as_str().map(str::to_owned)).collect()
}
