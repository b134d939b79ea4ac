# Every target is a one-line call of `hbm` (the same commands work in the shell after `. .venv/bin/activate`).

PYTHON ?= python3
VENV   := .venv
HBM    := $(VENV)/bin/hbm
PYTEST := $(VENV)/bin/python -m pytest

# Variables that users set; passed on only when set.
PRESET ?=
TEST ?=
SEED ?=
TRACE ?=
WAVES ?=
WAVES_FROM ?=
WAVES_TO ?=
JOBS ?=
FULL ?=
QUICK ?=
RUN ?=
ENGINE ?=
LIST ?=
SEEDS ?=
RERUN ?=
FRESH ?=
export SEED WAVES WAVES_FROM WAVES_TO PRESET

opt = $(if $(strip $(2)),$(1) $(2))
flag = $(if $(filter-out 0 no,$(strip $(2))),$(1))

.DEFAULT_GOAL := help
.PHONY: help setup doctor run test regress coverage results exact site tight faults lint gen bench synth waves docs clean

help: ## list the targets and variables
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "  make %-9s %s\n", $$1, $$2}'
	@echo "  variables: PRESET= TEST= SEED= TRACE= WAVES=1 WAVES_FROM= WAVES_TO= (CK) JOBS= FULL=1 QUICK=1 ENGINE=slurm RUN= LIST= SEEDS= RERUN=1"
	@echo "  examples:  make run PRESET=hbm3_6400_eng TRACE=traces/spmv.trace.zst"
	@echo "             make test TEST=hbm2-smoke_tests-ShortRandom SEED=7 WAVES=1"

setup: ## create .venv and install everything (any other target does it too)
	@$(PYTHON) tb/hbm_tb/bootstrap.py --verbose

.PHONY: ready
ready:
	@$(PYTHON) tb/hbm_tb/bootstrap.py

doctor: ready ## show the tools in use and what is missing
	@$(HBM) doctor

run: ready ## the main job: recorded traffic through the RTL with every check on
	@$(HBM) run $(call opt,--trace,$(TRACE)) $(call opt,--preset,$(PRESET)) $(call opt,--seed,$(SEED)) $(call opt,--name,$(RUN)) $(call flag,--waves,$(WAVES)) $(call opt,--waves-from,$(WAVES_FROM)) $(call opt,--waves-to,$(WAVES_TO))

test: ready ## all tests that a change must pass; TEST=x picks some by name, TEST=file.py runs your own
	@$(if $(filter %.py,$(TEST)),$(HBM) test $(TEST) $(call opt,--preset,$(PRESET)) $(call opt,--seed,$(SEED)) $(call flag,--waves,$(WAVES)) $(call opt,--waves-from,$(WAVES_FROM)) $(call opt,--waves-to,$(WAVES_TO)),$(PYTEST) $(call opt,-k,$(TEST)) $(call opt,--dist loadfile -n,$(JOBS)) tests)

regress: ready ## a list of runs, LIST=smoke or nightly: resumable, with buckets, history and report site
	@$(HBM) regress $(call opt,--list,$(LIST)) $(call opt,--engine,$(ENGINE)) $(call opt,--preset,$(PRESET)) $(call opt,--jobs,$(JOBS)) $(call opt,--seed,$(SEED)) $(call opt,--seeds,$(SEEDS)) $(call flag,--rerun,$(RERUN)) $(call flag,--fresh,$(FRESH))

results: ready ## what is known of the lists; LIST=nightly for one
	@$(HBM) results $(call opt,--list,$(LIST))

coverage: ready ## functional, tightness and RTL coverage of a list, merged; holes by module; LIST= QUICK=1
	@$(HBM) coverage $(call opt,--list,$(LIST)) $(call flag,--quick,$(QUICK)) $(call opt,--jobs,$(JOBS))

site: ready ## the report site: plan, coverage, rules, trends, failures, runs; build/site/index.html
	@$(HBM) site

tight: ready ## every reachable rule at its bound in RTL simulation; build/tight
	@$(HBM) tight $(call opt,--engine,$(ENGINE)) $(call opt,--preset,$(PRESET)) $(call opt,--seed,$(SEED)) $(call opt,--jobs,$(JOBS))

exact: ready ## RTL against the exact model, cycle by cycle: recordings, patterns, random soaks; resumable
	@$(HBM) exact $(call opt,--engine,$(ENGINE)) $(call flag,--quick,$(QUICK)) $(call opt,--jobs,$(JOBS)) $(call opt,--seed,$(SEED))

faults: ready ## planted defects and wrong timing registers: which check tells first; resumable; TEST=id for one
	@$(HBM) faults $(call opt,--engine,$(ENGINE)) $(call flag,--quick,$(QUICK)) $(call opt,--only,$(TEST)) $(call opt,--jobs,$(JOBS)) $(call opt,--seed,$(SEED))
	@$(if $(TEST)$(QUICK)$(ENGINE),,$(HBM) faults --replay)

lint: ready ## Verilator -Wall, Verible, slang, ruff, mypy
	@$(HBM) lint

gen: ready ## write all generated files again
	@$(HBM) gen

bench: ready ## speed and traffic tables, build/bench/bench.json; FULL=1 for full-length patterns
	@$(HBM) bench $(call flag,--full,$(FULL))

synth: ready ## synthesis check and report of the channel (Yosys, slang front end)
	@$(HBM) synth $(call opt,--preset,$(PRESET))

waves: ready ## open the waves of a run: make waves RUN=name
	@$(HBM) waves $(call opt,--run,$(RUN))

docs: ready ## write the generated pages and build the documentation site, build/docs-site
	@$(HBM) docs

clean: ## remove everything that was built (not .venv)
	rm -rf build
