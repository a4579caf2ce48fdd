//! The whole laboratory: the schedule, the users, the stop.

use holter::lab::{Lab, Plan};
use tokio_util::sync::CancellationToken;

use crate::stage::*;
use crate::wire::*;

#[test]
fn the_schedule_shows_every_kind_of_end_and_leaves_nothing_behind() {
    let runtime = runtime();
    let dir = tempfile::tempdir().expect("a directory");
    let plan = Plan {
        users: 9,
        ..Plan::default().faster(10)
    };
    let lab = runtime
        .block_on(Lab::start(dir.path(), plan))
        .expect("a laboratory");
    let (replicas, proxy) = (lab.replicas().to_vec(), lab.proxy());
    let logs = [lab.access_log().to_owned(), lab.error_log().to_owned()];
    let stop = CancellationToken::new();
    std::thread::scope(|scope| {
        // A failed condition must not leave the scope waiting for the laboratory.
        let ending = stop.clone().drop_guard();
        scope.spawn(|| runtime.block_on(lab.run(stop)));
        eventually("each kind of end", || {
            let text: String = logs
                .iter()
                .map(|log| std::fs::read_to_string(log).expect("log"))
                .collect();
            [
                "while reading upstream, client",
                "upstream timed out (110: Connection timed out) while reading upstream",
                "upstream prematurely closed connection while reading upstream",
                "connect() failed (111: Connection refused)",
                GONE,
                "\"GET /mcp HTTP/1.1\" 404 ",
                "\"POST /mcp HTTP/1.1\" 404 ",
                "DELETE /mcp HTTP/1.1",
                "\"GET /sse HTTP/1.1\" 200 ",
                "demo-client/1.0",
                "demo-desktop/2.3",
                "demo-legacy/0.9",
            ]
            .iter()
            .all(|kind| text.contains(kind))
            .then_some(())
        });
        drop(ending);
    });
    // A task is joined a moment before the runtime forgets it.
    eventually("the last task to go", || {
        (runtime.metrics().num_alive_tasks() == 0).then_some(())
    });
    for addr in replicas.into_iter().chain([proxy]) {
        assert!(is_refused(addr), "{addr}");
    }
}
