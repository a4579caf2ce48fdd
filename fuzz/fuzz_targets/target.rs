//! The one binary that cargo-fuzz builds: `HOLTER_FUZZ` names the target, of `tests/fuzz/targets.rs`.

#![no_main]
#![allow(clippy::expect_used, reason = "a panic is how a fuzzer learns of a fault")]

#[path = "../../tests/fuzz/targets.rs"]
mod targets;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use targets::{TARGETS, Target};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("HOLTER_FUZZ").expect("HOLTER_FUZZ names a target");
    let known = TARGETS.iter().find(|target| target.name == name);
    known.expect("HOLTER_FUZZ names a known target")
});

fuzz_target!(|input: &[u8]| TARGET.run(input));
