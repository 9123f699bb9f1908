# Everything one does with a checkout. Each recipe is one call, replaced by what it
# starts, so that Ctrl-C and SIGTERM reach it; deploy/bootstrap.py does the set-up.

# The system's Python where it will do: distributions build it optimised by a profile, pyenv and
# whoever compiles one mostly without, and then a page takes a third longer. Else the first on the
# PATH. `make run PYTHON=…` names one.
PYTHON ?= $(shell /usr/bin/python3 -c "$(WILL_DO)" 2>/dev/null && echo /usr/bin/python3 || echo python3)
WILL_DO = import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
BOOTSTRAP = exec "$(PYTHON)" -m deploy.bootstrap

.PHONY: help run demo test test-long setup lint format audit catalogues bench lock clean

help: ## List these commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

run: ## Set up what is missing, then serve the portal at http://127.0.0.1:8000
	@$(BOOTSTRAP) run

demo: ## The same on a throw-away instance with sixty people in it
	@$(BOOTSTRAP) demo

test: ## Set up what tests need, then check everything
	@$(BOOTSTRAP) test

test-long: ## The tests that take longer than a few minutes
	@$(BOOTSTRAP) test-long

setup: ## Set up what tests need, and stop there
	@$(BOOTSTRAP) dev

lint: ## Format, lint, types, imports, templates and catalogues, without the tests
	@$(BOOTSTRAP) with python -m deploy.checks lint

format: ## Bring the code into the form that the checks expect
	@$(BOOTSTRAP) with python -m deploy.checks format

audit: ## Ask whether any package of the lock files is known to be vulnerable; needs the network
	@$(BOOTSTRAP) with python -m deploy.audit

catalogues: ## Collect new sentences into every language's messages.po
	@$(BOOTSTRAP) with python -m deploy.catalogues update

bench: ## Measure what the portal costs and how that grows
	@$(BOOTSTRAP) with python -m benchmarks

lock: ## Bring the lock files to the newest versions that pyproject.toml and package.json allow
	@$(BOOTSTRAP) with python -m deploy.locks

clean: ## Remove what the set-up made; the portal's data stays
	rm -rf .venv build portal.egg-info portal/static/vendor tests/vendor
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov test-results
	find portal/static -name '*.gz' -delete
	find . -path ./instance -prune -o \( -name '*.mo' -o -name '*.pyc' \) -exec rm -f {} +
