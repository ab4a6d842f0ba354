# Needs make and python3 >= 3.11; brings everything else into .venv and the cache folder.
PYTHON := $(shell command -v $(or $(PYTHON),python3))
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/edgeflow
UV_HOME := $(CACHE)/uv
export UV_PYTHON_DOWNLOADS := never
# The machine's own certificates where it has them: a company's proxy is known there alone.
export UV_SYSTEM_CERTS := $(if $(wildcard /etc/ssl/certs/ca-certificates.crt),true,false)
export UV_CACHE_DIR := $(CACHE)/uv-cache

# Without compiled modules every start of snakemake and TensorFlow is seconds slower.
unexport PYTHONDONTWRITEBYTECODE
unexport VIRTUAL_ENV
# What a test builds with make of its own has nothing to do with the jobs of this one.
unexport MAKEFLAGS
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# Files go to two workers in the order of their names, builds first: small ones fill the ends.
PYTEST := pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help demo env lint format test coverage test-isa test-long test-system test-sweep test-hostile test-mcu bench mutate clean
.DEFAULT_GOAL := help

help: ## Say what there is to make
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

env: .venv/.ready ## Set up the environment

.venv/.ready: pyproject.toml uv.lock tools/get_uv.py tools/set_up.py
	@$(PYTHON) -c 'import tomllib' || { echo "edgeflow needs Python >= 3.11: make PYTHON=..."; exit 3; }
	$(PYTHON) -m tools.set_up $(UV_HOME)

demo: env ## Set up, then build config.yaml: data to validated devices
	edgeflow run

lint: env ## Check style, types, layers and rules
	ruff check
	ruff format --check
	mypy
	lint-imports
	snakefmt --check --line-length 100 Snakefile rules examples edgeflow
	python tools/lint_workflow.py

format: env ## Rewrite the sources in the one style
	ruff check --fix
	ruff format
	snakefmt --line-length 100 Snakefile rules examples edgeflow

test: env ## Set up, then run every test that needs neither root nor system packages
	$(PYTEST)

coverage: env ## Run the same tests, and show what they miss: at least 90 % must be covered
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-fail-under=90

test-isa: env ## Run the tests of engines as on CPUs without AVX-512, and without AVX
	$(MAKE) -j 2 --output-sync=target isa-AVX2 isa-SSE41

isa-%:
	ONEDNN_MAX_CPU_ISA=$* pytest tests/unit/targets/test_openvino.py tests/unit/targets/test_targets_build.py \
		tests/unit/ondevice

test-long: env ## Run killed builds, shared stores and a sample of random edits (needs no root)
	$(PYTEST) tests/long

test-sweep: env ## Run all random edits: 1,000 sequences, and 2,000 against the stamp (hours)
	EDGEFLOW_SWEEP=1 $(PYTEST) tests/long/test_random_edits.py tests/long/test_stamp.py

test-hostile: env ## Give the agent of devices 10,000 hostile bundles, files and commands (an hour)
	EDGEFLOW_SWEEP=1 pytest -n 2 tests/unit/deploy/test_agent_hostile.py

test-mcu: env ## Compare C of 2,000 random networks and 10,000 damaged files with TensorFlow Lite (an hour)
	EDGEFLOW_SWEEP=1 pytest -n 2 tests/unit/targets/mcu/test_random_nets.py tests/unit/targets/mcu/test_hostile.py tests/system/test_random_firmware.py

test-system: env ## Run the tests that need root or system packages (installs them when root)
	tests/system/install.sh
	$(PYTEST) tests/system

bench: env ## Measure edgeflow against doing without it, and write docs/performance.md
	python -m benchmarks

mutate: env ## Show which small faults in the modules of [tool.mutate] their tests miss (an hour)
	python -m tools.mutate

clean: ## Remove what was built here; the cache folder stays
	rm -rf results logs .snakemake .edgeflow
