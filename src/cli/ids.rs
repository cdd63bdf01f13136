//! Who this process is and whose a file is: numbers, with the names that this machine has for them.
//! Knows nothing of what anybody may do.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The user and the groups that this process runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// The user.
    pub uid: u32,
    /// The first group and the supplementary ones.
    pub groups: Vec<u32>,
    /// Whether access bits do not stop it: root, unless its capabilities were dropped.
    pub overrides: bool,
}

impl Me {
    /// This process.
    pub fn here() -> Self {
        let first = rustix::process::getegid().as_raw();
        let more = rustix::process::getgroups().unwrap_or_default();
        let groups = std::iter::once(first).chain(more.into_iter().map(rustix::process::Gid::as_raw)).collect();
        Self {
            uid: rustix::process::geteuid().as_raw(),
            groups,
            overrides: overrides(&fs::read_to_string("/proc/self/status").unwrap_or_default()),
        }
    }

    /// Whether these access bits let this process do all of `wanted` (4 read, 2 write, 1 enter).
    pub fn may(&self, owner: &Owner, wanted: u32) -> bool {
        let shift = match (self.uid == owner.uid, self.groups.contains(&owner.gid)) {
            (true, _) => 6,
            (false, true) => 3,
            (false, false) => 0,
        };
        self.overrides || owner.mode >> shift & wanted == wanted
    }
}

/// Whether the effective capabilities of a `/proc/PID/status` hold `CAP_DAC_OVERRIDE`, which is bit 1.
fn overrides(status: &str) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).is_some_and(|bits| bits & 2 != 0)
}

/// Whose a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The access bits.
    pub mode: u32,
}

impl Owner {
    /// Of a file.
    pub fn of(meta: &Metadata) -> Self {
        Self { uid: meta.uid(), gid: meta.gid(), mode: meta.mode() & 0o7777 }
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "belongs to user {} and group {}, mode {:04o}", user(self.uid), group(self.gid), self.mode)
    }
}

/// `root (0)`, or the number alone where it has no name here.
pub fn user(uid: u32) -> String {
    shown(uid, user_name(uid))
}

/// `docker (998)`, or the number alone where it has no name here.
pub fn group(gid: u32) -> String {
    shown(gid, group_name(gid))
}

/// The name of a user, where this machine has one.
pub fn user_name(uid: u32) -> Option<String> {
    name("/etc/passwd", uid)
}

/// The name of a group, where this machine has one.
pub fn group_name(gid: u32) -> Option<String> {
    name("/etc/group", gid)
}

fn shown(id: u32, name: Option<String>) -> String {
    name.map_or_else(|| id.to_string(), |name| format!("{name} ({id})"))
}

fn name(file: &str, id: u32) -> Option<String> {
    named(&fs::read_to_string(file).ok()?, id)
}

/// `name:x:number:...`
fn named(table: &str, id: u32) -> Option<String> {
    table.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    })
}

/// The path itself, or the first folder above it that is there, with whose it is.
pub fn nearest(path: &Path) -> Option<(PathBuf, Owner)> {
    path.ancestors().find_map(|place| Some((place.to_owned(), Owner::of(&fs::metadata(place).ok()?))))
}

/// The first folder on the way to a path that this process may not enter.
pub fn closed(path: &Path, me: &Me) -> Option<(PathBuf, Owner)> {
    let mut folders: Vec<&Path> = path.ancestors().skip(1).collect();
    folders.reverse();
    folders.into_iter().find_map(|folder| {
        let owner = Owner::of(&fs::metadata(folder).ok()?);
        (!me.may(&owner, 1)).then(|| (folder.to_owned(), owner))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_name_of_its_line() {
        let table = "root:x:0:\nbroken\ndocker:x:998:me,you\n";
        assert_eq!((named(table, 998), named(table, 99)), (Some("docker".to_owned()), None));
        assert_eq!(shown(998, named(table, 998)), "docker (998)");
        assert_eq!(shown(7, None), "7");
    }

    #[test]
    fn the_first_bits_that_concern_a_user_decide() {
        let me = Me { uid: 1000, groups: vec![1000, 998], overrides: false };
        let socket = |uid, gid, mode| Owner { uid, gid, mode };
        assert!(me.may(&socket(0, 998, 0o660), 6) && me.may(&socket(0, 0, 0o666), 6) && me.may(&socket(1000, 0, 0o600), 6));
        assert!(!me.may(&socket(0, 997, 0o660), 6) && !me.may(&socket(1000, 998, 0o060), 6) && !me.may(&socket(0, 998, 0o606), 6));
        let root = |overrides| Me { uid: 0, groups: vec![], overrides };
        assert!(root(true).may(&socket(1, 1, 0), 7) && !root(false).may(&socket(1, 1, 0o660), 6));
        assert!(overrides("Name:\tx\nCapEff:\t000001ffffffffff\n") && !overrides("CapEff:\t0000000000000400\n") && !overrides(""));
    }
}
