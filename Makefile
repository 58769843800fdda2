# `make demo` and `make test` do all the set-up on a machine that has Python 3.11 and make; nothing else is needed.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
TARGETS := onnx openvino executorch coreml
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check
# pip compiles 22,000 modules one after the other; compileall does it on all cores.
INSTALL := install --quiet --no-compile --constraint edgekit/constraints.txt
ARM := build/arm/.ready
# Where it is set, as in many containers, each of a thousand processes that the tests start would compile our modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-arm check wheels clean help

help:
	@echo "make demo      set up, convert the embedded model to every target, check and profile each"
	@echo "make test      set up, then lint, type-check and run every test"
	@echo "make test-arm  run artifacts on emulated Arm CPUs; takes Debian's qemu-user-static and g++-aarch64-linux-gnu"
	@echo "make check     lint and type-check only"
	@echo "make wheels    build the wheels and try them in an environment of their own"
	@echo "make clean     remove the environment and what was built"

# torch first and by its exact version: anything vaguer takes a newer build with several GB of CUDA packages.
$(READY): pyproject.toml edgekit/constraints.txt $(foreach target,$(TARGETS),targets/$(target)/pyproject.toml)
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet "pip>=25.1"
	$(PIP) $(INSTALL) torch==2.13.0
	$(PIP) $(INSTALL) --group dev --editable . \
		$(foreach target,$(TARGETS),--editable targets/$(target))
	$(BIN)/python -W ignore -m compileall -q -j 0 $(VENV)/lib > $(VENV)/compileall.log || true # as in pip: a template is no module
	touch $(READY)

demo: $(READY)
	$(BIN)/edgekit convert --target all --output out --force

test: check
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup --no-loadscope-reorder # groups and their order: conftest.py

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	for file in conftest.py targets/*/tests/conftest.py; do $(BIN)/mypy $$file || exit 1; done # apart: they have one name

# Debian's arm64 packages, aarch64 wheels and a C++ runner, all in build/arm: nothing is installed.
$(ARM): $(READY) tests/arm/sysroot.py tests/arm/cpu.py tests/arm/run_pte.cpp
	$(BIN)/python -m tests.arm.sysroot build/arm

test-arm: $(ARM)
	EDGEKIT_REQUIRE_ARM=1 $(BIN)/python -m pytest tests/arm --numprocesses 2 --dist loadgroup

wheels: $(READY)
	rm -rf dist build/wheels
	$(PIP) wheel --quiet --no-deps --wheel-dir dist . $(foreach target,$(TARGETS),./targets/$(target))
	$(PYTHON) -m venv build/wheels
	build/wheels/bin/pip $(INSTALL) torch==2.13.0
	build/wheels/bin/pip $(INSTALL) --find-links dist "edgekit[coreml]"
	cd build && wheels/bin/edgekit convert --target coreml --output coreml --force
	build/wheels/bin/pip $(INSTALL) --find-links dist "edgekit[all]"
	cd build && wheels/bin/edgekit convert --target all --output all --force
	rm -rf build/wheels

clean:
	rm -rf $(VENV) build dist out
