# Countersign. `make demo` tries it, `make test` proves it; `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test coverage covered lint bench eval-drafts container hapi browser weights faults fuzz-consent mutation lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: $(STAMP) ## install everything into .venv (needs Python 3.11+ and a C compiler)

$(STAMP): requirements/dev.lock requirements/bootstrap.lock requirements/build.lock pyproject.toml
	@PYTHON="$(PYTHON)" bash requirements/setup.sh "$(VENV)"
	@touch $(STAMP)

lock: $(STAMP) ## renew the lock files from pyproject.toml
	cd requirements && for part in "bootstrap.in:bootstrap.lock:" "build.in:build.lock:" "../pyproject.toml:run.lock:--extra sandbox --extra postgres" \
	  "../pyproject.toml:dev.lock:--extra sandbox --extra postgres --group ../pyproject.toml:dev -c run.lock" "mutation.in:mutation.lock:-c dev.lock"; do \
	  IFS=: read -r source lock options <<<"$$part"; \
	  ../$(RUN)/uv pip compile "$$source" --generate-hashes --no-emit-index-url --universal --python-version 3.11 -q \
	    --custom-compile-command "make lock" -o "$$lock" $${options//:/:}; done

demo: setup ## try it: the sandbox EHR and the gateway on localhost
	@$(RUN)/countersign demo

PAGE_TESTS = $(wildcard tests/browser/test_page_*.py) tests/browser/test_session_link.py tests/browser/test_sound_frames.py
MEASURED = tests/unit tests/flow tests/hapi/contract -m "not weights and not hapi"
VISIT_TESTS = $(filter-out $(PAGE_TESTS),$(wildcard tests/browser/test_*.py))

test: setup ## unit, flow and browser tests; slower suites have targets of their own
	@# The browser's driver keeps an event loop running, so its tests have processes of their own, beside the others':
	@# one for the page with a scripted visit, one for whole visits. Both wait more than they work.
	@mkdir -p build; $(RUN)/pytest -q $(PAGE_TESTS) >build/test-page.log 2>&1 & page=$$!; \
	  $(RUN)/pytest -q $(VISIT_TESTS) >build/test-visits.log 2>&1 & visits=$$!; \
	  trap 'kill $$page $$visits 2>/dev/null; exit 130' INT TERM; \
	  $(RUN)/pytest -q $(MEASURED) $(if $(COVER),--cov --cov-report=,); others=$$?; \
	  echo "the browser tests:"; wait $$page; page=$$?; wait $$visits; visits=$$?; \
	  cat build/test-page.log build/test-visits.log; [ $$others$$page$$visits = 000 ]
	@echo "not in this run: the suites against HAPI (make hapi), with real weights (make weights), under faults (make faults)"

# Processes that are forked or started have tests of their own and are not measured; nor are the browser tests.
coverage: setup ## branch coverage of the unit and flow tests; consent, review, state and filing must have all of it
	@mkdir -p build
	@$(RUN)/pytest -q $(MEASURED) --cov --cov-report=
	@$(MAKE) --no-print-directory covered

covered: setup ## the coverage that was measured last, by `make coverage` or `make test COVER=1`
	@$(RUN)/coverage report
	@for part in 'gateway/consent/*' gateway/note/review.py gateway/visit/state.py 'gateway/filing/*'; do \
	  $(RUN)/coverage report --include="$$part" --fail-under=100 --show-missing || exit 1; done

lint: setup ## formatting, types and the layering
	@$(RUN)/ruff format --check . && $(RUN)/ruff check . && $(RUN)/mypy && $(RUN)/lint-imports

hapi: setup ## the suite against a HAPI FHIR server (COUNTERSIGN_HAPI, else one is started)
	@bash tests/hapi/with_hapi.sh $(RUN)/pytest -q tests/hapi tests/unit -m hapi

browser: setup ## the browser tests alone
	@$(RUN)/pytest -q tests/browser

weights: setup ## the suite with the published weights (pulls 1.4 GB the first time)
	@$(RUN)/countersign models pull
	@$(RUN)/countersign models pull whisper-base
	@$(RUN)/pytest -q tests/weights tests/unit -m weights

faults: setup ## process kills and faults of the EHR
	@$(RUN)/pytest -q tests/faults

fuzz-consent: setup ## 100,000 drawn Consents against the oracle: counts, and build/fuzz-consent.json
	@CONSENT_CASES=$${CONSENT_CASES:-100000} CONSENT_FUZZ=build/fuzz-consent.json \
	  $(RUN)/pytest -q tests/unit/consent/test_against_oracle.py
	@cat build/fuzz-consent.json

mutation: setup ## change gateway/consent in small ways and count what its tests notice: build/mutation.json
	@$(RUN)/uv pip install -q --python $(RUN)/python --target build/mutation-tools --require-hashes -r requirements/mutation.lock
	@PYTHONPATH="$(CURDIR)/build/mutation-tools" $(RUN)/python -m tests.mutation

container: setup ## the Dockerfile's steps, as they stand, in an empty folder
	@COUNTERSIGN_CONTAINER=1 $(RUN)/pytest -q tests/unit/container

bench: setup ## the figures: a table, and build/bench.json
	@$(RUN)/python -m tests.bench

eval-drafts: setup ## drafts of the real text model on ACI-BENCH: a table, and build/eval-drafts/ (EVAL="--encounters 20")
	@$(RUN)/python -m tests.evals.drafts $(EVAL)

clean: ## remove what was built
	rm -rf build $(VENV)
