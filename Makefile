# wasmoor: everything a developer runs. `make help` lists the targets.
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

DATA     ?= wasmoor-data
PUBLIC   ?= 127.0.0.1:8080
ADMIN    ?= 127.0.0.1:8081
PLUGINS  := examples/hello examples/guestbook plugins/links
TOOL     := go tool -modfile=.ci/tools.mod

.PHONY: help build run check fmt lint generate test race fuzz bench soak clean

help: ## List the targets.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

build: ## Build the binary into bin/wasmoor.
	go build -trimpath -o bin/wasmoor ./host/cmd/wasmoor

run: build ## Build everything, serve from DATA, deploy the examples, print their URLs. Ctrl-C ends it.
	@bin/wasmoor serve --data $(DATA) --public $(PUBLIC) --admin $(ADMIN) & server=$$!; \
	trap 'kill $$server 2>/dev/null || true; wait $$server 2>/dev/null || true' EXIT; trap 'exit 0' INT TERM; \
	export WASMOOR_SERVER=http://$(ADMIN) WASMOOR_TOKEN_FILE=$(DATA)/admin.token; \
	for try in $$(seq 100); do \
		kill -0 $$server 2>/dev/null || { echo "the server did not start; its message is above" >&2; exit 1; }; \
		bin/wasmoor list >/dev/null 2>&1 && break; sleep 0.1; \
	done; \
	for plugin in $(PLUGINS); do bin/wasmoor deploy $$plugin; done; \
	bin/wasmoor list; \
	echo "Serving until Ctrl-C. Try: curl http://$(PUBLIC)/hello"; \
	wait $$server

check: fmt generate lint ## Format, generate, tidy, lint; fails when that changed a file.
	go mod tidy
	@git diff --exit-code || { echo "make check changed the files above: commit them" >&2; exit 1; }

fmt:
	$(TOOL) golangci-lint fmt

lint:
	go vet ./...
	GOOS=wasip1 GOARCH=wasm go vet ./sdk/... ./examples/... ./plugins/...
	$(TOOL) golangci-lint run

generate:
	go generate ./...

test: ## Run every test; needs Go alone.
	go test ./...

race: ## Run every test under the race detector; needs a C compiler.
	go test -race ./...

fuzz: ## Run every fuzz target for FUZZTIME (default 20s).
	@for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "== $$pkg $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $${FUZZTIME:-20s} $$pkg; \
		done; \
	done

bench: ## Measure: one run, figures beside the comparisons they stand for.
	go test -run '^$$' -bench . -benchmem -timeout 20m ./...

soak: ## Long runs: 500 kill rounds and more; prints seed and commit.
	@echo "commit $$(git rev-parse --short HEAD)"
	go test ./host/e2e -v -count=1 -timeout 120m -args -soak

clean: ## Remove what was built; data stays.
	rm -rf bin
