# make demo: set up, train on the embedded photographs, measure, export.
# make demo-blind: set up, separate mixtures of handwritten digits with the preset of them.
# make test: set up, lint, run the tests but for the slow ones.
# make test-all: the same, the slow ones included, and graphs rewritten as TensorFlow does it.
# make reproduce ROOT=images: every table of the InverseNet paper; goes on after a kill.
# make core PYTHON=python3.13 VENV=.venv-3.13: sets up for another Python, runs the core tests.
# make lowest: the same with setup.py's lowest versions.
# make docs: set up, build the manual into site/.

PYTHON ?= python3
VENV := .venv
PYTEST := $(VENV)/bin/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder
RUN := runs/demo
MODEL := $(RUN)/export/deblur
BLIND := runs/demo_blind
TWENTY := --config.prior=digits --config.problem.number=20 --config.search.rounds=24

# Of `make reproduce`: image folders, minutes of each training, SqueezeNet's weights (may be none).
ROOT := images
MINUTES := 30
COMPARATOR :=
TABLE = $(VENV)/bin/inversenet reproduce --output=runs/reproduce --root=$(ROOT) \
	--budget_minutes=$(MINUTES) --comparator_weights=$(COMPARATOR)

# What `make core` runs: networks, a training, an export, a client, a search, every kind of file.
CORE := tests/imaging/physics tests/imaging/files tests/engine/test_frozen.py \
	tests/engine/test_optimizers.py tests/engine/test_checkpoints.py tests/models/test_inversenet.py \
	tests/models/test_tables_3_and_4.py tests/models/test_closed_form.py tests/test_api.py \
	tests/restoration/test_restorers.py tests/restoration/test_misfits.py \
	tests/exporting/test_inversenet.py tests/client/test_served_export.py tests/blind_gan/test_api.py
# Options of pip that choose the versions which `make core` installs.
VERSIONS :=

.PHONY: setup demo demo-blind reproduce lint test test-all core lowest docs clean
.DELETE_ON_ERROR:

setup: $(VENV)/installed

$(VENV)/installed: setup.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --editable ".[dev,serving]"
	touch $@

demo: setup
	$(VENV)/bin/inversenet train --config=quickstart --workdir=$(RUN)
	$(VENV)/bin/inversenet evaluate --workdir=$(RUN)
	test -d $(MODEL)/1 || $(VENV)/bin/inversenet export --workdir=$(RUN) --output=$(MODEL) --verify
	@echo "Look at $(RUN)/comparison.png, $(RUN)/results.json, $(MODEL) and"
	@echo "$(VENV)/bin/tensorboard --logdir=$(RUN)/logs"

demo-blind: setup
	$(VENV)/bin/inversenet invert --config=separate_under $(TWENTY) --workdir=$(BLIND)/one_mixture
	$(VENV)/bin/inversenet invert --config=separate_over $(TWENTY) --workdir=$(BLIND)/four_mixtures
	@echo "Look at $(BLIND)/*/figure.png, $(BLIND)/*/results.json and"
	@echo "$(VENV)/bin/tensorboard --logdir=runs"

reproduce: setup
	$(TABLE) --table=1 --data=cub,celeba,tiny_imagenet
	$(TABLE) --table=1 --data=cub,celeba,tiny_imagenet --noise=0.01
	$(TABLE) --table=2 --data=cub,celeba,tiny_imagenet
	$(TABLE) --table=sr --data=set5,bsds500
	$(TABLE) --table=joint --data=celeba,cub
	$(TABLE) --table=denoiser --data=celeba
	$(TABLE) --table=networks --data=celeba

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

test: lint
	$(PYTEST) -m "not slow"
	@echo "The slow tests were left out; make test-all runs them, too."

test-all: lint
	REWRITTEN_GRAPHS=1 $(PYTEST)

core: VENV := .venv-core
core:
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet $(VERSIONS) ".[serving]" pytest pytest-xdist
	$(PYTEST) $(CORE)

# With Python 3.10 to 3.12, the ones that the lowest TensorFlow is made for.
lowest:
	$(MAKE) core VENV=.venv-lowest VERSIONS="--constraint tests/lowest_versions.txt"

docs: setup
	$(VENV)/bin/python -m pip install --quiet --editable ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

clean:
	rm -rf $(VENV) .venv-* *.egg-info
