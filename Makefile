# wasmoor: everything a developer runs. `make help` lists the targets.
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

DATA     ?= wasmoor-data
PUBLIC   ?= 127.0.0.1:8080
ADMIN    ?= 127.0.0.1:8081
PLUGINS  := examples/hello examples/guestbook examples/extism-count examples/extism-handler plugins/links
# No package needs cgo, so the binary needs no library; the race detector does.
export CGO_ENABLED := 0
TOOL     := go tool -modfile=.ci/tools.mod

.PHONY: help build run check fmt lint cross generate test race guests edges fuzz bench demo rivals autobahn sqllogic soak clean

help: ## List the targets.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

build: ## Build the binary into bin/wasmoor.
	go build -o bin/wasmoor ./host/cmd/wasmoor

# The server takes the place of the recipe's shell, so that Ctrl-C and the exit code are its own. What
# reads its output deploys once it says that it serves: then the address is ours, nobody else's.
run: build ## Build everything, serve from DATA, deploy the examples, print their URLs. Ctrl-C ends it.
	@export WASMOOR_SERVER=http://$(ADMIN) WASMOOR_TOKEN_FILE=$(DATA)/admin.token; \
	deploy() { \
		for plugin in $(PLUGINS); do \
			kill -0 $$$$ 2>/dev/null || return 0; \
			bin/wasmoor deploy $$plugin || echo "$$plugin is not deployed; the reason is above" >&2; \
		done; \
		bin/wasmoor list; \
		echo "Serving until Ctrl-C. Try: curl http://$(PUBLIC)/hello/you"; \
	}; \
	exec bin/wasmoor serve --data $(DATA) --public $(PUBLIC) --admin $(ADMIN) --log-format text 2> >( \
		while IFS= read -r line; do \
			echo "$$line" >&2; \
			if [[ $$line == "  next "* ]]; then deploy & exec cat >&2; fi; \
		done )

check: fmt generate lint ## Format, generate, tidy, lint; fails when that changed a file.
	go mod tidy
	@git diff --exit-code || { echo "make check changed the files above: commit them" >&2; exit 1; }

fmt:
	$(TOOL) golangci-lint fmt

# The linter vets, the end-to-end tests with a tag too.
lint:
	GOOS=wasip1 GOARCH=wasm go vet ./sdk/... ./examples/... ./plugins/...
	$(TOOL) golangci-lint run

# Nothing of other systems runs here: that everything fits, tests too, is checked for all, and the binary is built
# for SYSTEMS.
ALL     := linux/arm64 darwin/arm64 windows/amd64 freebsd/amd64
SYSTEMS ?= $(ALL)
cross: ## Check types for the systems that we do not run, and build for them.
	go run -modfile=.ci/tools.mod ./.ci/types $(ALL)
	@for target in $(SYSTEMS); do \
		echo "== $$target"; GOOS=$${target%/*} GOARCH=$${target#*/} go build -o /dev/null ./host/cmd/wasmoor; \
	done

generate:
	go generate ./...

# What takes longest begins first. `make check` vets.
test: ## Run every test; needs only Go.
	go test -vet=off -timeout 30m ./host/e2e ./...

# Raced is what starts goroutines, waits for them, or has them started, as a server does for its handlers. Left
# out is what takes long and shares nothing: the readers of WebAssembly, the memory of guests, builds, processes
# that are killed, most scripts of the command line. The end-to-end tests drive a binary that is built without the
# detector. wazero's compiler is not instrumented: it would take ten times as long, and what it shares between
# goroutines is its own. Nor is SQLite itself, which is generated code: a connection is one goroutine's at a time,
# and the packages that drive it tell.
RACE    := CGO_ENABLED=1 go test -vet=off -timeout 30m -race -gcflags='github.com/tetratelabs/wazero/...=-race=false' \
	-gcflags='github.com/ncruces/go-sqlite3-wasm/...=-race=false'
STARTS  := ^[[:space:]]*go |<-|\.(Go|Parallel|RunParallel|AfterFunc|Listen|Serve)\(|httptest\.
UNRACED := ^host/(e2e|cmd/wasmoor|internal/(archtest|prepare|wasmbin(/.*)?|rollout|engine/(callstack|extism|linear|native)))$$
race: ## Run the tests under the race detector; needs a C compiler.
	$(RACE) -skip '^Test(Flat|CacheCountsHeaders|HitAllocatesOnce|Damage|Kills|UpgradeKilled)$$' \
		$$(git grep --untracked -lE '$(STARTS)' -- 'host/*.go' 'sdk/*.go' | xargs -n1 dirname | sort -u | grep -vE '$(UNRACED)|testdata' | sed 's|^|./|')
	$(RACE) ./host/internal/prepare -run '^Test(GivenUp|OneBuildForAllThatWait|ProcessesShareACache|TooLittleMemoryBeginsNothing|ABuildThatWaitsKeepsNobody|Turns|UploadsLeaveAPlace|APluginHasOnePlace|QueueUnderLoad)$$'
	$(RACE) ./host/internal/engine/native -run '^Test(Budget|ClosedProgramsAreUnmapped|Engine|LoadTogether|Stopped)$$'
	$(RACE) ./host/internal/engine/extism -run '^Test(Arena.*|ManyAtATime|Stopped|Turns)$$'
	$(RACE) ./host/cmd/wasmoor -run '^TestScripts$$/^(dev|serve|deploy)$$'

guests: ## Test the plugins in other languages through the built binary; needs clang, lld, node, npm and its registry, and rustc for wasm32-wasi.
	go test -tags cguest,asguest,rustguest -count=1 -run '^Test(C[A-Z]|AS[A-Z]|Rust)' ./host/e2e

edges: ## Test behind nginx, under slowhttptest, from chromium, with Prometheus, as in a container; needs the four, systemd-analyze and root.
	go test -tags edge -count=1 -run '^TestEdge' ./host/e2e

fuzz: ## Run every fuzz target for FUZZTIME (default 20s).
	@for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "== $$pkg $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $${FUZZTIME:-20s} $$pkg; \
		done; \
	done

bench: ## Measure: one run, figures next to what they are compared with.
	go test -run '^$$' -bench . -benchmem -timeout 20m ./...

demo: ## Show the shop: three plugins in one transaction, 64 clients, ten times kill -9, in 90 seconds.
	go run ./examples/shop/demo

rivals: ## Measure queues next to River on Postgres, and SQL next to PocketBase and workerd; needs Debian's postgresql, and npm for workerd.
	.ci/river/run
	.ci/pocketbase/run

autobahn: ## Hold WebSockets to Autobahn's suite; needs Python 3 with venv, PyPI, and a Python 2.7 (PYTHON2 names it).
	.ci/autobahn/run

CORPUS ?= sqllogictest/test
sqllogic: ## Run the corpus of sqllogictest in CORPUS in databases of ours and in a file, for FOR (default 20m). SEED repeats one's choices.
	go test ./host/internal/sqlite -run '^TestSQLLogic$$' -v -count=1 -timeout 0 -args -corpus $(abspath $(CORPUS)) -for $${FOR:-20m} -seed $${SEED:-0}

soak: ## Long runs: 500 kill rounds and more, schemathesis from PyPI; prints seed and commit. SEED repeats one's choices.
	@seed=$${SEED:-$$(( (RANDOM << 15 | RANDOM) + 1 ))}; \
	echo "commit $$(git describe --always --dirty), seed $$seed"; \
	SEED=$$seed .ci/schemathesis/run; \
	go test ./host/internal/wasmbin/rewrite -run '^Test(RandomModules|CompilerAgrees)$$' -v -count=1 -timeout 120m -args -soak -seed $$seed; \
	go test ./host/e2e -v -count=1 -timeout 120m -args -soak -seed $$seed; \
	go test ./host/e2e -run '^$$' -bench '^BenchmarkQueue$$' -benchtime 1x -timeout 120m -args -soak -messages 1000000; \
	go test ./host/e2e -run '^$$' -bench '^BenchmarkHotRows$$' -benchtime 1x -timeout 120m -args -updates 10000000; \
	go test ./host/e2e -run '^$$' -bench '^BenchmarkBlobs$$' -benchtime 1x -timeout 20m -args -soak; \
	go test ./host/internal/store/badger -run '^(TestKills|TestDamage.*)$$' -v -count=1 -timeout 60m -args -soak; \
	go test ./host/internal/engine/native ./host/internal/engine/extism -p 1 -run '^TestStopped$$' -v -count=1 -args -soak

clean: ## Remove what was built; data stays.
	rm -rf bin
