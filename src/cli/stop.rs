//! Signals that end a command or have its configuration read again.
//! Knows nothing of what they are for.

use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::say::{self, Failure};

/// Resolves with the first SIGTERM or SIGINT. The second one ends the process at once.
///
/// # Errors
/// When the handlers cannot be set.
pub fn requested() -> Result<impl Future<Output = ()>, Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot_listen)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot_listen)?;
    Ok(async move {
        either(&mut terminate, &mut interrupt).await;
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            say::err("stopped at once");
            std::process::exit(i32::from(say::REFUSED));
        });
    })
}

/// SIGHUP, which would end the process where nobody listened for it.
///
/// # Errors
/// When the handler cannot be set.
pub fn hang_ups() -> Result<Signal, Failure> {
    signal(SignalKind::hangup()).map_err(cannot_listen)
}

fn cannot_listen(error: io::Error) -> Failure {
    Failure::usage(format!("cannot listen for signals: {error}"))
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
