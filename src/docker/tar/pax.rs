//! What stands in front of an entry: GNU long names and pax records, read into what they change about it.
//! Knows nothing of headers' other fields.

use super::header::{Flag, is_zero};
use super::{bad, shown};
use crate::docker::Fault;

/// The longest content of an extension.
pub const MAX_EXTENSION: u64 = 64 * 1024;

/// What extensions say about the next entry.
#[derive(Debug, Default)]
pub struct Extension {
    /// Its name.
    pub name: Option<Vec<u8>>,
    /// Its link target.
    pub link: Option<Vec<u8>>,
    /// Its size.
    pub size: Option<u64>,
    /// An extended attribute that gives rights, like file capabilities.
    pub privileged: Option<String>,
    gnu: bool,
    pax: bool,
    global: bool,
}

impl Extension {
    /// True where nothing stands in front of the next entry.
    pub fn is_empty(&self) -> bool {
        !self.gnu && !self.pax
    }

    /// Adds the content of an extension. GNU's and pax's never stand together, since readers rank them differently.
    ///
    /// # Errors
    /// What two readers could read in two ways.
    pub fn add(&mut self, flag: Flag, content: &[u8]) -> Result<(), Fault> {
        match flag {
            Flag::LongName if !self.pax && self.name.is_none() => self.name = Some(long(content)?),
            Flag::LongLink if !self.pax && self.link.is_none() => self.link = Some(long(content)?),
            Flag::Pax if self.is_empty() => return self.records(content),
            Flag::PaxGlobal if self.is_empty() => return Self { global: true, ..Self::default() }.records(content),
            Flag::LongName | Flag::LongLink | Flag::Pax | Flag::PaxGlobal => return Err(bad("extensions that contradict each other")),
            Flag::Regular | Flag::HardLink | Flag::Symlink | Flag::Directory => return Err(bad("an extension")),
        }
        self.gnu = true;
        Ok(())
    }

    fn records(&mut self, mut content: &[u8]) -> Result<(), Fault> {
        self.pax = true;
        let mut seen = std::collections::BTreeSet::new();
        while !content.is_empty() {
            let (key, value, rest) = record(content).ok_or_else(|| bad("a pax record"))?;
            if !seen.insert(key) {
                return Err(bad(&format!("pax key {} twice", shown(key))));
            }
            self.record(key, value)?;
            content = rest;
        }
        Ok(())
    }

    /// The engine drops global records, other readers apply them: there they may not touch what is judged.
    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        let fault = || bad(&format!("pax key {}", shown(key)));
        let name = || Some(value).filter(|value| !value.is_empty() && !value.contains(&0)).map(<[u8]>::to_vec).ok_or_else(fault);
        match key {
            b"path" | b"linkpath" | b"size" if self.global => return Err(fault()),
            b"path" => self.name = Some(name()?),
            b"linkpath" => self.link = Some(name()?),
            b"size" => self.size = Some(decimal(value).ok_or_else(fault)?),
            b"mtime" | b"atime" | b"ctime" | b"uid" | b"gid" | b"uname" | b"gname" | b"comment" => {}
            _ if gives_rights(key) => self.privileged = Some(shown(key)),
            _ if is_inert(key) => {}
            _ => return Err(fault()),
        }
        Ok(())
    }
}

/// A GNU long name ends with a NUL and says nothing after it.
fn long(content: &[u8]) -> Result<Vec<u8>, Fault> {
    let end = content.iter().position(|byte| *byte == 0).unwrap_or(content.len());
    match content.split_at_checked(end) {
        Some((name, rest)) if !name.is_empty() && is_zero(rest) => Ok(name.to_vec()),
        Some(_) | None => Err(bad("a long name")),
    }
}

/// `LENGTH key=value\n`, where LENGTH counts all of it.
fn record(content: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = content.iter().take(8).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(content.get(..blank)?)?).ok()?;
    let (whole, rest) = content.split_at_checked(length)?;
    let pair = whole.get(blank + 1..)?.strip_suffix(b"\n")?;
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (pair.get(..equals)?, pair.get(equals + 1..)?);
    (!key.is_empty() && !key.contains(&0)).then_some((key, value, rest))
}

/// Digits without a sign and without leading zeros.
fn decimal(text: &[u8]) -> Option<u64> {
    let plain = text.iter().all(u8::is_ascii_digit) && (text == b"0" || !text.starts_with(b"0"));
    if plain { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// Attributes that the kernel reads as rights: file capabilities, labels, access lists, overlay's markers.
fn gives_rights(key: &[u8]) -> bool {
    let attribute = key.strip_prefix(b"SCHILY.xattr.");
    attribute.is_some_and(|name| [&b"security."[..], b"trusted.", b"system."].iter().any(|space| name.starts_with(space)))
}

/// Vendors' records that no engine reads, and attributes of users. Sparse maps (`GNU.sparse`, `SCHILY.realsize`) and
/// `hdrcharset` change how all else is read and are not among them.
fn is_inert(key: &[u8]) -> bool {
    let exact: [&[u8]; 4] = [b"SCHILY.dev", b"SCHILY.ino", b"SCHILY.nlink", b"SCHILY.fflags"];
    let families: [&[u8]; 5] = [b"SCHILY.xattr.", b"SCHILY.acl.", b"LIBARCHIVE.", b"RHT.security.", b"MSWINDOWS."];
    exact.contains(&key) || families.iter().any(|family| key.starts_with(family))
}
