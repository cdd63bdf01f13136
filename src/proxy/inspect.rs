//! Opaque bodies that are walked on their way: which ones, and how far each may go on.
//! Knows nothing of tars beyond their walker's answers.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::docker::Operation;
use crate::docker::tar::{BuildArgs, Walker};
use crate::policy::checks::dockerfile::dockerfile;
use crate::policy::{Level, Permit, Policy};

use super::refuse::Refusal;

/// A body under inspection: what was read, and is not released yet, waits here.
pub struct Inspection<'a> {
    walker: Walker,
    policy: &'a Policy,
    held: VecDeque<Bytes>,
    sent: u64,
}

impl<'a> Inspection<'a> {
    /// The inspection of a permitted request's body, where it has one. Image archives, plugins and imports have none.
    ///
    /// # Errors
    /// A Dockerfile's name that leaves its context.
    pub fn of(permit: &Permit, policy: &'a Policy) -> Result<Option<Self>, Refusal> {
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
        Ok(Some(Self { walker, policy, held: VecDeque::new(), sent: 0 }))
    }

    /// Takes a piece in.
    ///
    /// # Errors
    /// What ends the request: nothing that waits here goes on any more.
    pub fn push(&mut self, piece: Bytes) -> Result<(), Refusal> {
        self.walker.push(&piece)?;
        for file in self.walker.take_dockerfiles() {
            if let Some(denial) = dockerfile(self.policy, &file) {
                return Err(denial.into());
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
