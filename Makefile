# Needs Python 3.11 or newer and make, nothing else. `make demo PYTHON=python3.12` takes another interpreter.
PYTHON ?= python3
VENV ?= .venv
PYTEST_FLAGS ?= -n auto --maxprocesses 4 --dist worksteal
PYTHONS ?= 3.11 3.13
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' src/wavelens/version.py)
CASES := 3000
SEED := 0
OUT := wavelens-out
TYPESCRIPT := 7.0.2
PINNED := torch==2.13.0 torchvision==0.28.0  # make lock leaves these as they are
SPEED := transforms domains attribution readings in_domains values metrics minimal sound volumes photos runs chunks page  # the page last: it reads the others' records

export PIP_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

BIN := $(VENV)/bin
CHELSEA := import pathlib, skimage; print(pathlib.Path(skimage.__file__).parent / "data" / "chelsea.png")
VERSION_OK := import sys; sys.exit(sys.version_info < (3, 11))
VENV_OK := import ensurepip, venv

.NOTPARALLEL:  # one pip at a time in the environment
.PHONY: help demo test coverage test-browser setup-browser fuzz check check-javascript bench paper planted gallery tutorials docs docs-version dist test-dist lock clean setup-demo setup-test setup-check setup-bench setup-docs

help:
	@echo "make demo    explain a photo with a pretrained network, into $(OUT)/"
	@echo "make test    run the tests"
	@echo "make coverage    run them and say which lines they leave out; a third longer"
	@echo "make test-browser    open reports in Chromium, which has to be there (or CHROMIUM=path)"
	@echo "make fuzz    damage small inputs of every kind at random; CASES=3000 SEED=0, or CASE=12 alone"
	@echo "make check   format, lint, types, direction of imports; the types of the JavaScript where npm is there"
	@echo "make bench   measure speed, as ratios"
	@echo "make paper   the paper's tables on data at hand (WAVELENS_DATA), into docs/paper.md; FULL=1 for all of it"
	@echo "make planted what every method finds of planted patterns, into docs/planted.md; resumes"
	@echo "make gallery the pictures of the pages that are not there yet (WAVELENS_DATA)"
	@echo "make tutorials run the notebooks of docs/tutorials and store what their cells show"
	@echo "make lock    pin what pyproject.toml gained, in constraints*.txt; all to the newest with UPGRADE=--upgrade"
	@echo "make docs    build the pages into site/"
	@echo "make docs-version    commit the pages of this version to the branch gh-pages, beside those of others"
	@echo "make dist    build the wheel and the sdist into dist/"
	@echo "make test-dist    install each of them alone, on Python 3.11 and 3.13 (PYTHONS=…), and explain a photo"
	@echo "make clean   remove $(VENV), $(OUT) and caches"

demo: setup-demo
	$(BIN)/wavelens explain "$$($(BIN)/python -c '$(CHELSEA)')" --out $(OUT) --report
	@echo "The report: $(OUT)/report.html"

test: setup-test
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

coverage: setup-test
	$(BIN)/python -m pytest $(PYTEST_FLAGS) --cov --cov-report=term:skip-covered

test-browser: setup-browser
	$(BIN)/python -m pytest -p no:xdist tests/browser

fuzz: setup-test
	cd tests && $(abspath $(BIN))/python -m fuzz --seed $(SEED) $(if $(CASE),--case $(CASE),--cases $(CASES))

check: setup-check check-javascript
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-javascript:
	@if command -v npx > /dev/null; then \
	  echo "tsc --project tsconfig.json"; npx --yes --package typescript@$(TYPESCRIPT) tsc --project tsconfig.json; \
	else echo "JavaScript: not checked, there is no npm here"; fi

bench: setup-bench
	set -e; for name in $(SPEED); do echo "$$name"; $(BIN)/python benchmarks/speed/$$name.py; done

paper: setup-bench
	$(MAKE) --file benchmarks/paper/Makefile --jobs=2 PYTHON=$(BIN)/python

planted: setup-bench
	$(BIN)/python benchmarks/planted/find.py
	$(BIN)/python benchmarks/planted/further.py
	$(BIN)/python benchmarks/planted/further.py --domains others --architectures "convolutions, max;convolutions, mean"
	$(BIN)/python benchmarks/planted/agreement.py
	$(BIN)/python benchmarks/planted/agreement_further.py --architectures "convolutions, max"
	$(BIN)/python benchmarks/planted/tables.py --write
	$(BIN)/python benchmarks/planted/guide.py --write

gallery: setup-bench
	$(MAKE) --file benchmarks/gallery/Makefile PYTHON=$(BIN)/python

tutorials: setup-test
	$(BIN)/python docs/tutorials/make.py

docs: setup-docs
	$(BIN)/mkdocs build --strict

docs-version: setup-docs
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/mike deploy --config-file mkdocs-versions.yml --update-aliases $(VERSION) latest
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/mike set-default --config-file mkdocs-versions.yml latest

dist: setup-check
	rm -rf dist
	$(BIN)/uv build --quiet --build-constraints constraints.txt --out-dir dist

test-dist: dist
	PYTHONS="$(PYTHONS)" release/test_dist.sh $(BIN)/uv

lock: setup-check
	printf '%s\n' $(PINNED) > $(VENV)/pinned.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-annotate $(UPGRADE) \
	  --constraints $(VENV)/pinned.txt --custom-compile-command 'make lock' --output-file constraints.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --resolution lowest-direct --extra runner --no-annotate $(UPGRADE) \
	  --custom-compile-command 'make lock' --output-file constraints-lowest.txt pyproject.toml

clean:
	rm -rf $(VENV) $(OUT) build dist site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# One environment; a stamp for each extra, made again when the dependencies change.
setup-demo: $(VENV)/.demo-stamp
setup-test: $(VENV)/.test-stamp
setup-browser: $(VENV)/.browser-stamp
setup-check: $(VENV)/.dev-stamp
setup-bench: $(VENV)/.bench-stamp
setup-docs: $(VENV)/.docs-stamp

INCLUDED_test := demo
INCLUDED_dev := demo test
INCLUDED_browser := demo test
INCLUDED_bench := demo

$(VENV)/.venv-stamp:
	@$(PYTHON) -c '$(VERSION_OK)' 2>/dev/null || { echo "wavelens needs Python 3.11 or newer;" \
	  "$(PYTHON) is: $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c '$(VENV_OK)' 2>/dev/null || { echo "$(PYTHON) comes without venv." \
	  "Install it (Debian, Ubuntu: apt install python3-venv), or name another: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.%-stamp: $(VENV)/.venv-stamp pyproject.toml constraints.txt
	@echo "Installing wavelens[$*] into $(VENV); the first time takes minutes"
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@ $(INCLUDED_$*:%=$(VENV)/.%-stamp)
