# make demo     see it work: nothing but the Rust toolchain is needed
# make test     installs what the tests need, and runs them all
# make check    format, lints, licences and sources, docs
# make torture  the tail's proof, then the same logs read by tail -F and mtail, side by side
# make torture-mutations  each of the tail's safety rules switched off in turn: the proof has to fail (minutes)
# make interop  holds Holter before real servers of every SDK, for minutes
.PHONY: demo setup test check torture torture-mutations interop

demo:
	cargo run --locked -- demo

setup:
	scripts/setup

test: setup
	cargo test --locked

torture: setup
	cargo test --locked --test torture
	cargo test --locked --test torture -- --peers

torture-mutations:
	tests/torture/mutations/run

check: setup
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo fetch --locked
	tests/.tools/bin/cargo-deny --offline check licenses bans sources
	RUSTDOCFLAGS=-Dwarnings cargo doc --locked --no-deps

interop: setup
	tests/interop/setup
	cargo test --locked --test interop
