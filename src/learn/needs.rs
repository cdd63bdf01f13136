//! What one call needs of a policy, found by asking the judge; and what of it is dangerous.
//! Knows nothing of other calls.

use std::collections::BTreeSet;

use crate::config::ways_to_root;
use crate::docker::Operation;
use crate::policy::Denial;

use super::grant::{Entry, answers};
use super::{Draft, Judge, Judged, Seen, Shape, Tally, exec, request};

/// One request needs few grants; what goes on growing never helps.
const MOST_STEPS: usize = 64;

/// Folders from which the host runs or believes things: who may write there can become root.
const WRITTEN: [&str; 14] = [
    "/bin",
    "/boot",
    "/etc",
    "/lib",
    "/lib64",
    "/opt",
    "/root",
    "/run",
    "/sbin",
    "/usr",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/run",
    "/var/spool",
];

/// Folders that hold keys and passwords.
const SECRET: [&str; 7] = ["/root", "/etc/shadow", "/etc/ssh", "/etc/kubernetes", "/var/lib/docker", "/var/lib/kubelet", "/run/secrets"];

/// What puts any image under any name.
const RENAMERS: [Operation; 4] = [Operation::ImageTag, Operation::ImageLoad, Operation::ImageCommit, Operation::ImageBuild];

/// What would allow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addition {
    /// The operation in `allow`.
    Operation(Operation),
    /// An entry of a key of `create`.
    Grant(&'static str, Entry),
    /// A check that is switched off.
    Off(&'static str),
    /// A pattern of commands.
    Command(String),
    /// Any image.
    AnyImage,
}

/// Why a call is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Danger {
    /// The reason's code, or the operation.
    pub code: String,
    /// Where in the request.
    pub at: String,
    /// What is dangerous about it.
    pub why: String,
    /// What would allow it; `None` where nothing does.
    pub addition: Option<Addition>,
}

impl Danger {
    /// One that nothing can be done about.
    pub fn plain(denial: &Denial, why: &str) -> Self {
        Self { code: denial.reason.code().to_owned(), at: denial.at.clone(), why: why.to_owned(), addition: None }
    }

    /// The same danger in another call has the same key.
    pub fn key(&self) -> String {
        match &self.addition {
            Some(addition) => format!("{addition:?}"),
            None => format!("{} {}", self.code, self.at),
        }
    }

    /// What to write, and where.
    pub fn advice(&self, policy: &str) -> String {
        let create = format!("[policy.{policy}.create]");
        match &self.addition {
            None if self.code == "socket-mount" => {
                format!("no line of a policy allows it; `rebind-socket` in {create} mounts a door where the socket itself is asked for")
            }
            None => "no line of a policy allows it below `level = \"unrestricted\"`".to_owned(),
            Some(Addition::Operation(operation)) => format!("to add it: `\"{}\"` in `allow` of [policy.{policy}]", operation.name()),
            Some(Addition::Grant(key, entry)) => format!("to add it: `{}` in `{key}` of {create}", entry.toml()),
            Some(Addition::Off(id)) => format!("to add it: `checks = {{ {id} = \"off\" }}` in {create}, which opens it to every container"),
            Some(Addition::Command(command)) => {
                format!("to add it: `exec = {{ commands = [{}] }}` in {create}", super::grant::quoted(command))
            }
            Some(Addition::AnyImage) => format!("to add it: the operation in `allow`, and no `images` in {create}"),
        }
    }
}

/// The policy that allows this call and no more, or what is dangerous about it.
pub(super) fn of(call: &Seen, judge: &Judge<'_>, accept: &mut dyn FnMut(&Danger) -> bool) -> Result<Draft, Vec<Danger>> {
    let operation = call.operation;
    let mut draft = Draft::new("needs");
    draft.operations.insert(operation, Tally::default());
    if let Some(missing) = call.missing {
        return Err(vec![Danger { code: "incomplete".to_owned(), at: String::new(), why: missing.to_owned(), addition: None }]);
    }
    if let Some(way) = ways(&draft).into_iter().next() {
        take(
            Danger { code: operation.name().to_owned(), at: String::new(), why: way, addition: Some(Addition::Operation(operation)) },
            &mut draft,
            accept,
        )?;
    }
    draft.any_image = RENAMERS.contains(&operation);
    if operation == Operation::ContainerExec {
        match exec::pattern(call) {
            Ok(command) => {
                draft.commands.insert(command, Tally::default());
            }
            Err(danger) => take(danger, &mut draft, accept)?,
        }
    }
    for _ in 0..MOST_STEPS {
        let policy =
            draft.load().map_err(|why| vec![Danger { code: "configuration".to_owned(), at: String::new(), why, addition: None }])?;
        let judged = judge(&policy, &request(call));
        if judged.allowed {
            return Ok(draft);
        }
        if let Some(fault) = judged.fault.as_ref().filter(|_| judged.denials.is_empty()) {
            return Err(vec![Danger { code: "request".to_owned(), at: String::new(), why: fault.clone(), addition: None }]);
        }
        grow(&mut draft, &judged, call, judge, accept)?;
    }
    Err(vec![Danger {
        code: "grants".to_owned(),
        at: String::new(),
        why: "it needs more grants than one call should".to_owned(),
        addition: None,
    }])
}

/// One step: a grant for every denial that one can answer.
fn grow(
    draft: &mut Draft,
    judged: &Judged,
    call: &Seen,
    judge: &Judge<'_>,
    accept: &mut dyn FnMut(&Danger) -> bool,
) -> Result<(), Vec<Danger>> {
    let (mut grown, mut dangers) = (false, Vec::new());
    for denial in &judged.denials {
        let mut answered = false;
        for (key, entry) in answers(denial, judged.body.as_ref(), &judged.query) {
            match granted(draft, key, &entry) {
                Ok(new) => answered |= new,
                Err((why, possible)) => {
                    let addition = possible.then_some(Addition::Grant(key, entry));
                    dangers.push(Danger { code: denial.reason.code().to_owned(), at: denial.at.clone(), why, addition });
                    answered = true;
                }
            }
        }
        grown |= answered;
        if !answered {
            dangers.push(switched(draft, denial, call, judge));
        }
    }
    dangers.dedup_by_key(|danger| danger.key());
    let refused: Vec<Danger> = dangers.into_iter().filter_map(|danger| take(danger, draft, accept).err()).flatten().collect();
    if !refused.is_empty() {
        return Err(refused);
    }
    if grown || !judged.denials.is_empty() { Ok(()) } else { Err(Vec::new()) }
}

/// Adds a grant that is not dangerous: whether it is new, or why it must be asked for and whether it can be written at all.
fn granted(draft: &mut Draft, key: &'static str, entry: &Entry) -> Result<bool, (String, bool)> {
    let known = draft.grants.get(key).is_some_and(|entries| entries.contains_key(entry));
    if known {
        return Ok(false);
    }
    let mut wider = draft.clone();
    wider.grant(key, entry.clone(), &Tally::default());
    if let Err(why) = wider.load() {
        return Err((why, false));
    }
    let before: BTreeSet<String> = ways(draft).into_iter().collect();
    if let Some(way) = ways(&wider).into_iter().find(|way| !before.contains(way)) {
        return Err((way, true));
    }
    if let Some(why) = place(entry) {
        return Err((why, true));
    }
    *draft = wider;
    Ok(true)
}

/// Why a host path is dangerous although a policy may grant it.
fn place(entry: &Entry) -> Option<String> {
    let Entry::Bind { source, writable } = entry else { return None };
    let below = |folder: &&&str| source.strip_prefix(**folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if source.ends_with("/.ssh")
        || source.contains("/.ssh/")
        || source.contains("/.aws")
        || source.contains("/.kube")
        || source.contains("/.docker")
    {
        return Some(format!("`{source}` holds somebody's keys"));
    }
    if let Some(folder) = SECRET.iter().find(below) {
        return Some(format!("`{source}` is below `{folder}`, where keys and passwords are"));
    }
    let folder = WRITTEN.iter().find(below).filter(|_| *writable)?;
    Some(format!("`{source}` would be writable, and the host runs or trusts what is in `{folder}`"))
}

/// A denial that no grant answers: perhaps its check can be switched off.
fn switched(draft: &Draft, denial: &Denial, call: &Seen, judge: &Judge<'_>) -> Danger {
    let mut danger = Danger::plain(denial, denial.reason.check().sentence);
    let mut open = draft.clone();
    open.off.insert(denial.reason.code());
    if let Ok(policy) = open.load() {
        let judged = judge(&policy, &request(call));
        let still = judged.denials.iter().any(|other| other.reason == denial.reason && other.at == denial.at);
        danger.addition = (!still).then_some(Addition::Off(denial.reason.code()));
    }
    danger
}

/// Adds what is dangerous, where somebody wants it.
fn take(danger: Danger, draft: &mut Draft, accept: &mut dyn FnMut(&Danger) -> bool) -> Result<(), Vec<Danger>> {
    if !accept(&danger) {
        return Err(vec![danger]);
    }
    match danger.addition {
        Some(Addition::Grant(key, entry)) => {
            draft.grant(key, entry, &Tally::default());
        }
        Some(Addition::Off(id)) => {
            draft.off.insert(id);
        }
        Some(Addition::Command(command)) => {
            draft.commands.insert(command, Tally::default());
        }
        Some(Addition::Operation(_) | Addition::AnyImage) | None => {}
    }
    Ok(())
}

fn ways(draft: &Draft) -> Vec<String> {
    draft.load().map(|policy| ways_to_root(&policy)).unwrap_or_default()
}

type Left = Vec<(Shape, Vec<Danger>)>;

/// What can give any image a granted name goes only where no images are granted, or all of them.
pub(super) fn renamers(draft: &mut Draft, taken: &mut Vec<Shape>, left: &mut Left, accept: &mut dyn FnMut(&Danger) -> bool) {
    if !draft.grants.contains_key("images") || !RENAMERS.iter().any(|operation| draft.operations.contains_key(operation)) {
        return;
    }
    let danger = |operation: Operation| Danger {
        code: operation.name().to_owned(),
        at: String::new(),
        why: "it can give any image a name that `images` grants, so the list of images would mean nothing".to_owned(),
        addition: Some(Addition::AnyImage),
    };
    let first = RENAMERS.into_iter().find(|operation| draft.operations.contains_key(operation));
    if first.is_some_and(|operation| accept(&danger(operation))) {
        draft.any_image = true;
        return;
    }
    without(draft, taken, left, |call| RENAMERS.contains(&call.operation).then(|| danger(call.operation)));
}

/// Where no command may be run, none may be started: without a list of commands any would do.
pub(super) fn starters(draft: &mut Draft, taken: &mut Vec<Shape>, left: &mut Left) {
    let refused = left.iter().any(|(shape, _)| shape.call.operation == Operation::ContainerExec);
    if !refused || !draft.commands.is_empty() {
        return;
    }
    let danger = |call: &Seen| {
        (call.operation == Operation::ExecStart).then(|| Danger {
            code: "ExecStart".to_owned(),
            at: String::new(),
            why: "none of the commands that were run is taken, so there is nothing to start".to_owned(),
            addition: Some(Addition::Operation(Operation::ExecStart)),
        })
    };
    without(draft, taken, left, danger);
}

fn without(draft: &mut Draft, taken: &mut Vec<Shape>, left: &mut Left, danger: impl Fn(&Seen) -> Option<Danger>) {
    for shape in std::mem::take(taken) {
        match danger(&shape.call) {
            Some(danger) => {
                draft.operations.remove(&shape.call.operation);
                left.push((shape, vec![danger]));
            }
            None => taken.push(shape),
        }
    }
}
