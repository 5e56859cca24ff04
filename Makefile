# Every target sets up what it needs: Python 3.11 or newer and make are enough. `make demo` and `make test` are the two
# to know. JavaScript is only needed for `make js`: the built page module is committed.

PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .uv/bin/uv
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS = never
export UV_LINK_MODE ?= copy
# Hundreds of processes are started; each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# Each process has a sandbox server of its own, and a stretch of the tests; who is through takes over some of another's.
# There are three on two processors: tests wait a third of their time.
PROCESSES := $(shell $(PYTHON) -c "import os; print(min(8, (os.cpu_count() or 1) * 3 // 2))")
PYTEST := $(BIN)/pytest -q --numprocesses $(PROCESSES) --dist worksteal

# Where programs of other people's code are built; another folder keeps them when the checkout is cleaned.
PEERS ?= build/peers
CARGO_PEERS := cargo build --quiet --ignore-rust-version --target-dir $(PEERS)

# The server that a sandbox plays beside 0.4.3 for all tests of the clients and of faults, but those of what is the same
# whatever the server: notebooks, texts of errors, arguments, interrupts, this process; and those that start servers of
# their own. LATER= has those of ON_BETWEEN alone, as CI has it but at night.
LATER := 0.8 0.7 0.5
ONCE := $(addprefix client/test_,notebooks short_errors interrupts secrets hostile_arguments bad_input magics cell_bodies \
    rerun_cells live_outputs loops methods proxied_server damaged_answers later_servers later_live later_pairs \
    replaced_servers columns_of_lists sqlalchemy_suite) \
    $(addprefix faults/test_,random_interrupts this_process soak)
ON_LATER := tests/client tests/faults $(patsubst %,--ignore=tests/%.py,$(ONCE))
# What is run on servers that LATER leaves out.
BETWEEN := $(filter-out $(LATER),0.8 0.7 0.5)
ON_BETWEEN := $(addprefix tests/client/test_,$(addsuffix .py,truth live_truth live_events delta hidden_columns))

.PHONY: demo test test-all test-later contract peers lint types js bench lab docs fix clean

demo: .venv/.synced ## Run the quickstart in a real kernel on the sandbox server; results go to build/.
	$(BIN)/kalam-notebook demo notebooks/quickstart.ipynb --out build

test: .venv/.synced ## The tests but those of faults, in a browser and marked slow, in some minutes; with ARGS, the tests that they name.
	$(PYTEST) $(or $(ARGS),-m "not slow" tests/unit tests/typing tests/server tests/client)

test-all: .venv/.synced ## All tests, the clients' on later servers too; without a browser its tests are skipped, with the reason.
	$(PYTEST) $(ARGS)
	$(if $(ARGS),,$(MAKE) --no-print-directory test-later)

test-later: .venv/.synced ## The tests of the clients and of faults on sandboxes that play later servers; ARGS as above.
	for server in $(LATER); do KALAM_TEST_SANDBOX=$$server $(PYTEST) $(or $(ARGS),$(ON_LATER)) || exit; done
	for server in $(BETWEEN); do KALAM_TEST_SANDBOX=$$server $(PYTEST) $(or $(ARGS),$(ON_BETWEEN)) || exit; done

contract: .venv/.synced ## The tests marked contract, on the server of KALAM_TEST_URL; a table by subject at the end.
	@test -n "$$KALAM_TEST_URL" -a -n "$$KALAM_TEST_ROOT_PASSWORD" || { \
	    echo "Set KALAM_TEST_URL and KALAM_TEST_ROOT_PASSWORD: a KalamDB that tests may write to." >&2; exit 2; }
	$(BIN)/pytest -q -m contract --by-subject $(ARGS)

peers: .venv/.synced ## Compare with the official client and the published types; needs Rust (cargo) and some minutes.
	$(CARGO_PEERS) --manifest-path tests/peers/rust/client/Cargo.toml
	$(CARGO_PEERS) --manifest-path tests/peers/rust/types/Cargo.toml
	KALAM_PEERS=$(abspath $(PEERS))/debug $(BIN)/pytest -q tests/peers $(ARGS)

lint: .venv/.synced
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/.synced
	$(BIN)/mypy

js: ## Check, test and build the page module.
	cd js && npm ci --no-audit --no-fund && npm run check && npm test && npm run build

bench: .venv/.synced ## Speed and memory against a reference in the same run; fails where a bound is missed.
	$(if $(findstring --browser,$(ARGS)),$(UV) sync --quiet --frozen --all-extras --group bench)
	$(BIN)/python -m benchmarks $(ARGS)

lab: .venv/.synced ## Open the quickstart in JupyterLab.
	$(BIN)/jupyter lab notebooks/quickstart.ipynb

docs: .venv/.synced ## The documentation as a site, in build/docs; a broken link or anchor fails.
	$(BIN)/zensical build --clean --strict

fix: .venv/.synced
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .uv .cache build dist js/node_modules

$(UV):
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.synced: pyproject.toml uv.lock labextension/static/remoteEntry.js | $(UV)
	$(UV) sync --quiet --frozen --all-extras --reinstall-package kalam-notebook --python $(PYTHON)
	touch $@
