//! Doors and trail: whether they can be made, and who has them now.
//! Knows nothing of the engine.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use crate::cli::find::There;
use crate::cli::ids::{self, Me, Owner};
use crate::cli::{around, find, healthcheck, unbound};
use crate::config::{Config, Door, Listen};
use crate::proxy::door::{Step, Unbound};

use super::line::{Level, Line};

/// How long a door may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Less room than this is soon full.
const LITTLE: u64 = 1 << 30;
/// With less room than this the trail is as good as full.
const NONE: u64 = 16 << 20;

/// A line for each door, and for the trail.
pub fn lines(config: &Config) -> Vec<Line> {
    let own = own_door(config);
    let doors = if config.doors.is_empty() { own.as_slice() } else { config.doors.as_slice() };
    let mut lines: Vec<Line> = doors.iter().map(|door| self::door(door, config)).collect();
    lines.extend(doors.iter().filter_map(|door| group(door, config)));
    lines.push(trail(config));
    lines
}

/// The door that holds where no file names one.
fn own_door(config: &Config) -> Vec<Door> {
    let places = find::doors(&around::surroundings());
    let can = |path: &&std::path::PathBuf| path.parent().is_some_and(|folder| unbound::not_writable(folder).is_none());
    let place = places.iter().find(can).or(places.first());
    let policy = config.policies.keys().next().cloned().unwrap_or_default();
    place.and_then(|path| Door::new(&format!("unix://{}", path.display()), &policy, "default").ok()).into_iter().collect()
}

fn door(door: &Door, config: &Config) -> Line {
    match &door.listen {
        Listen::Unix(path) => socket(door, path, config),
        Listen::Tcp(address) => port(door, *address, config),
    }
}

fn line(level: Level, door: &Door, what: &str) -> Line {
    Line::new(level, "door", format!("`{}` {what}", door.listen))
}

/// What serving would fail with.
fn shut(door: &Door, step: Step, error: io::Error, config: &Config) -> Line {
    let failure = unbound::failure(&Unbound { listen: door.listen.clone(), step, error }, config);
    let found = failure.message().trim_start_matches("door ").to_owned();
    Line::new(Level::Fail, "door", found).todos(failure.hints().iter().cloned())
}

fn socket(door: &Door, path: &Path, config: &Config) -> Line {
    match around::there(path) {
        There::Socket => served(door, config),
        There::Folder | There::Other => shut(door, Step::Occupied, ErrorKind::AlreadyExists.into(), config),
        There::Nothing | There::Hidden => {
            let folder = path.parent().unwrap_or(path);
            if let Some(error) = unbound::shut(folder) {
                return shut(door, if folder.is_dir() { Step::Bind } else { Step::Folder }, error, config);
            }
            line(Level::Ok, door, "can be made")
        }
    }
}

/// A door that something listens at.
fn served(door: &Door, config: &Config) -> Line {
    match healthcheck::ask(&door.listen, PATIENCE) {
        Ok(answer) if healthcheck::is_ours(&answer) => line(Level::Ok, door, "is served by a dockgate"),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            line(Level::Note, door, "is a socket that nobody serves").todo("dockgate removes it when it starts")
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => shut(door, Step::Clear, error, config),
        // whoever it is that answers otherwise, or nothing
        Ok(_) | Err(_) => shut(door, Step::Served, ErrorKind::AddrInUse.into(), config),
    }
}

fn port(door: &Door, address: SocketAddr, config: &Config) -> Line {
    match TcpListener::bind(address) {
        Ok(_) => line(Level::Ok, door, "is free"),
        Err(error) if error.kind() == ErrorKind::AddrInUse => served(door, config),
        Err(error) => shut(door, Step::Bind, error, config),
    }
}

/// A group that the socket cannot be given to.
fn group(door: &Door, config: &Config) -> Option<Line> {
    let me = Me::here();
    door.group.filter(|gid| !me.overrides && !me.groups.contains(gid))?;
    let error = io::Error::new(ErrorKind::PermissionDenied, format!("user {} is no member", ids::user(me.uid)));
    matches!(door.listen, Listen::Unix(_)).then(|| shut(door, Step::Give, error, config))
}

fn trail(config: &Config) -> Line {
    const ABOUT: &str = "trail";
    let Some(file) = &config.audit.file else {
        return Line::new(Level::Note, ABOUT, "standard output: who keeps that keeps the trail")
            .todo("`[audit] file = …` or `--audit FILE` for a file with signed checkpoints");
    };
    let folder = file.parent().unwrap_or(file);
    let fail = |why: String| Line::new(Level::Fail, ABOUT, format!("`{}` cannot be written: {why}", file.display()));
    let (me, uid) = (Me::here(), Me::here().uid);
    if !folder.is_dir() {
        return fail(format!("there is no folder `{}`", folder.display()))
            .todo(format!("as root: `install -d -o {uid} -m 0750 {}`", folder.display()));
    }
    if let Some(why) = unbound::not_writable(folder) {
        return fail(why).todo(format!("give it a folder of its own, as root: `install -d -o {uid} -m 0750 FOLDER`"));
    }
    let owner = fs::metadata(file).ok().map(|meta| Owner::of(&meta));
    match owner {
        Some(owner) if !me.may(&owner, 6) => return fail(format!("it {owner}, and dockgate runs as user {}", ids::user(uid))),
        Some(owner) if owner.mode & 0o077 != 0 => {
            return Line::new(Level::Warn, ABOUT, format!("`{}` {owner}: others than its user may open it", file.display()))
                .todo(format!("`chmod 0600 {}`", file.display()));
        }
        Some(_) | None => {}
    }
    room(file, rustix::fs::statvfs(folder).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize)))
}

fn room(file: &Path, free: u64) -> Line {
    let line = |level| Line::new(level, "trail", format!("`{}`, with {} free", file.display(), size(free)));
    match free {
        ..NONE => line(Level::Fail).todo("a full disk makes dockgate refuse changes: make room, or name another file"),
        NONE..LITTLE => line(Level::Warn).todo("make room, or have old files removed: `keep-files` in `[audit]`"),
        LITTLE.. => line(Level::Ok),
    }
}

fn size(bytes: u64) -> String {
    if bytes >= 1 << 30 { format!("{} GiB", bytes >> 30) } else { format!("{} MiB", bytes >> 20) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::config;

    fn config(text: &str) -> Config {
        config::load("test", &format!("version = 1\n{text}")).config.unwrap()
    }

    #[test]
    fn a_door_is_free_left_over_or_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let config = config(&format!("[[door]]\nlisten = \"unix://{}\"\npolicy = \"read-only\"\n", path.display()));
        let seen = || (lines(&config)[0].level, lines(&config)[0].found.clone());
        assert_eq!(seen().0, Level::Ok);
        drop(UnixListener::bind(&path).unwrap());
        let (level, found) = seen();
        assert!(level == Level::Note && found.ends_with("is a socket that nobody serves"), "{found}");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let (level, found) = seen();
        assert!(level == Level::Fail && found.ends_with("a folder is at this path"), "{found}");
    }

    #[test]
    fn a_port_that_another_program_has_is_taken() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = other.local_addr().unwrap();
        let program = std::thread::spawn(move || drop(other.accept()));
        let config = config(&format!("[[door]]\nlisten = \"tcp://{address}\"\npolicy = \"read-only\"\n"));
        let line = &lines(&config)[0];
        assert!(line.level == Level::Fail && line.found.contains("is in use"), "{line:?}");
        program.join().unwrap();
    }

    #[test]
    fn a_trail_needs_a_folder_and_room_and_belongs_to_one_user() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        let own = config(&format!("[audit]\nfile = \"{}\"\n", file.display()));
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert_eq!(trail(&own).level, Level::Warn);
        let none = config(&format!("[audit]\nfile = \"{}/none/audit.jsonl\"\n", folder.path().display()));
        assert_eq!(trail(&none).level, Level::Fail);
        assert_eq!(trail(&Config::default()).level, Level::Note);
        assert_eq!(
            [room(&file, 1 << 20).level, room(&file, 1 << 29).level, room(&file, 1 << 33).level],
            [Level::Fail, Level::Warn, Level::Ok]
        );
    }
}
