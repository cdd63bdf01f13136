//! A deadline that moves with every request without a timer for each.
//! Knows nothing of what is waited for.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// The end of a connection's patience. Its one timer is set again only when it goes off too early: most waits end long before.
#[derive(Debug, Default)]
pub struct Patience {
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// What the work gives, or `None` when it takes longer than this.
    pub async fn within<T>(&mut self, longest: Duration, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        let mut deadline = None;
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + longest);
            self.over(deadline, context).map(|()| None)
        })
        .await
    }

    /// Ready when the deadline has passed.
    fn over(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(context).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn ends_each_wait_at_its_own_time() {
        let (mut patience, start) = (Patience::default(), Instant::now());
        assert_eq!(patience.within(60 * SECOND, sleep(50 * SECOND)).await, Some(()));
        assert_eq!(patience.within(60 * SECOND, sleep(50 * SECOND)).await, Some(()), "the first timer goes off in the middle of it");
        assert_eq!(patience.within(60 * SECOND, std::future::pending::<()>()).await, None);
        assert_eq!(start.elapsed().as_secs(), 160);
        assert_eq!(patience.within(SECOND, std::future::pending::<()>()).await, None, "a shorter one than before");
        assert_eq!(start.elapsed().as_secs(), 161);
        assert_eq!(patience.within(SECOND, async { 7 }).await, Some(7));
    }
}
