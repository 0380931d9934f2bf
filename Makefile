# Two commands for everyone: make lab, make test. The others are for authors.
PYTHON ?= python3
ifeq ($(OS),Windows_NT)
VENV := .venv/Scripts/python.exe
else
VENV := .venv/bin/python
endif
ENVIRONMENT := $(PYTHON) scripts/environment.py
# two workers on two cores: each computes on one
TEST := OMP_NUM_THREADS=1 $(VENV) -m pytest -n 2

.PHONY: help lab test lint test-code test-notebooks browser lessons text solutions claims bench slides site homework homework-check homework-grade homework-marks hub hub-packages lock environment

help:
	@echo "make lab        build the environment if needed, then open your copies of the lessons (workbook/)"
	@echo "make test       every test and every notebook"
	@echo "make browser    every notebook in a real browser: run, played with, exercised, reopened (needs chromium)"
	@echo "make lessons    build all notebooks from their sources, or one: make lessons LESSON=04_grad_cam"
	@echo "make text       put changed Markdown into the notebooks, without running them"
	@echo "make claims     measure every claim of the lessons on fresh material, into build/claims.md"
	@echo "make solutions  the same with every exercise solved, in build/solutions"
	@echo "make bench      our methods' time and memory beside the libraries'"
	@echo "make slides     a lecture for each lesson, and a plan of its 90 minutes, into build/slides"
	@echo "make site       the course as a static site, into build/site/html"
	@echo "make homework   assignments for nbgrader, into build/homework (SEED=2027 for other ones)"
	@echo "make hub        JupyterHub with nbgrader's exchange on this machine, to try a class"
	@echo "make lock       renew requirements.lock (needs uv)"

lab:
	@$(ENVIRONMENT) lab

test: lint test-code test-notebooks

lint: environment
	$(VENV) -m ruff check .
	$(VENV) -m ruff format --check .

test-code: environment
	$(TEST) --durations=10 tests

test-notebooks: environment
	$(TEST) -p course_utils.authoring.nbval_costs --dist loadfile --nbval-lax --nbval-current-env \
		--nbval-cell-timeout=300 --nbval-sanitize-with tests/sanitize.cfg notebooks

browser: environment
	$(TEST) --dist worksteal --durations=0 --lessons all tests/browser/test_lesson.py

lessons: environment
	$(VENV) -m course_utils.authoring $(LESSON)

text: environment
	$(VENV) -m course_utils.authoring --text $(LESSON)

claims: environment
	$(TEST) tests/claims --claims build/claims.md

solutions: environment
	$(VENV) -m course_utils.authoring --edition solved $(LESSON)

bench: environment
	@for script in tests/benchmarks/bench_*.py; do OMP_NUM_THREADS=1 $(VENV) $$script || exit 1; done

slides:
	@$(ENVIRONMENT) site
	$(VENV) -m course_utils.authoring.slides $(if $(PDF),--pdf) $(LESSON)

site:
	@$(ENVIRONMENT) site
	$(VENV) -m course_utils.authoring.site $(if $(REPOSITORY),--repository $(REPOSITORY)) $(if $(TAG),--tag $(TAG))

homework:
	@$(ENVIRONMENT) teach
	$(VENV) -m course_utils.authoring.homework $(if $(SEED),--seed $(SEED)) $(NAME)

homework-check:
	@$(ENVIRONMENT) teach
	$(VENV) -m course_utils.authoring.homework --check $(if $(SEED),--seed $(SEED)) $(NAME)

homework-grade homework-marks:
	@$(ENVIRONMENT) teach
	$(VENV) -m course_utils.authoring.homework --$(@:homework-%=%) $(if $(JOBS),--jobs $(JOBS)) $(NAME)

hub: hub-packages
	$(VENV) -m jupyterhub -f notebooks/homework/hub/jupyterhub_config.py

hub-packages: build/hub/node_modules/.package-lock.json
	@$(ENVIRONMENT) hub

build/hub/node_modules/.package-lock.json: notebooks/homework/hub/package-lock.json
	mkdir -p build/hub
	cp notebooks/homework/hub/package.json notebooks/homework/hub/package-lock.json build/hub
	cd build/hub && npm ci --ignore-scripts --no-audit --no-fund

LOCKED := --universal --generate-hashes --no-header --no-annotate
lock:
	uv pip compile pyproject.toml $(LOCKED) --upgrade --output-file requirements.lock
	for group in site teach hub; do uv pip compile --group $$group $(LOCKED) --constraint requirements.lock \
		--output-file requirements-$$group.lock || exit 1; done

environment:
	@$(ENVIRONMENT)
