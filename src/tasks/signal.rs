//! When the process is asked to stop.
//!
//! Owns which signals mean that: SIGTERM (kubelet, systemd, `docker stop`) and SIGINT (Ctrl-C). The
//! first asks for a graceful end, the second for an end now. Knows nothing of what then stops.

use std::io;

use tokio::select;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Resolves when the process has been asked `times` times to stop. Listens from this call on, not from
/// the first poll. Each call counts for itself; two signals in the same instant may count once.
///
/// # Errors
///
/// Where the signal handlers cannot be installed.
pub fn asked_to_stop(times: u32) -> io::Result<impl Future<Output = ()>> {
    let terminate = signal(SignalKind::terminate())?;
    let interrupt = signal(SignalKind::interrupt())?;
    Ok(count(terminate, interrupt, times))
}

async fn count(mut terminate: Signal, mut interrupt: Signal, times: u32) {
    for _ in 0..times {
        select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::process::{Command, id};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn kill(signal: &str) {
        let command = format!("kill -s {signal} {}", id());
        let sent = Command::new("sh").args(["-c", &command]).status().unwrap();
        assert!(sent.success());
    }

    async fn within(future: impl Future<Output = ()>) {
        timeout(Duration::from_secs(20), future).await.unwrap();
    }

    #[tokio::test]
    async fn the_first_and_the_second_signal_are_told_apart() {
        let once = asked_to_stop(1).unwrap();
        let mut twice = pin!(asked_to_stop(2).unwrap());
        kill("TERM");
        within(once).await;
        select! {
            biased;
            () = twice.as_mut() => panic!("one signal counted twice"),
            () = std::future::ready(()) => {}
        }
        let once_again = asked_to_stop(1).unwrap();
        kill("INT");
        within(once_again).await;
        within(twice).await;
    }
}
