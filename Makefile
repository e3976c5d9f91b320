# The front door. Everything is done by meson, tools/ and tests/; `make help` lists the commands.
BUILD ?= build

.PHONY: all help deps up down test unit e2e vm-test check bench fuzz install clean

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@tools/deps build
	@meson setup $(BUILD)

help:
	@sed -n 's/^#: //p' Makefile

#: make            build build/c8s
#: sudo make up    install what is needed, build, run a one-node cluster with an example Service
up:
	@tools/deps build run
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@ninja -C $(BUILD) c8s
	@tools/hello $(BUILD)/c8s

#: sudo make down  stop it and leave nothing behind but its data (PURGE=1: not even that)
down:
	@$(BUILD)/c8s down $(if $(PURGE),--purge)

#: sudo make test  everything: unit, property and fuzz-corpus tests, again under ASan and UBSan, end to end
test:
	@tools/deps build run test
	@tools/test

#: make unit       only the unit tests
unit: all
	@meson test -C $(BUILD) --print-errorlogs

#: sudo make e2e   only the end-to-end tests (ARGS='-k name' goes to pytest)
e2e: all
	@tools/deps build run test
	@tools/e2e $(ARGS)

#: make check      include rules, formatting, source rules, the manual
check: all
	@tools/check-includes
	@tools/check-source
	@C8S=$(BUILD)/c8s tools/check-manual

#: sudo make vm-test  what wants a pure cgroup v2 and systemd, on a Debian 12 machine that QEMU plays (some minutes)
vm-test: all
	@tools/deps build run test vm
	@tools/vm

#: sudo make bench figures of start-up, memory and latency
bench: all
	@tools/deps build run test
	@tools/bench $(ARGS)

#: make fuzz       every fuzz target for SECONDS=60 (clang)
fuzz:
	@tools/deps build test
	@tools/fuzz $(or $(SECONDS),60)

#: make deps       install what the above need from Debian
deps:
	@tools/deps build run test

#: sudo make install  the program, its manual and its systemd units, under /usr/local
install: all
	@meson install -C $(BUILD)

clean:
	@rm -rf $(BUILD) build-asan build-fuzz
