# `make demo` shows it, `make test` proves it. Both need Python 3.11 or later, and nothing else.

PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
PIP     = $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test check suite laws slow mutants bench clean

demo: $(VENV)/installed
	@$(BIN)/cascade demo

test: check suite

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

suite: $(VENV)/ready
	$(BIN)/python -m pytest

# The laws of the policy in 10,000 walks with hostile rules.
laws: $(VENV)/ready
	CASCADE_WALKS=10000 $(BIN)/python -m pytest tests/policy/test_laws.py

# What takes too long for `make test`: fifty crashes, a thousand departures.
slow: $(VENV)/ready
	$(BIN)/python -m pytest -m slow

# Mutation testing of the policy; survivors are explained in tests/policy/MUTANTS.md.
mutants: $(VENV)/ready
	CASCADE_WALKS=60 $(BIN)/mutmut run
	$(BIN)/mutmut results

# Every benchmark beside its limit in the same run.
bench: $(VENV)/ready
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) mutants .hypothesis .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/ready: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $(VENV)/installed $@
