# Each target works alone on a fresh checkout: it makes .venv and installs what it needs.
#   SCALE=smoke|paper   smoke: one epoch over a few images; paper: the published recipe (default)
#   FIG2="..."          columns of spectral-fig2, for example FIG2="vgg11 resnet20"
#   REPORT=results      folder for tables and figures
#   MINUTES=10          how long gpu-lease has the GPU
#   ARGS="..."          further overrides, for example ARGS="seed=0 data_dir=/data launcher=gpus"
PYTHON ?= python3
SCALE ?= paper
ARGS ?=
REPORT ?= results
MINUTES ?= 10
RUN = .venv/bin/python -m pruneexp report_dir=$(REPORT)
ifeq ($(SCALE),smoke)
RECIPE = recipe=smoke
else ifneq ($(SCALE),paper)
$(error SCALE must be smoke or paper, got $(SCALE))
endif

FIG2 ?= vgg11 resnet20 vgg16 resnet18
comma := ,
ifneq ($(findstring $(comma),$(DATASET)$(MODEL)$(METHOD)),)
$(error DATASET, MODEL and METHOD name one each: run make once for each)
endif
# topology-tables8-10 in parts: DATASET=cifar10|cifar100|tiny_imagenet32 MODEL=conv6|resnet20|resnet32|wrn28_2 METHOD=snip|erk ...
TOPOLOGY_TABLES = $(if $(filter tiny%,$(DATASET)),table10,$(if $(DATASET),tables8_9,tables8_9 table10))
TOPOLOGY_MODELS = $(if $(filter wrn%,$(MODEL)),_wrn,$(if $(filter table10-conv6,$(1)-$(MODEL)),_conv6,$(if $(MODEL),plain,plain \
	$(if $(filter table10,$(1)),_conv6) _wrn)))
TOPOLOGY = $(foreach table,$(TOPOLOGY_TABLES),$(foreach model,$(call TOPOLOGY_MODELS,$(table)),topology_$(table)$(subst plain,,$(model))))
RANDOM_METHODS = uniform er erk
AS_CODED = $(METHOD)$(if $(filter snip grasp prospr er,$(METHOD)),_published)
TOPOLOGY_PART = $(if $(DATASET),dataset=$(DATASET)) $(if $(MODEL),model=$(MODEL)) $(if $(METHOD),$(if $(filter \
	$(RANDOM_METHODS),$(METHOD)),masker=$(AS_CODED) scorer=snip_published,masker=greedy_global scorer=$(AS_CODED)))
# a smoke test's images are too few for GraSP's 25 of each class and ProsPr's four batches of 512
ENOUGH = $(RECIPE) $(if $(RECIPE),recipe.train_images=10000)
TABLE5 = ramanujan_table5_vgg,ramanujan_table5_alexnet,ramanujan_table5_unpruned,ramanujan_table5_resnet18,ramanujan_table5_resnet34
TABLE6 = ramanujan_table5_vgg,ramanujan_table5_unpruned,ramanujan_table6_vgg16,ramanujan_table6_resnet34
.PHONY: help quickstart test bench-masks spectral-table1 spectral-fig2 spectral-fig3 spectral-extreme connectivity rounds synflow-empty fidelity bench-bss \
	method-options ramanujan-table4 ramanujan-table5 ramanujan-table6 ramanujan-table6-imdb ramanujan-compare ramanujan-shapes ramanujan-picture \
	topology-tables8-10 topology-tables8-9-text topology-spectral topology-controls topology-table3 topology-table4 topology-figures \
	topology-fig2 topology-fig3 topology-fig4 topology-fig5 \
	topology-methods topology-stride2 bench-scorers bench-training bench-topology bench-start bench-sweep bench-plans bench-busy bad-input damaged-files full-disks soak \
	which-or-how-many which-or-how-many-vgg11 best-of-both baselines centrality-table centrality-small centrality-sweep kept-similarity pretrain bench-centrality zoo gpu-lease results-page audit clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

quickstart: .venv/installed ## Sparsify against Greedy on handwritten digits: table and figure in three minutes on two cores
	.venv/bin/python -m pruneexp $(ARGS)

test: .venv/tested ## lint, type check, and every test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist worksteal

spectral-fig2: .venv/installed ## Laenen (2023), figure 2: four networks, three scores, Sparsify against Greedy
	for experiment in $(FIG2); do $(RUN) +experiment=laenen_fig2_$$experiment $(RECIPE) $(ARGS) || exit 1; done
	$(RUN) mode=report from=[laenen_fig2_vgg11,laenen_fig2_resnet20,laenen_fig2_vgg16,laenen_fig2_resnet18] name=laenen_fig2 $(RECIPE) $(ARGS)

spectral-fig3: .venv/installed ## Laenen (2023), figures 3 and 4: VGG-11 pruned after training, lambda_2 of every layer
	$(RUN) +experiment=laenen_fig3 $(RECIPE) $(ARGS)

spectral-extreme: .venv/installed ## extremely sparse Tiny-ImageNet, where Laenen (2023) reports Greedy ahead: with and without trees
	$(RUN) +experiment=laenen_extreme_tiny $(RECIPE) $(ARGS)

connectivity: .venv/installed ## what each way of choosing edges leaves connected; nothing is trained
	.venv/bin/python -m pruneexp.studies.connectivity --report-dir $(REPORT)

rounds: .venv/installed ## how much of a mask made in rounds hangs on one weight or a last digit; needs CIFAR-10, nothing is trained
	.venv/bin/python -m pruneexp.studies.rounds --report-dir $(REPORT) $(ARGS)

synflow-empty: .venv/installed ## the layers that SynFlow's hundred rounds leave empty at 0.1 %; nothing is trained
	.venv/bin/python -m pruneexp.studies.synflow_empty --report-dir $(REPORT)

fidelity: .venv/installed ## every figure that the papers print, whether ours exists and agrees; reads what is there, trains nothing
	.venv/bin/python -m pruneexp.studies.fidelity --report-dir $(REPORT)

method-options: .venv/installed ## what the options of scorers do to their masks, on CIFAR-10; nothing is trained
	.venv/bin/python -m pruneexp.studies.method_options --report-dir $(REPORT) $(ARGS)

spectral-table1: .venv/installed ## Laenen (2023), Table 1: layerwise against global Sparsify, time and accuracy
	for experiment in laenen_table1_vgg16 laenen_table1_resnet20; do \
		$(RUN) +experiment=$$experiment $(RECIPE) $(ARGS) || exit 1; done

ramanujan-table4: .venv/installed ## Ramanujan graphs, Table 4: LPS graphs in the square linear layer
	for experiment in ramanujan_table4_unpruned ramanujan_table4; do \
		$(RUN) +experiment=$$experiment $(RECIPE) $(ARGS) || exit 1; done
	$(RUN) mode=report from=[ramanujan_table4,ramanujan_table4_unpruned] name=ramanujan_table4_all $(RECIPE) $(ARGS)

ramanujan-table5: .venv/installed ## Ramanujan graphs, Table 5: array codes in the convolutions too
	for experiment in $(subst $(comma), ,$(TABLE5)); do $(RUN) +experiment=$$experiment $(RECIPE) $(ARGS) || exit 1; done
	$(RUN) mode=report from=[$(TABLE5)] name=ramanujan_table5_all $(RECIPE) $(ARGS)

ramanujan-table6: .venv/installed ## Ramanujan graphs, Table 6: beside random, ERK, SNIP and SynFlow masks
	for experiment in $(subst $(comma), ,$(TABLE6)); do $(RUN) +experiment=$$experiment $(RECIPE) $(ARGS) || exit 1; done
	$(RUN) mode=report from=[$(TABLE6)] name=ramanujan_table6_all $(RECIPE) $(ARGS)

ramanujan-table6-imdb: .venv/installed ## both units of IMDB of Table 6's masks beside those printed; nothing is trained; ARGS="--data-dir data": SNIP, GraSP too
	.venv/bin/python -m pruneexp.studies.ramanujan.table6 --report-dir $(REPORT) $(ARGS)

ramanujan-compare: .venv/installed ## ResNet-18 at one density: Ramanujan, fitted, random, spectral and SynFlow masks
	$(RUN) +experiment=ramanujan_compare $(RECIPE) $(ARGS)

ramanujan-shapes: .venv/installed ## certificates for the shapes of real layers, densities of the paper's masks; nothing is trained
	.venv/bin/python -m pruneexp.studies.ramanujan.shapes --report-dir $(REPORT)
	.venv/bin/python -m pruneexp.studies.ramanujan.densities --report-dir $(REPORT)

ramanujan-picture: .venv/installed ## adjacency matrices of the constructions
	.venv/bin/python -m pruneexp.studies.ramanujan.picture --report-dir $(REPORT)

topology-tables8-10: .venv/installed ## Cunegatti et al., Tables 8-10, as their public code has it; DATASET= MODEL= METHOD= choose a part
	for experiment in $(TOPOLOGY); do $(RUN) +experiment=$$experiment $(TOPOLOGY_PART) $(ENOUGH) $(ARGS) || exit 1; done

topology-tables8-9-text: .venv/installed ## Tables 8 and 9 with the methods as the paper's text defines them
	$(RUN) +experiment=topology_tables8_9_text $(RECIPE) $(ARGS)

topology-spectral: .venv/installed ## spectral and Ramanujan masks in the setting of Table 8
	for experiment in topology_spectral topology_spectral_wrn; do \
		$(RUN) +experiment=$$experiment $(RECIPE) $(ARGS) || exit 1; done

topology-controls: .venv/installed ## SNIP's masks shuffled, inverted, with new weights
	$(RUN) +experiment=topology_controls $(RECIPE) $(ARGS)

WHICH = which_or_how_many,which_or_how_many_snip
which-or-how-many: .venv/installed ## how many weights each layer keeps, or which: 4 allocations x 5 choices on ResNet-20, and what their accuracies come of
	$(RUN) +experiment=$(WHICH) $(RECIPE) $(ARGS)
	$(RUN) mode=report from=[$(WHICH)] name=which_or_how_many_all "title=How many or which" $(RECIPE) $(ARGS)
	.venv/bin/python -m pruneexp.studies.which_or_how_many $(RECIPE) $(ARGS) --report-dir $(REPORT)

which-or-how-many-vgg11: .venv/installed ## Ramanujan graphs, random, balanced random and spectral masks of VGG-11 at ERK's densities
	$(RUN) +experiment=which_or_how_many_vgg11 $(RECIPE) $(ARGS)

BOTH = best_of_both,best_of_both_rivals
best-of-both: .venv/installed ## the best allocation with the best choice against SynFlow and ERK; ARGS="model=resnet20 densities=[0.02]" for a part
	$(RUN) +experiment=$(BOTH) $(RECIPE) $(ARGS)
	$(RUN) mode=report from=[$(BOTH)] name=best_of_both_all "title=The best counts with the best choice beside rivals" $(RECIPE) $(ARGS)
	.venv/bin/python -m pruneexp.studies.best_of_both $(RECIPE) $(ARGS) --report-dir $(REPORT)

BASELINES = baselines_resnet20,baselines_resnet20_sparsify,baselines_resnet20_imp,baselines_resnet20_updates,baselines_resnet20_gmp
# a smoke test's one epoch has nothing to rewind to, and too few steps for masks to change
LONGER = $(RECIPE) $(if $(RECIPE),recipe.epochs=2 recipe.batch_size=16)
baselines: .venv/installed ## ResNet-20 at 5 %: one-shot methods, iterative magnitude pruning, SET, RigL and GMP, graphs at start and end
	$(RUN) +experiment=$(BASELINES) $(LONGER) $(ARGS)
	$(RUN) mode=report from=[$(BASELINES)] name=baselines_resnet20_all "title=The baselines everyone compares with" $(LONGER) $(ARGS)

topology-table3: .venv/installed ## Cunegatti et al., Table 3: accuracy drop predicted from the metrics, on the published pool
	.venv/bin/python -m pruneexp.studies.topology.table3 --report-dir $(REPORT) $(ARGS)

topology-table4: .venv/installed ## Tables 4, 11, 12: methods ranked by the metrics, in-sample and held out; no training
	.venv/bin/python -m pruneexp.studies.topology.tables4_11_12 --report-dir $(REPORT) $(ARGS)

topology-figures: .venv/installed ## Figures 2 to 5: layer densities, importance of the metrics
	.venv/bin/python -m pruneexp.studies.topology.figures2_to_5 --report-dir $(REPORT) $(ARGS)

topology-fig2 topology-fig3 topology-fig4 topology-fig5: .venv/installed
	.venv/bin/python -m pruneexp.studies.topology.figures2_to_5 $(@:topology-%=%) --report-dir $(REPORT) $(ARGS)

topology-methods: .venv/tested ## the metrics of every pruning method's masks on ResNet-20; nothing is trained
	.venv/bin/python -m pruneexp.studies.topology.methods --report-dir $(REPORT) $(ARGS)

topology-stride2: .venv/installed ## what mode=correct and mode=published make of a convolution of stride 2, drawn
	.venv/bin/python -m pruneexp.studies.topology.stride2 --report-dir $(REPORT)

bench-masks: .venv/tested ## time and accuracy of leverages, calibration and draw against a dense pseudo-inverse
	.venv/bin/python -m scripts.bench_masks

bench-scorers: .venv/tested ## time and memory of every scorer on ResNet-32 and VGG-16
	.venv/bin/python -m scripts.bench_scorers

bench-training: .venv/tested ## images a second and cells an hour against plain Lightning and a plain loop; a sweep's growth
	.venv/bin/python -m scripts.bench_training $(ARGS)
	.venv/bin/python -m scripts.bench_training --growth

bench-topology: .venv/tested ## CPU seconds and memory of every topology metric
	.venv/bin/python -m scripts.bench_topology $(ARGS)

pretrain: .venv/installed ## ResNet-18 on CIFAR-100, to be pruned and fine-tuned where ImageNet's weights cannot be had
	$(RUN) +experiment=pretrain_cifar100 $(RECIPE) $(ARGS)

PRETRAINED = $(firstword $(wildcard results/runs/cifar100-torchvision_resnet18-dense-*))
WEIGHTS = weights=$(or $(PRETRAINED),imagenet)
centrality-small: .venv/installed ## neurons removed by six importances, fine-tuned on flowers and CIFAR-10, both baselines; PRETRAINED= names make pretrain's cell
	for experiment in centrality_small_linear centrality_small; do $(RUN) +experiment=$$experiment $(WEIGHTS) $(RECIPE) $(ARGS) || exit 1; done
	$(RUN) mode=report from=[centrality_small,centrality_small_linear] $(WEIGHTS) $(RECIPE) $(ARGS)

centrality-sweep: .venv/installed ## the threshold tau against the share of neurons kept; PRETRAINED= as above
	$(RUN) +experiment=centrality_sweep $(WEIGHTS) $(RECIPE) $(ARGS)

CENTRALITY = centrality_table_vgg centrality_table centrality_table_linear
centrality-table: .venv/installed ## four ImageNet networks, three small data sets, all importances, both baselines; ARGS="dataset=flowers102" for a part
	for experiment in $(CENTRALITY); do $(RUN) +experiment=$$experiment $(RECIPE) $(ARGS) || exit 1; done
	$(RUN) mode=report from=[$(subst $() ,$(comma),$(CENTRALITY))] name=centrality_tables $(RECIPE) $(ARGS)

kept-similarity: .venv/installed ## how alike the neurons are that each importance keeps of three small networks
	$(RUN) +experiment=pretrain_cifar10 $(RECIPE) $(ARGS)
	.venv/bin/python -m pruneexp.studies.kept_similarity --weights results/runs/cifar10-vgg_small-dense-*/ --report-dir $(REPORT)

bench-centrality: .venv/tested ## seconds of similarity graph and centrality for layers of up to 4096 neurons
	.venv/bin/python -m scripts.bench_centrality

bench-start: .venv/tested ## processor time of the import, a plan, composed jobs, a first cell and a report of 10,000 records
	.venv/bin/python -m scripts.bench_start $(ARGS)

bench-sweep: .venv/tested ## processor time of status, plan, report and a restart of 18,000 finished cells
	.venv/bin/python -m scripts.bench_sweep $(ARGS)

bench-plans: .venv/tested ## what mode=plan says of every experiment, and how long it takes to say it; half an hour
	.venv/bin/python -m scripts.bench_plans $(ARGS)

bench-busy: .venv/tested ## seconds a cell of the default experiment beside busy processes, by how waiting threads wait
	.venv/bin/python -m scripts.bench_busy $(ARGS)

bad-input: .venv/tested ## thousands of bad command lines: each is one sentence, or means something; about half an hour
	.venv/bin/python -m scripts.bad_input $(ARGS)

damaged-files: .venv/tested ## every file that is read replaced by what is none, or holds something else; some ten minutes
	.venv/bin/python -m scripts.damaged_files $(ARGS)

full-disks: .venv/tested ## a disk that is full at 70 instants of what is written; as root, some ten minutes
	.venv/bin/python -m scripts.full_disks $(ARGS) "$$(mktemp -d)/disk"

soak: .venv/tested ## 2,000 cells in one process: its memory, descriptors, threads, time a cell
	.venv/bin/python -m scripts.soak $(ARGS)

bench-bss: .venv/tested ## deterministic against random sparsifiers: time and quality
	.venv/bin/python -m scripts.bench_bss

zoo: .venv/tested ## what can be done with architectures of torchvision and timm, as docs/zoo.md tells; nothing is trained
	.venv/bin/python -m pruneexp.studies.zoo --report-dir $(REPORT) $(ARGS)

gpu-lease: .venv/tested ## a CUDA GPU for MINUTES=10: its tests, times of a training step, cells of papers' tables, all kept in lease/ as they come
	.venv/bin/python -m scripts.gpu_lease --minutes $(MINUTES) $(ARGS)

audit: .venv/audit ## publicly known faults of the installed packages; an environment of its own, needs the network
	@.venv/audit/bin/pip-audit --strict --progress-spinner off --path "$$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')" \
		|| { echo "audit: a package has a fault that is told above, or the register of faults cannot be reached (docs/dependencies.md)."; exit 1; }

results-page: .venv/tested ## results/README.md and the README's table from the tables; ARGS=--again makes the reports from records anew
	.venv/bin/python -m scripts.results_page $(ARGS)

clean: ## remove .venv and caches; data and results stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache build *.egg-info

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/audit: .venv/installed
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check pip-audit

.venv/tested: .venv/installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	touch $@
