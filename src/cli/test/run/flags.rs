//! The flags of `docker run` and `docker create`: names, short names, and which take a value.
//! Knows nothing of what they mean.

/// A command line that was taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Long names of flags and their values, in order; switches have `true` or `false`.
    pub options: Vec<(&'static str, String)>,
    /// The image.
    pub image: String,
    /// What follows the image.
    pub command: Vec<String>,
}

struct Flag {
    long: &'static str,
    short: Option<char>,
    switch: bool,
}

const fn switch(long: &'static str, short: Option<char>) -> Flag {
    Flag { long, short, switch: true }
}

const fn value(long: &'static str, short: Option<char>) -> Flag {
    Flag { long, short, switch: false }
}

const FLAGS: &[Flag] = &[
    value("add-host", None),
    value("cap-add", None),
    value("cap-drop", None),
    value("cgroup-parent", None),
    value("cgroupns", None),
    value("cpu-period", None),
    value("cpu-quota", None),
    value("cpu-shares", Some('c')),
    value("cpus", None),
    value("cpuset-cpus", None),
    switch("detach", Some('d')),
    value("device", None),
    value("dns", None),
    value("dns-option", None),
    value("dns-search", None),
    value("entrypoint", None),
    value("env", Some('e')),
    value("expose", None),
    value("gpus", None),
    value("group-add", None),
    value("health-cmd", None),
    value("hostname", Some('h')),
    switch("init", None),
    switch("interactive", Some('i')),
    value("ipc", None),
    value("label", Some('l')),
    value("link", None),
    value("log-driver", None),
    value("log-opt", None),
    value("memory", Some('m')),
    value("memory-reservation", None),
    value("memory-swap", None),
    value("mount", None),
    value("name", None),
    value("network", None),
    value("network-alias", None),
    switch("no-healthcheck", None),
    switch("oom-kill-disable", None),
    value("oom-score-adj", None),
    value("pid", None),
    value("pids-limit", None),
    value("platform", None),
    switch("privileged", None),
    value("publish", Some('p')),
    switch("publish-all", Some('P')),
    value("pull", None),
    switch("quiet", Some('q')),
    switch("read-only", None),
    value("restart", None),
    switch("rm", None),
    value("runtime", None),
    value("security-opt", None),
    value("shm-size", None),
    value("stop-signal", None),
    value("stop-timeout", None),
    value("sysctl", None),
    value("tmpfs", None),
    switch("tty", Some('t')),
    value("ulimit", None),
    value("user", Some('u')),
    value("userns", None),
    value("uts", None),
    value("volume", Some('v')),
    value("volume-driver", None),
    value("volumes-from", None),
    value("workdir", Some('w')),
];

/// Other names of the same flags.
const ALIASES: &[(&str, &str)] = &[("net", "network"), ("net-alias", "network-alias"), ("dns-opt", "dns-option")];

/// Takes `docker [container] run|create …` apart.
///
/// # Errors
/// Other commands, unknown flags, values that are missing, and lines without an image.
pub fn parse(words: Vec<String>) -> Result<Line, String> {
    let mut words = words.into_iter().peekable();
    if words.next().as_deref() != Some("docker") {
        return Err("the line must begin with `docker run` or `docker create`".to_owned());
    }
    words.next_if_eq("container");
    match words.next().as_deref() {
        Some("run" | "create") => {}
        Some(other) => {
            return Err(format!("`docker {other}` is not understood, only `docker run` and `docker create`; use `request` for others"));
        }
        None => return Err("the line must begin with `docker run` or `docker create`".to_owned()),
    }
    let mut options = Vec::new();
    // flags end at the first word that is none: what follows belongs to the container
    while let Some(word) = words.next_if(|word| word.len() > 1 && word.starts_with('-')) {
        if word == "--" {
            break;
        }
        let mut next = || words.next();
        match word.strip_prefix("--") {
            Some(long) => options.push(by_name(long, &mut next)?),
            None => letters(word.trim_start_matches('-'), &mut next, &mut options)?,
        }
    }
    let image = words.next().ok_or_else(|| "the line names no image".to_owned())?;
    Ok(Line { options, image, command: words.collect() })
}

type Next<'a> = &'a mut dyn FnMut() -> Option<String>;

fn by_name(word: &str, next: Next<'_>) -> Result<(&'static str, String), String> {
    let (name, given) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value.to_owned())));
    let long = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, long)| long);
    let flag = FLAGS.iter().find(|flag| flag.long == long);
    let flag = flag.ok_or_else(|| format!("the flag `--{name}` is not understood; write the request itself with `request`"))?;
    take(flag, given, next)
}

/// `-it`, `-p80:80`, `-p=80:80`, `-p 80:80`.
fn letters(letters: &str, next: Next<'_>, options: &mut Vec<(&'static str, String)>) -> Result<(), String> {
    let mut rest = letters;
    while let Some(letter) = rest.chars().next() {
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
        let flag = FLAGS.iter().find(|flag| flag.short == Some(letter));
        let flag = flag.ok_or_else(|| format!("the flag `-{letter}` is not understood; write the request itself with `request`"))?;
        if flag.switch && !rest.starts_with('=') {
            options.push((flag.long, "true".to_owned()));
            continue;
        }
        let given = (!rest.is_empty()).then(|| rest.strip_prefix('=').unwrap_or(rest).to_owned());
        options.push(take(flag, given, next)?);
        return Ok(());
    }
    Ok(())
}

fn take(flag: &Flag, given: Option<String>, next: Next<'_>) -> Result<(&'static str, String), String> {
    let name = flag.long;
    if !flag.switch {
        return given.or_else(next).map(|value| (name, value)).ok_or_else(|| format!("`--{name}` needs a value"));
    }
    match given.as_deref() {
        None | Some("true" | "1" | "t") => Ok((name, "true".to_owned())),
        Some("false" | "0" | "f") => Ok((name, "false".to_owned())),
        Some(other) => Err(format!("`--{name}` is true or false, not `{other}`")),
    }
}
