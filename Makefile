# make book    set up, execute the lessons, build the HTML book
# make serve   show the book on http://localhost:8000
# make test    set up, lint, unit tests, every lesson, the built site
# make lab     JupyterLab in lessons/
# make lint    lint, format, types
# make check   the same, and quick unit tests
# make bench   race every mechanism against its peers
# make coverage, make mutants   how much of the package the tests run, and
#                               how many changes to it they notice
# make lesson NAME=15_name   lay down a new lesson, its exercises and tests
# make lock    resolve requirements.lock anew from pyproject.toml
# make links   ask every address in the book whether it answers
# make clean   remove what was built (the environment in .venv stays)

PYTHON ?= python3
PORT ?= 8000

BIN := .venv/bin
STAMP := .venv/.complete
NOT_SITE := not site and not browser
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: book serve test lab lesson lint lock links check bench coverage \
  mutants clean setup
.DEFAULT_GOAL := book

book: $(STAMP)
	@$(BIN)/jupyter-book build . -W --keep-going
	@echo "The book: $(CURDIR)/_build/html/index.html"

serve: book
	@echo "Serving on http://localhost:$(PORT) (stop with Ctrl-C)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 \
	  --directory _build/html

test: lint
	$(BIN)/python book/_ext/course_execution.py
	$(BIN)/python -m pytest -n 2 tests -m "$(NOT_SITE)"
	@$(MAKE) --no-print-directory book
	$(BIN)/python -m pytest -n 2 tests -m "site or browser"

lab: $(STAMP)
	@$(BIN)/python book/_ext/course_workspace.py
	@$(BIN)/jupyter-lab --ServerApp.root_dir=. \
	  --LabApp.default_url=/lab/tree/workspace $(LAB_OPTIONS)

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@$(BIN)/deptry --no-ansi attncourse book/_ext
	$(BIN)/mypy

check: lint
	$(BIN)/python -m pytest -q -n 2 tests \
	  -m "$(NOT_SITE) and not slow and not lengthy"

bench: $(STAMP)
	@env -u OMP_NUM_THREADS $(BIN)/python -m attncourse bench

coverage: $(STAMP)
	$(BIN)/python -m pytest -q -n 2 tests -m "$(NOT_SITE) and not slow" \
	  --cov --cov-report=
	@$(BIN)/python -m tests.covered

mutants: $(STAMP)
	@rm -rf mutants
	@$(BIN)/mutmut run
	@PYTHONPATH=book/_ext $(BIN)/python -m tests.mutants

lesson: $(STAMP)
	@$(BIN)/python book/_ext/course_template.py $(NAME)

# All platforms in one file; UPGRADE=--upgrade takes the newest versions.
lock:
	@test -x $(BIN)/uv || { echo "Set up first: make setup"; exit 1; }
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --quiet \
	  $(UPGRADE) --custom-compile-command "make lock" \
	  --output-file requirements.lock

links: $(STAMP)
	@$(BIN)/jupyter-book build . --builder linkcheck --keep-going \
	  --path-output _build/links

clean:
	rm -rf _build mutants .coverage .pytest_cache .mypy_cache .ruff_cache \
	  .hypothesis

setup: $(STAMP)

# A venv is recorded as complete only after its last step; uv makes the
# installation quick, and pip does the same where uv does not run.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, and $(PYTHON) is older (or" \
	    "missing). Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; \
	  exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { \
	  echo "No virtual environment could be made; on Debian and Ubuntu:" \
	    "apt-get install python3-venv"; exit 1; }
	@echo "Installing the environment into .venv (several GB at first)"
	@$(BIN)/python -m pip install --quiet --upgrade pip uv || true
	@$(BIN)/uv pip sync --python $(BIN)/python requirements.lock || { \
	  echo "uv did not do; pip will, in a few minutes"; \
	  $(BIN)/python -m pip install --require-hashes -r requirements.lock; }
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@
