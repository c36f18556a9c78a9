# `make help` says what can be made. Set-up needs nothing but Python 3.11 or newer.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
BIN := .venv/bin
# Newer than what it was made from: nothing to install.
READY := .venv/.packages-installed

.DEFAULT_GOAL := help
.PHONY: help setup system-packages demo test lint benchmark schema cases labeler outcomes pictures teacher teacher-quality library experiment real-images clean distclean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: system-packages $(READY) ## Install what is missing: system packages, .venv, pinned Python packages

# Only the viewer and its tests need these packages, so what lacks them goes on without.
system-packages:
	@tools/system_packages.sh "$(PYTHON)" || [ $$? = 3 ]

$(READY): pyproject.toml constraints.txt tools/python_packages.sh | system-packages
	@tools/python_packages.sh "$(PYTHON)"
	@touch $@

demo: setup ## Explain a bundled case, write demo-output/, open the viewer where there is a display
	@$(BIN)/kdistill demo --out demo-output

test: setup ## Run every check: ruff, mypy, import layers, all tests
	@tools/system_packages.sh "$(PYTHON)"
	@tools/checks.sh

lint: setup ## Run ruff, mypy and the import layers only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	tools/heartbeat.sh mypy $(BIN)/mypy
	$(BIN)/lint-imports

benchmark: setup ## Measure speed; prints its figures
	@for script in tests/benchmarks/bench_*.py; do \
	  echo "== $$script"; QT_QPA_PLATFORM=offscreen $(BIN)/python "$$script" || exit 1; done

teacher: setup ## Train the shipped teacher on ../shared/data (half an hour on two free cores)
	$(BIN)/python -c "from kdistill_core.teacher.smollm2 import smollm2_folder; smollm2_folder()"
	$(BIN)/kdistill corpus build training/configs/corpus-literature.yaml --out runs/corpus-literature --workers 2
	$(BIN)/python -m training.teacher --config training/configs/teacher-demo.yaml

teacher-quality: setup ## Measure the shipped teacher beside its base and write its card
	$(BIN)/python tools/general_text.py runs/general.jsonl
	$(BIN)/kdistill teacher evaluate resources/models/teacher-demo --against smollm2 --out runs/teacher-quality \
	  --literature runs/corpus-literature --general runs/general.jsonl \
	  --pubmedqa ../shared/data/literature/pubmedqa_ori_pqal.json \
	  --log runs/teacher-demo/literature --log runs/teacher-demo/rationales
	$(BIN)/python -m training.teacher_card resources/models/teacher-demo training/configs/teacher-demo.yaml \
	  runs/corpus-literature runs/teacher-quality/teachers.json

library: setup ## Let the shipped teacher write the rationale library into resources/rationales/
	$(BIN)/kdistill teacher library runs/library --write resources/models/teacher-demo --seeds 2 \
	  --embed resources/models/teacher-demo --out resources/rationales

experiment: setup ## Put the paper's claim to the test and write docs/results.md (some ten hours on two cores; goes on where it stopped)
	$(BIN)/python -m training.experiment --config training/configs/experiment.yaml --kept training/results/experiment --page docs/results.md

real-images: setup ## Put arms b, c and d to real radiographs of ../shared/data and write docs/real-images.md (hours)
	$(BIN)/python -m training.real_images --config training/configs/real-images.yaml --kept training/results/real-images --page docs/real-images.md

schema: setup ## Write the JSON Schemas of the records to docs/schema/
	$(BIN)/kdistill schema --out docs/schema

cases: setup ## Simulate the bundled cases again into resources/cases/
	$(BIN)/python tools/make_cases.py

labeler: setup ## Measure the report labeler on ../shared/data and write docs/labeler.md
	$(BIN)/python tools/labeler_agreement.py

outcomes: setup ## Run `kdistill explain` on files of every kind and write docs/outcomes.md
	$(BIN)/python tools/explain_outcomes.py

pictures: setup ## Make the manual's pictures again, but for the phantoms
	xvfb-run -a -s "-screen 0 1600x1000x24" $(BIN)/python tools/viewer_screenshots.py --out docs/images
	$(BIN)/kdistill demo --out demo-output --no-viewer
	cp demo-output/side-by-side.png docs/images/

clean: ## Remove caches, builds and demo-output/
	rm -rf build dist demo-output .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean ## Remove .venv too
	rm -rf .venv
