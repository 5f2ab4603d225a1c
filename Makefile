# What a developer types. `make check test` is what CI runs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# The newest torch wheel on PyPI carries gigabytes of CUDA; this one is enough to train and test.
TORCH  ?= torch==2.13.0

.PHONY: help demo test check fmt clean

help:            ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

# One stamp for the program itself, one for what developers need beside it.
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/pip install --quiet --editable '.[train,charts,vmaf]' --group lint --group type --group test
	touch $@

demo: $(VENV)/.ready            ## set up, then publish, serve, receive, super-resolve and play the bundled clip
	$(BIN)/vidlift demo

test: $(VENV)/.ready-dev        ## set up, then run all tests
	$(BIN)/pytest -n auto

check: $(VENV)/.ready-dev       ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_layers.py

fmt: $(VENV)/.ready-dev         ## format and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:           ## remove what was built; what was trained, in runs/, stays
	rm -rf $(VENV) build dist demo-out .mypy_cache .ruff_cache .pytest_cache .hypothesis
