# The two main commands: `make demo` and `make test`. Both create .venv if needed.
PYTHON ?= python3
LAKE ?= demo-lake
BIN := .venv/bin
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt

.PHONY: help demo test check bench bench-long clean
help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

# Stamp files: a step runs again only if its inputs have changed.
.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is required; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	@touch $@

.venv/.run: .venv/.made pyproject.toml constraints.txt
	$(UV) --editable '.[flows,pypi,plot]'
	@touch $@

.venv/.dev: .venv/.run
	$(UV) --editable '.[flows,pypi,plot,dev]'
	@touch $@

demo-freesolv.json: examples/freesolv_network.py examples/freesolv.csv | .venv/.run
	$(BIN)/python examples/freesolv_network.py -o $@

demo: .venv/.run demo-freesolv.json  ## run a real campaign: ten molecules of FreeSolv, from network file to free energies
	@$(BIN)/alchemiscale-lake run demo-freesolv.json --lake $(LAKE) --scope demo-freesolv-hydration \
	  --tasks-per-transformation 2 --assays examples/freesolv.csv --assay-kind hydration

test: check  ## run the whole suite
	$(BIN)/python -m pytest -n auto --dist loadscope

check: .venv/.dev  ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: .venv/.dev  ## run the benchmarks, as ratios to a named reference in the same run
	$(BIN)/python -m benchmarks

bench-long: bench  ## also 10,000 random histories of two dispatchers, interrupted between any two writes; 500 of several pools
	ALCHEMISCALE_LAKE_HISTORIES=10000 $(BIN)/python -m pytest -q tests/faults/test_histories.py
	ALCHEMISCALE_LAKE_POOL_HISTORIES=500 $(BIN)/python -m pytest -q --timeout 0 tests/faults/test_pool_histories.py

clean:  ## remove the environment, the demo's lake and all generated files
	rm -rf .venv $(LAKE) demo-freesolv.json .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
