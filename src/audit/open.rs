//! Opens a trail: takes its key, reads what is there, repairs what a crash tore, and says where writing goes on.
//! Knows nothing of requests and of what is written later.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use serde_json::{Map, Value, json};
use ulid::Ulid;

use super::chain::Chain;
use super::checkpoint::{Checkpoint, Note, SecretKey};
use super::files::{self, Disk, Files};
use super::merkle::{digest, hex};
use super::names::Names;
use super::recover::{self, End, Found};
use super::settings::Settings;
use super::writer::Start;

/// A key's text is far shorter.
const MAX_KEY: u64 = 4 << 10;

/// A trail that is a stream: new at every start, and not signed.
pub(super) fn stream(disk: Box<dyn Disk>) -> io::Result<Start> {
    let chain = Chain::new(Ulid::new().to_string());
    Ok(Start { disk, chain, length: 0, born: None, key: None, redaction: seed()?, opening: Map::new(), events: Vec::new() })
}

/// A trail in files.
pub(super) fn file(path: &Path, settings: &Settings) -> io::Result<Start> {
    let names = Names::of(path)?;
    let key_file = settings.key.clone().unwrap_or_else(|| names.beside("key"));
    let current = files::own(&names.current(), false)?;
    let mut found = recover::read(&current)?;
    let mut events = Vec::new();
    let mut torn = mend(&names, &current, &mut found)?;
    // a crash between two files, or before the first line was whole: the newest rotated file is the one to go on after
    let before = if found.end == End::Empty { newest(&names)? } else { None };
    let known = before.as_ref().map_or(&found, |(found, ..)| found).chain.log.clone();
    let key = key(&key_file, &names, &known)?;
    let (mut opening, log) = (Map::new(), key.log().to_owned());
    let other_key = |found: &Found| found.key.as_ref().is_some_and(|old| *old != key.public().id());
    let signed = signed(&names, &key);
    let same_file = signed.as_ref().filter(|signed| found.end != End::Empty && signed.file == found.chain.file);
    if same_file.is_some_and(|signed| signed.size > found.chain.tree.size()) {
        found.broken.get_or_insert(found.chain.tree.size() + 1); // its tail was cut off
    }
    let newest = before.as_ref().map_or(0, |(_, number, _)| *number);
    let missing = signed.filter(|signed| found.end == End::Empty && signed.file > newest);
    let (current, chain, length) = match (missing, before) {
        (Some(signed), _) => {
            tracing::error!("a file of the trail is gone that a checkpoint vouches for; a new one begins after it");
            opening.insert("previous-file".to_owned(), names.rotated_name(signed.file).into());
            opening.insert("broken-at".to_owned(), 1.into());
            let Checkpoint { log, file, sequence, last, .. } = signed;
            (current, Chain { file, sequence, last, ..Chain::new(log) }, 0)
        }
        (None, None) if found.end == End::Empty => (current, Chain::new(log), 0),
        (None, None) if found.broken.is_none() && found.end != End::Rotated && !other_key(&found) => {
            (current, found.chain.clone(), found.good)
        }
        (None, None) => {
            let number = aside(&names, &found)?;
            opening.insert("previous-file".to_owned(), names.rotated_name(number).into());
            std::fs::rename(names.current(), names.rotated(number))?;
            current.set_permissions(Permissions::from_mode(0o400))?;
            (files::own(&names.current(), true)?, Chain { file: number, ..found.chain.clone() }, 0)
        }
        (None, Some((older, number, older_torn))) => {
            opening.insert("previous-file".to_owned(), names.rotated_name(number).into());
            let chain = Chain { file: number, ..older.chain.clone() };
            found = older;
            torn = torn.or(older_torn);
            (current, chain, 0)
        }
    };
    let mut chain = Chain { log: key.log().to_owned(), ..chain };
    if opening.contains_key("previous-file") {
        chain.next_file();
    }
    if let Some(line) = found.broken {
        tracing::error!(line, "the trail was changed or damaged: its chain does not hold; the file is set aside and a new one begins");
        opening.insert("broken-at".to_owned(), line.into());
    }
    if torn.is_some() || (found.end == End::Unclean && found.broken.is_none()) {
        let mut detail = Map::from_iter([("unclean".to_owned(), json!(found.end == End::Unclean))]);
        detail.extend(torn.unwrap_or_default());
        events.push(("recovered", Value::Object(detail)));
    }
    let born = found.born.filter(|_| length > 0);
    let redaction = key.redaction();
    let disk = Box::new(Files::new(names, current, settings.checkpoints_to.as_ref())?);
    Ok(Start { disk, chain, length, born, key: Some(key), redaction, opening, events })
}

/// What is told about a torn line, where there was one.
type Torn = Option<Map<String, Value>>;

/// Moves what a crash tore out of the file, never silently: what was torn is kept beside it.
fn mend(names: &Names, file: &File, found: &mut Found) -> io::Result<Torn> {
    if found.torn.is_empty() {
        return Ok(None);
    }
    let mut kept = files::own(&names.beside("torn"), false)?;
    kept.write_all(found.torn_text().as_bytes())?;
    kept.sync_all()?;
    let length = file.metadata()?.len();
    file.set_len(found.good)?;
    file.sync_all()?;
    let (bytes, sha256) = (length - found.good, hex(&digest(&found.torn)));
    tracing::warn!(bytes, "the last line of the trail was torn by a crash; it was moved to `{}`", names.beside("torn").display());
    found.torn.clear();
    Ok(Some(Map::from_iter([("torn-bytes".to_owned(), bytes.into()), ("torn-sha256".to_owned(), sha256.into())])))
}

/// The newest rotated file and its number. A crash may have left it writable and torn.
fn newest(names: &Names) -> io::Result<Option<(Found, u32, Torn)>> {
    let Some(number) = names.numbers()?.pop() else { return Ok(None) };
    let path = names.rotated(number);
    let read_only = std::fs::symlink_metadata(&path)?.mode() & 0o222 == 0;
    let file = if read_only { files::existing(&path)? } else { files::own(&path, false)? };
    let mut found = recover::read(&file)?;
    let mut torn = None;
    if !read_only {
        torn = mend(names, &file, &mut found)?;
        file.set_permissions(Permissions::from_mode(0o400))?;
    }
    Ok(Some((found, number, torn)))
}

/// The number that a file is set aside with: its own, unless another file has it.
fn aside(names: &Names, found: &Found) -> io::Result<u32> {
    let next = names.numbers()?.last().map_or(1, |last| last + 1);
    Ok(if found.broken == Some(1) { next } else { found.chain.file.max(next) })
}

/// The last checkpoint that the key signed: the trail may not be shorter than that.
fn signed(names: &Names, key: &SecretKey) -> Option<Checkpoint> {
    /// More than some checkpoints have.
    const TAIL: u64 = 32 << 10;
    let mut file = files::existing(&names.beside("checkpoints")).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).ok()?;
    let text = String::from_utf8_lossy(&tail);
    let parts: Vec<&str> = text.split("\n\n").collect();
    let pairs = parts.iter().zip(parts.iter().skip(1)).rev();
    let mut notes = pairs.filter_map(|(text, signature)| format!("{text}\n\n{signature}\n").parse::<Note>().ok());
    notes.find(|note| note.verify(&key.public()).is_ok()).map(|note| note.checkpoint)
}

/// The key of the trail; made where there is none.
fn key(path: &Path, names: &Names, log: &str) -> io::Result<SecretKey> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("the key `{}`: {error}", path.display()));
    let key = match files::existing(path) {
        Ok(file) => read_key(&file).map_err(named)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => make_key(path, names, log).map_err(named)?,
        Err(error) => return Err(named(error)),
    };
    if !log.is_empty() && key.log() != log {
        return Err(named(io::Error::other(format!("it is of the trail {}, and the file is of the trail {log}", key.log()))));
    }
    let public = names.beside("pub");
    if !public.exists() {
        write_new(&public, 0o644, &format!("{}\n", key.public()))?;
    }
    Ok(key)
}

fn read_key(file: &File) -> io::Result<SecretKey> {
    if file.metadata()?.mode() & 0o077 != 0 {
        return Err(io::Error::other("others may read or write it; give it mode 0600"));
    }
    let mut text = String::new();
    file.take(MAX_KEY).read_to_string(&mut text)?;
    text.parse().map_err(|error| io::Error::other(format!("{error}")))
}

fn make_key(path: &Path, names: &Names, log: &str) -> io::Result<SecretKey> {
    let log = if log.is_empty() { Ulid::new().to_string() } else { log.to_owned() };
    if names.beside("checkpoints").exists() {
        tracing::error!("the key of the trail is gone; checkpoints are signed with a new one from now on");
        let _none_there = std::fs::remove_file(names.beside("pub"));
    }
    let key = SecretKey::generate(&log, &seed()?);
    write_new(path, 0o600, &key.to_text())?;
    Ok(key)
}

fn write_new(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or(Ok(()), files::sync_folder)
}

fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| io::Error::other(format!("no random numbers: {error}")))?;
    Ok(seed)
}
