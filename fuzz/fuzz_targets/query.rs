//! Arbitrary text as the query of an operation: what is written reads back as itself, and nothing unknown is in it.
//! Knows nothing of bodies.
#![no_main]

use dockgate::docker::operations::TABLE;
use dockgate::docker::query;
use dockgate::docker::target::Target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str)| {
    let (choice, text) = input;
    let row = TABLE[usize::from(choice) % TABLE.len()].row();
    let Ok(target) = Target::parse(&format!("/x?{text}")) else { return };
    let Ok((query, _dropped)) = query::read(row, &target.query) else { return };
    let mut written = "/x".to_owned();
    query::write(&query, &mut written);
    assert!(written.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'), "{written}");
    let pairs = Target::parse(&written).expect("what is written is a target").query;
    let (again, dropped) = query::read(row, &pairs).expect("what is written is a query");
    assert!(dropped.is_empty(), "{written} dropped {dropped:?}");
    let plain = |query: &query::Query| query.iter().map(|(key, value)| (key.name, value.clone())).collect::<Vec<_>>();
    assert_eq!(plain(&again), plain(&query), "{written}");
});
