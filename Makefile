# Every target works on a bare machine with python3 and pip: `setup` makes .venv once and again when its inputs change.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready

.PHONY: setup demo test lint docs bench soak clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[parquet,notebook,postgres,ray,slurm]' --group lint --group test
	touch $@

demo: setup
	$(BIN)/hpo-optuna run lenet5_digits --workers 2 --storage sqlite:///demo.db
	$(BIN)/hpo-optuna report lenet5_digits --storage sqlite:///demo.db -o report.html

test: setup
	$(BIN)/python -m pytest -m "not soak"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy hpo_optuna
	$(BIN)/mypy samplers

docs: setup
	$(BIN)/python docs/build_api.py

bench: setup
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[bench-samplers]'
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps mealpy==3.0.3
	@for script in benchmarks/*.py; do $(BIN)/python $$script --quick || exit 1; done

soak: setup
	$(BIN)/python -m pytest -m soak

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache demo.db report.html report.json report.csv
