//! Arbitrary bytes as a request head: one answer however they arrive, and a canonical target that reads back as itself.
//! Knows nothing of bodies.
#![no_main]

use dockgate::docker::action::Action;
use dockgate::docker::head::Head;
use dockgate::docker::target::Target;
use dockgate::docker::{Endpoint, Fault, registry_auth};
use libfuzzer_sys::fuzz_target;

type Parsed = Result<Option<(Head, usize)>, Fault>;

fuzz_target!(|wire: &[u8]| {
    let whole = Head::parse(wire);
    arrives_bit_by_bit(wire, &whole);
    if let Ok(Some((head, length))) = &whole {
        ends_where_it_says(wire, head, *length);
        is_rewritten_to_itself(head);
    }
});

/// Every prefix is either not enough yet or already has the answer of the whole.
fn arrives_bit_by_bit(wire: &[u8], whole: &Parsed) {
    // all of them would be quadratic; the stride still meets every offset over many inputs
    let stride = 1 + wire.len() / 256;
    for end in (0..wire.len()).step_by(stride) {
        let prefix = Head::parse(&wire[..end]);
        assert!(prefix == Ok(None) || prefix == *whole, "prefix of {end}: {prefix:?}, whole: {whole:?}");
    }
}

fn ends_where_it_says(wire: &[u8], head: &Head, length: usize) {
    assert!(wire[..length].ends_with(b"\r\n\r\n"));
    assert_eq!(Head::parse(&wire[..length - 1]), Ok(None));
    assert_eq!(Head::parse(&wire[..length]), Ok(Some((head.clone(), length))));
}

fn is_rewritten_to_itself(head: &Head) {
    let Ok(endpoint) = Endpoint::find(head) else { return };
    let body: &[u8] = if endpoint.operation.row().body.object().is_some() { b"{}" } else { b"" };
    let Ok(action) = Action::build(head, endpoint, body) else { return };
    let written = action.target();
    assert!(written.bytes().all(|b| b.is_ascii_graphic()), "{written}");
    let again = Head { target: Target::parse(&written).expect("the canonical target parses"), ..head.clone() };
    let endpoint = Endpoint::find(&again).expect("the canonical target routes");
    assert_eq!(endpoint, action.endpoint);
    let second = Action::build(&again, endpoint, body).expect("the canonical target builds");
    assert_eq!(second.target(), written);
    assert_eq!(second.version, action.version);
    let pairs = |action: &Action| action.query.iter().map(|(key, value)| (key.name, value.clone())).collect::<Vec<_>>();
    assert_eq!(pairs(&second), pairs(&action));
    assert!(second.dropped.iter().all(|name| !name.starts_with('?')), "{:?}", second.dropped);
    if let Some(auth) = action.registry_auth {
        assert_eq!(registry_auth::auth(&auth), Ok(Some(auth)));
    }
    if let Some(config) = action.registry_config {
        assert_eq!(registry_auth::config(&config), Ok(Some(config)));
    }
}
