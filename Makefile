# Every command of the project. Each makes what it needs and asks nothing; only Python and make must be there.
# make run      a Slack workspace on localhost with the bot in it, or the bot alone where SLACK_BOT_TOKEN is set
# make install  the command countersign on your PATH: a link in ~/.local/bin, or in another place's bin with PREFIX=/usr/local
# make test     every test that can run on this machine, each once and in short; one folder with ARGS=tests/store
# make slow     the same again on other servers and over other transports, and whole programs and tools of ours
# make live     a real OpenBao for the tests of key holders, 75 MB; without it they are skipped
# make check    ruff, mypy, import-linter
# make bench    measurements, one of them with ARGS=click
# make soak     what searches at random, for hours; for minutes with PROFILE=ci
# make model    the lifecycle in Promela, every state of it, and every guard missed that is taken away; one with ARGS=grant
# make crash    the tests that kill -9
# make sabotage delete each guard once, and see its test fail; a sample of them with ARGS="--every 5"
# make mutate   change the model, one thing at a time, and see a test of it fail; one file with ARGS=store/model/lifecycle/using.py
# make cards    every card, modal and Home view as JSON lines
# make lock     compile requirements/*.txt from pyproject.toml; the newest of everything with ARGS=--upgrade
# make clean    remove what make and the tools made, never the data

SHELL := /bin/sh
# Every program that a test starts would be compiled anew.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
IN := $(VENV)/bin
ARGS ?=
PREFIX ?= $(HOME)/.local
PROFILE ?= soak

# The first of these that runs is taken: pyenv puts commands on PATH for versions that it cannot run.
PYTHON ?= python3.13 python3.12 python3.11 python3 python
USABLE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

PIP := $(IN)/python -m pip --disable-pip-version-check --quiet --no-input install --require-hashes --only-binary :all:
UV ?= uv
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-annotate --no-header $(ARGS)
MUTANTS := .venv-mutate

.PHONY: help run install test slow live check bench soak model crash sabotage mutate cards lock clean

help:
	@sed -n 's/^# make /make /p' Makefile

run: $(VENV)/.run
	@if [ -n "$$SLACK_BOT_TOKEN" ]; then exec $(IN)/python -m bot serve $(ARGS); else exec $(IN)/python -m playground $(ARGS); fi

# What lies there and is not our link stays as it is.
install: $(VENV)/.run
	@link="$(PREFIX)/bin/countersign"; ours="$(CURDIR)/$(IN)/countersign"; mkdir -p "$(PREFIX)/bin" || exit 1; \
	if [ "$$(readlink "$$link")" = "$$ours" ]; then \
	  echo "$$link is there already and runs this checkout."; \
	elif [ -e "$$link" ] || [ -L "$$link" ]; then \
	  echo "$$link is there already and is something else. Remove it, or choose another place: make install PREFIX=/some/where"; exit 1; \
	else \
	  ln -s "$$ours" "$$link" && echo "$$link runs this checkout from now on: leave it where it is. To undo it: rm $$link"; \
	fi; \
	case ":$$PATH:" in \
	  *":$(PREFIX)/bin:"*) ;; \
	  *) echo "$(PREFIX)/bin is not on your PATH. Add it, for this shell: export PATH=\"$(PREFIX)/bin:\$$PATH\"";; \
	esac

test: $(VENV)/.dev
	@$(IN)/python -m pytest -n 4 --dist worksteal -q $(ARGS)

live: $(VENV)/.live

check: $(VENV)/.dev
	@$(IN)/ruff check --quiet .
	@$(IN)/ruff format --quiet --check .
	@$(IN)/mypy
	@$(IN)/lint-imports

bench: $(VENV)/.dev
	@$(IN)/python -m bench $(ARGS)

slow: $(VENV)/.dev
	@$(IN)/python -m pytest -n 4 --dist worksteal -q -m slow $(ARGS)

soak: $(VENV)/.dev
	@HYPOTHESIS_PROFILE=$(PROFILE) $(IN)/python -m pytest -n 4 --dist worksteal -q -o timeout=0 -m "search or hypothesis" $(ARGS)

model: $(VENV)/.dev
	@$(IN)/python -m docs.model $(ARGS)

crash: $(VENV)/.dev
	@$(IN)/python -m pytest -n auto --maxprocesses 4 -q -m crash $(ARGS)

sabotage: $(VENV)/.dev
	@$(IN)/python -m tests.sabotage $(ARGS)

mutate: $(MUTANTS)/.done
	@nice -n 10 $(MUTANTS)/bin/python -m tests.mutation $(ARGS)

cards: $(VENV)/.run
	@$(IN)/countersign cards $(ARGS)

# The larger set first: the smaller one then has the same versions.
lock:
	@command -v $(UV) >/dev/null || { echo "make lock needs uv, a tool of its own: see its installation page."; exit 1; }
	$(COMPILE) pyproject.toml --extra playground --extra github --group test --group browser --group lint --output-file requirements/dev.txt
	$(COMPILE) pyproject.toml --extra playground --extra github --constraint requirements/dev.txt --output-file requirements/run.txt
	$(COMPILE) --group live --constraint requirements/dev.txt --output-file requirements/live.txt
	$(COMPILE) --group mutate --constraint requirements/dev.txt --output-file requirements/mutate.txt

clean:
	rm -rf $(VENV) $(MUTANTS) .mutants .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	find bot keyserver store scheduler playground tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment whose Python is gone (upgraded, moved) is made again.
ifneq ($(shell test -x $(IN)/python && echo here),here)
  $(shell rm -f $(VENV)/.run $(VENV)/.dev $(IN)/countersign)
endif

$(VENV)/.run: requirements/run.txt $(IN)/countersign
	@$(PIP) -r requirements/run.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(IN)/countersign
	@$(PIP) -r requirements/dev.txt
	@touch $(VENV)/.run $@

$(VENV)/.live: requirements/live.txt $(VENV)/.dev
	@$(PIP) -r requirements/live.txt
	@touch $@

$(MUTANTS)/.done: requirements/mutate.txt $(IN)/countersign
	@$(IN)/python -m venv --clear $(MUTANTS)
	@$(subst $(IN),$(MUTANTS)/bin,$(PIP)) -r requirements/mutate.txt
	@touch $@

# The command runs this checkout, from any folder: `bot` and `store` are no names to install anywhere.
define COUNTERSIGN
#!/bin/sh
exec "$(CURDIR)/$(IN)/python" -P -c 'import runpy, sys; sys.path.insert(0, "$(CURDIR)"); runpy.run_module("bot", run_name="__main__", alter_sys=True)' "$$@"
endef
export COUNTERSIGN

$(IN)/countersign: Makefile
	@test -x $(IN)/python || { \
	  for python in $(PYTHON); do \
	    $$python -c '$(USABLE)' >/dev/null 2>&1 || continue; \
	    echo "Making $(VENV) with $$($$python --version): about half a minute, once."; \
	    exec $$python -m venv --clear $(VENV); \
	  done; \
	  echo "Countersign needs Python 3.11, 3.12 or 3.13 with its venv module, and none of these is one: $(PYTHON)." \
	    "Install one, or say where one is: make PYTHON=/path/to/python3.12"; \
	  exit 1; }
	@printf '%s\n' "$$COUNTERSIGN" > $@ && chmod +x $@
