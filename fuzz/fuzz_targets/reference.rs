//! Arbitrary text as an image reference: what is accepted is completed once and for all.
//! Knows nothing of registries.
#![no_main]

use dockgate::docker::reference::ImageName;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(ImageName::Named(reference)) = text.parse() else { return };
    let complete = reference.to_string();
    let again = complete.parse::<ImageName>();
    let Ok(ImageName::Named(again)) = again else { panic!("`{text}` completes to `{complete}`, which reads as {again:?}") };
    assert_eq!((&again.repository, &again.tag, &again.digest), (&reference.repository, &reference.tag, &reference.digest), "{text}");
    assert!(!again.repository.split('/').any(|part| matches!(part, "" | "." | "..")), "{text}: {complete}");
    assert!(again.repository.contains('/') && complete.is_ascii(), "{text}: {complete}");
});
