//! The walk over a tar as its bytes arrive: bounded, the same at every split, and ahead of what may go on.
//! Knows nothing of where bytes come from or go to.

use super::dockerfile::{self, BuildArgs, Dockerfile};
use super::entry::{Content, Entry, Rules, Use, clean};
use super::header::{BLOCK, Flag, Header, is_compressed, is_zero};
use super::pax::{Extension, MAX_EXTENSION};
use super::{bad, shown};
use crate::docker::{Fault, FaultKind};

/// The name under which an engine looks for a Dockerfile when it is told none; then it tries lower case too.
const DEFAULT: &str = "Dockerfile";

/// Reads an archive piece by piece. After a fault nothing more is released.
#[derive(Debug)]
pub struct Walker {
    state: State,
    rules: Rules,
    args: BuildArgs,
    extension: Extension,
    kept: Vec<u8>,
    position: u64,
    released: u64,
    dockerfiles: Vec<Dockerfile>,
    fault: Option<Fault>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// A header, which is kept until it is whole.
    Head,
    /// Content or padding that passes.
    Skip(u64),
    /// Content that is kept.
    Keep(Kept, u64),
    /// Padding of an extension: held back with it.
    Pad(u64),
    /// A first block of zeros.
    Half,
    /// Both blocks of zeros.
    End,
}

#[derive(Debug, Clone, Copy)]
enum Kept {
    Extension(Flag),
    Dockerfile,
}

impl Walker {
    /// For what is extracted into a container.
    pub fn archive() -> Self {
        Self::new(Use::Archive, BuildArgs::default())
    }

    /// For a build context, with the Dockerfile's name and the build arguments of the query.
    ///
    /// # Errors
    /// A name that leaves the context.
    pub fn build(dockerfile: Option<&str>, args: BuildArgs) -> Result<Self, Fault> {
        let name = dockerfile.filter(|name| !name.is_empty()).unwrap_or(DEFAULT);
        // the engine resolves the name inside the context, where a leading slash says nothing
        let relative = name.trim_start_matches('/').as_bytes();
        let fault = |_| Fault::new(FaultKind::Dockerfile, format!("?dockerfile {}", shown(name.as_bytes())));
        let clean = clean(relative).map_err(fault)?;
        // Podman reads a JSON list of names here, and runs what ends in `.in` through a preprocessor
        if name.trim_start().starts_with('[') || name.trim() == "null" || name.ends_with(".in") {
            return Err(fault(""));
        }
        let lower = (clean == DEFAULT.as_bytes()).then(|| clean.to_ascii_lowercase());
        Ok(Self::new(Use::Build([clean].into_iter().chain(lower).collect()), args))
    }

    fn new(of: Use, args: BuildArgs) -> Self {
        Self {
            state: State::Head,
            rules: Rules::new(of),
            args,
            extension: Extension::default(),
            kept: Vec::new(),
            position: 0,
            released: 0,
            dockerfiles: Vec::new(),
            fault: None,
        }
    }

    /// Reads on.
    ///
    /// # Errors
    /// The first fault, again and again.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        while !bytes.is_empty() {
            match self.step(bytes) {
                Ok(rest) => bytes = rest,
                Err(fault) => {
                    self.fault = Some(fault.clone());
                    return Err(fault);
                }
            }
        }
        Ok(())
    }

    /// How many bytes from the beginning may go on.
    pub fn released(&self) -> u64 {
        self.released
    }

    /// The Dockerfiles that were read since the last call.
    pub fn take_dockerfiles(&mut self) -> Vec<Dockerfile> {
        std::mem::take(&mut self.dockerfiles)
    }

    /// The end of the input: of an archive that ended, or of nothing at all.
    ///
    /// # Errors
    /// An archive that was faulty, or broke off.
    pub fn finish(&self) -> Result<(), Fault> {
        match (&self.fault, self.state) {
            (Some(fault), _) => Err(fault.clone()),
            (None, State::End) => Ok(()),
            (None, State::Head) if self.position == 0 => Ok(()),
            (None, State::Head) if self.position < BLOCK as u64 && is_compressed(&self.kept) => Err(compressed()),
            (None, _) => Err(bad("an end without two blocks of zeros")),
        }
    }

    /// One state's worth of bytes; returns the rest.
    fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Fault> {
        let wanted = match self.state {
            State::Head | State::Half => (BLOCK - self.kept.len()) as u64,
            State::Skip(left) | State::Pad(left) | State::Keep(_, left) => left,
            State::End => u64::MAX,
        };
        let taken = usize::try_from(wanted).unwrap_or(usize::MAX).min(bytes.len());
        let (now, rest) = bytes.split_at_checked(taken).unwrap_or((bytes, &[]));
        self.position += now.len() as u64;
        match self.state {
            State::Head | State::Half => {
                self.kept.extend_from_slice(now);
                if self.kept.len() == BLOCK {
                    let block = std::mem::take(&mut self.kept);
                    self.state = self.block(&block)?;
                }
            }
            State::Skip(left) => {
                self.released = self.position;
                self.state = after(left - now.len() as u64, State::Skip);
            }
            State::Pad(left) => self.state = after(left - now.len() as u64, State::Pad),
            State::Keep(kept, left) => {
                self.kept.extend_from_slice(now);
                self.state = State::Keep(kept, left - now.len() as u64);
                if left == now.len() as u64 {
                    self.state = self.whole(kept)?;
                }
            }
            State::End => {
                let zeros = now.iter().take_while(|byte| **byte == 0).count();
                self.released = self.position - (now.len() - zeros) as u64;
                if zeros < now.len() {
                    return Err(bad("bytes after the end"));
                }
            }
        }
        Ok(rest)
    }

    fn block(&mut self, block: &[u8]) -> Result<State, Fault> {
        if self.position == BLOCK as u64 && is_compressed(block) {
            return Err(compressed());
        }
        match (self.state, is_zero(block)) {
            (State::Half, true) => {
                self.released = self.position;
                Ok(State::End)
            }
            (State::Half, false) => Err(bad("one block of zeros alone")),
            (_, true) if self.extension.is_empty() => Ok(State::Half),
            (_, true) => Err(bad("an extension without an entry")),
            (_, false) => self.header(Header::read(block)?),
        }
    }

    fn header(&mut self, header: Header) -> Result<State, Fault> {
        if !header.flag.is_extension() {
            return self.entry(header);
        }
        if header.size == 0 || header.size > MAX_EXTENSION {
            return Err(bad("an extension's size"));
        }
        if header.flag == Flag::PaxGlobal {
            self.rules.skipped(&header.name)?;
        }
        Ok(State::Keep(Kept::Extension(header.flag), header.size))
    }

    fn entry(&mut self, header: Header) -> Result<State, Fault> {
        let extension = std::mem::take(&mut self.extension);
        let size = header.size_with(extension.size).ok_or_else(|| bad("two sizes of one entry"))?;
        let Header { name, link, flag, mode, .. } = header;
        let (name, link) = (extension.name.unwrap_or(name), extension.link.unwrap_or(link));
        let content = self.rules.judge(&Entry { name, link, flag, size, mode, privileged: extension.privileged })?;
        if content == Content::Dockerfile && size > 0 {
            return Ok(State::Keep(Kept::Dockerfile, size));
        }
        self.released = self.position;
        Ok(after(size.next_multiple_of(BLOCK as u64), State::Skip))
    }

    /// Content that was kept is whole.
    fn whole(&mut self, kept: Kept) -> Result<State, Fault> {
        let content = std::mem::take(&mut self.kept);
        let padding = (content.len() as u64).next_multiple_of(BLOCK as u64) - content.len() as u64;
        match kept {
            Kept::Extension(flag) => {
                self.extension.add(flag, &content)?;
                Ok(after(padding, State::Pad))
            }
            Kept::Dockerfile => {
                self.dockerfiles.push(dockerfile::read(&content, &self.args)?);
                self.released = self.position;
                Ok(after(padding, State::Skip))
            }
        }
    }
}

fn compressed() -> Fault {
    Fault::new(FaultKind::CompressedArchive, "")
}

/// The state for what is left of a run, or the next header.
fn after(left: u64, state: fn(u64) -> State) -> State {
    if left == 0 { State::Head } else { state(left) }
}
