# Everything a developer or CI runs; `make help` lists it.

SWIFT ?= swift
CONFIGURATION ?= release
BUILD = $(SWIFT) build -c $(CONFIGURATION)
RESIN = .build/$(CONFIGURATION)/resin
PACKAGES = ocl-icd-opencl-dev clinfo pocl-opencl-icd zlib1g-dev libpng-dev libjpeg62-turbo-dev libwebp-dev curl

.PHONY: help setup build run own test fuzz lint layers format bench carry release simulate portability ptx goldens protobuf clean

help:                 ## list the targets
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/: *.*## */	/' | expand -t 12

setup:                ## install the Debian packages that are missing, with sudo only where needed
	@.ci/install $(PACKAGES)

build: setup          ## build the program
	$(BUILD) --product resin

run: build            ## train NiN on the built-in images, on the best device there is
	$(RESIN) train nin

own: setup            ## build and run Examples/OwnNetwork, a package that depends on this one
	@.ci/own-network $(SWIFT) $(CONFIGURATION)

test: setup lint layers simulate ## run everything that CI runs
	@.ci/install mesa-opencl-icd
	@.ci/own-network $(SWIFT) $(CONFIGURATION)
	$(SWIFT) build -c $(CONFIGURATION) --build-tests
	@.ci/tests $(CONFIGURATION)

fuzz: setup           ## read 20,000 mutated files of runs and of PyTorch's as the commands do
	$(SWIFT) build -c $(CONFIGURATION) --build-tests
	RESIN_FUZZ=20000 $(SWIFT) test -c $(CONFIGURATION) --skip-build --filter FuzzTests

lint:                 ## check the formatting, kernels' columns, and that paths in pages and comments are there
	@.ci/columns
	@.ci/paths
	$(SWIFT) format lint --strict --recursive Sources Tests Examples Package.swift

format:               ## format the sources in place
	$(SWIFT) format --in-place --recursive Sources Tests Examples Package.swift

layers:               ## check that imports point only the way Package.swift says
	@.ci/layers

bench: build          ## time everything beside its peers (BENCH=--quick: a short look), in an environment of its own
	@.ci/install python3-venv
	Benchmarks/run.sh $(BENCH)

carry: setup          ## fill carry/ with what Benchmarks/gpu.sh needs on a machine without Swift
	@.ci/carry

release: setup        ## make build/release/resin-VERSION-ARCHITECTURE-linux.tar.gz, and run its program in an empty root
	@.ci/release

simulate: build       ## run training steps under oclgrind, which finds races and uninitialised reads
	@.ci/install oclgrind
	@.ci/simulate $(RESIN)

portability: build    ## run the program on every OpenCL implementation that can be installed, and print a table
	@.ci/install python3-venv
	@.ci/portability $(RESIN)

ptx: build            ## compile the GPU's kernels for NVIDIA offline, and interpret those for tensor cores
	@.ci/install clang-15 libclc-15 python3-venv
	@.ci/ptx
	@.ci/tensor-cores

goldens:              ## make PyTorch's goldens anew (needs python3 with torch, numpy and safetensors)
	RESIN_WRITE_CASES=/tmp/cases.jsonl $(SWIFT) test -c $(CONFIGURATION) --filter OperatorsTests.CaseListTests
	python3 Tests/Operators/Goldens/make_goldens.py /tmp/cases.jsonl
	python3 Tests/Networks/Goldens/make_goldens.py
	cd Tests/Files/Goldens && python3 make_pytorch_files.py

protobuf:             ## make the Swift of Sources/Protobuf anew from its .proto files
	@.ci/install protobuf-compiler
	@.ci/protobuf $(SWIFT)

clean:                ## remove what the build made
	rm -rf .build build carry
