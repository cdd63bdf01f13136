//! The operations on files that the writer needs, for real files and for streams.
//! Knows nothing of chains and of when anything is written.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::names::Names;
use super::settings::Place;

/// `O_NOFOLLOW` on Linux: no file of the trail is opened through a link.
const O_NOFOLLOW: i32 = 0o400_000;

/// What the writer does to the trail's files.
pub(super) trait Disk: Send {
    /// Appends; may take less than it is given.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Puts what was written on disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the current file back to this length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// False where what was written cannot be taken back.
    fn can_cut(&self) -> bool;
    /// Bytes that the disk still has room for, as far as it says.
    fn room(&self) -> u64 {
        u64::MAX
    }
    /// Gives the current file the name that it will have from now on, and goes on writing it.
    fn set_aside(&mut self, number: u32) -> io::Result<()>;
    /// Makes the file that was set aside read-only and begins a new one.
    fn begin(&mut self) -> io::Result<()>;
    /// The name of the rotated file with this number.
    fn name(&self, number: u32) -> String;
    /// The names of the oldest rotated files, where there will be more than these.
    fn excess(&self, keep: usize) -> io::Result<Vec<String>>;
    /// Removes rotated files by their names.
    fn remove(&mut self, names: &[String]) -> io::Result<()>;
    /// Keeps a signed checkpoint.
    fn note(&mut self, note: &str) -> io::Result<()>;
}

/// Opens a file for appending: 0600 where it is new, a regular file with one name, never through a link, and locked.
pub(super) fn own(path: &Path, new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o600).custom_flags(O_NOFOLLOW);
    let file = if new { options.create_new(true).open(path)? } else { options.create(true).open(path)? };
    single(&file)?;
    file.try_lock().map_err(|error| io::Error::other(format!("another process writes it: {error}")))?;
    Ok(file)
}

/// Opens a file for reading, never through a link.
pub(super) fn existing(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW).open(path)?;
    single(&file)?;
    Ok(file)
}

fn single(file: &File) -> io::Result<()> {
    let data = file.metadata()?;
    if data.is_file() && data.nlink() == 1 { Ok(()) } else { Err(io::Error::other("not a regular file of its own")) }
}

/// Puts names of a folder on disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Real files.
pub(super) struct Files {
    names: Names,
    file: File,
    /// The number that the current file was set aside with.
    aside: Option<u32>,
    notes: File,
    second: Second,
}

enum Second {
    None,
    Stdout,
    File(File),
}

impl Files {
    /// The files of a trail whose current one is open.
    ///
    /// # Errors
    /// When the checkpoints or their second place cannot be opened.
    pub fn new(names: Names, file: File, second: Option<&Place>) -> io::Result<Self> {
        let named = |path: &Path, error: io::Error| io::Error::new(error.kind(), format!("`{}`: {error}", path.display()));
        let open = |path: PathBuf| own(&path, false).and_then(whole_notes).map_err(|error| named(&path, error));
        let notes = open(names.beside("checkpoints"))?;
        let second = match second {
            None => Second::None,
            Some(Place::Stdout) => Second::Stdout,
            Some(Place::File(path)) => Second::File(open(path.clone())?),
        };
        sync_folder(names.folder())?;
        Ok(Self { names, file, aside: None, notes, second })
    }
}

/// Cuts off a checkpoint that a crash tore; each one ends with an empty line.
fn whole_notes(mut file: File) -> io::Result<File> {
    /// More than any checkpoint has.
    const TAIL: u64 = 32 << 10;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    (&file).take(TAIL).read_to_end(&mut tail)?;
    let end = tail.windows(2).rposition(|pair| pair == b"\n\n").map_or(0, |at| at as u64 + 2);
    let good = if from > 0 && end == 0 { length } else { from + end };
    if good < length {
        tracing::warn!(bytes = length - good, "a torn checkpoint was cut off");
        file.set_len(good)?;
    }
    Ok(file)
}

/// Appends all of it, or nothing. It is not put on disk: a checkpoint that a power cut takes is missing, and harms nothing.
fn append(file: &mut File, text: &str) -> io::Result<()> {
    let length = file.metadata()?.len();
    let written = file.write_all(text.as_bytes());
    if written.is_err() {
        file.set_len(length)?;
    }
    written
}

impl Disk for Files {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn can_cut(&self) -> bool {
        true
    }

    /// Some file systems have no blocks to count, and say so by zeros.
    fn room(&self) -> u64 {
        let told = rustix::fs::fstatvfs(&self.file).ok().filter(|disk| disk.f_blocks > 0);
        told.map_or(u64::MAX, |disk| disk.f_bfree.saturating_mul(disk.f_frsize))
    }

    fn set_aside(&mut self, number: u32) -> io::Result<()> {
        if self.aside.is_some() {
            return Ok(());
        }
        let name = self.names.rotated(number);
        if std::fs::symlink_metadata(&name).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("`{}` exists already", name.display())));
        }
        std::fs::rename(self.names.current(), name)?;
        self.aside = Some(number);
        sync_folder(self.names.folder())
    }

    fn begin(&mut self) -> io::Result<()> {
        self.file.set_permissions(Permissions::from_mode(0o400))?;
        let file = own(&self.names.current(), true)?;
        if let Err(error) = sync_folder(self.names.folder()) {
            std::fs::remove_file(self.names.current())?; // the next try makes it again
            return Err(error);
        }
        (self.file, self.aside) = (file, None);
        Ok(())
    }

    fn name(&self, number: u32) -> String {
        self.names.rotated_name(number)
    }

    fn excess(&self, keep: usize) -> io::Result<Vec<String>> {
        let numbers = self.names.numbers()?;
        let many = numbers.len().saturating_sub(keep);
        // what is written now is never among them
        let old = numbers.iter().take(many).filter(|number| Some(**number) != self.aside);
        Ok(old.map(|number| self.names.rotated_name(*number)).collect())
    }

    fn remove(&mut self, names: &[String]) -> io::Result<()> {
        names.iter().try_for_each(|name| std::fs::remove_file(self.names.folder().join(name)))?;
        sync_folder(self.names.folder())
    }

    fn note(&mut self, note: &str) -> io::Result<()> {
        let text = format!("{note}\n");
        append(&mut self.notes, &text)?;
        match &mut self.second {
            Second::None => Ok(()),
            Second::Stdout => io::stdout().write_all(text.as_bytes()),
            Second::File(file) => append(file, &text),
        }
    }
}

/// A stream: what is written cannot be taken back, and there are no checkpoints.
pub(super) struct Stream(Box<dyn Write + Send>);

impl Stream {
    pub fn new(sink: Box<dyn Write + Send>) -> Self {
        Self(sink)
    }
}

impl Disk for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn cut(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn can_cut(&self) -> bool {
        false
    }

    fn set_aside(&mut self, _: u32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn begin(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn name(&self, _: u32) -> String {
        String::new()
    }

    fn excess(&self, _: usize) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn remove(&mut self, _: &[String]) -> io::Result<()> {
        Ok(())
    }

    fn note(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }
}
