//! The machine: container or host, what confines containers, the clock, and whether peers can be told apart.
//! Knows nothing of how the engine was asked.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::docker::Value;

use super::engine::Told;
use super::line::{Level, Line};

/// Clocks that differ by more are set wrong; one answer may take 2 s.
const MOST_SECONDS: i64 = 5;
/// The inode of the first pid namespace of a machine, `PROC_PID_INIT_INO`.
const FIRST_NAMESPACE: &str = "pid:[4026531836]";

/// A line for each of these.
pub fn lines(told: Option<&Told>) -> Vec<Line> {
    let host = Host { root: PathBuf::from("/") };
    let info = told.map(|told| &told.info);
    let mut lines: Vec<Line> = host.confined(info).into_iter().collect();
    lines.extend(info.map(|info| clock(info, Timestamp::now())));
    lines.push(host.peers(told.and_then(|told| told.container.as_ref())));
    lines.extend(host.inside());
    lines
}

/// A machine's files, below a folder that tests can choose.
struct Host {
    root: PathBuf,
}

impl Host {
    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_default()
    }

    fn confined(&self, info: Option<&Value>) -> Option<Line> {
        let names = |name: &str| {
            info.and_then(|info| info.get("SecurityOptions")).into_iter().flat_map(Value::texts).any(|option| option.contains(name))
        };
        if self.read("sys/fs/selinux/enforce").trim() == "1" || names("name=selinux") {
            let line = Line::new(Level::Note, "confined", "SELinux keeps containers from the engine's socket");
            return Some(line.todo("dockgate's container needs `security_opt: [\"label:disable\"]`, and its clients do not"));
        }
        let apparmor = self.read("sys/module/apparmor/parameters/enabled").trim() == "Y" || names("name=apparmor");
        apparmor.then(|| Line::new(Level::Ok, "confined", "AppArmor confines containers"))
    }

    /// Where the engine's processes are seen, so are the control groups that name their containers.
    fn peers(&self, container: Option<&Value>) -> Line {
        const ABOUT: &str = "peers";
        let seen = container.map(|container| {
            let pid = container.get("State").and_then(|state| state.get("Pid")).and_then(Value::as_int).unwrap_or(0);
            self.read(&format!("proc/{pid}/cgroup")).contains(container.text("Id"))
        });
        let first = || fs::read_link(self.root.join("proc/self/ns/pid")).is_ok_and(|link| link == Path::new(FIRST_NAMESPACE));
        if seen.unwrap_or_else(first) {
            return Line::new(Level::Ok, ABOUT, "records name the program and the container of each client");
        }
        Line::new(Level::Note, ABOUT, "records cannot name the program and the container of a client: its processes are not seen from here")
            .todo("one door for each client tells them apart; dockgate on the host, or with `pid: host`, sees more")
    }

    fn inside(&self) -> Option<Line> {
        let inside = [".dockerenv", "run/.containerenv"].iter().any(|file| self.root.join(file).exists())
            || self.read("proc/self/mountinfo").lines().any(|line| line.contains("/containers/") && line.contains(" /etc/hostname "));
        inside.then(|| {
            Line::new(
                Level::Note,
                "place",
                "inside a container: names of users and groups, the host's disks and its kernel's settings are not seen from here",
            )
            .todo("run doctor on the host too")
        })
    }
}

/// The engine's clock against ours.
fn clock(info: &Value, now: Timestamp) -> Line {
    const ABOUT: &str = "clock";
    let Ok(theirs) = info.text("SystemTime").parse::<Timestamp>() else {
        return Line::new(Level::Note, ABOUT, "the engine does not tell its time");
    };
    let ahead = theirs.as_second() - now.as_second();
    if ahead.abs() <= MOST_SECONDS {
        return Line::new(Level::Ok, ABOUT, "the engine's clock and this one agree");
    }
    let word = if ahead > 0 { "ahead of" } else { "behind" };
    Line::new(Level::Warn, ABOUT, format!("the engine's clock is {} s {word} this one", ahead.abs()))
        .todo("set both from the network (`timedatectl set-ntp true`): records carry this clock's time, events the engine's")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::docker::json;

    fn value(text: &str) -> Value {
        json::read(text.as_bytes()).unwrap()
    }

    fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let host = Host { root: folder.path().to_owned() };
        (folder, host)
    }

    #[test]
    fn clocks_that_differ_are_said_to() {
        let info = value(r#"{"SystemTime":"2026-01-02T03:04:05.678901234Z"}"#);
        let at = |text: &str| clock(&info, text.parse().unwrap());
        assert_eq!(at("2026-01-02T03:04:07Z").level, Level::Ok);
        assert_eq!(at("2026-01-02T02:04:05Z").found, "the engine's clock is 3600 s ahead of this one");
        assert_eq!(at("2026-01-02T03:14:05Z").found, "the engine's clock is 600 s behind this one");
        assert_eq!(clock(&value("{}"), Timestamp::UNIX_EPOCH).level, Level::Note);
    }

    #[test]
    fn peers_are_known_where_the_engines_processes_are_seen() {
        let id = "0123456789abcdef".repeat(4);
        let container = value(&format!(r#"{{"Id":"{id}","State":{{"Pid":77}}}}"#));
        let (_folder, same) = host(&[("proc/77/cgroup", &format!("0::/docker/{id}\n"))]);
        assert_eq!(same.peers(Some(&container)).level, Level::Ok);
        let (folder, other) = host(&[("proc/77/cgroup", "0::/user.slice\n"), ("proc/self/ns/x", "")]);
        assert_eq!(other.peers(Some(&container)).level, Level::Note);
        assert_eq!(other.peers(None).level, Level::Note);
        symlink(FIRST_NAMESPACE, folder.path().join("proc/self/ns/pid")).unwrap();
        assert_eq!(other.peers(None).level, Level::Ok);
    }

    #[test]
    fn selinux_is_told_from_apparmor_and_from_none() {
        let (_a, enforcing) = host(&[("sys/fs/selinux/enforce", "1")]);
        assert!(enforcing.confined(None).unwrap().todo[0].contains("label:disable"));
        let (_b, armoured) = host(&[("sys/module/apparmor/parameters/enabled", "Y\n")]);
        assert_eq!(armoured.confined(None).unwrap().level, Level::Ok);
        let (_c, bare) = host(&[("sys/fs/selinux/enforce", "0")]);
        assert_eq!(bare.confined(None), None);
        assert!(bare.confined(Some(&value(r#"{"SecurityOptions":["name=selinux"]}"#))).is_some());
    }

    #[test]
    fn a_container_says_what_is_not_seen_from_it() {
        let (_a, inside) = host(&[(".dockerenv", "")]);
        assert!(inside.inside().is_some());
        let line = "620 1 8:1 /var/lib/docker/containers/0123/hostname /etc/hostname rw\n";
        let (_b, bound) = host(&[("proc/self/mountinfo", line)]);
        assert!(bound.inside().is_some());
        let (_c, outside) = host(&[("proc/self/mountinfo", "20 1 8:1 / / rw\n")]);
        assert_eq!(outside.inside(), None);
    }
}
