# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
LIGHT ?= .venv-light
BIN ?= $(VENV)/bin
LIGHT_BIN ?= $(LIGHT)/bin
# Modules are compiled when they are first imported: most of torch's and transformers' never are. An environment in which
# nothing may be kept would compile thousands at every start of Python.
export PYTHONDONTWRITEBYTECODE =
PIP := -m pip install --quiet --no-compile
# Tests of what never sees torch; they run where there is none.
NUMPY := tests/generators/test_auto.py \
    $(addprefix tests/generators/transformer/test_transformer_,decode.py estimator_checks.py generator.py labels.py weights.py without_torch.py)

.PHONY: demo test check light unit site coverage test-long reproduce-quick package clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --upgrade pip
	$(BIN)/python $(PIP) --constraint constraints.txt --editable ".[polars,train,hf,chat,cluster]" --group dev --group docs
	touch $@

# What a user has after `pip install .`: no torch.
$(LIGHT)/installed: pyproject.toml
	$(PYTHON) -m venv $(LIGHT)
	$(LIGHT_BIN)/python $(PIP) --editable .
	touch $@

demo: $(LIGHT)/installed           ## balance a real table and show what it did
	$(LIGHT_BIN)/makeweight demo --force

# Two jobs with two threads each would wait for each other on two cores.
test: export OMP_NUM_THREADS = 1
test:                              ## everything that has to pass
	$(MAKE) --jobs 2 check light
	$(MAKE) unit site

light: demo                        ## the default generator where there is no torch
	$(LIGHT_BIN)/python $(PIP) --constraint constraints.txt pytest pytest-xdist hypothesis
	! $(LIGHT_BIN)/python -c "import torch" 2>/dev/null
	OMP_NUM_THREADS=1 $(LIGHT_BIN)/python -m pytest -q -n 2 --dist worksteal -m "not long" \
	    tests/generators/transformer tests/generators/test_auto.py

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file benchmarks/mypy.ini benchmarks

unit: $(VENV)/installed            ## all but what `light` has run
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --doctest-modules --doctest-ignore-import-errors src/makeweight
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not long" $(NUMPY:%=--ignore=%)

site: $(VENV)/installed            ## the documentation, notebooks run, every warning and broken link an error
	rm -rf build/site
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -q -W --keep-going -j 2 -b html docs build/site
	$(BIN)/python docs/_site/check_site.py build/site

coverage: $(VENV)/installed        ## what the tests run through; it takes half as long again as the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not long" \
	    --cov --cov-report=term --cov-fail-under=90

test-long: $(VENV)/installed       ## the checks that take minutes
	$(BIN)/python -m pytest -m long

reproduce-quick: $(VENV)/installed ## published numbers beside reproduced ones, minutes on two cores
	OMP_NUM_THREADS=1 $(BIN)/makeweight reproduce imbalance --data craft,gender --steps 0,3,6,9 \
	    --methods nothing,ros,smote,adasyn,gpt2_finetuned --jobs 2

package: $(VENV)/installed         ## build the wheel, check it, and run it from an empty environment
	rm -rf dist build/package
	$(BIN)/python -m build --quiet
	$(BIN)/twine check --strict dist/*
	$(PYTHON) -m venv build/package
	build/package/bin/python -m pip install --quiet --constraint constraints.txt dist/*.whl
	cd build/package && bin/makeweight demo --force && bin/makeweight doctor

clean:
	rm -rf $(VENV) $(LIGHT) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
