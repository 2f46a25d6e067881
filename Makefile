# One target for each thing one does with the project; each is the command that it shows.
PYTHON = .venv/bin/python

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 14

setup: ## install everything the tests need
	bash scripts/test --collect-only -q > /dev/null

test: ## run all tests
	bash scripts/test

fast: ## run the fast core of the tests
	$(PYTHON) -m pytest -n 2 --dist worksteal -q -m "not slow"

check: ## format, lint, types, import layers
	bash scripts/check

format: ## format the code
	$(PYTHON) -m ruff format src cli tests benchmarks

docs: ## generate the pages that come from the code
	$(PYTHON) -m convexpy_cli.reference > docs/cli-reference.md
	$(PYTHON) scripts/limits_page > docs/limits.md
	$(PYTHON) scripts/python_reference > docs/python-reference.md

site: docs ## build the documentation's site in site/
	.venv/bin/zensical build --clean --strict

pictures: ## make the pictures of README and docs
	$(PYTHON) scripts/pictures

bench: ## run every benchmark in its shortest form
	$(PYTHON) -m pytest -q tests/benchmarks

.PHONY: help setup test fast check format docs site pictures bench
