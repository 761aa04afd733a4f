# make demo      a whole platform on this machine: set up, deployed, proven
# make down      destroys it again, messages included
# make usecase NAME=analytics  a use case with its real parts: brought up, run, checked, ended; or event-bus,
#                telemetry, work-queue. SHORT=1 is the short form, OPTIONS='--option key=value' the use case's own
# make test      what is checked before a change is merged, in a few minutes
# make test-all  the same, with the journeys and the packaging
# make cluster   a Kubernetes cluster of three nodes with kind, for make test-cluster; needs Docker and kind
# make test-cluster  what needs a cluster: the one in KUBECONFIG, whichever that is
# make setup     what the others do first; quick when there is nothing to do
# make wheel     builds the package into dist/, for whoever has no index with it
# make generate  all generated files: of the charts, definitions, protocol, contract, docs/provider.md, docs/rules.md
# make lock      writes Pipfile.lock and package-lock.json anew, without the address of a registry in them

# Not .SHELLFLAGS, which the make of macOS does not know.
SHELL := bash -o pipefail
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?= python3
STAGE := scripts/stage
PIPENV := $(or $(shell command -v pipenv),.build/pipenv/bin/pipenv)
HIKUBE := .venv/bin/hikube-kafka
CDKTF := node_modules/.bin/cdktf
OUTPUTS := .build/outputs.json
DEPLOYMENT := .build/deployment.log

export PIPENV_VENV_IN_PROJECT := 1
export PIPENV_IGNORE_VIRTUALENVS := 1
export CHECKPOINT_DISABLE := 1
export DISABLE_VERSION_CHECK := 1
# Lines in place of a spinner, which a log would repeat for every turn.
export CI := 1
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

.PHONY: help setup check demo down usecase test test-all test-cluster cluster wheel generate lock prerequisites provider jars

help:
	@sed -n -e 's/^# \(make .*\)/\1/p' -e 's/^#    \(  .*\)/    \1/p' Makefile

prerequisites:
	@CHECKPOINT_DISABLE=1 scripts/prerequisites '$(PYTHON)'

# Whoever only wants to see a platform needs no helm command.
LOCAL := prerequisites .build/python .build/node jars provider

setup: $(LOCAL) .build/bin/helm

# A stamp is the moment at which what it stands for was last complete.
.build/python: Pipfile.lock Pipfile pyproject.toml | prerequisites $(filter .build/%,$(PIPENV))
	@$(STAGE) 'Python packages' $(PIPENV) --python "$$('$(PYTHON)' -c 'import sys; print(sys.executable)')" sync --dev
	@touch $@

.build/pipenv/bin/pipenv: | prerequisites
	@mkdir -p .build
	@'$(PYTHON)' -m venv .build/pipenv
	@$(STAGE) 'pipenv' .build/pipenv/bin/pip install --quiet pipenv==2026.10.3

.build/node: package-lock.json package.json | prerequisites
	@$(STAGE) 'The cdktf command' npm ci --no-progress --loglevel=error
	@mkdir -p .build && touch $@

jars: .build/python
	@$(HIKUBE) local jars

# Every time: another checkout may have installed its own, and the lock file of an earlier version another checksum.
provider: .build/python
	@$(HIKUBE) provider install | tee .build/provider.log
	@grep -q 'already installed' .build/provider.log || rm -f cdktf.out/stacks/*/.terraform.lock.hcl

.build/bin/helm: scripts/helm.py | .build/python
	@$(STAGE) 'The helm command' .venv/bin/python scripts/helm.py $@
	@touch $@

demo: $(LOCAL)
	@$(STAGE) 'Deploy' $(CDKTF) deploy local --auto-approve --outputs-file $(OUTPUTS) \
		| tee $(DEPLOYMENT)
	@$(STAGE) 'Proof' $(HIKUBE) smoke --outputs $(OUTPUTS)
	@.venv/bin/python scripts/summary.py $(OUTPUTS) $(DEPLOYMENT)

# A topic is deleted by brokers: what does not run (exit code 1) is started once more. What is neither in the state nor
# running, such as a demo that was stopped in another checkout, is left alone.
down: $(LOCAL)
	@code=0; seen=$$($(HIKUBE) local status --ensemble events --json 2>/dev/null) || code=$$?; \
		[ $$code -ne 1 ] || ! { grep -qs hikube_local_ensemble local.tfstate || grep -q '"pid": [0-9]' <<<"$$seen"; } \
		|| $(STAGE) 'Start what was stopped' $(CDKTF) deploy local --auto-approve
	@$(STAGE) 'Destroy' $(CDKTF) destroy local --auto-approve

# Further programs come from Maven and Debian's packages into .build; what cannot be had is named.
usecase: prerequisites .build/python .build/node jars
	@[ -n '$(NAME)' ] || { echo 'Which one? make usecase NAME=event-bus, analytics, telemetry or work-queue'; exit 2; }
	@$(STAGE) 'Use case $(NAME)' .venv/bin/python -m usecases '$(NAME)' $(if $(SHORT),--short) $(OPTIONS)

check: setup
	@$(STAGE) 'ruff' .venv/bin/ruff check
	@$(STAGE) 'ruff format' .venv/bin/ruff format --check
	@$(STAGE) 'mypy' .venv/bin/mypy
	@$(STAGE) 'import-linter' .venv/bin/lint-imports --no-cache

# Two workers, each with ports of its own; a file stays with one of them.
PARALLEL := .venv/bin/pytest -n 2 --dist loadfile --durations=25

test: check
	@$(STAGE) 'pytest' $(PARALLEL) -m 'not cluster and not journey and not packaging' $(PYTEST)

test-all: check
	@$(STAGE) 'pytest' $(PARALLEL) -m 'not cluster' $(PYTEST)

# What is marked by_hand breaks the cluster: only who asks for it gets it.
TESTS ?= cluster and not by_hand

test-cluster: setup
	@[ -n "$$KUBECONFIG" ] || { echo 'KUBECONFIG names no cluster: set it, or make cluster'; exit 1; }
	@$(STAGE) 'pytest' .venv/bin/pytest --durations=25 -m '$(TESTS)' $(PYTEST)

cluster: prerequisites
	@$(STAGE) 'The cluster' scripts/cluster

wheel: .build/python
	@$(STAGE) 'The wheel' .venv/bin/python -m build --wheel --outdir dist

generate: .build/python
	@.venv/bin/python -m scripts.generate

lock: prerequisites $(filter .build/%,$(PIPENV))
	@$(STAGE) 'Pipfile.lock' $(PIPENV) --python "$$('$(PYTHON)' -c 'import sys; print(sys.executable)')" lock --dev
	@'$(PYTHON)' scripts/strip_lock.py Pipfile.lock
	@$(STAGE) 'package-lock.json' npm install --package-lock-only --no-progress --loglevel=error
