# Everything a person or a check runs; `make` alone says what there is.
PYTHON ?= python3
RUN := toolchain/run
PYTEST := $(RUN) pytest
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests demo compile artefacts test check format bench fuzz coverage slither lock clean

help: ## this list
	@echo "Tallystick: stablecoin billing whose books match the chain. On a fresh machine (Python 3.11, Node 20, make):"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Start with: make demo.   One command in the project's environment: $(RUN) pytest tests/core"

setup: ## the virtual environment, npm packages and compiler, here in this folder; quick when nothing changed
	@$(PYTHON) toolchain/setup.py

setup-tests:
	@$(PYTHON) toolchain/setup.py --system

demo: setup ## fresh machine to the main job: a business sells on a chain of its own and its books are proven; see ./demo-out
	@$(RUN) tallystick demo --out demo-out

compile: .build/__local__.json ## the contracts, with Ape

.build/__local__.json: ape-config.yaml package-lock.json $(shell find contracts -name '*.sol' -not -path '*/.cache/*') | setup
	@$(RUN) ape compile --force -v SUCCESS # without, Ape leaves a contract as it was when a library that it imports changed
	@touch $@

artefacts: compile ## writes src/tallystick/contracts/*.json, the ABI and bytecode that the package ships
	@$(RUN) python toolchain/artefact.py

test: setup-tests compile ## every test: core, storage, flows on a real chain, command line, documents, then the contracts
	@$(PYTEST) -n $(WORKERS) --dist loadfile
	@printf '%s\n' tests/contracts/test_*.py | xargs -n 9 -P $(WORKERS) $(RUN) ape test # each its own chain
	@$(RUN) forge test

check: compile ## format, lint, types, arrows, purity of core/, generated files fresh, no unexplained rise of gas
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@$(RUN) lint-imports --no-logo --cache-dir .cache/import_linter
	@$(RUN) python toolchain/check_core.py
	@$(RUN) python toolchain/lock.py --check
	@$(RUN) python toolchain/artefact.py --check
	@$(RUN) python -m benchmarks.gas --check

format: setup ## formats the Python files and mends what ruff can mend
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix .

bench: compile ## gas and speed, peers' figures beside them; JSON under benchmarks/results/
	@failed=0; for name in $(filter-out __init__ gas_channels gas_checkout gas_escrow scene standards,$(notdir $(basename $(wildcard benchmarks/*.py)))); do \
		echo "== $$name"; $(RUN) python -m benchmarks.$$name || failed=1; done; exit $$failed

fuzz: setup-tests compile ## the long stateful runs
	@HYPOTHESIS_PROFILE=long $(PYTEST) -n $(WORKERS) -m fuzz || [ $$? -eq 5 ] # 5: no such test there
	@HYPOTHESIS_PROFILE=long $(RUN) ape test tests/contracts -m fuzz
	@FOUNDRY_PROFILE=long $(RUN) forge test --fuzz-seed $$(od -An -N4 -tu4 /dev/urandom) # another one each time

coverage: setup ## which lines and branches of the contracts Forge runs; fails under 98 % (not part of check: a minute)
	@$(RUN) python toolchain/solidity_coverage.py

slither: setup ## static analysis of the contracts; fails on what docs/slither.md does not explain (not part of check: half a minute)
	@$(RUN) python toolchain/check_slither.py

lock: setup ## pins Python packages anew after a change of pyproject.toml (npm: npm install --package-lock-only)
	@$(RUN) python toolchain/lock.py

clean: ## removes what was set up, built or written by the demo
	rm -rf .venv node_modules .build .cache contracts/.cache demo-out
