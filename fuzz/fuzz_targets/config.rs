//! Arbitrary text as a configuration: no panic, every diagnostic points into the text, and what has errors is no configuration.
//! Knows nothing of what the configuration means.
#![no_main]

use dockgate::config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let loaded = config::load("fuzz.toml", text);
    let lines = text.lines().count().max(1) + 1;
    for diagnostic in &loaded.diagnostics {
        assert!((1..=lines).contains(&diagnostic.line), "line {} of {lines}: {}", diagnostic.line, diagnostic.message);
        assert!(!diagnostic.render(text, false).is_empty());
    }
    let wrong = loaded.diagnostics.iter().any(config::Diagnostic::is_error);
    assert_eq!(loaded.config.is_none(), wrong);
});
