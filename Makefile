# The commands of this project; `make` alone lists them. PYTHON=... chooses the interpreter for the first setup.
BIN := .venv/bin
# How tests share the cores; `make test PARALLEL=` runs them one after the other.
PARALLEL ?= -n auto --maxprocesses 4 --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo test check fmt docs bench reliability soak

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

setup: .venv/.setup ## make .venv with the locked versions; the only command that downloads
.venv/.setup: requirements.lock pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh

demo: setup ## raw pages to an evaluated model, on Ray
	$(BIN)/corpusmill run pipelines/quickstart.yaml --executor ray

test: setup ## all tests but the long ones
	$(BIN)/python -m pytest -q -m "not soak and not scale" $(PARALLEL)

check: setup ## style, floors and types, without running anything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

fmt: setup ## rewrite the sources in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## write the generated pages and the pipelines' schema anew
	$(BIN)/python scripts/reference.py

bench: setup ## measure; results go to benchmarks/results
	$(BIN)/python benchmarks/run.py

reliability: setup ## prove the promises here: crash, kill, corrupt; SECTIONS=... SCALE=small; writes docs/reliability.md
	$(BIN)/python benchmarks/reliability/run.py $(SECTIONS) --scale $(or $(SCALE),full)

soak: setup ## kill at random while 10^6 documents go through; MINUTES=30
	CORPUSMILL_SOAK_MINUTES=$(or $(MINUTES),30) $(BIN)/python benchmarks/reliability/run.py soak
