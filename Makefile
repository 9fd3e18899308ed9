# The commands of this project. `make help` lists them.

export CARGO_TERM_COLOR ?= auto

.DEFAULT_GOAL := help
.PHONY: help demo test check bench fuzz tools

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

demo: ## a simulated province and the gateway on it; prints the addresses to open
	cargo run --release -- demo

test: tools ## all tests, installing first what they need
	cargo test --locked

check: ## formatting, lints and documentation, all without a warning
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked

bench: ## pull a million records and print what it cost
	cargo bench --bench pull

fuzz: ## each fuzz target for SECONDS=10 (needs cargo-fuzz and a nightly toolchain; asks the registry for them when missing)
	@.ci/fuzz $(or $(SECONDS),10)

tools: ## the programs that tests call: promtool, systemd-analyze, chromium and its driver (apt-get, when missing)
	@.ci/tools
