# What one does with Guichet from the repository root. Set-up lies in scripts/, which say what they need.

.PHONY: up down build package page sdk agent test check fmt clippy rustdoc openapi settings deny bench setup

# Builds target/quick/guichet, makes the images, starts the service, shows one graded submission. GUICHET_LISTEN chooses
# the port.
up:
	@scripts/up.sh

# Stops the service and the engine that `make up` started.
down:
	@scripts/down.sh

# Everything the service needs to run, as fast as it can be: target/release/guichet with guichet-agent beside it.
build:
	@scripts/build.sh

# The Debian package, of what `make build` has built: target/package.
package:
	@scripts/package.sh

# The page for people alone, for the next build of the program: web-demo/dist/page.
page:
	@scripts/page.sh

# Clients in TypeScript, Python, Go and Java, out of openapi/openapi.json: docs/sdk.md.
sdk:
	@scripts/sdk.sh

# The agent alone, static, as containers need it: target/agent/guichet-agent.
agent:
	@scripts/agent.sh

# All set-up for the tests, and all of them.
test:
	@scripts/test.sh

# What needs no engine: format, lints, documentation, openapi/openapi.json, docs/settings.md, the dependencies.
check: fmt clippy rustdoc openapi settings deny

fmt:
	cargo fmt --all --check

clippy:
	cargo clippy --locked --workspace --all-targets --features failpoints -- -D warnings

rustdoc:
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps --document-private-items --features failpoints

openapi:
	cargo run --locked --features failpoints --quiet -- openapi --check

# docs/settings.md is what the code says.
settings:
	cargo run --locked --features failpoints --quiet -- settings --check

deny:
	@scripts/deny.sh

# The measurements of docs/performance.md.
bench:
	@scripts/bench.sh

# Installs what is missing for `make up` and `make test`.
setup:
	@scripts/setup.sh test
