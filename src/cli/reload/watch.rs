//! When files have changed and stand still again.
//! Knows nothing of what they hold.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::config::digest;

use super::super::load;

/// What a file looks like from outside; `None` where it cannot be seen.
type Stamp = Option<Seen>;

/// Size and times alone would miss a link that was turned to a file of the same age, and a writer that turns times back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// One look at all files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look(Vec<Stamp>);

/// Tells a change that is over from one that goes on: half a file may well be valid, and open what the other half denies.
#[derive(Debug, Default)]
pub struct Watch {
    settled: Option<Look>,
    last: Option<Look>,
}

impl Watch {
    /// True once for every change: when the files look as they did at the last look, and not as they did when this was last true.
    pub fn settled(&mut self, now: Look) -> bool {
        let still = self.last.as_ref() == Some(&now);
        let new = still && self.settled.as_ref() != Some(&now);
        if new {
            self.settled = Some(now.clone());
        }
        self.last = Some(now);
        new
    }
}

/// Looks at the files, through links.
pub fn look(files: &[PathBuf]) -> Look {
    Look(files.iter().map(|file| stamp(file)).collect())
}

fn stamp(file: &Path) -> Stamp {
    let found = std::fs::metadata(file).ok()?;
    Some(Seen {
        device: found.dev(),
        inode: found.ino(),
        size: found.size(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    })
}

/// What tells one state of the files from another: the digest of the configuration's text, and the bytes of the files beside it.
pub fn fingerprint(text: &str, beside: &[PathBuf]) -> String {
    let mut all = text.to_owned();
    for file in beside {
        let bytes = load::bytes(&file.display().to_string()).map(|bytes| format!("{:x}", Sha256::digest(bytes)));
        all.push_str(bytes.as_deref().unwrap_or("unreadable"));
    }
    digest(&all)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn seen(size: u64) -> Look {
        Look(vec![Some(Seen { device: 1, inode: 1, size, modified: (1, 1), changed: (1, 1) })])
    }

    #[test]
    fn a_change_counts_once_and_only_when_it_is_over() {
        let mut watch = Watch::default();
        let gone = Look(vec![None]);
        let looks = [
            (seen(1), false),
            (seen(1), true), // the first state of all
            (seen(1), false),
            (seen(2), false), // still being written
            (seen(3), false),
            (seen(3), true),
            (seen(3), false),
            (gone.clone(), false), // between two steps of an editor
            (seen(4), false),
            (seen(4), true),
            (gone.clone(), false),
            (gone, true),
            (seen(4), false),
            (seen(4), true),
            (seen(5), false),
            (seen(4), false), // turned back before anyone looked at it
            (seen(4), false),
        ];
        for (at, (look, settled)) in looks.into_iter().enumerate() {
            assert_eq!(watch.settled(look), settled, "look {at}");
        }
    }

    #[test]
    fn sees_a_link_that_is_turned_to_a_twin_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["1", "2"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("dockgate.toml"), "version = 1").unwrap();
        }
        symlink("1", at("data")).unwrap();
        symlink("data/dockgate.toml", at("dockgate.toml")).unwrap();
        let files = [at("dockgate.toml")];
        let before = look(&files);
        assert_eq!(before, look(&files));
        symlink("2", at("new")).unwrap();
        fs::rename(at("new"), at("data")).unwrap();
        assert_ne!(before, look(&files));
    }

    #[test]
    fn the_files_beside_the_configuration_count() {
        let folder = tempfile::tempdir().unwrap();
        let beside = [folder.path().join("approved")];
        let missing = fingerprint("same", &beside);
        fs::write(&beside[0], "a").unwrap();
        let written = fingerprint("same", &beside);
        fs::write(&beside[0], "b").unwrap();
        assert!(
            missing != written && written != fingerprint("same", &beside) && fingerprint("same", &beside) != fingerprint("other", &beside)
        );
    }
}
