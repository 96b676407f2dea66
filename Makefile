# Countersign. `make demo` tries it, `make test` proves it; `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint check bench hapi browser weights faults lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: $(STAMP) ## install everything into .venv (needs Python 3.11+ and a C compiler)

$(STAMP): requirements/dev.lock requirements/bootstrap.lock pyproject.toml
	@PYTHON="$(PYTHON)" bash requirements/setup.sh "$(VENV)"
	@touch $(STAMP)

lock: $(STAMP) ## renew the lock files from pyproject.toml
	cd requirements && for part in "bootstrap.in:bootstrap.lock:" "../pyproject.toml:run.lock:--extra sandbox --extra postgres" \
	  "../pyproject.toml:dev.lock:--extra sandbox --extra postgres --group ../pyproject.toml:dev -c run.lock"; do \
	  IFS=: read -r source lock options <<<"$$part"; \
	  ../$(RUN)/uv pip compile "$$source" --generate-hashes --no-emit-index-url --universal --python-version 3.11 -q \
	    --custom-compile-command "make lock" -o "$$lock" $${options//:/:}; done
