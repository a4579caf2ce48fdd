//! Hands the compiler's version and the commit to `holter_build_info`.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Moves with each commit and checkout; in a source archive there is no git to ask.
    if let Some(log) =
        first_line(Command::new("git").args(["rev-parse", "--git-path", "logs/HEAD"]))
    {
        println!("cargo::rerun-if-changed={log}");
    }
    println!("cargo::rerun-if-env-changed=HOLTER_REVISION");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    // `rustc 1.95.0 (59807616e 2026-04-14)`: the second word is the version.
    let version = first_line(Command::new(rustc).arg("--version"))
        .and_then(|line| line.split(' ').nth(1).map(str::to_owned));
    let revision = std::env::var("HOLTER_REVISION")
        .ok()
        .or_else(|| first_line(Command::new("git").args(["rev-parse", "--short=12", "HEAD"])));
    let or_unknown = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
    println!(
        "cargo::rustc-env=HOLTER_RUST_VERSION={}",
        or_unknown(version)
    );
    println!(
        "cargo::rustc-env=HOLTER_BUILD_REVISION={}",
        or_unknown(revision)
    );
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned)
}
