# Two commands set everything up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
CORES ?= all
WORKERS ?= 2
BIN := $(VENV)/bin
SNAKEMAKE := $(BIN)/snakemake --workflow-profile profiles/embedded --cores $(CORES)

.PHONY: demo test test-cluster test-environments cluster faults lint format dry-runs doctor docs verify corpus fuzz clean help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(VENV)/.run: requirements/torch.txt requirements/run.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v in ((3, 11), (3, 12)) else \
	"Understudy needs Python 3.11 or 3.12, found %d.%d; name one: make PYTHON=python3.11 ..." % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -r requirements/torch.txt -c requirements/run.txt
	$(BIN)/pip install --quiet --no-deps -r requirements/run.txt
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	$(BIN)/pip install --quiet --no-deps -r requirements/dev.txt
	touch $@

$(VENV)/.cluster: $(VENV)/.run requirements/cluster.txt
	$(BIN)/pip install --quiet --no-deps -r requirements/cluster.txt
	touch $@

# Without PERFORMER and DRIVING: two synthetic performers. With them: your own two videos.
demo: $(VENV)/.run  ## make the demo film; PERFORMER=me.mp4 DRIVING=dance.mp4 for your own
ifneq ($(PERFORMER)$(DRIVING),)
	$(BIN)/python tools/own_footage.py --performer "$(PERFORMER)" --driving "$(DRIVING)" --folder config/own
	$(SNAKEMAKE) --configfile config/own/config.yaml
	@$(BIN)/python tools/own_footage.py --show config/own
else
	$(SNAKEMAKE) --configfile config/demo.yaml
	@echo; echo "The film: results/transfers/ada/ben/side_by_side.mp4 (left the driver, right Ada performing it)"
	@echo "Figures:  results/transfers/ada/ben/metrics.json"
	@echo "Look:     results/report/index.html (open it in a browser; the folder holds all it shows, to send as a whole)"
endif

test: $(VENV)/.dev  ## run every test; WORKERS=4 for more side by side
	OMP_NUM_THREADS=1 GOMP_SPINCOUNT=0 $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile

cluster: $(VENV)/.cluster  ## install what `snakemake --profile slurm` needs (docs/cluster.md)

# As root, with Debian's munge, slurmctld, slurmd and slurm-client; without them its tests are skipped and say so.
test-cluster: $(VENV)/.dev $(VENV)/.cluster  ## run the workflow on a real Slurm of two nodes on this machine
	$(BIN)/python -m pytest -rs tests/slurm_runs.py

# ENVIRONMENTS=light leaves out those with PyTorch, MediaPipe or CUDA, gigabytes each.
ENVIRONMENTS ?= all
test-environments: $(VENV)/.dev  ## install every environment's pip section (downloads) and import its rooms there
	UNDERSTUDY_ENVIRONMENTS=$(ENVIRONMENTS) $(BIN)/python -m pytest tests/installed_environments.py

lint: $(VENV)/.dev  ## formatters in check mode and linters
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/codespell
	$(BIN)/snakemake --workflow-profile profiles/embedded --configfile config/demo.yaml --lint

format: $(VENV)/.dev  ## format Python and rules
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/snakefmt Snakefile rules

dry-runs: $(VENV)/.run  ## dry run of every shipped configuration
	@for config in config demo smoke pair_128 pair_128_true_maps dance_256 dance_512 dance_1024; do \
	  echo "dry run of config/$$config.yaml"; \
	  $(SNAKEMAKE) --configfile config/$$config.yaml --dry-run --quiet || exit 1; done

# Works before anything is installed, with whatever Python there is; looks at CONFIG=config/my.yaml.
CONFIG ?= config/config.yaml
doctor:  ## what this machine has, what it lacks, licences of what is in use
	@if [ -x $(BIN)/python ]; then $(BIN)/python tools/doctor.py --config $(CONFIG); \
	else $(PYTHON) tools/doctor.py --config $(CONFIG); fi

corpus: $(VENV)/.dev  ## try every bad input of tests/hostile; the table of all goes to results/corpus.md
	$(BIN)/python benchmarks/corpus.py

# SECONDS each; TARGETS="clips video" for some. Linux on x86-64.
SECONDS ?= 20
$(VENV)/.fuzz: $(VENV)/.dev requirements/fuzz.txt
	$(BIN)/pip install --quiet --no-deps -r requirements/fuzz.txt
	touch $@

fuzz: $(VENV)/.fuzz  ## look for bytes that a reader cannot bear; SECONDS=20 for each of them
	$(BIN)/python benchmarks/fuzz.py $(TARGETS) --seconds $(SECONDS)

docs: $(VENV)/.run  ## write the generated pages (settings, files) anew
	$(BIN)/python tools/write_pages.py

# FILE="a.mp4 b.mp4" for several; TRUST=anchors.pem: certificates you trust. Ends with 0 whole, 1 altered, 2 without marks.
verify: $(VENV)/.run  ## what a film's marks say and whether they hold: FILE=film.mp4
	@$(if $(FILE),$(BIN)/python tools/verify.py $(if $(TRUST),--trust "$(TRUST)") $(FILE),\
	echo "name a film: make verify FILE=results/transfers/ada/ben/video.mp4"; exit 2)

EACH ?= 1
SEED ?= 1
# The cluster's faults take root and Debian's Slurm (docs/cluster.md); without them they are left out, and it says so.
faults: $(VENV)/.cluster  ## break things while the pipeline runs, 402 times, and count what is lost; EACH=2, SEED=2
	$(BIN)/python benchmarks/faults --each $(EACH) --seed $(SEED) --table benchmarks/faults.md

clean:  ## remove the virtual environment and caches; results stay
	rm -rf $(VENV) .pytest_cache .ruff_cache
