# What a person calls. Everything runs in .venv, which holds exactly what requirements.lock names.
#
#   make install    set .venv up (needs Python 3.11 or newer, nothing else)
#   make demo       a flash sale in the terminal;       ARGS="--seconds 30"
#   make test       the tests, but for the benchmarks in a tiny size (-m bench); PYTEST_ARGS="-k settings"
#   make check      lint, format, types
#   make coverage   the core's tests; every branch of it must be taken
#   make bench      every benchmark;                    ARGS="--json"
#   make guarded    1,000 seeds of guarded against naive writes; ARGS="--seeds 50"
#   make allotment  10,000 seeds of allotments that move
#   make overtake   a fall to zero behind 100,000 waiting raises
#   make frontier   adaptive exposure against fixed buffers on real orders; FRONTIER_SEEDS=20
#   make mission    10,000 wait at Zendesk, 6,000 units come, the daemon is killed 20 times; ARGS="--waiting 600 --units 400"
#   make campaign   the random tests with far more cases than `make test` takes
#   make lock       choose new versions and write the locks

# The first that is new enough; a name may exist and still not run.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$name" && break; done)
BIN := .venv/bin
STAMP := .venv/.installed
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host
ARGS ?=
PYTEST_ARGS ?=
# One more than there are cores: many tests wait for a server or a clock.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(1 + (os.cpu_count() or 1))')
SEEDS ?= 10000
FRONTIER_SEEDS ?= 20
BENCHES ?= $(patsubst tests/bench/%.py,%,$(shell grep -ls '^if __name__ ==' tests/bench/*.py))

.PHONY: install demo test check coverage bench guarded allotment overtake mission frontier campaign lock
.DEFAULT_GOAL := install

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "syncd needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: install
	$(BIN)/syncd demo $(ARGS)

test: install
	$(BIN)/python -m pytest -n $(WORKERS) -m "not bench" $(PYTEST_ARGS)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

coverage: install
	$(BIN)/python -m coverage run -m pytest -q tests/core
	$(BIN)/python -m coverage report --show-missing --fail-under=100

bench: install
	@set -e; for name in $(BENCHES); do echo "== $$name"; $(BIN)/python -m tests.bench.$$name $(ARGS); done

guarded allotment overtake mission: install
	$(BIN)/python -m tests.bench.$@ $(ARGS)

# Takes hours of a core; the figures that count are those of 20 seeds.
frontier: install
	@set -e; for k in 1 20 200; do echo "== K = $$k"; \
		nice -n 15 $(BIN)/python -m tests.bench.frontier --compress $$k --seeds $(FRONTIER_SEEDS) --json $(ARGS); done

campaign: install
	SYNCD_SEEDS=$(SEEDS) $(BIN)/python -m pytest -m "not real" --hypothesis-profile=campaign $(PYTEST_ARGS) tests/core tests/engine

lock:
	CUSTOM_COMPILE_COMMAND="make lock" $(COMPILE) --all-extras --output-file=requirements.lock pyproject.toml
	CUSTOM_COMPILE_COMMAND="make lock" $(COMPILE) --extra=postgres --extra=fast --extra=amazon --extra=figures --constraint=requirements.lock \
		--output-file=requirements-run.lock pyproject.toml
