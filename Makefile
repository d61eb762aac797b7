# `make run` and `make test` are all a newcomer needs; the rest is for those who change things.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= ../shared/data
# The locks name everything, so that nothing is resolved anew: pip can stumble over extras of what is
# pinned. Every file LiteLLM imports is compiled at install: its first start falls to a third.
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
VLLM_VENV := .venv-vllm
VLLM_STAMP := $(VLLM_VENV)/.installed
GRAFANA_STAMP := tests/otel/grafana/node_modules/.installed
# A build of PyTorch for the CPU is a file of its own for each platform, found in whatever index or
# folder pip is configured with; its hash differs by place, so that it is pinned by version alone.
TORCH ?= torch==2.13.0

.PHONY: run test test-unit test-vllm test-otel torture check bench bench-store accuracy spec clean
.DEFAULT_GOAL := run

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	  || { echo "Sluice needs Python 3.11 to 3.13; choose one with: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned dependencies (once, about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib plugins selfhosted >/dev/null || true
	@touch $@

$(DEV_STAMP): $(STAMP) tests/requirements.lock
	@echo "Installing what the checks and tests need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r tests/requirements.lock
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true
	@touch $@

# Grafana's own types, to check the dashboards with; the lock names hashes and no place.
$(GRAFANA_STAMP): tests/otel/grafana/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer (apt-get install nodejs npm)"; exit 1; }
	@cd tests/otel/grafana && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

# vLLM pulls in packages for GPUs, pictures and sound (triton, torchvision, ...): --no-deps leaves out
# all that the lock does not name.
$(VLLM_STAMP): tests/vllm/requirements.lock
	@test -x $(VLLM_VENV)/bin/python || $(PYTHON) -m venv $(VLLM_VENV)
	@echo "Installing vLLM for the CPU (once, 2.5 GB) ..."
	@$(VLLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r tests/vllm/requirements.lock
	@$(VLLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$(TORCH)"
	@$(VLLM_VENV)/bin/python -m compileall -q -j 0 $(VLLM_VENV)/lib >/dev/null || true
	@touch $@

## Start everything and print calls to paste.
run: $(STAMP)
	@$(BIN)/sluice up $(ARGS)

## The whole suite on real embedded engines; no Docker, no network.
test: $(DEV_STAMP)
	@$(BIN)/python -m pytest -m "not torture and not vllm and not otel" $(ARGS)

## The quick part: nothing starts, under half a minute.
test-unit: $(DEV_STAMP)
	@$(BIN)/python -m pytest tests/unit $(ARGS)

## The self-hosted tier on real vLLM, without a GPU: tiny models, three servers, 10 GB of memory.
test-vllm: $(DEV_STAMP) $(VLLM_STAMP)
	@$(BIN)/python -m pytest tests/vllm -m "vllm and not torture" -s $(ARGS)

## Rules, dashboards and files of otel/ with the real tools; needs prometheus, prometheus-alertmanager, node and npm.
test-otel: $(DEV_STAMP) $(GRAFANA_STAMP)
	@$(BIN)/python -m pytest tests/otel -m "otel and not torture" $(ARGS)

## Many minutes: kills, outages, thousands of malformed requests.
torture: $(DEV_STAMP) $(VLLM_STAMP)
	@$(BIN)/python -m pytest -m torture $(ARGS)

## Style, types, boundaries between folders, spelling; that the locks name all that is needed.
check: $(DEV_STAMP)
	@$(BIN)/python -m pip --disable-pip-version-check check
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/codespell
	@$(BIN)/basedpyright

## Against bare LiteLLM in the same run; the last line is JSON.
bench: $(DEV_STAMP)
	@$(BIN)/python -m bench $(ARGS)

## The ledger at ten million rows (ARGS="--rows N" for fewer); 12 GB of disk; the last line is JSON.
bench-store: $(DEV_STAMP)
	@$(BIN)/python -m bench.store $(ARGS)

## How well the checks of content tell right from wrong, on external data; the last line is JSON.
accuracy: $(DEV_STAMP)
	@$(BIN)/python -m bench.accuracy $(DATA)

## Each requirement, the tests that prove it, and their last result.
spec: $(DEV_STAMP)
	@$(BIN)/python -m tests.spec_report $(ARGS)

clean:
	@rm -rf tests/otel/grafana/node_modules $(VENV) $(VLLM_VENV) .sluice .pytest_cache .ruff_cache .hypothesis
