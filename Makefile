# make demo    a slide through the nuclei pipeline, results in out/demo/<slide>/nuclei/     (SLIDE=… MPP=… to choose)
# make test    lint, types, import rules and all tests against a real Triton
# make score   the served nuclei against CoNSeP's validation tiles
# make score-peakmap   the served slide classes of phantom smears     (SMEARS=100: how many, SMEAR=… : what phantoms)
# make quick   the same without the slow tests
# make lint    only the checks that run nothing

PYTHON ?= python3
BIN := .venv/bin
OUT ?= out/demo
DATA ?= ../shared/data
SMEARS ?= 100
SMEAR ?= --size 4096x4096 --mpp 0.25
IN ?= out/smears
PORT ?= 8011
# Many tests wait for a server or compute on one core. A file stays with one worker, and each worker has its own server.
PYTEST = $(BIN)/pytest --numprocesses 2 --dist loadfile
PIP_INSTALL = $(BIN)/python -m pip install --quiet --constraint constraints.txt
SLIDE ?= $(firstword $(wildcard $(DATA)/slides/CMU-1-Small-Region.svs) out/phantom.tiff)

.PHONY: demo score score-peakmap smears test quick lint clean
.DELETE_ON_ERROR:

demo: .venv/.server $(SLIDE)
	$(BIN)/histoserve analyze $(SLIDE) --pipeline nuclei $(if $(MPP),--mpp $(MPP)) -o $(OUT)
	@echo "Look at overview.png there first; nuclei.geojson opens in QuPath."

out/phantom.tiff: | .venv/.server
	$(BIN)/histoserve phantom $@ --size 2048x2048 --seed 1

# The figures of the README: the validation tiles are analysed, then the files that came out are scored.
score: .venv/.all
	for tile in 02 06 14 17 24; do \
	  $(BIN)/histoserve analyze $(DATA)/consep/train_$$tile.png --mpp 0.25 --pipeline nuclei -o out/consep || exit 1; \
	done
	$(BIN)/histoserve score nuclei out/consep --data $(DATA)

# The same of peakmap: seeds that no training saw. A run that was interrupted goes on with the next smear.
score-peakmap: .venv/.all
	@mkdir -p $(IN)
	$(BIN)/histoserve serve --port $(PORT) > $(IN)/server.log & server=$$!; trap 'kill $$server; wait $$server' EXIT; \
	until grep -q ^ready $(IN)/server.log; do kill -0 $$server || exit 1; sleep 1; done; \
	$(MAKE) --no-print-directory smears PORT=$(PORT) SMEARS=$(SMEARS) SMEAR="$(SMEAR)" IN=$(IN)
	$(BIN)/histoserve score peakmap $(IN) --data $(IN)

smears: $(patsubst %,$(IN)/%/peakmap/result.json,$(shell seq $(SMEARS)))

.SECONDARY:
$(IN)/%.tiff: | .venv/.all
	@mkdir -p $(@D)
	$(BIN)/histoserve phantom $@ --kind cytology $(SMEAR) --seed $* --truth $(@:.tiff=.geojson)

$(IN)/%/peakmap/result.json: $(IN)/%.tiff $(wildcard model_repository/peakmap_*/config.pbtxt)
	$(BIN)/histoserve analyze $< --pipeline peakmap --server 127.0.0.1:$(PORT) -o $(IN)

test: lint
	$(PYTEST)

quick: lint
	$(PYTEST) -m "not slow"

lint: .venv/.all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p histoserve --exclude model_repository

# pip from 3.10's ensurepip installs editable packages of this build system, but slowly: take a newer one.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' \
	  || { echo "histoserve's server needs Python 3.10, 3.11 or 3.12: make PYTHON=python3.11 …" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$@ -m pip install --quiet --upgrade pip

.venv/.server: pyproject.toml constraints.txt .venv/bin/python
	$(PIP_INSTALL) --editable '.[server]'
	@touch $@

.venv/.all: .venv/.server
	$(PIP_INSTALL) --editable '.[server,export,dev]'
	@touch $@

clean:
	rm -rf .venv out build *.egg-info
