//! The time of each stage of a request: `cargo bench --bench hot`.
//! Knows nothing of sockets; the trail goes to a sink that forgets it, so that its writer and no disk is timed.
//!
//! The requests are those of `instructions.rs`, which counts instructions and is the one to trust where two builds are compared:
//! these times are the machine's.
#![allow(clippy::print_stderr, reason = "a command for people")]

mod support;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};

use dockgate::audit::{Ended, Record, Trail, Who};
use dockgate::docker::target::Target;
use dockgate::docker::{Action, Endpoint, Head, json, query};
use dockgate::policy::Permit;

use self::support::{Bed, CREATE_BODY, Case, Regexes, create, list, rewritten, said};

const LIST: Case = list("list", 1, Regexes::None);
const CREATE: Case = create("create", 1, Regexes::None);
/// Ten rules with a regex that allow, beside the one that allows every list.
const LIST_ALLOWED: Case = list("list, 10,000 rules", 10_000, Regexes::Allow);
/// Ten that deny other lists.
const LIST_DENIED: Case = list("list, 10,000 rules, 10 tried", 10_000, Regexes::Deny);

fn main() {
    divan::main();
}

/// Runs a measurement; a fault before it ends the program, because a time of nothing would be shown otherwise.
fn measured(done: Result<(), String>) {
    if let Err(fault) = done {
        eprintln!("error: {fault}");
        std::process::exit(1);
    }
}

/// A bed, and what its request is after each stage.
struct Stages {
    bed: Bed,
    head: Head,
    length: usize,
}

impl Stages {
    fn of(case: &Case) -> Result<Self, String> {
        let bed = Bed::new(case)?;
        let (head, length) = bed.head()?;
        Ok(Self { bed, head, length })
    }

    fn action(&self) -> Result<Action, String> {
        self.bed.action(&self.head, self.length)
    }

    fn permit(&self) -> Result<Permit, String> {
        self.bed.judged(self.action()?)
    }
}

#[divan::bench_group]
mod parse {
    use super::*;

    #[divan::bench(args = [&LIST, &CREATE])]
    fn head(bencher: Bencher<'_, '_>, case: &Case) {
        measured(Stages::of(case).map(|stages| {
            bencher.counter(BytesCount::new(stages.length)).bench_local(|| stages.bed.head());
        }));
    }

    #[divan::bench(args = ["/v1.47/containers/json?all=1", "/v1.47/containers/0123456789ab/logs?stdout=1&stderr=1&follow=1&tail=100"])]
    fn target(bencher: Bencher<'_, '_>, target: &str) {
        bencher.counter(BytesCount::of_str(target)).bench_local(|| Target::parse(black_box(target)));
    }

    #[divan::bench]
    fn query_of_logs(bencher: Bencher<'_, '_>) {
        const LOGS: &str = "/v1.47/containers/0123456789ab/logs?stdout=1&stderr=1&follow=1&tail=100";
        let request = format!("GET {LOGS} HTTP/1.1\r\nHost: docker\r\n\r\n");
        let head = Head::parse(request.as_bytes()).map_err(said).and_then(|head| head.ok_or_else(|| "incomplete".to_owned()));
        measured(head.and_then(|(head, _)| {
            let row = Endpoint::find(&head).map_err(said)?.operation.row();
            bencher.bench_local(|| query::read(row, black_box(&head.target.query)));
            Ok(())
        }));
    }

    #[divan::bench]
    fn json_of_a_create(bencher: Bencher<'_, '_>) {
        bencher.counter(BytesCount::of_str(CREATE_BODY)).bench_local(|| json::read(black_box(CREATE_BODY.as_bytes())));
    }

    /// Endpoint, query and body, typed.
    #[divan::bench(args = [&LIST, &CREATE])]
    fn action(bencher: Bencher<'_, '_>, case: &Case) {
        measured(Stages::of(case).map(|stages| match stages.bed.bytes.len() - stages.length {
            0 => bencher.bench_local(|| stages.action()),
            body => bencher.counter(BytesCount::new(body)).bench_local(|| stages.action()),
        }));
    }
}

/// With the facts, without the engine.
#[divan::bench(args = [&LIST, &LIST_ALLOWED, &LIST_DENIED, &CREATE])]
fn judge(bencher: Bencher<'_, '_>, case: &Case) {
    measured(Stages::of(case).map(|stages| {
        bencher.with_inputs(|| stages.action()).bench_local_values(|action| stages.bed.judged(action?));
    }));
}

#[divan::bench(args = [&LIST, &CREATE])]
fn reencode(bencher: Bencher<'_, '_>, case: &Case) {
    measured(Stages::of(case).and_then(|stages| {
        let permit = stages.permit()?;
        let (target, body) = rewritten(&permit);
        let bytes = target.len() + body.map_or(0, |body| body.len());
        bencher.counter(BytesCount::new(bytes)).bench_local(|| rewritten(black_box(&permit)));
        Ok(())
    }));
}

/// From bytes to what goes upstream.
#[divan::bench(args = [&LIST, &CREATE])]
fn request(bencher: Bencher<'_, '_>, case: &Case) {
    measured(Stages::of(case).map(|stages| bencher.bench_local(|| stages.bed.request())));
}

/// What the trail costs a request: redaction, the line, and its way to the writer, who chains it. A create waits for its intent.
#[divan::bench(args = [&LIST, &CREATE])]
fn record(bencher: Bencher<'_, '_>, case: &Case) {
    measured(Stages::of(case).and_then(|stages| {
        let trail = Trail::to(Box::new(std::io::sink())).map_err(said)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(said)?;
        bencher.with_inputs(|| stages.permit()).bench_local_values(|permit| runtime.block_on(recorded(&stages, &trail, permit)));
        Ok(())
    }));
}

async fn recorded(stages: &Stages, trail: &Trail, permit: Result<Permit, String>) -> Result<(), String> {
    let permit = permit?;
    let who = Who::new(&stages.bed.subject, trail.redactor());
    let mut record = Record::begin(trail, &who, &stages.bed.policy, Some(&stages.head));
    record.endpoint(&permit.action().endpoint);
    record.action(permit.action());
    record.permit(&permit);
    record.intent(&permit).await.map_err(said)?;
    record.status(200);
    record.close(Ended::Complete).await;
    Ok(())
}
