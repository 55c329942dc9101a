# Tidemark. `make help` lists the targets; `make test check` is what CI runs.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
V       := github.com/prometheus/common/version
LDFLAGS := -s -w -X $(V).Version=$(VERSION) -X $(V).Revision=$(COMMIT) -X $(V).Branch=main
TOOLS   := $(or $(TIDEMARK_TOOLS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tidemark/tools)
# Labelled data and its scorers for the benchmarks of accuracy; not part of the project.
TIDEMARK_DATA  ?= ../shared/data
TIDEMARK_BENCH ?= ../shared/bench
export TIDEMARK_TOOLS := $(TOOLS)
export TIDEMARK_DATA TIDEMARK_BENCH

.PHONY: help
help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/tidemark and bin/tidetool.
	CGO_ENABLED=0 $(GO) build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/tidemark ./cmd/tidetool

.PHONY: man
man: build ## Write man pages and shell completions into bin/share/.
	@mkdir -p bin/share
	@for p in tidemark tidetool; do \
	  bin/$$p --help-man > bin/share/$$p.1 && bin/$$p --completion-script-bash > bin/share/$$p.bash && bin/$$p --completion-script-zsh > bin/share/_$$p || exit 1; \
	done; ls bin/share

.PHONY: tools
tools: ## Find or build the real Prometheus and Alertmanager that demo and tests run.
	@tools/build.sh

.PHONY: demo
demo: build tools ## Run the whole loop on real servers (FAULT=name, KEEP=1).
	cd demo && $(GO) run . $(if $(FAULT),--fault=$(FAULT)) $(if $(KEEP),--keep)

.PHONY: test
test: build tools unit e2e ## Run every test, those with the real servers included.

.PHONY: unit
unit: ## Run the tests that need nothing but Go and gcc.
	$(GO) test -race ./...
	$(GO) test -run AllocatesNothing ./baseline ./internal/export
	cd tools/jsonnet && $(GO) test ./...

.PHONY: e2e
e2e: build tools browser ## Run the tests with a real Prometheus, Alertmanager and browser, the demo's whole shop among them.
	cd demo && $(GO) test -timeout 20m -parallel 3 ./...

.PHONY: e2e-cortex
e2e-cortex: build tools ## Learn and score one tenant of a real Cortex by remote read (built on the first run, many minutes).
	tools/cortex/build.sh
	cd demo && TIDEMARK_CORTEX=$(TOOLS)/cortex $(GO) test -timeout 20m -count=1 -run TestOneTenantOfCortex -v ./e2e

.PHONY: browser
browser: ## Open every page in a real browser (npm, Chromium; TIDEMARK_SCREENSHOTS=folder keeps the pictures).
	@if command -v npm >/dev/null; then cd browser && npm ci --ignore-scripts --no-audit --no-fund && cd .. && node browser/test.mjs; \
	elif [ -n "$(CI)" ]; then echo "browser: npm is missing" >&2; exit 1; \
	else echo "browser: SKIPPED, the pages were not opened: there is no npm on PATH"; fi

.PHONY: screenshots
screenshots: ## Take the pictures of docs/images with a real browser.
	cd browser && npm ci --ignore-scripts --no-audit --no-fund
	node browser/screenshots.mjs

.PHONY: dashboard-pictures
dashboard-pictures: build tools ## Draw the dashboards from the demo's Prometheus in the middle of a storm (5 minutes).
	cd browser && npm ci --ignore-scripts --no-audit --no-fund
	cd demo && TIDEMARK_PICTURES=$(CURDIR)/docs/images $(GO) test ./e2e -run TestPictures -v -timeout 20m

.PHONY: check
check: lint mixin-check helm-check tidy-check size-check ## Lint, and compare everything rendered with its source.

.PHONY: helm-check
helm-check: ## Render the Helm chart and decode the manifests strictly.
	cd tools/helm && $(GO) test ./...

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## Run the linters.
	$(TOOLS)/golangci-lint run ./...
	@for m in demo tools/jsonnet tools/helm; do (cd $$m && $(TOOLS)/golangci-lint run ./...) || exit 1; done

$(TOOLS)/golangci-lint: tools/lint/go.sum
	mkdir -p $(TOOLS)
	cd tools/lint && $(GO) build -ldflags '-s -w' -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: mixin
mixin: ## Format, lint and render the mixin into rules/ and dashboards/.
	cd tools/jsonnet && $(GO) run .

.PHONY: mixin-check
mixin-check: ## Compare rules/ and dashboards/ with what the mixin renders.
	cd tools/jsonnet && $(GO) run . --check

.PHONY: tidy-check
tidy-check: ## Compare every go.mod with what `go mod tidy` would write.
	$(GO) mod tidy -diff
	cd demo && $(GO) mod tidy -diff
	cd tools/jsonnet && $(GO) mod tidy -diff
	cd tools/helm && $(GO) mod tidy -diff

.PHONY: size-check
size-check: build ## Hold the size of the sidecar under 35 MB.
	@size=$$(wc -c < bin/tidemark); echo "bin/tidemark: $$size bytes"; test $$size -lt 35000000

$(TOOLS)/goreleaser: tools/release/go.sum
	mkdir -p $(TOOLS)
	cd tools/release && $(GO) build -trimpath -ldflags '-s -w' -o $@ github.com/goreleaser/goreleaser/v2

.PHONY: release-check
release-check: $(TOOLS)/goreleaser ## Check the release's configuration and make all of it but images into dist/ (about 10 minutes, once).
	$(TOOLS)/goreleaser check
	$(TOOLS)/goreleaser release --snapshot --clean --skip=docker,sbom,publish
	cd dist && sha256sum --check --quiet checksums.txt && ls *.tar.gz *.deb *.rpm

.PHONY: bench
bench: bench-detect bench-cause bench-storms bench-topology bench-logs bench-speed bench-prometheus ## Measure every figure that the docs name but those of bench-scale (about an hour; needs the labelled data).

.PHONY: bench-demo
bench-demo: build tools ## Play every fault of the demo RUNS times (3) and write what came of it (an hour).
	cd demo && $(GO) run ./faults --runs=$(or $(RUNS),3)

.PHONY: bench-peers
bench-peers: ## What customary formulas reach on the same labelled series.
	$(GO) run ./internal/benchmarks/detect --peers

.PHONY: bench-kinds
bench-kinds: ## What kind is named of generated anomalies of every kind.
	$(GO) run ./internal/benchmarks/detect --kinds

.PHONY: bench-ablation
bench-ablation: ## What each detector, part and constant of detection and of forecasts is worth (about six minutes).
	$(GO) run ./internal/benchmarks/detect --ablation
	$(GO) run ./internal/benchmarks/detect --forecasts

.PHONY: bench-forecast
bench-forecast: ## Forecasts and times to a limit, set by set, and what each of their constants is worth.
	$(GO) run ./internal/benchmarks/detect --forecasts

.PHONY: bench-detect
bench-detect: ## Accuracy of detection on labelled series.
	$(GO) run ./internal/benchmarks/detect
	@$(GO) run ./internal/benchmarks/table

.PHONY: bench-cause
bench-cause: ## Accuracy of cause ranking on recorded faults.
	$(GO) run ./internal/benchmarks/cause
	@$(GO) run ./internal/benchmarks/table

.PHONY: bench-storms
bench-storms: ## Accuracy of grouping on recorded alert storms.
	$(GO) run ./internal/benchmarks/storms
	@$(GO) run ./internal/benchmarks/table

.PHONY: bench-topology
bench-topology: ## How much of a known graph each source gives back.
	$(GO) run ./internal/benchmarks/topology
	@$(GO) run ./internal/benchmarks/table

.PHONY: bench-logs
bench-logs: ## Accuracy of log templates.
	$(GO) run ./internal/benchmarks/logs
	@$(GO) run ./internal/benchmarks/table

.PHONY: bench-speed
bench-speed: ## Cost of a sample learned, scored, exported, and the heap of a series, against Prometheus' own iterator.
	$(GO) run ./internal/benchmarks/speed
	@$(GO) run ./internal/benchmarks/table

.PHONY: bench-scale
bench-scale: build ## A million series on this machine: learned, scored, started again (24 GiB; SERIES=n, OBSERVE=1d, SKIM=0s).
	$(GO) run ./internal/benchmarks/scale $(if $(SERIES),-series $(SERIES)) $(if $(OBSERVE),-observe $(OBSERVE)) $(if $(SKIM),-skim $(SKIM))
	@$(GO) run ./internal/benchmarks/table

.PHONY: bench-prometheus
bench-prometheus: build tools ## Processor time beside a real Prometheus: learning, and scoring against recording rules (about 45 minutes).
	cd demo && $(GO) run ./bench
	@$(GO) run ./internal/benchmarks/table

.PHONY: vendor-web
vendor-web: ## Copy the browser libraries that the pages embed, with their licences, from npm.
	cd tools/web && npm ci --ignore-scripts --no-audit --no-fund
	cp tools/web/node_modules/htmx.org/dist/htmx.min.js tools/web/node_modules/idiomorph/dist/idiomorph-ext.min.js tools/web/node_modules/uplot/dist/uPlot.iife.min.js tools/web/node_modules/uplot/dist/uPlot.min.css internal/web/static/
	cp tools/web/node_modules/htmx.org/LICENSE internal/web/static/LICENSE.htmx
	cp tools/web/node_modules/idiomorph/LICENSE internal/web/static/LICENSE.idiomorph
	cp tools/web/node_modules/uplot/LICENSE internal/web/static/LICENSE.uplot

.PHONY: clean
clean: ## Remove what the other targets made.
	rm -rf bin dist
