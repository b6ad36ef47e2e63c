# make demo: set up, train on the embedded photographs, measure, export.
# make demo-blind: set up, train a prior on the embedded digits, separate mixtures of them.
# make test: set up, lint, run the tests but for the slow ones.
# make test-all: the same, the slow ones included, and graphs rewritten as TensorFlow does it.
# make lowest: installs setup.py's lowest versions apart, runs the core tests with them.
# make docs: set up, build the manual into site/.

PYTHON ?= python3
VENV := .venv
PYTEST := $(VENV)/bin/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder
RUN := runs/demo
MODEL := $(RUN)/export/deblur
PRIOR := runs/prior_digits
BLIND := runs/demo_blind
TWENTY := --config.prior=$(PRIOR) --config.problem.number=20 --config.search.rounds=24

# What `make lowest` runs: networks, a training, an export, a client, a search, every kind of file.
CORE := tests/imaging/physics tests/imaging/files tests/engine/test_frozen.py \
	tests/engine/test_optimizers.py tests/engine/test_checkpoints.py tests/models/test_inversenet.py \
	tests/models/test_tables_3_and_4.py tests/models/test_closed_form.py tests/test_api.py \
	tests/restoration/test_restorers.py tests/restoration/test_misfits.py \
	tests/exporting/test_inversenet.py tests/client/test_served_export.py tests/blind_gan/test_api.py
LOWEST := .venv-lowest

.PHONY: setup demo demo-blind lint test test-all lowest docs clean
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
	$(VENV)/bin/inversenet train --config=prior_digits --workdir=$(PRIOR)
	$(VENV)/bin/inversenet invert --config=separate_under $(TWENTY) --workdir=$(BLIND)/one_mixture
	$(VENV)/bin/inversenet invert --config=separate_over $(TWENTY) --workdir=$(BLIND)/four_mixtures
	@echo "Look at $(PRIOR)/samples.png, $(BLIND)/*/figure.png, $(BLIND)/*/results.json and"
	@echo "$(VENV)/bin/tensorboard --logdir=runs"

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

test: lint
	$(PYTEST) -m "not slow"
	@echo "The slow tests were left out; make test-all runs them, too."

test-all: lint
	REWRITTEN_GRAPHS=1 $(PYTEST)

# With Python 3.10 to 3.12, the ones that the lowest TensorFlow is made for.
lowest:
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --constraint tests/lowest_versions.txt \
		".[serving]" pytest pytest-xdist
	$(LOWEST)/bin/python -m pytest --numprocesses=2 --dist=loadfile $(CORE)

docs: setup
	$(VENV)/bin/python -m pip install --quiet --editable ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

clean:
	rm -rf $(VENV) $(LOWEST) *.egg-info
