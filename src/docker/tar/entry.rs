//! An entry and whether it may be extracted: what its name, its links and its mode would do.
//! Knows nothing of blocks and bytes.

use std::collections::BTreeSet;

use super::header::Flag;
use super::refused;
use crate::docker::{Fault, FaultKind};

/// The longest path of Linux.
const MAX_PATH: usize = 4096;
/// All names of links that are remembered.
const MAX_LINK_BYTES: usize = 4 << 20;
/// The largest Dockerfile that is read.
const MAX_DOCKERFILE: u64 = 1 << 20;

/// A file, directory or link, with its extensions applied.
#[derive(Debug)]
pub struct Entry {
    /// Its name as written.
    pub name: Vec<u8>,
    /// What it links to.
    pub link: Vec<u8>,
    /// Its kind; never an extension.
    pub flag: Flag,
    /// Bytes of content.
    pub size: u64,
    /// Permissions with set-id bits.
    pub mode: u64,
    /// An extended attribute that gives rights.
    pub privileged: Option<String>,
}

/// What an archive is for.
#[derive(Debug)]
pub enum Use {
    /// Extracted into a container as it comes.
    Archive,
    /// A build context, with the names under which the engine looks for its Dockerfile.
    Build(Vec<Vec<u8>>),
}

/// The judge of entries: what it allows, and what it must remember for that.
#[derive(Debug)]
pub struct Rules {
    of: Use,
    links: BTreeSet<Vec<u8>>,
    link_bytes: usize,
    dockerfiles: BTreeSet<Vec<u8>>,
}

/// What is done with an entry's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// It passes unread.
    Passes,
    /// It is a Dockerfile.
    Dockerfile,
}

impl Rules {
    /// Rules for an archive of a use.
    pub fn new(of: Use) -> Self {
        Self { of, links: BTreeSet::new(), link_bytes: 0, dockerfiles: BTreeSet::new() }
    }

    /// The name of a header whose entry engines skip, though old ones make its parent folders.
    ///
    /// # Errors
    /// Names that leave the tree.
    pub fn skipped(&self, name: &[u8]) -> Result<(), Fault> {
        let clean = clean(name).map_err(|why| refused(name, why))?;
        self.through_link(&clean, name)
    }

    /// Judges an entry.
    ///
    /// # Errors
    /// Entries that are not extracted.
    pub fn judge(&mut self, entry: &Entry) -> Result<Content, Fault> {
        let name = clean(&entry.name).map_err(|why| refused(&entry.name, why))?;
        self.shape(entry, &name).map_err(|why| refused(&entry.name, why))?;
        self.through_link(&name, &entry.name)?;
        let target = self.link(entry, &name)?;
        match &self.of {
            Use::Archive => archive(entry, &name).map_err(|why| refused(&entry.name, why))?,
            Use::Build(dockerfiles) => {
                let fault = |why: &str| dockerfile_fault(&entry.name, why);
                if dockerfiles.iter().any(|file| is_below(file, &name)) && entry.flag != Flag::Directory {
                    return Err(fault("stands where the Dockerfile's folder is"));
                }
                if target.is_some_and(|target| dockerfiles.contains(&target)) {
                    return Err(fault("a second name of the Dockerfile"));
                }
                if dockerfiles.contains(&name) && entry.flag != Flag::Directory {
                    return self.dockerfile(entry, name);
                }
            }
        }
        Ok(Content::Passes)
    }

    fn shape(&self, entry: &Entry, name: &[u8]) -> Result<(), &'static str> {
        let directory = entry.flag == Flag::Directory;
        let links = matches!(entry.flag, Flag::Symlink | Flag::HardLink);
        match () {
            () if name.is_empty() && !directory => Err("the root of the archive is a directory"),
            () if entry.name.ends_with(b"/") && !directory => Err("only a directory's name ends with a slash"),
            () if links == entry.link.is_empty() => Err("only links have a target"),
            () if entry.flag != Flag::Regular && entry.size > 0 => Err("only files have content"),
            () => Ok(()),
        }
    }

    /// An engine would follow a link that it just made, and write elsewhere.
    fn through_link(&self, name: &[u8], written: &[u8]) -> Result<(), Fault> {
        let mut ends = name.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at).chain([name.len()]);
        let followed = !self.links.is_empty() && ends.any(|end| name.get(..end).is_some_and(|part| self.links.contains(part)));
        if followed { Err(refused(written, "lies behind a symbolic link of the same archive")) } else { Ok(()) }
    }

    /// Judges and remembers what a link points to; returns a hard link's target.
    fn link(&mut self, entry: &Entry, name: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let fault = |why: &str| refused(&entry.name, why);
        let (is_symlink, target) = match entry.flag {
            Flag::Symlink if entry.link.len() > MAX_PATH => return Err(fault("a link target that is too long")),
            Flag::Symlink => (true, None),
            Flag::HardLink => {
                let target = clean(&entry.link).map_err(|_| fault("a hard link that leaves the archive"))?;
                // a second name of a symbolic link is one too, and one behind it would leave
                self.through_link(&target, &entry.name)?;
                (false, Some(target))
            }
            Flag::Regular | Flag::Directory | Flag::LongName | Flag::LongLink | Flag::Pax | Flag::PaxGlobal => return Ok(None),
        };
        if is_symlink {
            self.link_bytes += name.len();
            if self.link_bytes > MAX_LINK_BYTES {
                return Err(fault("too many symbolic links"));
            }
            self.links.insert(name.to_vec());
        }
        Ok(target)
    }

    /// The engine reads the last one of the name, and follows links to it.
    fn dockerfile(&mut self, entry: &Entry, name: Vec<u8>) -> Result<Content, Fault> {
        let fault = |why: &str| Err(dockerfile_fault(&entry.name, why));
        if entry.flag != Flag::Regular {
            return fault("the Dockerfile must be a file, not a link");
        }
        if entry.size > MAX_DOCKERFILE {
            return fault("the Dockerfile is too large");
        }
        if self.dockerfiles.insert(name) { Ok(Content::Dockerfile) } else { fault("a second Dockerfile") }
    }
}

fn dockerfile_fault(name: &[u8], why: &str) -> Fault {
    Fault::new(FaultKind::Dockerfile, format!("{}: {why}", super::shown(name)))
}

/// What goes into a container that runs.
fn archive(entry: &Entry, name: &[u8]) -> Result<(), &'static str> {
    match () {
        () if entry.mode & 0o6000 != 0 => Err("the setuid or setgid bit"),
        () if entry.privileged.is_some() => Err("an extended attribute that gives rights"),
        () if name.split(|byte| *byte == b'/').any(|part| part.starts_with(b".wh.")) => Err("a whiteout's name"),
        () if entry.flag == Flag::Symlink && leaves(name, &entry.link) => Err("a symbolic link that leaves the archive"),
        () => Ok(()),
    }
}

/// True where a relative target, from its link's folder, climbs above the root on any step.
fn leaves(name: &[u8], target: &[u8]) -> bool {
    let mut depth = name.iter().filter(|byte| **byte == b'/').count();
    target.starts_with(b"/")
        || target.split(|byte| *byte == b'/').any(|part| match part {
            b"" | b"." => false,
            b".." if depth == 0 => true,
            b".." => {
                depth -= 1;
                false
            }
            _ => {
                depth += 1;
                false
            }
        })
}

/// A relative name without `.` and double slashes; empty for the root.
pub fn clean(name: &[u8]) -> Result<Vec<u8>, &'static str> {
    let parts: Vec<&[u8]> = name.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).collect();
    match () {
        () if name.is_empty() => Err("an empty name"),
        () if name.starts_with(b"/") => Err("an absolute name"),
        () if name.len() > MAX_PATH => Err("a name that is too long"),
        () if parts.contains(&&b".."[..]) => Err("a name with dot-dot"),
        () => Ok(parts.join(&b'/')),
    }
}

/// True where a path lies below a folder.
fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/"))
}
