# SPDX-License-Identifier: GPL-2.0
#
# Commands for people. The module itself is described in Kbuild.

VERSION := 0.1.0
O := $(CURDIR)/build
PREFIX ?= /usr/local
DESTDIR ?=

all: modules userlib

help:
	@echo 'See it work:'
	@echo '  make run           boot a kernel in QEMU, load the module, run the examples'
	@echo '  make run-cache     a cache under load while its memory limit moves; a plot'
	@echo '  make test          all tests, on three kernels and in user space'
	@echo '                     (LENGTH=N: random ones N times as long)'
	@echo
	@echo 'While working:'
	@echo '  make host-test     tests of core and library in user space'
	@echo '  make kunit         KUnit suites on the debug kernel'
	@echo '  make kcsan         unit suites and device tests, looking for data races'
	@echo '  make qemu-shell    a shell in a guest with the module loaded'
	@echo '  make uml-test      the module in User-mode Linux, on the newest kernel'
	@echo '  make check         static checks'
	@echo '  make mutants       break the rules of the core, one by one: do tests notice?'
	@echo '  make bench         benchmarks: tables, plots, and a page'
	@echo '  make bench-quick   the library beside other heaps, in two minutes'
	@echo '  make bench-uml     stops and handshakes only, in User-mode Linux'
	@echo '  make bench-compare what has changed since the committed results'
	@echo '                     (BASE=FILE: since that one; NEW=FILE: in that one);'
	@echo '                     fails on a regression'
	@echo '  make compat        build the module against newer kernels'
	@echo
	@echo 'On this machine:'
	@echo '  make               module, library and examples, in build/'
	@echo '  make install       the same installed (DESTDIR, PREFIX=$(PREFIX))'
	@echo '  make dkms-install  the module through DKMS'
	@echo
	@echo '  make deps          only install what the commands above need'
	@echo '  make clean         remove build/'
	@echo '  make distclean     remove the cached kernels as well'
	@echo
	@echo 'GOHEAP_CACHE=DIR     where kernels are kept; default ~/.cache/goheap'
	@echo 'GOHEAP_ACCEL=ACCEL   auto, tcg or kvm'
	@echo 'KERNEL=DIR           kernel to build against; default: the running one,'
	@echo '                     else the newest packaged headers'

KERNEL ?=

# The modules of all kernels are in build/; goheap.ko leads to the last one built.
modules:
	@scripts/deps.sh build
	@kernel='$(KERNEL)'; \
	ko=$$(scripts/module.sh "$${kernel:-$$(scripts/kernel.sh headers)}") && \
	ln -sfn "$$ko" $(O)/goheap.ko

userlib:
	$(MAKE) -C userlib O=$(O)/userlib library examples

install: modules userlib
	dir=$$(readlink -f $(O)/goheap.ko) && \
	release=$$(modinfo -F vermagic "$$dir" | cut -d ' ' -f 1) && \
	install -D -m 644 "$$dir" \
		"$(DESTDIR)/lib/modules/$$release/updates/goheap.ko" && \
	{ [ -n '$(DESTDIR)' ] || depmod "$$release"; }
	$(MAKE) -C userlib O=$(O)/userlib DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) install

dkms-install:
	install -d $(DESTDIR)/usr/src/goheap-$(VERSION)
	cp -r Kbuild dkms.conf module uapi $(DESTDIR)/usr/src/goheap-$(VERSION)
	[ -n '$(DESTDIR)' ] || dkms install goheap/$(VERSION)

run:
	@scripts/deps.sh run
	@scripts/run.sh

run-cache:
	@scripts/deps.sh cache
	@scripts/run.sh cache

test:
	@scripts/deps.sh test
	@scripts/test.sh

host-test:
	@scripts/deps.sh test
	@scripts/test.sh host

kunit:
	@scripts/deps.sh test
	@scripts/test.sh kunit

kcsan:
	@scripts/deps.sh test
	@scripts/test.sh kcsan

uml-test:
	@scripts/deps.sh test
	@scripts/test.sh uml

qemu-shell:
	@scripts/deps.sh run
	@scripts/run.sh shell

mutants:
	@scripts/deps.sh test
	@$(MAKE) -s -C selftests/core mutants

bench:
	@scripts/deps.sh bench
	@scripts/bench.sh

bench-quick:
	@scripts/deps.sh bench
	@scripts/bench.sh quick

bench-uml:
	@scripts/deps.sh bench
	@scripts/bench.sh uml

bench-compare:
	@scripts/deps.sh bench
	@scripts/bench.sh compare '$(BASE)' $(NEW)

check:
	@scripts/deps.sh check
	@scripts/check.sh

compat:
	@scripts/deps.sh build
	@scripts/compat.sh

deps:
	@scripts/deps.sh run cache test check bench

clean:
	rm -rf $(O)

distclean: clean
	rm -rf "$${GOHEAP_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/goheap}"

.PHONY: all help modules userlib install dkms-install run run-cache test \
	host-test kunit kcsan uml-test qemu-shell mutants bench bench-quick \
	bench-uml bench-compare check compat deps clean distclean
