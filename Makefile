# make demo    index sample photographs and open a workspace in the browser (PHOTOS=folder uses your own, SERVE=0 searches
#              in the terminal and writes a contact sheet, PORT=n sets the page's port)
# make test    the tests that a change must pass, in under 12 minutes
# make test-all  these and the long ones: repeated kills, clusters of two nodes, scale, the bot over HTTP
# make test-quick  only the tests without processes and browsers
# make lint    check code and types; make format changes the files
# make bench   compare the speed with peer libraries, as a table and as benchmarks.json
# PYTHON=python3.12 sets the Python of the environment.

comma := ,
VENV := .venv
DEMO := demo
SERVE := 1
WORKERS := 2
PORT := 0
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# TensorFlow has no wheels for 3.14 yet.
SOUND_PYTHON := 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'
PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c $(SOUND_PYTHON) 2>/dev/null && echo $$python && break; done)

.PHONY: help demo test test-quick test-long test-all bench lint lint-js format machine clean

help:
	@sed -n '/^$$/q; s/^# //p' $(firstword $(MAKEFILE_LIST))

# Report missing requirements at once, and not after minutes in pip's compiler output.
machine:
	@$(or $(PYTHON),false) -c $(SOUND_PYTHON) 2>/dev/null || { \
		echo "findimg needs Python 3.11, 3.12 or 3.13$(if $(PYTHON),$(comma) and $(PYTHON) is not): install one, or name yours with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: install its venv module (Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@echo '#include <vector>' | $(CXX) -x c++ -fsyntax-only - 2>/dev/null || { \
		echo "findimg compiles Annoy, and the C++ compiler $(CXX) is missing or does not work: install one (Debian and Ubuntu: apt install g++; macOS: xcode-select --install)." >&2; exit 1; }
	@$(PYTHON) -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("include"), "Python.h").stat()' 2>/dev/null || { \
		echo "findimg compiles Annoy, and $(PYTHON) has no Python.h: install its headers (Debian and Ubuntu: apt install python3-dev)." >&2; exit 1; }

$(STAMP): pyproject.toml constraints.txt
	@$(MAKE) --no-print-directory machine
	@echo "Installing into $(VENV): a few minutes the first time."
	@$(BIN)/python -c $(SOUND_PYTHON) 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[dev]' -c constraints.txt
	@touch $@

# PHOTOS is passed as a shell variable, so that blanks and quotes in it are kept.
demo: $(STAMP)
	@set -eu; \
	photos="$${PHOTOS:-}"; \
	case "$$photos" in \
	"") photos="$(DEMO)/photos"; image="$(DEMO)/photos/motorcycle-left.png"; \
		$(BIN)/findimg-jobs samples "$(DEMO)/photos" --pages;; \
	"~/"*) photos="$$HOME/$${photos#??}";; \
	esac; \
	$(BIN)/findimg-jobs index "$$photos" --library "$(DEMO)/library" --allow-shrink --read-text likely; \
	if [ "$(SERVE)" != 0 ]; then exec $(BIN)/findimg-bot try --library "$(DEMO)/library" --port "$(PORT)"; fi; \
	: "$${image:=$$(find -L "$$photos" -type f ! -name '.*' \( -iname '*.jp*g' -o -iname '*.png' -o -iname '*.webp' \
		-o -iname '*.heic' \) 2>/dev/null | sort | head -n 1)}"; \
	$(BIN)/findimg-bot ask '/findimg cat' '/findimg dog' '/findimg "error 500"' '/tag' '/similar' --image "$$image" -k 5 \
		--library "$(DEMO)/library" --sheet "$(DEMO)/sheet.jpg"

# The tests of a file run in one process, so that they share its fixtures. Files start in their order of collection:
# by default pytest-xdist starts those with few tests last, and these take longest.
PYTEST := $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test: $(STAMP)
	@$(PYTEST) -m 'not long'

test-long: $(STAMP)
	@$(PYTEST) -m long

test-all: test test-long

test-quick: $(STAMP)
	@$(BIN)/python -m pytest -q -m 'not slow and not long'

bench: $(STAMP)
	@$(BIN)/python -m tests.benchmarks

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@if node -e $(SOUND_NODE) 2>/dev/null && command -v npm >/dev/null; then \
		$(MAKE) --no-print-directory lint-js; \
	elif [ -n "$${CI:-}" ]; then \
		echo "The page's JavaScript cannot be linted: install node 20.19 or newer and npm." >&2; exit 1; \
	else \
		echo "NOT LINTED: the page's JavaScript needs node 20.19 or newer and npm." >&2; \
	fi

# The linter's versions are in package-lock.json; `npm ci` checks each package's hash.
SOUND_NODE := 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'
NODE_STAMP := node_modules/.installed

$(NODE_STAMP): package.json package-lock.json
	@npm ci --silent
	@touch $@

lint-js: $(NODE_STAMP)
	@npm run --silent lint

format: $(STAMP)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf "$(VENV)" "$(DEMO)" node_modules *.egg-info .mypy_cache .pytest_cache .ruff_cache
