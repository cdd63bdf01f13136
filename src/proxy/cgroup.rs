//! The control groups of a process, as `/proc/PID/cgroup` has them, and the containers' ids in them.
//! Knows nothing of processes. A path is a claim: whoever may make control groups gives them any name.

/// A container's id in a path.
const ID: usize = 64;

/// The paths in which a container's id stands, one for each hierarchy (one in all with version 2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    lines: Vec<String>,
}

impl Groups {
    /// Reads the file's text: `hierarchy:controllers:path` on each line.
    pub fn parse(text: &str) -> Self {
        Self { lines: text.lines().filter(|line| ids(line).next().is_some()).map(str::to_owned).collect() }
    }

    /// True where no path names a container.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The ids, the innermost first, each once: `/docker/ID`, `/system.slice/docker-ID.scope`, `/…/libpod-ID.scope/container`.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let mut found: Vec<&str> = Vec::new();
        for id in self.lines.iter().flat_map(|line| ids(line)) {
            if !found.contains(&id) {
                found.push(id);
            }
        }
        found.into_iter()
    }

    /// True where these paths lead to the same control groups of this id as those of a container's own process, in every hierarchy
    /// that names it. A group of that name which somebody made elsewhere has another path.
    pub fn within(&self, id: &str, own: &Self) -> bool {
        let mut roots = own.roots(id).peekable();
        roots.peek().is_some() && roots.all(|root| self.roots(id).any(|other| other == root))
    }

    /// The lines up to the end of the first component in which the id stands.
    fn roots<'g>(&'g self, id: &'g str) -> impl Iterator<Item = &'g str> {
        self.lines.iter().filter_map(move |line| {
            let after = line.find(id)? + id.len();
            let end = line.get(after..)?.find('/').map_or(line.len(), |slash| after + slash);
            line.get(..end)
        })
    }
}

/// The ids of a line, the innermost first.
fn ids(line: &str) -> impl Iterator<Item = &str> {
    let line = if line.len() < ID { "" } else { line }; // most are short: nothing to look through
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    line.rsplit(move |c: char| !hex(c)).filter(|word| word.len() == ID)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: &str) -> String {
        digit.repeat(ID)
    }

    fn found(text: &str) -> Vec<String> {
        Groups::parse(text).ids().map(str::to_owned).collect()
    }

    #[test]
    fn finds_the_container_in_the_paths_of_engines_and_drivers() {
        let id = "0123456789abcdef".repeat(4);
        for groups in [
            format!("0::/system.slice/docker-{id}.scope\n"),
            format!("12:pids:/docker/{id}\n0::/docker/{id}\n"),
            format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope\n"),
            format!("0::/../{id}\n"),
            format!("0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{id}.scope/container\n"),
            format!("0::/machine.slice/libpod-{id}.scope/container/system.slice/x.service\n"),
        ] {
            assert_eq!(found(&groups), std::slice::from_ref(&id), "{groups}");
        }
        assert!(found("0::/user.slice/user-1000.slice/session-2.scope\n").is_empty());
    }

    #[test]
    fn the_innermost_of_nested_containers_comes_first() {
        let (outer, inner) = (id("a"), id("b"));
        assert_eq!(found(&format!("0::/system.slice/docker-{outer}.scope/docker/{inner}\n")), [inner, outer]);
    }

    #[test]
    fn processes_of_a_container_share_its_groups_however_deep_they_are() {
        let id = id("a");
        let own = Groups::parse(&format!("5:pids:/docker/{id}/init\n0::/docker/{id}\n"));
        for (text, inside) in [
            (format!("5:pids:/docker/{id}\n0::/docker/{id}\n"), true),
            (format!("5:pids:/docker/{id}/x/y\n0::/docker/{id}/z\n"), true),
            (format!("0::/docker/{id}\n"), false),
            (format!("5:pids:/user.slice/{id}\n0::/docker/{id}\n"), false),
            (format!("5:pids:/docker/{}\n0::/docker/{}\n", self::id("b"), self::id("b")), false),
            (String::new(), false),
        ] {
            assert_eq!(Groups::parse(&text).within(&id, &own), inside, "{text}");
        }
    }

    #[test]
    fn a_group_that_a_user_named_like_a_container_is_not_its_group() {
        let id = id("a");
        let own = Groups::parse(&format!("0::/system.slice/docker-{id}.scope\n"));
        for path in ["/user.slice/user-1000.slice/user@1000.service", "/system.slice/docker-x.scope", "/system.slice/docker.service"] {
            let claimed = Groups::parse(&format!("0::{path}/docker-{id}.scope\n"));
            assert!(claimed.ids().next().is_some() && !claimed.within(&id, &own), "{path}");
        }
        let seen_from_a_container = Groups::parse(&format!("0::/../docker-{id}.scope\n"));
        assert!(seen_from_a_container.within(&id, &seen_from_a_container));
        let longer = Groups::parse(&format!("0::/system.slice/docker-{id}.scope.x\n"));
        assert!(!longer.within(&id, &own));
        assert!(!own.within(&id, &Groups::default()), "a container without a process of its own holds nobody");
    }
}
