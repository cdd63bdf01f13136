//! Signals that end a command or have its configuration read again, and the operator's log.
//! Knows nothing of what they are for.

use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::around::variable;
use super::say::{self, Failure, Paint};

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

/// Starts the operator's log on standard error, with this filter where `DOCKGATE_LOG` does not ask for another.
pub fn start_log(default: &str) {
    let wanted = variable("DOCKGATE_LOG");
    let filter = wanted.as_deref().map_or_else(|| Ok(EnvFilter::new(default)), |text| EnvFilter::builder().parse(text));
    let filter = filter.unwrap_or_else(|error| {
        say::warn(format_args!("DOCKGATE_LOG is no filter ({error}); `{default}` is used"));
        EnvFilter::new(default)
    });
    // its own errors would go to standard error too, and panic where that is closed
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(Paint::stderr().is_on());
    let _already_started = log.with_target(false).log_internal_errors(false).try_init();
}
