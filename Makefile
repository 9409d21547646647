# The two main commands: `make demo` and `make test`. Both create .venv if needed.
PYTHON ?= python3
LAKE ?= demo-lake
BIN := .venv/bin
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt

# every process would compile what it imports, which is half of its start
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-long coverage mutants check bench rooms upgrade test-oldest clean
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

# one worker more than cores, since many tests wait; the slowest tests are listed at the end
PYTEST := $(BIN)/python -m pytest -n auto --durations 25 --durations-min 5

test: check  ## run the suite, and list its slowest tests
	$(PYTEST)

test-long: .venv/.dev  ## run the long campaigns: hours of histories, kills, power cuts, flipped bits and examples of properties
	$(PYTEST) -m 'long or hypothesis' --hypothesis-profile long

coverage: .venv/.dev  ## run the suite, and list the lines that no test reaches in its own process
	$(PYTEST) --cov --cov-report term:skip-covered

# In an environment of its own: mutmut brings setproctitle, with which Dask renames its workers, and Slurm without
# cgroups then does not find them.
.venv-mutants/.made: .venv/.made pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-mutants
	$(BIN)/uv pip install --quiet --python .venv-mutants/bin/python --constraint constraints.txt --editable '.[flows,pypi,plot,dev]' mutmut
	@touch $@

mutants: .venv-mutants/.made  ## change the rules of Tasks, commits, results and costs one by one, and list changes that no test notices
	.venv-mutants/bin/mutmut run --max-children 2
	@.venv-mutants/bin/mutmut results | awk '{n[$$NF]++} END {for (kind in n) printf "%6d %s\n", n[kind], kind}'

check: .venv/.dev  ## lint, types, import contracts, documented arguments
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/test_docstrings.py

bench: .venv/.dev  ## run the benchmarks, as ratios to a named reference in the same run
	$(BIN)/python -m benchmarks

# what reads and writes tables, answers SQL, and translates gufe
OLDEST := tests/schemas/test_schemas.py tests/schemas/test_receipt.py tests/store/test_table.py tests/store/test_commit.py \
  tests/query tests/gufe_adapter
test-oldest: .venv/.made  ## run the tests of tables, SQL and gufe with the lowest versions that pyproject.toml allows
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-oldest
	$(BIN)/uv pip install --quiet --python .venv-oldest/bin/python --resolution lowest-direct --editable '.[flows,pypi,plot,dev]'
	.venv-oldest/bin/python -m pytest -n auto $(OLDEST)

upgrade: .venv/.made  ## pin the newest dependencies within the bounds of pyproject.toml in constraints.txt; then run the suite
	@(head -1 constraints.txt; $(BIN)/uv --version | awk '{print $$1 "==" $$2}'; \
	  $(BIN)/uv pip compile --quiet --upgrade --python $(BIN)/python --no-header --no-annotate \
	  --extra flows --extra pypi --extra plot --extra dev pyproject.toml | grep -v '^alchemiscale-lake') > constraints.new
	@mv constraints.new constraints.txt

rooms: .venv/.dev  ## print the shape of the code: rooms, imports, long files and functions, missing tests, walks
	$(BIN)/python -m benchmarks.rooms

clean:  ## remove the environment, the demo's lake and all generated files
	rm -rf .venv .venv-oldest .venv-mutants mutants $(LAKE) demo-freesolv.json .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
