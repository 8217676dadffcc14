# Works on a machine that has nothing but Python >= 3.11, pip, git and make.
# `make test` and `make demo` set up all that they need, once, in .venv; they set it up again when
# pyproject.toml or constraints.txt change.

.DEFAULT_GOAL := help

VENV   := .venv
PY     := $(VENV)/bin/python
READY  := $(VENV)/.ready
# The first Python >= 3.11 on the PATH; `make PYTHON=/path/to/python` names another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# Two cores are what the tests are sized for: two workers with one thread each.
WORKERS ?= 2
# Where `make golden` looks for reference tensors (.npz).
DIR ?= tests/golden

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# pyright comes whole from its wheel: it need not ask for a newer one.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: help setup demo test test-fast test-slow lint format golden bench bench-long baselines families searches versions pictures clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## install the package and its tools into .venv

# A failed installation leaves no stamp, so that the next `make` tries again.
$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: no Python >= 3.11 found; name one with make PYTHON=/path/to/python" >&2; exit 2; }
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV) || { \
		echo "This Python cannot put pip into a new environment (no ensurepip): using the pip beside it." >&2; \
		$(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(PY) install -qq pip; }
	@echo "Installing into $(VENV) (minutes the first time: PyTorch is large) …"
	@# -qq silences warnings and progress, never errors
	@$(PY) -m pip install -qq --constraint constraints.txt --editable '.[dev,demo]'
	@touch $@

demo: $(READY) ## ask a small trained model full and reduced, then check, plan, compile and time two specs
	@$(PY) -m eosdsl.demo

test: lint test-fast ## all checks and all tests but the slow ones

test-fast: $(READY)
	OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(PY) -m pytest -n $(WORKERS) -m "not slow"

test-slow: $(READY) ## the slow tests
	OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(PY) -m pytest -n $(WORKERS) -m slow

lint: $(READY) ## ruff, pyright (strict) and the import contracts
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright
	$(VENV)/bin/lint-imports

format: $(READY) ## format the Python code and sort its imports
	$(VENV)/bin/ruff check --select I --fix .
	$(VENV)/bin/ruff format .

golden: $(READY) ## check the operators against reference tensors: make golden DIR=folder
	$(PY) -m eosdsl.golden $(DIR)

# On a GPU: make bench SIZE=7b
SIZE ?= small
bench: $(READY) ## measure speed against the limit, other ways, loops and lark in ten minutes: docs/performance.md
	$(PY) benchmarks/bench.py --size $(SIZE)
	$(PY) benchmarks/page.py

bench-long: $(READY) ## the same with more cases and more rounds, in half an hour
	$(PY) benchmarks/bench.py --size $(SIZE) --long
	$(PY) benchmarks/page.py

# Interrupted, it goes on; with other QUESTIONS it starts anew in a folder of its own.
QUESTIONS ?= 25
baselines: $(READY) ## every method of specs/methods on tiny-llava at 192, 128, 64, 16 of 576 tokens: docs/results.md
	OMP_NUM_THREADS=1 $(VENV)/bin/eosdsl eval --suite methods --model tiny-llava --tasks all --budgets 192,128,64,16 \
		--questions $(QUESTIONS) --batch 25 --max-new-tokens 8 --rounds 3 --compare published \
		--out build/baselines-$(QUESTIONS)
	$(PY) -m eosdsl.evaluating.baselines build/baselines-$(QUESTIONS) docs

families: $(READY) ## where pooling hurts, where the question decides, where redundancy helps: docs/tasks.md
	OMP_NUM_THREADS=1 $(VENV)/bin/eosdsl eval $(addprefix specs/methods/,$(addsuffix .eos,pooling random divprune fastervlm cdpruner)) \
		--written-for llava-1.5-7b --model tiny-llava --tasks ocr,needle,attr,position,photo --budgets 192,64,16 \
		--difficulty medium,objects=8-12,small=1 --questions 75 --max-new-tokens 8 --rounds 0 --out build/families
	$(PY) -m eosdsl.evaluating.contrasts build/families docs

# Each in an environment of its own in build/versions; `make versions VERSIONS="5.20.0 5.22.0"` names others.
versions: $(READY) ## the tests that matter on the oldest and the newest transformers that are taken
	$(PY) tests/packaging/versions.py $(VERSIONS)

# Hours on two cores; interrupted, it goes on. Asks the questions of `make baselines QUESTIONS=50`, which runs first.
searches: $(READY) ## search tiny-llava by gradient and without, at four budgets: docs/search-results.md, specs/derived
	$(MAKE) baselines QUESTIONS=50
	OMP_NUM_THREADS=1 $(PY) benchmarks/searches.py --out build/searches
	$(PY) benchmarks/searches.py --out build/searches --collect build/found
	OMP_NUM_THREADS=1 $(VENV)/bin/eosdsl eval build/found/*.eos --model tiny-llava --tasks all \
		--questions 50 --batch 25 --max-new-tokens 8 --rounds 3 --no-controls --out build/found-eval
	$(PY) benchmarks/searches.py --out build/searches --collect build/found-later --later 1
	OMP_NUM_THREADS=1 $(VENV)/bin/eosdsl eval build/found-later/*.eos --model tiny-qwen-vl --tasks all \
		--questions 50 --batch 25 --max-new-tokens 8 --rounds 0 --no-controls --out build/found-later-eval
	$(PY) -m eosdsl.evaluating.searches build/searches build/baselines-50 docs build/found-eval build/found-later-eval
	cp build/found/relaxed-*-?.eos build/found/relaxed-*-?.json specs/derived/

pictures: $(READY) ## draw the pictures of the README again
	@$(PY) -c 'from eosdsl.demo.answers import answer_sheet, ask_pictures; answer_sheet(ask_pictures()).save("docs/images/answers.jpg", quality=82)'
	@$(PY) -c 'from eosdsl.zoo.small_llava import ensure; ensure("demo/small-llava")'
	$(VENV)/bin/eosdsl run specs/tutorial/one_line.eos --model demo/small-llava --rounds 1 --overlay docs/images/one_line.jpg \
		--image "$$($(PY) -c 'from eosdsl.demo.photographs import photograph_path; print(photograph_path())')" --prompt "What animal is this?"

clean: ## remove what the demo and the tools left behind (not .venv)
	rm -rf demo dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
