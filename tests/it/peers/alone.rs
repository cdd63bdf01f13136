//! A connection without sockets: the stages of the gate one after the other, up to the judge and the walk over an archive.
//! Knows nothing of what a case expects.

use bytes::BytesMut;
use dockgate::docker::action::{Body, Reading};
use dockgate::docker::chunked::{BodyDecoder, Piece};
use dockgate::docker::head::Framing;
use dockgate::docker::tar::{BuildArgs, Walker};
use dockgate::docker::{Action, Endpoint, Fault, FaultKind, Head, Operation, Value};
use dockgate::policy::checks::dockerfile::dockerfile;
use dockgate::policy::{Denial, Permit, Policy, Subject, Verdict, admits, judge};

use crate::bodies::facts;
use crate::support::engine::position;

/// The largest JSON body, as the gate has it where nothing is configured.
const MAX_JSON: usize = 4 << 20;

/// What became of one request.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// The request line, and the body.
    Forwarded(String, Vec<u8>),
    /// Why, and where.
    Refused(String, String),
}

impl Outcome {
    fn fault(fault: &Fault) -> Self {
        Self::Refused(fault.kind.code().to_owned(), fault.at.clone())
    }

    fn denied(denial: Denial) -> Self {
        Self::Refused(denial.reason.code().to_owned(), denial.at)
    }

    /// What a recorded request stands for.
    pub fn of_bytes(request: &[u8]) -> Self {
        let line = position(request, b"\r\n").unwrap();
        let body = position(request, b"\r\n\r\n").unwrap() + 4;
        Self::Forwarded(String::from_utf8(request[..line].to_vec()).unwrap(), request[body..].to_vec())
    }
}

/// A connection without sockets: bytes to outcomes, as far as the requests on it go.
pub struct Alone<'a> {
    policy: &'a Policy,
    rest: BytesMut,
    body: BodyDecoder,
}

/// An outcome, and whether the connection goes on.
type Step = (Outcome, bool);

impl Alone<'_> {
    pub fn run(policy: &Policy, bytes: &[u8]) -> Vec<Outcome> {
        let mut alone = Alone { policy, rest: BytesMut::from(bytes), body: BodyDecoder::new(Framing::None) };
        let mut outcomes = Vec::new();
        while !alone.rest.is_empty() {
            let (outcome, goes_on) = alone.next();
            outcomes.push(outcome);
            if !goes_on {
                break;
            }
        }
        outcomes
    }

    fn next(&mut self) -> Step {
        let (head, length) = match Head::parse(&self.rest) {
            Ok(Some(found)) => found,
            Ok(None) => return (Outcome::fault(&Fault::new(FaultKind::MalformedHead, "")), false),
            Err(fault) => return (Outcome::fault(&fault), false),
        };
        let _head = self.rest.split_to(length);
        self.body = BodyDecoder::new(head.framing);
        let (outcome, goes_on) = match self.request(&head) {
            Ok(step) => step,
            Err(Stop::Denied(denial)) => (Outcome::denied(denial), true),
            Err(Stop::Fault(fault)) => (Outcome::fault(&fault), !fault.kind.breaks_framing()),
        };
        // an empty body ends when somebody looks for its end
        let ended = self.body.ended() || matches!(head.framing, Framing::None | Framing::Length(0));
        (outcome, goes_on && head.keep_alive && ended)
    }

    fn request(&mut self, head: &Head) -> Result<Step, Stop> {
        let endpoint = Endpoint::find(head)?;
        admits(self.policy, &endpoint)?;
        let body = match Action::reading(endpoint.operation.row(), head, MAX_JSON)? {
            Reading::Nothing => Vec::new(),
            Reading::Whole(limit) if matches!(head.framing, Framing::Length(length) if length > limit as u64) => {
                return Err(Fault::new(FaultKind::BodyTooLarge, "").into());
            }
            Reading::Whole(limit) => self.whole(limit)?,
        };
        let action = Action::build(head, endpoint, &body)?;
        let facts = facts(self.policy, &action);
        match judge(self.policy, &Subject::default(), action, &facts) {
            Verdict::Deny(denial) => Err(denial.into()),
            Verdict::Allow(permit) => self.permitted(&permit),
        }
    }

    fn whole(&mut self, limit: usize) -> Result<Vec<u8>, Fault> {
        let mut whole = Vec::new();
        loop {
            match self.body.next(&mut self.rest).map_err(|kind| Fault::new(kind, ""))? {
                Piece::Data(data) => whole.extend_from_slice(&data),
                Piece::End => return Ok(whole),
                Piece::Pending => return Err(Fault::new(FaultKind::BodyIncomplete, "")),
            }
            if whole.len() > limit {
                return Err(Fault::new(FaultKind::BodyTooLarge, ""));
            }
        }
    }

    fn permitted(&mut self, permit: &Permit) -> Result<Step, Stop> {
        let action = permit.action();
        let line = format!("{} {} HTTP/1.1", action.method(), action.target());
        let body = match action.body {
            Body::Opaque(_) => self.walked(action)?,
            Body::Json(_) | Body::None => action.json().map(Value::encode).unwrap_or_default().into_bytes(),
        };
        Ok((Outcome::Forwarded(line, body), !permit.opens_tunnel()))
    }

    /// An archive is walked as on its way to the engine.
    fn walked(&mut self, action: &Action) -> Result<Vec<u8>, Stop> {
        let body = self.whole(usize::MAX)?;
        let mut walker = match action.endpoint.operation {
            Operation::PutContainerArchive => Walker::archive(),
            Operation::ImageBuild => {
                Walker::build(action.query("dockerfile"), action.query("buildargs").map(BuildArgs::read).unwrap_or_default())?
            }
            _ => return Ok(body),
        };
        walker.push(&body)?;
        let denied = walker.take_dockerfiles().iter().find_map(|file| dockerfile(self.policy, file, 0));
        denied.map_or(Ok(()), |denial| Err(Stop::Denied(denial)))?;
        walker.finish()?;
        Ok(body)
    }
}

enum Stop {
    Fault(Fault),
    Denied(Denial),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Denial> for Stop {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}
