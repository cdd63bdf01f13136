//! Runs of plain characters in JSON text, looked at eight bytes at once.
//! Knows nothing of values.

/// True for the first byte of a character that may have to be escaped; 0xE2 begins U+2028 and U+2029.
pub(super) fn escapes(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1f | 0x7f | 0xe2)
}

/// False where none of eight bytes [`escapes`].
pub(super) fn may_escape(word: u64) -> bool {
    ends_run(word) || holds(word, 0x7f) || holds(word, 0xe2)
}

/// How many bytes stand before the first that `is` true of. They are looked at by eights, as most texts are long and plain: `may_be`
/// is true of eight bytes if `is` is true of one.
pub(super) fn before(text: &str, may_be: fn(u64) -> bool, is: fn(u8) -> bool) -> usize {
    let (eights, _) = text.as_bytes().as_chunks();
    let skipped = eights.iter().take_while(|eight| !may_be(u64::from_le_bytes(**eight))).count() * 8;
    let rest = text.as_bytes().get(skipped..).unwrap_or_default();
    skipped + rest.iter().position(|byte| is(*byte)).unwrap_or(rest.len())
}

/// How many bytes at the front of a text stand in JSON as they are.
pub fn plain_prefix(text: &str) -> usize {
    before(text, ends_run, ends)
}

/// True for a byte that ends a run of plain characters in JSON text: a quote, a backslash, and what must not stand there.
pub(super) fn ends(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1f)
}

/// True where one of eight bytes [`ends`] a run.
pub(super) fn ends_run(word: u64) -> bool {
    holds(word, b'"') || holds(word, b'\\') || word.wrapping_sub(each(0x20)) & !word & each(0x80) != 0
}

/// True where one of eight bytes is this one.
fn holds(word: u64, byte: u8) -> bool {
    let zero = word ^ each(byte);
    zero.wrapping_sub(each(1)) & !zero & each(0x80) != 0
}

/// Eight times this byte.
const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}
