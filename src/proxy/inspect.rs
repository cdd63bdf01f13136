//! Opaque bodies that are walked on their way: which ones, and how far each may go on.
//! Knows nothing of tars beyond their walker's answers.

use std::collections::VecDeque;
use std::sync::OnceLock;

use bytes::Bytes;

use crate::docker::Operation;
use crate::docker::tar::{BuildArgs, Walker};
use crate::policy::checks::dockerfile::dockerfile;
use crate::policy::{Denial, Level, Mode, Permit, Policy};

use super::facts::now;
use super::refuse::Refusal;

/// A body under inspection: what was read, and is not released yet, waits here.
pub struct Inspection<'a> {
    walker: Walker,
    policy: &'a Policy,
    would_deny: &'a OnceLock<Denial>,
    held: VecDeque<Bytes>,
    sent: u64,
}

impl<'a> Inspection<'a> {
    /// The inspection of a permitted request's body, where it has one. Image archives, plugins and imports have none.
    /// What a mode other than `enforce` lets pass is left in `would_deny`.
    ///
    /// # Errors
    /// A Dockerfile's name that leaves its context.
    pub fn of(permit: &Permit, policy: &'a Policy, would_deny: &'a OnceLock<Denial>) -> Result<Option<Self>, Refusal> {
        let action = permit.action();
        let operation = action.endpoint.operation;
        if policy.create.level == Level::Unrestricted {
            return Ok(None);
        }
        let walker = if operation == Operation::PutContainerArchive {
            Walker::archive()
        } else if operation == Operation::ImageBuild {
            let args = action.query("buildargs").map(BuildArgs::read).unwrap_or_default();
            Walker::build(action.query("dockerfile"), args)?
        } else {
            return Ok(None);
        };
        Ok(Some(Self { walker, policy, would_deny, held: VecDeque::new(), sent: 0 }))
    }

    /// Takes a piece in.
    ///
    /// # Errors
    /// What ends the request: nothing that waits here goes on any more.
    pub fn push(&mut self, piece: Bytes) -> Result<(), Refusal> {
        self.walker.push(&piece)?;
        for file in self.walker.take_dockerfiles() {
            let Some(denial) = dockerfile(self.policy, &file, now()) else { continue };
            match self.policy.mode {
                Mode::Enforce => return Err(denial.into()),
                Mode::Warn | Mode::Observe => {
                    let _first_one_stays = self.would_deny.set(denial);
                }
            }
        }
        self.held.push_back(piece);
        Ok(())
    }

    /// The next piece that may go on.
    pub fn released(&mut self) -> Option<Bytes> {
        let room = usize::try_from(self.walker.released() - self.sent).unwrap_or(usize::MAX);
        let mut piece = self.held.pop_front()?;
        if piece.len() > room {
            let rest = piece.split_off(room);
            self.held.push_front(rest);
        }
        self.sent += piece.len() as u64;
        (!piece.is_empty()).then_some(piece)
    }

    /// The end of the body.
    ///
    /// # Errors
    /// An archive that broke off.
    pub fn end(&self) -> Result<(), Refusal> {
        Ok(self.walker.finish()?)
    }
}
