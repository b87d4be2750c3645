# make demo    a slide through the nuclei pipeline, results in out/demo/<slide>/nuclei/     (SLIDE=… MPP=… to choose)
# make test    lint, types, import rules and all tests against a real Triton
# make score   the served nuclei against CoNSeP's validation tiles
# make score-peakmap   the served slide classes of phantom smears     (SMEARS=100: how many, SMEAR=… : what phantoms)
# make score-tissue    the served slide classes and tiles of phantom slides, every second one with stains never trained on
#                      (LESIONS=60: how many, LESION=… : what phantoms, OTHER=NAME=RESULTS : another network's, TRAINING=…)
# make score-spread    the served directions, extents and values of phantom slides, likewise     (SPREADS=60, SPREAD=…,
#                      OTHER=… as above; REAL=1: of CoNSeP's patches instead, GIVEN="NAME=FILE …": VGG16s to start from)
# make score-registration    two stains laid on each other: two real pairs as they are and moved, 100 phantom pairs and 20
#                      unrelated ones; goes on where it was stopped     (MOVES=16, PAIRS=100, UNRELATED=20)
# make score-biomarker    the closed loop: phantom pairs registered, labelled, trained on, served, unseen slides read; goes on
#                      where it was stopped     (LOOP="--training 24 --scored 50 …": see --help; LOOP_IN=out/biomarker-loop)
# make score-ihc       the served readings of phantoms stained for markers, and of four real tiles that people marked
#                      (IHCS=20: how many, IHC=… : what phantoms)
# make passports    what lies beside each graph that is shipped, anew: passport and golden outputs
# make quick   the same without the slow tests
# make lint    only the checks that run nothing
# make browser    what the tests of the page need of the system

PYTHON ?= python3
BIN := .venv/bin
OUT ?= out/demo
DATA ?= ../shared/data
SMEARS ?= 100
SMEAR ?= --size 4096x4096 --mpp 0.25
IN ?= out/smears
LESIONS ?= 60
LESION ?= --size 4000x4000 --mpp 1
LESIONS_IN ?= out/lesions
SPREADS ?= 60
SPREAD ?= --size 4000x4000 --mpp 1
SPREADS_IN ?= out/spreads
# Of the network that is served, for its 13th layer alone.
SPREAD_WEIGHTS ?= $(wildcard export/spread/weights.pt)
MOVES ?= 16
PAIRS ?= 100
UNRELATED ?= 20
PAIRS_IN ?= out/registration
LANDMARKS := $(wildcard $(DATA)/registration)
LOOP ?=
LOOP_IN ?= out/biomarker-loop
# Where its models wait for networks.
LOOP_MODELS := $(if $(wildcard model_repository/biomarker_tiles),model_repository,tests/biomarker_models)
IHCS ?= 20
IHC ?= --size 1600x1600 --mpp 0.5
IHCS_IN ?= out/ihc
# Where `train tissue -o out/tissue` leaves its slides; without them, no hand-made features are measured.
TRAINING ?= out/tissue/slides
# Many tests wait for a server or compute on one core. A file stays with one worker, and each worker has its own server.
# Files come as tests/conftest.py orders them, not those with the most tests first: a slow one alone would be the last.
PYTEST = $(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
SMEAR_FILES = $(patsubst %,$(IN)/%.tiff,$(shell seq $(SMEARS)))
LESION_FILES = $(patsubst %,$(LESIONS_IN)/%.tiff,$(shell seq $(LESIONS)))
SPREAD_FILES = $(patsubst %,$(SPREADS_IN)/%.tiff,$(shell seq $(SPREADS)))
IHC_FILES = $(patsubst %,$(IHCS_IN)/%.tiff,$(shell seq 1001 $$((1000 + $(IHCS)))))
# What no file says: the size of a nucleus in them fits this (export/ihc/real.py).
MARKED_MPP := 0.25
MARKED := $(wildcard $(DATA)/ihc_ki67)
BY_HAND = $(if $(wildcard $(TRAINING)),--training $(TRAINING) --by-hand $(LESIONS_IN)/by_hand.npz)
# The tiles that no training of the shipped network saw.
VALIDATION := 02 06 14 17 24
PIP_INSTALL = $(BIN)/python -m pip install --quiet --constraint constraints.txt
SLIDE ?= $(firstword $(wildcard $(DATA)/slides/CMU-1-Small-Region.svs) out/phantom.tiff)

.PHONY: demo score score-peakmap smears score-tissue lesions score-spread spreads score-registration score-biomarker \
  score-ihc ihcs passports test quick lint browser clean
.DELETE_ON_ERROR:

# The slide's name may hold spaces: it reaches the shell through the environment, and make as no prerequisite.
export SLIDE OUT
demo: .venv/.server $(filter out/phantom.tiff,$(SLIDE))
	$(BIN)/histoserve analyze "$$SLIDE" --pipeline nuclei $(if $(MPP),--mpp $(MPP)) -o "$$OUT"
	@slide=$$(basename "$$SLIDE"); result="$$OUT/$${slide%.*}/nuclei"; \
	echo "Open first  $$result/overview.png     with any viewer: the slide, what was found drawn on it"; \
	echo "then        $$result/nuclei.geojson   with QuPath, dropped onto the slide: every outline and its numbers"; \
	echo "and         $$result/result.json      with any editor: counts, densities, and how they came about"; \
	echo "or all of it on the slide, in a browser:  $(BIN)/histoserve view \"$$OUT/$${slide%.*}\" --slide \"$$SLIDE\""

out/phantom.tiff: | .venv/.server
	$(BIN)/histoserve phantom $@ --size 2048x2048 --seed 1

# The figures of the README: the validation tiles are analysed, then the files that came out are scored.
score: .venv/.all
	$(BIN)/histoserve analyze $(VALIDATION:%=$(DATA)/consep/train_%.png) --mpp 0.25 --pipeline nuclei -o out/consep
	$(BIN)/histoserve score nuclei out/consep --data $(DATA)

# The same of peakmap: seeds that no training saw. A run that was interrupted goes on with the next smear.
score-peakmap: smears
	$(BIN)/histoserve analyze $(SMEAR_FILES) --pipeline peakmap -o $(IN)
	$(BIN)/histoserve score peakmap $(IN) --data $(IN)

smears: $(SMEAR_FILES)

.SECONDARY:
$(IN)/%.tiff: | .venv/.all
	@mkdir -p $(@D)
	$(BIN)/histoserve phantom $@ --kind cytology $(SMEAR) --seed $* --truth $(@:.tiff=.geojson)

# The same of tissue, beside hand-made features (fitted once; remove by_hand.npz to fit them anew) and, where its results
# are named, another network: python -m histoserve.export.as_served tissue WEIGHTS RESULTS SLIDE… makes these.
score-tissue: lesions
	$(BIN)/histoserve analyze $(LESION_FILES) --pipeline tissue -o $(LESIONS_IN)
	$(BIN)/histoserve score tissue $(LESIONS_IN) --data $(LESIONS_IN) $(BY_HAND) $(OTHER:%=--other %)

lesions: $(LESION_FILES)

$(LESIONS_IN)/%.tiff: | .venv/.all
	@mkdir -p $(@D)
	$(BIN)/histoserve phantom $@ --kind lesion$(if $(filter %0 %2 %4 %6 %8,$*),:stains=outside) $(LESION) \
	  --seed $* --truth $(@:.tiff=.geojson)

# The same of spread; with REAL=1 trained and tried on real tissue, which nothing is served for.
ifdef REAL
score-spread: .venv/.all
	$(BIN)/python -m histoserve.export.spread.real --data $(DATA) -o out/consep-spread $(GIVEN:%=--weights %)
else
score-spread: spreads
	$(BIN)/histoserve analyze $(SPREAD_FILES) --pipeline spread -o $(SPREADS_IN)
	$(BIN)/histoserve score spread $(SPREADS_IN) --data $(SPREADS_IN) $(SPREAD_WEIGHTS:%=--weights %) $(OTHER:%=--other %)
endif

spreads: $(SPREAD_FILES)

$(SPREADS_IN)/%.tiff: | .venv/.all
	@mkdir -p $(@D)
	$(BIN)/histoserve phantom $@ --kind spread$(if $(filter %0 %2 %4 %6 %8,$*),:stains=outside) $(SPREAD) \
	  --seed $* --truth $(@:.tiff=.geojson)

# Landmark errors, beside the best matrix there is, SIFT, and leaving the slides as they are; pairs to be refused.
score-registration: .venv/.all
ifneq ($(LANDMARKS),)
	$(BIN)/python -m histoserve.benchmark.registration.real --data $(DATA) --moves $(MOVES) -o $(PAIRS_IN); real=$$?; \
	$(BIN)/python -m histoserve.benchmark.registration.score --pairs $(PAIRS) --unrelated $(UNRELATED) -o $(PAIRS_IN) \
	  && exit $$real
else
	$(BIN)/python -m histoserve.benchmark.registration.score --pairs $(PAIRS) --unrelated $(UNRELATED) -o $(PAIRS_IN)
endif

score-biomarker: .venv/.all
	$(BIN)/python -m histoserve.benchmark.biomarker.loop -o $(LOOP_IN) --models $(LOOP_MODELS) $(LOOP)

# The same of stained slides; seeds from 1001 on, which no training draws.
score-ihc: ihcs
	$(BIN)/histoserve read-ihc $(IHC_FILES) -o $(IHCS_IN)
ifneq ($(MARKED),)
	$(BIN)/histoserve read-ihc $(filter-out %_truth.png,$(wildcard $(MARKED)/*.png)) --mpp $(MARKED_MPP) -o $(IHCS_IN)
endif
	$(BIN)/histoserve score ihc $(IHCS_IN) --data $(IHCS_IN) $(MARKED:%=--marked %)

ihcs: $(IHC_FILES)

$(IHCS_IN)/%.tiff: | .venv/.all
	@mkdir -p $(@D)
	@marker=$$(echo ki67 er pr her2 | cut -d' ' -f$$(($* % 4 + 1))); \
	$(BIN)/histoserve phantom $@ --kind ihc:marker=$$marker $(IHC) --seed $* --truth $(@:.tiff=.geojson)

passports: .venv/.all .venv/.tensorrt
	$(BIN)/python -m histoserve.export.passports

# The pages' commands come alone: they train and measure, on threads that wait for each other when others run.
PAGES := tests/test_readme.py
test: lint browser .venv/.tensorrt .venv/.kinds
	$(PYTEST) --ignore $(PAGES)
	$(BIN)/pytest $(PAGES)

quick: lint
	$(PYTEST) -m "not slow"

lint: .venv/.all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p histoserve --exclude model_repository

# What the page's tests need of the system: a browser, letters for Chinese, and a server with a login to stand behind.
# Prometheus' promtool tries the cluster's alerts.
SYSTEM := chromium fonts-wqy-zenhei nginx-light openssl prometheus
browser:
	@if [ "$$(PATH="$$PATH:/usr/sbin" which chromium nginx openssl promtool | wc -l)" = 4 ] && fc-list :lang=zh | grep -q .; then true; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get; then \
	  apt-get update -qq && RUNLEVEL=1 apt-get install -qq -y --no-install-recommends $(SYSTEM); \
	else echo "The tests of the page and of alerts need of the system, and are left out without: apt-get install $(SYSTEM)"; fi >&2

# pip from 3.10's ensurepip installs editable packages of this build system, but slowly: take a newer one.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' \
	  || { echo "histoserve's server needs Python 3.10, 3.11 or 3.12: make PYTHON=python3.11 …" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$@ -m pip install --quiet --upgrade pip

.venv/.server: pyproject.toml constraints.txt .venv/bin/python
	$(PIP_INSTALL) --editable '.[server,view]'
	@touch $@

.venv/.all: .venv/.server
	$(PIP_INSTALL) --editable '.[server,view,replicas,export,dev]'
	@touch $@

# For the tests that build engines, which are left out without: 230 MB, and not for every processor.
.venv/.tensorrt: .venv/.all
	@if $(PIP_INSTALL) --editable '.[tensorrt]'; then touch $@; \
	else echo "TensorRT cannot be installed here: the tests that ask it are left out" >&2; fi

# The kinds of KEDA's and Prometheus' objects, which the chart is held against: read as text, as they want Python 3.14.
KINDS := cloudcoil-models-keda==2.20.2.1 cloudcoil-models-prometheus-operator==0.93.1.1
.venv/.kinds: .venv/.all
	@if $(BIN)/python -m pip download --quiet --no-deps --only-binary :all: --python-version 3.14 --dest .venv/kinds $(KINDS); \
	then touch $@; else echo "The kinds of KEDA and Prometheus cannot be fetched: the tests against them are left out" >&2; fi

clean:
	rm -rf .venv out build *.egg-info
