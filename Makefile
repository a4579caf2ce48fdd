# make demo     see it work: nothing but the Rust toolchain is needed
# make test     installs what the tests need, and runs them all
# make check    format, lints, licences and sources, docs
# make interop  holds Holter before real servers of every SDK, for minutes
.PHONY: demo setup test check interop

demo:
	cargo run --locked -- demo

setup:
	scripts/setup

test: setup
	cargo test --locked

check: setup
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo fetch --locked
	tests/.tools/bin/cargo-deny --offline check licenses bans sources
	RUSTDOCFLAGS=-Dwarnings cargo doc --locked --no-deps

interop: setup
	tests/interop/setup
	cargo test --locked --test interop
