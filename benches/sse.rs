//! The wire tap's speed on keep-alive comments and on small and large events, beside `eventsource-stream` in the
//! same run.

use std::convert::Infallible;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use eventsource_stream::Eventsource;
use futures_util::{FutureExt, StreamExt, stream};
use holter::sse::Tap;

/// One MiB of a stream made of this piece.
fn stream_of(piece: &str) -> Vec<u8> {
    piece.repeat(1024 * 1024 / piece.len() + 1).into_bytes()
}

fn tap(bytes: &[u8], chunk: usize) -> usize {
    let mut tap = Tap::default();
    let mut frames = 0;
    for chunk in bytes.chunks(chunk) {
        tap.feed(chunk, &mut |_| frames += 1);
    }
    frames
}

fn peer(bytes: &[u8], chunk: usize) -> usize {
    let chunks = bytes
        .chunks(chunk)
        .map(|chunk| Ok::<_, Infallible>(chunk.to_vec()));
    stream::iter(chunks)
        .eventsource()
        .count()
        .now_or_never()
        .unwrap_or(0)
}

fn bench(criterion: &mut Criterion) {
    let message =
        "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n";
    let large = format!("data: {}\n\n", "x".repeat(32 * 1024));
    let mut group = criterion.benchmark_group("sse");
    for (name, piece) in [
        ("comments", ": keepalive\n\n"),
        ("messages", message),
        ("large", &large),
    ] {
        let bytes = stream_of(piece);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_with_input(BenchmarkId::new("tap", name), &bytes, |bencher, bytes| {
            bencher.iter(|| tap(black_box(bytes), 4096));
        });
        group.bench_with_input(
            BenchmarkId::new("eventsource-stream", name),
            &bytes,
            |bencher, bytes| {
                bencher.iter(|| peer(black_box(bytes), 4096));
            },
        );
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
