//! What a scrape costs with `--storage.path`, in parts and as a whole, for some 500 series.

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use criterion::{Criterion, criterion_group, criterion_main};
use holter::access_log::event::{Closed, Event};
use holter::label::Label;
use holter::metrics::Metrics;
use holter::reason::Reason;
use holter::snapshot::Snapshot;
use holter::tasks::storage::{Durability, Storage};

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

fn cut(metrics: &Metrics) -> Snapshot {
    Snapshot {
        families: metrics.stored(&metrics.gather()),
        sources: Vec::new(),
    }
}

/// What the system does not let us measure is nothing to go on with.
#[expect(clippy::expect_used, reason = "a bench that cannot go on says so")]
fn bench(criterion: &mut Criterion) {
    let metrics = metrics();
    let text = metrics.render();
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    let folder = tempfile::tempdir().expect("a folder");
    let storage = Storage::open(folder.path()).expect("storage");
    let bytes = cut(&metrics).encode();
    println!("{series} series, {} bytes stored", bytes.len());

    let mut group = criterion.benchmark_group(format!("snapshot/{series}_series"));
    group.bench_function("cut", |b| b.iter(|| black_box(cut(&metrics))));
    let snapshot = cut(&metrics);
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
            let families = metrics.stored(&gathered);
            let sources = Vec::new();
            let bytes = Snapshot { families, sources }.encode();
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
