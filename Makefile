# The commands of this project. `make help` lists them.

export CARGO_TERM_COLOR ?= auto

.DEFAULT_GOAL := help
.PHONY: help demo test torture check bench bench-load bench-fleet fuzz conformance tools

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

demo: ## a simulated province and the gateway on it; prints the addresses to open
	cargo run --release -- demo

test: tools ## all tests, installing first what they need; properties with 1,000 cases each (200 on real files)
	# Unit tests are built in less time than optimising them takes; the oracle wants a fast program.
	PROPTEST_CASES=$${PROPTEST_CASES:-1000} cargo test --locked --lib \
		--config profile.dev.package.ioc-gateway.opt-level=0
	PROPTEST_CASES=$${PROPTEST_CASES:-1000} cargo test --locked --test it

torture: ## the long proofs: 1,000 random kills, 50 at each place of a page's way, 100,000 cases of each property (2,000 on real files), a short run of each fuzz target
	IOCGW_TORTURE_KILLS=$${IOCGW_TORTURE_KILLS:-1000} IOCGW_TORTURE_AT_EACH=$${IOCGW_TORTURE_AT_EACH:-50} \
		cargo test --locked --release --features failpoints --test it torture:: -- --nocapture
	# Conservation, replay, rebuild and merge in memory; then the same on files, where a case costs 0.04 s.
	PROPTEST_CASES=$${PROPTEST_CASES:-100000} cargo test --locked --lib -- fold::tests without_a_file differential
	STORE_CASES=$${STORE_CASES:-2000} PROPTEST_CASES=1000 \
		cargo test --locked --lib -- store::tests::properties store::tests::equals
	@.ci/fuzz $(or $(SECONDS),10)

check: ## formatting, lints and documentation, all without a warning
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked

bench: ## pull a million records, then ask for figures as fast as they are answered; what both cost
	cargo bench --bench pull
	cargo bench --bench load

bench-load: ## ask for kept answers, new ones and events; what that costs, beside a bare handler
	cargo bench --bench load

bench-fleet: tools ## poll 5,000 targets every 10 s for a minute, beside Prometheus doing the same
	cargo bench --bench fleet

fuzz: ## each fuzz target for SECONDS=10 (needs cargo-fuzz and a nightly toolchain; asks the registry for them when missing)
	@.ci/fuzz $(or $(SECONDS),10)

conformance: ## the API as other people's tools see it: linter, generated client, Python clients, schemathesis (pip, npm)
	@.ci/conformance

tools: ## the programs that tests call: promtool, systemd-analyze, chromium and its driver (apt-get, when missing)
	@.ci/tools
