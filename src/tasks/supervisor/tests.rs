//! Ends, panics, grace and retirement, on tasks of a few words.

use std::future::ready;

use super::*;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);

/// A supervisor that misses an end waits for ever; the test must not.
async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(LONG, future).await.expect("in time")
}

fn named(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_signal_stops_the_workers_and_leaves_the_servers() {
    let mut supervisor = Supervisor::new();
    let (workers, servers) = (supervisor.workers_stop(), supervisor.servers_stop());
    supervisor.spawn("tail", workers.clone().cancelled_owned());
    supervisor.spawn_server("admin", servers.clone().cancelled_owned());
    assert_eq!(within(supervisor.run(ready(()), LONG)).await, Ok(()));
    assert!(workers.is_cancelled() && !servers.is_cancelled());
    assert_eq!(supervisor.finish(LONG).await, Ok(()));
    assert!(servers.is_cancelled());
}

#[tokio::test]
async fn without_tasks_it_waits_for_the_signal() {
    assert_eq!(Supervisor::new().run(ready(()), LONG).await, Ok(()));
    let mut supervisor = Supervisor::new();
    let waiting = supervisor.run(pending(), LONG);
    assert!(timeout(SHORT, waiting).await.is_err());
}

#[tokio::test]
async fn an_early_end_is_a_failure_and_stops_the_others() {
    let mut supervisor = Supervisor::new();
    let stop = supervisor.workers_stop();
    supervisor.spawn("tail", ready(()));
    supervisor.spawn("canary", stop.clone().cancelled_owned());
    let task = "tail".to_owned();
    let outcome = within(supervisor.run(pending(), LONG)).await;
    assert_eq!(outcome, Err(Failure::EndedEarly { task }));
    assert!(stop.is_cancelled());
}

#[tokio::test]
async fn a_panic_is_named_in_both_groups() {
    let task = "broken".to_owned();
    let expected = Err(Failure::Panicked { task });
    let mut supervisor = Supervisor::new();
    supervisor.spawn("broken", async { panic!("expected by the test") });
    assert_eq!(within(supervisor.run(pending(), LONG)).await, expected);
    let mut supervisor = Supervisor::new();
    supervisor.spawn_server("broken", async { panic!("expected by the test") });
    assert_eq!(within(supervisor.run(pending(), LONG)).await, expected);
}

#[tokio::test]
async fn a_panic_on_the_way_out_is_a_failure() {
    let mut supervisor = Supervisor::new();
    let stop = supervisor.workers_stop();
    supervisor.spawn("tail", async move {
        stop.cancelled().await;
        panic!("expected by the test");
    });
    let task = "tail".to_owned();
    let outcome = within(supervisor.run(ready(()), LONG)).await;
    assert_eq!(outcome, Err(Failure::Panicked { task }));
}

#[tokio::test]
async fn stuck_tasks_are_named_and_not_waited_for() {
    let mut supervisor = Supervisor::new();
    supervisor.spawn("tail", supervisor.workers_stop().cancelled_owned());
    supervisor.spawn("canary b", pending());
    supervisor.spawn("canary a", pending());
    supervisor.spawn_server("admin", pending());
    let tasks = named(&["canary a", "canary b"]);
    let outcome = within(supervisor.run(ready(()), SHORT)).await;
    assert_eq!(outcome, Err(Failure::Stuck { tasks }));
    let tasks = named(&["admin"]);
    assert_eq!(
        supervisor.finish(SHORT).await,
        Err(Failure::Stuck { tasks })
    );
}

#[tokio::test]
async fn some_workers_leave_and_the_others_stay() {
    let mut supervisor = Supervisor::new();
    let leaving = ["a", "b"]
        .map(|name| supervisor.spawn_worker(name, |stop| async move { stop.cancelled().await }));
    let stays = supervisor.spawn_worker("c", CancellationToken::cancelled_owned);
    let left = within(supervisor.retire(leaving.into(), LONG)).await;
    assert_eq!(left, Ok(()));
    assert!(!stays.stop.is_cancelled());
    assert_eq!(within(supervisor.run(ready(()), LONG)).await, Ok(()));
    assert!(stays.stop.is_cancelled(), "by the stop of all");
}

#[tokio::test]
async fn a_worker_that_does_not_leave_is_named() {
    let mut supervisor = Supervisor::new();
    let stuck = supervisor.spawn_worker("stuck", |_| pending());
    let good = supervisor.spawn_worker("good", CancellationToken::cancelled_owned);
    let left = within(supervisor.retire(vec![stuck, good], SHORT)).await;
    let tasks = named(&["stuck"]);
    assert_eq!(left, Err(Failure::Stuck { tasks }));
}

#[tokio::test]
async fn another_end_meanwhile_is_a_failure() {
    let mut supervisor = Supervisor::new();
    supervisor.spawn("early", ready(()));
    let stuck = supervisor.spawn_worker("stuck", |_| pending());
    let left = within(supervisor.retire(vec![stuck], LONG)).await;
    let task = "early".to_owned();
    assert_eq!(left, Err(Failure::EndedEarly { task }));
}

#[tokio::test]
async fn the_first_failure_is_the_one_reported() {
    let mut supervisor = Supervisor::new();
    supervisor.spawn("tail", ready(()));
    supervisor.spawn("canary", pending());
    let task = "tail".to_owned();
    let outcome = within(supervisor.run(pending(), SHORT)).await;
    assert_eq!(outcome, Err(Failure::EndedEarly { task }));
}

#[test]
fn failures_are_one_line() {
    let tasks = named(&["canary a", "tail"]);
    let stuck = Failure::Stuck { tasks }.to_string();
    assert_eq!(
        stuck,
        "shut down without waiting any longer for canary a, tail"
    );
}
