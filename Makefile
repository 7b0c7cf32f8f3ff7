# remit. `make` lists what there is.

SHELL := /bin/sh
GO ?= go
# The race detector links with a C compiler. Where there is none, the one in
# PyPI's ziglang does it.
ifeq ($(shell command -v $(firstword $(or $(CC),cc)) 2>/dev/null || command -v gcc 2>/dev/null),)
ZIG = build/zig/bin/python3
export CC = $(CURDIR)/$(ZIG) -m ziglang cc
endif

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

build: ## bin/remit
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/remit ./cmd/remit

dist: ## build/dist: what is released of the last commit, the same bytes everywhere (ARGS="-arch amd64" for one processor)
	$(GO) run ./integration/dist $(ARGS)

run: build ## remit behind a real Envoy with sample tools; plays one agent's session (ARGS=--once ends after it)
	$(GO) build -o build/demo ./integration/demo
	./build/demo --remit bin/remit $(ARGS)

$(ZIG):
	python3 -m venv build/zig
	build/zig/bin/pip install --quiet --disable-pip-version-check ziglang==0.17.1

test: $(ZIG) lint policies-test ## everything the project can prove, real Envoy included
	CGO_ENABLED=1 $(GO) test -race -pgo=off -timeout 45m -parallel 4 ./... # many wait for an Envoy
	$(GO) test -count=1 -run 'UnderLoad$$' ./integration # at their full rates

# What decides, once more with the engine that the default one falls back to: the
# packages that evaluate are linked with it, what the integration tests start is
# told by the environment.
TOPDOWN = -ldflags '-X github.com/remit-pdp/remit/pdp/policy.standard=topdown -X github.com/remit-pdp/remit/pdp/config.engine=topdown'

test-topdown: $(ZIG) ## the tests of the decision point, with OPA's topdown as the engine
	TEST_ENGINE=topdown CGO_ENABLED=1 $(GO) test -race -pgo=off $(TOPDOWN) ./pdp/policy ./pdp/server ./pdp/door/extauthz ./pdp/door/agents ./cmd/remit
	REMIT_POLICY_ENGINE=topdown CGO_ENABLED=1 $(GO) test -race -count=1 -parallel 4 \
	  -run 'TestMCPThroughEnvoy|TestAttacks|TestAmbiguousRequests|TestHostileRequests|TestConcurrentLimits|TestProtocolsThroughEnvoy|TestAPolicyEndsItsOwnSession' ./integration

test-mesh: ## behind Istio's own generated configuration; builds Istio's discovery server, the first time for minutes
	cd integration/mesh && $(GO) vet .
	$(GO) vet -tags mesh ./integration
	$(GO) tool staticcheck -tags mesh ./integration
	$(GO) test -tags mesh -count=1 -timeout 40m -run 'Istio' ./integration

test-chart: ## the Helm chart and the recipes: rendered, read strictly, and their configurations checked by remit
	cd integration/chart/check && $(GO) vet . && $(GO) test -count=1 .

lint: ## formatting, vet, staticcheck
	@unformatted=$$(gofmt -l cmd pdp bundles policies integration); \
	if [ -n "$$unformatted" ]; then echo "gofmt: $$unformatted"; exit 1; fi
	$(GO) vet -pgo=off ./...
	cd integration/collector && $(GO) vet .
	GOFLAGS=-pgo=off $(GO) tool staticcheck ./...

OPA = build/opa
$(OPA): go.mod
	$(GO) build -o $(OPA) github.com/open-policy-agent/opa

policies-test: $(OPA) ## the shipped policies with the stock opa: format, strict check with schemas, tests and coverage
	OPA=$(CURDIR)/$(OPA) THRESHOLD=95 sh policies/ci/check.sh

FUZZED = $(shell grep -rl --include='*_test.go' '^func Fuzz' pdp bundles | xargs -n1 dirname | sort -u)

fuzz: ## every fuzz target for FUZZTIME (default 20s)
	@for pkg in $(FUZZED); do \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' $$pkg/*_test.go); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $${FUZZTIME:-20s} -fuzzminimizetime 100x ./$$pkg || exit 1; \
	  done; \
	done

# So many inputs and not so long: at the end of a time Go's fuzzer now and then
# fails a target that has failed at nothing ("context deadline exceeded").
fuzz-briefly: ## a few hundred new inputs for every fuzz target: CI runs it
	@FUZZTIME=300x $(MAKE) --no-print-directory fuzz

bench: ## what a decision costs beside a server that decides nothing, every promise on and checked (PEER=host:port, FLAME=1)
	$(GO) run ./integration/bench $(if $(PEER),-peer $(PEER)) $(if $(PEER_PID),-peer-pid $(PEER_PID)) $(if $(FLAME),-flame)

guide: ## cmd/remit/default.pgo anew: what the Go compiler is told of where a decision's time goes
	$(GO) run ./integration/bench -guide

endure: ## remit at 80 % of what it can decide for TIME (default 10m), killed every 30 s: no wrong allow, no budget exceeded, a record for each answer, memory flat
	$(GO) run ./integration/bench -endure $(or $(TIME),10m)

bench-check: ## its ratios alone, against integration/bench/baseline.json: fails where one is more than a tenth worse
	$(GO) run ./integration/bench -check

benchmarks: ## the benchmarks beside the code, each beside what it is compared with
	$(GO) test -run '^$$' -bench . -benchmem ./pdp/...

clean: ## what was built and fetched
	rm -rf bin build

.PHONY: help build dist run test test-topdown test-mesh test-chart lint policies-test fuzz fuzz-briefly bench guide endure bench-check benchmarks clean
