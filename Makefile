# SPDX-License-Identifier: GPL-2.0
# The front door; everything behind it is in scripts/. make help says more.
#
# Not for kbuild: that reads Kbuild.

# scripts/ learn of misspelt variables by their names
export TDP_STRESS_MAKE_OVERRIDES := $(foreach v,$(.VARIABLES),$(if $(filter command line,$(origin $(v))),$(v)))
export PYTHONDONTWRITEBYTECODE := 1

ifeq ($(V),1)
Q :=
else
Q := @
endif
SCRIPT = $(Q)sh scripts/python.sh

.DEFAULT_GOAL := help
.PHONY: campaign help try run kunit kselftest selfcheck replay report minimise check series versions mutants matrix coverage bench kernel metal modules docs clean

help: ## this text
	@echo "Targets:"
	@sed -n 's/^\([a-z]*\):.*## /  \1|/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r t d; do printf '  %-9s %s\n' $$t "$$d"; done
	@echo
	@echo "Variables, as in make run DURATION=10 SEED=1:"
	@sh scripts/python.sh help

# what a run of make try is, unless said otherwise
try: export KERNEL := $(or $(KERNEL),debian)
try: export DURATION := $(or $(DURATION),20)
try: ## Debian's own kernel, nothing compiled but the tester: a verdict in two minutes
	$(SCRIPT) run

run: ## get or take a kernel, build it, stress it in QEMU, judge
	$(SCRIPT) run

kunit: ## KUnit suites of the TDP MMU: change tdp_mmu.c, ok or not ok within a minute
	$(SCRIPT) kunit

kselftest: ## TAP programs on /dev/kvm and /dev/tdp_stress, in QEMU, on each backend
	$(SCRIPT) kselftest

selfcheck: ## planted violations and planted kernel bugs must be caught by name
	$(SCRIPT) selfcheck

versions: ## what a new kernel, KSRC=, has changed of what is used here; does it build
	$(SCRIPT) versions

series: ## every commit of a branch of yours: make series KSRC=<git tree> BASE=<commit>
	$(SCRIPT) series

mutants: ## each of scripts/mutants/ planted in turn: who finds it, after how long
	$(SCRIPT) mutants

replay: ## a run that failed once more, as it was: make replay RUN=folder
	$(SCRIPT) replay

minimise: ## the smallest run that still fails in the same way: make minimise RUN=folder
	$(SCRIPT) minimise

report: ## a run as one page and a trace for Perfetto: make report RUN=run/latest
	$(SCRIPT) report

check: ## the tester's own tests: a selection for every day, or all (FULL=1)
	$(SCRIPT) check

matrix: ## kernels x backends x configurations: scripts/scenarios/, a line for each
	$(SCRIPT) matrix

campaign: ## scenarios x seeds x kernels as jobs: here, on ssh hosts (HOSTS=) or by Slurm
	$(SCRIPT) campaign

coverage: ## lines of the TDP MMU and of tdx.c that the tests execute, as HTML
	$(SCRIPT) coverage

bench: ## cycles per second with and without oracles, lockdep and plain kernel
	$(SCRIPT) bench

kernel: ## only get and build the kernel, the modules and the driver
	$(SCRIPT) prepare

metal: ## on a machine with TDX, as root: what it lacks (CHECK=1), or a run with real TDs
	$(SCRIPT) metal

modules: ## for an installed kernel: make modules KDIR=<its headers> KSRC=<its source>
	$(SCRIPT) modules

docs: ## this documentation as HTML and man pages, in build/docs
	$(SCRIPT) docs

clean: ## remove run/ and build/; the cache of kernels stays (its folder is printed)
	$(SCRIPT) clean
