//! What a scrape costs with `--storage.path`, in parts and as a whole, for some 500 series and the positions of ten files.

use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use criterion::{Criterion, criterion_group, criterion_main};
use holter::access_log::event::{Closed, Event};
use holter::label::Label;
use holter::metrics::{Gathered, Metrics};
use holter::reason::Reason;
use holter::snapshot::{Snapshot, Source};
use holter::tasks::storage::{Durability, Storage};
use holter::tasks::tail::{Follower, Start};

/// Sources whose every reason was counted, at four upstreams.
fn metrics() -> Metrics {
    let metrics = Metrics::new([], ["a", "b", "c", "d"]);
    for source in metrics.sources() {
        source.line(SystemTime::UNIX_EPOCH);
        for (i, reason) in Reason::ALL.iter().enumerate() {
            let closed = Closed {
                line: 1,
                reason: *reason,
                duration: Some(Duration::from_millis(1 << i)),
                upstream: Some(format!("10.0.0.{}:80", i % 4).into()),
            };
            source.record(&Event::StreamClosed(closed));
        }
    }
    metrics
}

/// Followers of ten files, which were read in as many passes as places are remembered of.
#[expect(clippy::expect_used, reason = "a bench that cannot go on says so")]
#[expect(clippy::disallowed_methods, reason = "any instant does")]
fn followers(folder: &Path) -> Vec<(String, Follower)> {
    let line = format!("{}\n", "x".repeat(200));
    let follower = |name: &str| {
        let pattern = folder.join(format!("{name}*.log")).display().to_string();
        let mut follower = Follower::new(vec![pattern], Start::Beginning);
        for _ in 0..20 {
            for file in 0..5 {
                let path = folder.join(format!("{name}{file}.log"));
                let log = OpenOptions::new().append(true).create(true).open(path);
                log.expect("a log")
                    .write_all(line.repeat(100).as_bytes())
                    .expect("written");
            }
            follower.poll(Instant::now(), &mut |_| {});
        }
        (name.to_owned(), follower)
    };
    ["a", "b"].map(follower).into()
}

fn cut(metrics: &Metrics, gathered: &Gathered, followers: &[(String, Follower)]) -> Snapshot {
    let source = |(name, follower): &(String, Follower)| Source {
        name: name.clone(),
        access: follower.checkpoint(),
        error: Default::default(),
        held: Default::default(),
    };
    Snapshot {
        families: metrics.stored(gathered),
        sources: followers.iter().map(source).collect(),
    }
}

/// The files whose positions are stored.
fn files(source: &Source) -> usize {
    let access = serde_json::to_value(&source.access).unwrap_or_default();
    access["files"].as_array().map_or(0, Vec::len)
}

/// What the system does not let us measure is nothing to go on with.
#[expect(clippy::expect_used, reason = "a bench that cannot go on says so")]
fn bench(criterion: &mut Criterion) {
    let metrics = metrics();
    let text = metrics.render();
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    let folder = tempfile::tempdir().expect("a folder");
    let storage = Storage::open(folder.path()).expect("storage");
    let logs = tempfile::tempdir().expect("a folder");
    let followers = followers(logs.path());
    let snapshot = cut(&metrics, &metrics.gather(), &followers);
    let bytes = snapshot.encode();
    let files: usize = snapshot.sources.iter().map(files).sum();
    println!(
        "{series} series, positions of {files} files, {} bytes stored",
        bytes.len()
    );

    let mut group = criterion.benchmark_group(format!("snapshot/{series}_series_{files}_files"));
    group.bench_function("cut", |b| {
        b.iter(|| black_box(cut(&metrics, &metrics.gather(), &followers)));
    });
    group.bench_function("encode", |b| b.iter(|| black_box(snapshot.encode())));
    for (name, durability) in [
        ("write", Durability::Process),
        ("write_synced", Durability::Power),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| storage.write(&bytes, durability).expect("written"));
        });
    }
    group.bench_function("scrape", |b| {
        b.iter(|| {
            let gathered = metrics.gather();
            let bytes = cut(&metrics, &gathered, &followers).encode();
            storage.write(&bytes, Durability::Process).expect("written");
            black_box(metrics.text(gathered))
        });
    });
    group.bench_function("scrape_without_storage", |b| {
        b.iter(|| black_box(metrics.render()))
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = bench
}
criterion_main!(benches);
