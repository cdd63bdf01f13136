//! Arbitrary bytes as archives: no panic, the same answer and the same released bytes at every split.
//! Knows nothing of what an archive is for beyond its two uses.
#![no_main]

use dockgate::docker::Fault;
use dockgate::docker::tar::{BuildArgs, Dockerfile, Walker};
use libfuzzer_sys::fuzz_target;

const BLOCK: usize = 512;

fuzz_target!(|input: &[u8]| {
    let Some((first, rest)) = input.split_first() else { return };
    let mut bytes = rest.to_vec();
    if first & 1 == 1 {
        repair(&mut bytes);
    }
    for build in [false, true] {
        let whole = walk(build, &bytes, bytes.len().max(1));
        assert!(whole.1 <= bytes.len() as u64);
        assert!(whole.0.is_some() || whole.1 == bytes.len() as u64, "what is fine goes whole");
        for size in [1, usize::from(*first) + 2, BLOCK - 1] {
            assert_eq!(walk(build, &bytes, size), whole);
        }
    }
});

fn walk(build: bool, bytes: &[u8], size: usize) -> (Option<Fault>, u64, Vec<Dockerfile>) {
    let args = BuildArgs::read(r#"{"A":"b","C":null}"#);
    let mut walker = if build { Walker::build(None, args).expect("the default name") } else { Walker::archive() };
    let pushed = bytes.chunks(size).try_for_each(|piece| {
        let before = walker.released();
        let pushed = walker.push(piece);
        assert!(walker.released() >= before, "what is released stays so");
        pushed
    });
    let fault = pushed.and_then(|()| walker.finish()).err();
    (fault, walker.released(), walker.take_dockerfiles())
}

/// Writes right checksums into all blocks that begin like a header, and two blocks of zeros at the end.
fn repair(bytes: &mut Vec<u8>) {
    for block in bytes.chunks_exact_mut(BLOCK) {
        if block[257..262] == *b"ustar" {
            block[148..156].copy_from_slice(b"        ");
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    bytes.resize(bytes.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
}
