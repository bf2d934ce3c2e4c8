# One command each. Needs Python 3.11 or later, make and a package index; everything else goes into .venv.
# Written for make 3.81 (macOS) and later. Another interpreter: make PYTHON=python3.13 run

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# What a stamp depends on is installed again when it changes, and only then.
PYTHON_READY := $(VENV)/.python
DAEMON_READY := $(VENV)/.daemon
TESTS_READY := $(VENV)/.tests
LOCK := pyproject.toml constraints.txt

# Compiled when first imported: most of what the tests' libraries bring never is.
PIP_FLAGS := --quiet --disable-pip-version-check --no-compile

# Settings of .env reach the program as compose would give them; what the environment sets already wins.
WITH_DOTENV = $(if $(wildcard .env),$(BIN)/dotenv -f .env run --no-override --)

.PHONY: help install run test check bench samples constraints audit

help:
	@echo 'make install      the daemon and what it needs, into $(VENV)'
	@echo 'make run          install, then watch data/inbox and serve http://127.0.0.1:5000'
	@echo 'make test         install what the tests need, then run them all'
	@echo 'make check        formatting, lint, types and layers'
	@echo 'make bench        how fast it is, in ten minutes; ARGS=--help tells how to have less'
	@echo 'make samples      sample photographs into verification/test_data'
	@echo 'make constraints  lock the versions again; UPGRADE=--upgrade takes the newest'
	@echo 'make audit        ask the Python advisory database about the locked versions'

install: $(DAEMON_READY)

run: install
	@$(WITH_DOTENV) $(BIN)/classifyd run

test: samples
	$(BIN)/pytest --cov --cov-report=term:skip-covered

check: $(TESTS_READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

# A missed target is a finding; it fails only where something cannot be measured.
bench: $(TESTS_READY)
	$(BIN)/python -m verification.bench $(ARGS)

samples: $(TESTS_READY)
	$(BIN)/python -m verification.samples

constraints: $(TESTS_READY)
	$(BIN)/pip-compile --quiet --all-extras --strip-extras --no-header --no-emit-index-url \
		--no-emit-trusted-host --no-emit-find-links $(UPGRADE) \
		--output-file=constraints.txt pyproject.toml

# In an environment of its own, thrown away afterwards. Strict: a version that nothing is known of fails too,
# as all do where the advisories cannot be reached.
audit:
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
		$(PYTHON) -m venv "$$scratch" && \
		"$$scratch/bin/pip" install $(PIP_FLAGS) pip-audit && \
		"$$scratch/bin/pip-audit" --strict --disable-pip --no-deps --requirement constraints.txt

$(PYTHON_READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo '$(PYTHON) is not Python 3.11 or later; name one: make PYTHON=python3.13 ...' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(DAEMON_READY): $(LOCK) | $(PYTHON_READY)
	$(BIN)/pip install $(PIP_FLAGS) -c constraints.txt -e .
	@touch $@

$(TESTS_READY): $(LOCK) | $(PYTHON_READY)
	$(BIN)/pip install $(PIP_FLAGS) -c constraints.txt -e '.[dev,train]'
	@touch $@ $(DAEMON_READY)
