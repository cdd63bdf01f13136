//! One 512-byte header block as a typed value: names, kind, size and mode, or a fault.
//! Knows nothing of extensions, contents and of what may be extracted where.

use super::{bad, shown};
use crate::docker::Fault;

/// The size of every block.
pub const BLOCK: usize = 512;
/// No entry is larger; sums with it cannot overflow.
const MAX_SIZE: u64 = 1 << 60;
/// What an octal size field of eleven digits can hold; writers of pax headers leave it so, or at 0, for larger files.
const OCTAL_LIMIT: u64 = 0o777_7777_7777;

/// What a block says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Prefix and name.
    pub name: Vec<u8>,
    /// What a link points to.
    pub link: Vec<u8>,
    /// The kind of entry, or the extension that it is.
    pub flag: Flag,
    /// Bytes of content.
    pub size: u64,
    /// Permissions with set-id and sticky bits.
    pub mode: u64,
}

/// The type flags that are read; every other one is a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// A file.
    Regular,
    /// A second name of a file.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A directory.
    Directory,
    /// GNU: the content is the next entry's name.
    LongName,
    /// GNU: the content is the next entry's link target.
    LongLink,
    /// Pax: the content is records about the next entry.
    Pax,
    /// Pax: the content is records about all further entries.
    PaxGlobal,
}

impl Flag {
    /// True for blocks that only say something about a next one.
    pub fn is_extension(self) -> bool {
        matches!(self, Self::LongName | Self::LongLink | Self::Pax | Self::PaxGlobal)
    }
}

/// The dialects; where they lie differs between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    V7,
    Ustar,
    Gnu,
}

impl Header {
    /// Reads a block that is not all zero.
    ///
    /// # Errors
    /// Blocks that two readers could read in two ways.
    pub fn read(block: &[u8]) -> Result<Self, Fault> {
        if octal(part(block, 148, 8)) != Some(checksum(block)) {
            return Err(bad("a header's checksum"));
        }
        let dialect = dialect(block)?;
        let mut name = text(part(block, 0, 100))?;
        if dialect == Dialect::Ustar {
            let prefix = text(part(block, 345, 155))?;
            if !prefix.is_empty() {
                name = [prefix.as_slice(), b"/", &name].concat();
            }
        }
        let at = |what: &str| bad(&format!("{}: {what}", shown(&name)));
        let flag = flag(part(block, 156, 1)).ok_or_else(|| at("a type of entry that is not a file, a directory or a link"))?;
        let link = text(part(block, 157, 100))?;
        let size = number(part(block, 124, 12)).filter(|size| *size <= MAX_SIZE).ok_or_else(|| at("a size"))?;
        let mode = mode(part(block, 100, 8), flag).ok_or_else(|| at("a mode"))?;
        Ok(Self { name, link, flag, size, mode })
    }

    /// The size, where a pax record gives it too: only one that the octal field cannot hold may differ from it.
    pub fn size_with(&self, pax: Option<u64>) -> Option<u64> {
        match pax {
            None => Some(self.size),
            Some(size) => {
                let larger = size > OCTAL_LIMIT && (self.size == 0 || self.size == OCTAL_LIMIT);
                (size <= MAX_SIZE && (size == self.size || larger)).then_some(size)
            }
        }
    }
}

/// Readers take old headers without magic for old ones, and find the prefix by the magic: nothing in between is read.
fn dialect(block: &[u8]) -> Result<Dialect, Fault> {
    let rest_is_zero = |from: usize| block.get(from..).is_some_and(is_zero);
    match part(block, 257, 8) {
        // star hides times and a marker in the last bytes of the prefix
        b"ustar\x0000" if rest_is_zero(500) => Ok(Dialect::Ustar),
        // times, sparse maps and multi-volume offsets lie where ustar has its prefix
        b"ustar  \0" if rest_is_zero(345) => Ok(Dialect::Gnu),
        magic if is_zero(magic) && rest_is_zero(257) => Ok(Dialect::V7),
        _ => Err(bad("a header of another dialect than ustar, pax and plain GNU")),
    }
}

fn flag(byte: &[u8]) -> Option<Flag> {
    Some(match byte {
        b"0" | b"\0" => Flag::Regular,
        b"1" => Flag::HardLink,
        b"2" => Flag::Symlink,
        b"5" => Flag::Directory,
        b"L" => Flag::LongName,
        b"K" => Flag::LongLink,
        b"x" => Flag::Pax,
        b"g" => Flag::PaxGlobal,
        _ => return None,
    })
}

/// Old writers put the file's type into the mode too; one of another type would be believed by some readers.
fn mode(field: &[u8], flag: Flag) -> Option<u64> {
    let value = if is_zero(field) { 0 } else { octal(field)? };
    let of_type = match flag {
        Flag::Directory => 0o040_000,
        Flag::Symlink if value >> 12 == 0o12 => 0o120_000,
        // some writers give links the type of a file
        Flag::Regular | Flag::HardLink | Flag::Symlink => 0o100_000,
        // nothing is made of an extension, so nobody asks for its mode
        Flag::LongName | Flag::LongLink | Flag::Pax | Flag::PaxGlobal => return Some(0),
    };
    let bits = value & !0o7777;
    (bits == 0 || bits == of_type).then_some(value & 0o7777)
}

/// All bytes of the block, its own field counted as blanks.
fn checksum(block: &[u8]) -> u64 {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    sum(part(block, 0, 148)) + 8 * u64::from(b' ') + sum(part(block, 156, BLOCK - 156))
}

/// Text up to a NUL, with nothing after it.
fn text(field: &[u8]) -> Result<Vec<u8>, Fault> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let (text, rest) = field.split_at_checked(end).unwrap_or_default();
    if is_zero(rest) { Ok(text.to_vec()) } else { Err(bad("a name with bytes after its end")) }
}

/// Octal, or base-256 as GNU and others write it for large numbers.
fn number(field: &[u8]) -> Option<u64> {
    match field.split_first() {
        Some((0x80, rest)) => rest.iter().try_fold(0_u64, |sum, byte| sum.checked_mul(256)?.checked_add(u64::from(*byte))),
        Some(_) | None => octal(field),
    }
}

/// Blanks, octal digits, then blanks and NULs up to the end.
pub fn octal(field: &[u8]) -> Option<u64> {
    let text = field.trim_ascii_start();
    let end = text.iter().position(|byte| !(b'0'..=b'7').contains(byte)).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    let ended = rest.iter().all(|byte| matches!(byte, 0 | b' '));
    let value = digits.iter().try_fold(0_u64, |sum, digit| sum.checked_mul(8)?.checked_add(u64::from(*digit - b'0')));
    value.filter(|_| ended && !digits.is_empty())
}

/// True where all bytes are zero.
pub fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn part(block: &[u8], from: usize, length: usize) -> &[u8] {
    block.get(from..from + length).unwrap_or_default()
}

/// True where an engine would take the bytes for a compressed stream: gzip, bzip2, xz, zstd and its skippable frames.
pub fn is_compressed(start: &[u8]) -> bool {
    let magic: [&[u8]; 4] = [b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];
    let skippable = matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
    skippable || magic.iter().any(|magic| start.starts_with(magic))
}
