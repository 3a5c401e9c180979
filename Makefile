# Rollcall. "make" alone lists the targets.

GO       ?= go
FUZZTIME ?= 10s
BENCH    ?= .
SOAKTIME ?= 60m

SCRIPTS := .ci/run .ci/setup .ci/postgres .ci/gotest .ci/vulncheck .ci/fuzz .ci/load .ci/openapi .ci/pytool .ci/readers .ci/schemathesis .ci/nodetools

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/rollcall
	$(GO) build -o bin/rollcall ./cmd/rollcall

.PHONY: demo
demo: build ## build, start everything on an embedded database with invented teams, show where to look
	bin/rollcall demo

# lint has vetted everything, so the tests do not vet their packages again.
.PHONY: test
test: setup ## everything: lint, then all tests with the race detector on SQLite and PostgreSQL
	@$(MAKE) --no-print-directory lint
	.ci/schemathesis
	ROLLCALL_TEST_READERS=$$(.ci/readers) ROLLCALL_PG_FAST=1 .ci/postgres with .ci/gotest -race -vet=off -shuffle=on -timeout 25m ./... ./.ci/results

.PHONY: test-short
test-short: ## the quick round while working: SQLite only, no race detector, no lint
	env -u ROLLCALL_TEST_POSTGRES .ci/gotest -short ./... ./.ci/results

.PHONY: lint
lint: ## gofmt, vet, staticcheck, govulncheck, the OpenAPI document and its types, shellcheck
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt -w is due:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./... ./.ci/results
	$(GO) tool staticcheck ./... ./.ci/results
	.ci/vulncheck
	.ci/openapi
	.ci/nodetools
	@if command -v shellcheck >/dev/null; then echo shellcheck $(SCRIPTS); shellcheck $(SCRIPTS); else echo "shellcheck: not installed, skipped"; fi

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (10s)
	.ci/fuzz $(FUZZTIME)

.PHONY: soak
soak: ## the long fault and load tests, on both engines, with fsync on (up to SOAKTIME, 60m)
	ROLLCALL_SOAK=1 .ci/postgres with .ci/gotest -count=1 -p 1 -run Soak -timeout $(SOAKTIME) ./...

# The load benchmark over HTTP is a script of its own; it runs against the built binary.
.PHONY: bench
bench: build ## the figures: Go benchmarks (BENCH=regexp), then the load over HTTP
	ROLLCALL_PG_FAST=1 .ci/postgres with $(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -p 1 ./...
	@if [ -x .ci/load ]; then .ci/load; else echo "load: .ci/load is not there, so nothing was measured over HTTP"; fi

.PHONY: generate
generate: ## make the generated files again: the OpenAPI document, and the clients made of it
	$(GO) generate ./openapi
	$(GO) generate ./...
	.ci/nodetools write

.PHONY: setup
setup: ## install by apt what the tests need and this machine lacks, where that is allowed
	@.ci/setup

.PHONY: clean
clean: ## remove what the build made
	rm -rf bin
