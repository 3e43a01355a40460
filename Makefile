# `make run` and `make test` do all set-up on a fresh machine: a virtual environment, the Python packages,
# and on Debian and Ubuntu the system libraries of Qt (installed when root, else the one line to type is printed).

PYTHON ?= python3
ARGS ?=
VENV ?= .venv
BIN := $(VENV)/bin
# Setuptools warns at each editable installation of top-level packages; nobody can act on it.
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip --quiet --disable-pip-version-check
BEFFROI_CAPTURES ?= $(firstword $(wildcard $(CURDIR)/../shared/captures))

# An environment made by another interpreter or from another setup.cfg is made anew.
PYTHON_TAG := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
RUN_STAMP := $(VENV)/.run-$(PYTHON_TAG)
DEV_STAMP := $(VENV)/.dev-$(PYTHON_TAG)
BENCH_STAMP := $(VENV)/.bench-$(PYTHON_TAG)

.PHONY: run test check bench fuzz translations pictures clean system-run system-test

run: $(RUN_STAMP) system-run
	$(BIN)/python main.py $(ARGS)

test: $(DEV_STAMP) system-test
	BEFFROI_CAPTURES=$(BEFFROI_CAPTURES) $(BIN)/python -m pytest -n 4 $(ARGS)

check: $(DEV_STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python resources/translations/catalogue.py check

bench: $(BENCH_STAMP) system-test
	BEFFROI_CAPTURES=$(BEFFROI_CAPTURES) $(BIN)/python -m bench $(ARGS)

# Every decoder and session with altered messages, for two minutes or ARGS=--seconds=S.
fuzz: $(DEV_STAMP)
	PYTHONPATH=tests/fuzzing $(BIN)/python tests/fuzzing/fuzz.py $(ARGS)

# Collect the messages of the sources into the catalogues, and compile them.
translations: $(DEV_STAMP)
	$(BIN)/python resources/translations/catalogue.py update

# The pictures of docs/images: the real window with made-up data, on a display of its own.
pictures: $(DEV_STAMP) system-test
	QT_QPA_PLATFORM=xcb QT_SCALE_FACTOR=1 xvfb-run -a -s "-screen 0 1600x1000x24" $(BIN)/python docs/images/take.py

system-run:
	@sh resources/system-libraries.sh run

system-test:
	@sh resources/system-libraries.sh test

$(BIN)/python-$(PYTHON_TAG):
	@test -n "$(PYTHON_TAG)" || { echo "$(PYTHON) is missing; try: apt install python3-venv" >&2; exit 1; }
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip
	ln -sf python $@

$(RUN_STAMP): setup.cfg $(BIN)/python-$(PYTHON_TAG)
	$(PIP) install --editable '.[console]'
	touch $@

$(DEV_STAMP): setup.cfg $(BIN)/python-$(PYTHON_TAG)
	$(PIP) install --editable '.[dev]'
	touch $@ $(RUN_STAMP)

$(BENCH_STAMP): setup.cfg $(BIN)/python-$(PYTHON_TAG)
	$(PIP) install --editable '.[bench]'
	touch $@ $(DEV_STAMP) $(RUN_STAMP)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .hypothesis
