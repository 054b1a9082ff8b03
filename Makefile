# Each target works alone on a fresh checkout: it makes .venv and installs what it needs.
#   SCALE=smoke|paper   smoke: one epoch over a few images; paper: the published recipe (default)
#   FIG2="..."          columns of spectral-fig2, for example FIG2="vgg11 resnet20"
#   ARGS="..."          further overrides, for example ARGS="seed=0 data_dir=/data"
PYTHON ?= python3
SCALE ?= paper
ARGS ?=
RUN = .venv/bin/python -m pruneexp
ifeq ($(SCALE),smoke)
RECIPE = recipe=smoke
else ifneq ($(SCALE),paper)
$(error SCALE must be smoke or paper, got $(SCALE))
endif

FIG2 ?= vgg11 resnet20 vgg16 resnet18
LATER = ramanujan-table4 ramanujan-table5 ramanujan-table6 topology-table3 topology-table4 topology-tables8-10 centrality-table
.PHONY: help quickstart test bench-masks spectral-table1 spectral-fig2 spectral-fig3 clean $(LATER)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

quickstart: .venv/installed ## Sparsify against Greedy on handwritten digits: table and figure in about a minute
	$(RUN) $(ARGS)

test: .venv/tested ## lint, type check, and every test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist worksteal

spectral-fig2: .venv/installed ## Laenen (2023), figure 2: four networks, three scores, Sparsify against Greedy
	for experiment in $(FIG2); do $(RUN) +experiment=laenen_fig2_$$experiment report_dir=results $(RECIPE) $(ARGS) || exit 1; done
	.venv/bin/python -m scripts.laenen_fig2

spectral-fig3: .venv/installed ## Laenen (2023), figures 3 and 4: VGG-11 pruned after training, lambda_2 of every layer
	$(RUN) +experiment=laenen_fig3 report_dir=results $(RECIPE) $(ARGS)

spectral-table1: .venv/installed ## Laenen (2023), Table 1: layerwise against global Sparsify, time and accuracy
	for experiment in laenen_table1_vgg16 laenen_table1_resnet20; do \
		$(RUN) +experiment=$$experiment report_dir=results $(RECIPE) $(ARGS) || exit 1; done

bench-masks: .venv/tested ## time and accuracy of leverages, calibration and draw against a dense pseudo-inverse
	.venv/bin/python -m scripts.bench_masks

$(LATER):
	@echo "$@ cannot be made yet: what it needs is not in pruneexp." >&2; exit 1

clean: ## remove .venv and caches; data and results stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache build *.egg-info

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/tested: .venv/installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	touch $@
