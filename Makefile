# make demo: set up, train on the embedded photographs, measure, export.
# make test: set up, lint, run the tests.

PYTHON ?= python3
VENV := .venv
RUN := runs/demo

.PHONY: setup demo test clean
.DELETE_ON_ERROR:

setup: $(VENV)/installed

$(VENV)/installed: setup.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --editable ".[dev]"
	touch $@

demo: setup
	$(VENV)/bin/python tools/train.py --config=configs/inversenet/quickstart.py --workdir=$(RUN)
	$(VENV)/bin/python tools/evaluate.py --workdir=$(RUN)
	test -d $(RUN)/export || $(VENV)/bin/python tools/export.py --workdir=$(RUN) --output=$(RUN)/export
	@echo "Look at $(RUN)/comparison.png, $(RUN)/results.json, $(RUN)/export and"
	@echo "$(VENV)/bin/tensorboard --logdir=$(RUN)/logs"

test: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/python -m pytest

clean:
	rm -rf $(VENV) *.egg-info
