//! The names of a trail's files, all made from the configured one.
//! Knows nothing of what is in them.

use std::io;
use std::path::{Path, PathBuf};

/// `audit.jsonl`, `audit.000001.jsonl`, `audit.checkpoints`, `audit.key`, `audit.pub`, `audit.torn`.
#[derive(Debug, Clone)]
pub(super) struct Names {
    folder: PathBuf,
    stem: String,
    extension: String,
}

impl Names {
    /// The names beside this file.
    ///
    /// # Errors
    /// When it has no name, or a name that is no text.
    pub fn of(file: &Path) -> io::Result<Self> {
        let text = |part: Option<&std::ffi::OsStr>| part.and_then(|part| part.to_str()).map(str::to_owned);
        let stem = text(file.file_stem()).ok_or_else(|| io::Error::other("the file has no name that is text"))?;
        let extension = text(file.extension()).map(|extension| format!(".{extension}")).unwrap_or_default();
        if [".checkpoints", ".key", ".pub", ".torn"].contains(&extension.as_str()) {
            return Err(io::Error::other(format!("`{extension}` is the name of a file beside the trail")));
        }
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf();
        Ok(Self { folder, stem, extension })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn current(&self) -> PathBuf {
        self.folder.join(format!("{}{}", self.stem, self.extension))
    }

    /// The file with this number, once it is no longer the current one.
    pub fn rotated(&self, number: u32) -> PathBuf {
        self.folder.join(self.rotated_name(number))
    }

    pub fn rotated_name(&self, number: u32) -> String {
        format!("{}.{number:06}{}", self.stem, self.extension)
    }

    /// `checkpoints`, `key`, `pub`, `torn`.
    pub fn beside(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.stem))
    }

    /// The numbers of the rotated files that are there, in order.
    pub fn numbers(&self) -> io::Result<Vec<u32>> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let middle = name.to_str().and_then(|name| name.strip_prefix(&self.stem)?.strip_prefix('.')?.strip_suffix(&self.extension));
            let digits = middle.filter(|middle| middle.len() >= 6 && middle.bytes().all(|byte| byte.is_ascii_digit()));
            numbers.extend(digits.and_then(|digits| digits.parse::<u32>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_everything_after_the_configured_file() {
        let names = Names::of(Path::new("/var/log/audit.jsonl")).unwrap();
        assert_eq!(names.current(), Path::new("/var/log/audit.jsonl"));
        assert_eq!(names.rotated(7), Path::new("/var/log/audit.000007.jsonl"));
        assert_eq!(names.beside("key"), Path::new("/var/log/audit.key"));
        assert_eq!(Names::of(Path::new("trail")).unwrap().rotated(1), Path::new("./trail.000001"));
        assert!(Names::of(Path::new("/var/log/audit.key")).is_err());
    }
}
