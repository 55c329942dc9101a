# Tidemark. `make help` lists the targets; `make test` is what CI runs.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
V       := github.com/prometheus/common/version
LDFLAGS := -s -w -X $(V).Version=$(VERSION) -X $(V).Revision=$(COMMIT) -X $(V).Branch=main

.PHONY: help
help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/tidemark and bin/tidetool.
	CGO_ENABLED=0 $(GO) build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/tidemark ./cmd/tidetool

.PHONY: tools
tools: ## Find or build the real Prometheus and Alertmanager that demo and tests run.
	@tools/build.sh

.PHONY: demo
demo: build tools ## Run the whole loop on real servers (FAULT=name, KEEP=1).
	cd demo && $(GO) run . $(if $(FAULT),--fault=$(FAULT)) $(if $(KEEP),--keep)

.PHONY: clean
clean: ## Remove what the other targets made.
	rm -rf bin dist

.PHONY: vendor-web
vendor-web: ## Copy the browser libraries that the pages embed, with their licences, from npm.
	cd tools/web && npm ci --ignore-scripts --no-audit --no-fund
	cp tools/web/node_modules/htmx.org/dist/htmx.min.js tools/web/node_modules/uplot/dist/uPlot.iife.min.js tools/web/node_modules/uplot/dist/uPlot.min.css internal/web/static/
	cp tools/web/node_modules/htmx.org/LICENSE internal/web/static/LICENSE.htmx
	cp tools/web/node_modules/uplot/LICENSE internal/web/static/LICENSE.uplot
