# SPDX-License-Identifier: GPL-2.0
#
# make			the module for the running kernel (or KDIR=...), and chainsetup
# make demo		a file system on a chain while it is streamed, in a virtual machine
# make check		all tests; TIERS="unit vm" for some of them
# make check-system	tests that boot a Debian system, or build packages for one
# make check-long	tests that take hours, which "make check" has a share of
# make torture		all that can go on for as long as one likes: MINUTES=120 SEED=n
# make bench		the performance tables; GROUPS="read write" for some of them
# make bench-compare	what changed between two of them: A=old.json B=new.json
# make lint		style and static checks, silent if there is nothing to say
# make install		module, tools and all that belongs to them, below DESTDIR; DKMS=y for
#			the module's source and dkms, in place of the module
# make uninstall	removes what that has installed
# make upstream		patches for a kernel, into build/upstream; LINUX=DIR applies them there
# make deb		packages for Debian, into build/deb

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build
DESTDIR ?=

# The target's
VERSION := $(shell sed -n 's/.*\.version = {\([0-9]*\), \([0-9]*\), \([0-9]*\)}.*/\1.\2.\3/p' \
	dm-chain/dm-chain-target.c)

CFLAGS ?= -O2 -g
TOOL_CFLAGS = $(CFLAGS) -std=gnu11 -Wall -Wextra -Wno-unused-parameter \
	-Wno-sign-compare -fno-strict-aliasing -pthread
TOOL_CPPFLAGS = $(CPPFLAGS) -D_GNU_SOURCE -MMD -MP -Iuserspace/shim -Iuserspace -Idm-chain
TOOL_LIBS = -ldevmapper -ludev -lblkid -luuid -ljson-c

# The load generator starts often, where loading libraries takes long.
tests/bin/chainload: TOOL_LIBS = -static

# What the module shares with user space
core := $(foreach part,codec super resolve parse jobstate fault owner pace range pageset, \
	$(wildcard dm-chain/dm-chain-$(part).c dm-chain/dm-chain-$(part)-*.c))

# A test helper is a directory tests/helpers/NAME or a file tests/helpers/NAME.c
helpers := $(sort $(patsubst tests/helpers/%/,%,$(wildcard tests/helpers/*/)) \
	$(patsubst tests/helpers/%.c,%,$(wildcard tests/helpers/*.c)))
helper_sources = $(wildcard tests/helpers/$(1).c tests/helpers/$(1)/*.c) \
	$(addprefix tests/helpers/,$(shared-$(1)))
shared-chaintorture := $(addprefix chaintest/,chain.c disk.c dmdev.c job.c model.c \
	pattern.c pool.c report.c verify.c)
objects = $(patsubst %.c,build/%.o,$(1))

all: module tools

module: kernel-headers
	+$(MAKE) -C $(KDIR) M=$(CURDIR) modules

kernel-headers:
	@test -e $(KDIR)/Makefile || { \
		echo "There are no kernel headers at $(KDIR)." >&2; \
		echo "On Debian: apt-get install linux-headers-$(KVER)" >&2; \
		echo "For another kernel: make KDIR=/usr/src/linux-headers-..." >&2; \
		exit 1; }

tools: userspace/chainsetup userspace/chainsetup-generator

helpers: $(addprefix tests/bin/,$(helpers))

userspace/chainsetup: $(call objects,$(wildcard userspace/*.c) $(core))
	$(CC) $(TOOL_CFLAGS) $(LDFLAGS) -o $@ $^ $(TOOL_LIBS)

generator := $(wildcard userspace/generator/*.c) \
	$(addprefix userspace/,chaintab.c output.c util.c) dm-chain/dm-chain-codec.c
userspace/chainsetup-generator: $(call objects,$(generator))
	$(CC) $(TOOL_CFLAGS) $(LDFLAGS) -o $@ $^

.SECONDARY:
.SECONDEXPANSION:
tests/bin/%: $$(call objects,$$(call helper_sources,%) $(core))
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) $(LDFLAGS) -o $@ $^ $(TOOL_LIBS)

build/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(TOOL_CPPFLAGS) $(TOOL_CFLAGS) -c -o $@ $<

build/userspace/chainsetup.o: TOOL_CPPFLAGS += -DVERSION='"$(VERSION)"'
build/userspace/chainsetup.o: dm-chain/dm-chain-target.c

# For the builds that bring their own compiler: KUnit, lint
core-sources:
	@printf '%s\n' $(core)

demo:
	@tests/demo/run

check:
	@tests/run $(TIERS)

check-system:
	@tests/run --system $(TIERS)

check-long:
	@tests/run --long $(TIERS)

torture:
	@tests/torture/run $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

bench:
	@tests/bench/run $(GROUPS)

bench-compare:
	@tests/bench/report compare $(or $(A),$(error A=old.json is missing)) \
		$(or $(B),$(error B=new.json is missing))

lint:
	@scripts/lint

# What the tools and the source for dkms are is in scripts/install-list, directories
# that can be given (PREFIX=/usr/local) in scripts/install.
files := VERSION=$(VERSION) scripts/install

modinstall := INSTALL_MOD_DIR=updates $(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR))

install: $(if $(DKMS),install-dkms,install-module) install-tools

uninstall: $(if $(DKMS),uninstall-dkms,uninstall-module) uninstall-tools

install-module: module
	+$(MAKE) -C $(KDIR) M=$(CURDIR) $(modinstall) modules_install
	$(if $(DESTDIR),,depmod $(KVER))

# Where modules_install has put it, compressed if the kernel's modules are. Of Debian's
# headers this is the only file that has the release as make has it.
uninstall-module: kernel-headers
	release=$$(sed -n 's/#define UTS_RELEASE "\(.*\)"/\1/p' \
		$(KDIR)/include/generated/utsrelease.h) && [ -n "$$release" ] && \
		rm -f $(DESTDIR)/lib/modules/$$release/updates/dm-chain.ko \
			$(DESTDIR)/lib/modules/$$release/updates/dm-chain.ko.[gxz]*
	$(if $(DESTDIR),,depmod $(KVER))

install-tools: tools
	@$(files) put tools

uninstall-tools:
	@$(files) remove tools

# Below DESTDIR the source only: dkms builds where it is to be used.
install-dkms: build/dkms.conf
	@$(files) put dkms
	$(if $(DESTDIR),,dkms install dm-chain/$(VERSION) -k $(KVER))

uninstall-dkms:
	$(if $(DESTDIR),,-dkms remove dm-chain/$(VERSION) --all)
	@$(files) remove dkms

build/dkms.conf: packaging/dkms.conf dm-chain/dm-chain-target.c
	@mkdir -p $(@D)
	sed 's/#MODULE_VERSION#/$(VERSION)/' $< >$@

deb:
	@scripts/deb

upstream:
	@scripts/make-upstream $(LINUX)

version:
	@echo $(VERSION)

# As Kbuild would, but without the kernel's headers.
clean:
	rm -rf build tests/bin tests/unit/build userspace/chainsetup userspace/chainsetup-generator
	rm -f dm-chain.ko dm-chain.mod dm-chain.mod.c modules.order Module.symvers
	rm -f *.o .*.o dm-chain/*.o .*.cmd dm-chain/.*.cmd

.PHONY: all module kernel-headers tools helpers core-sources demo check check-system \
	check-long torture bench bench-compare lint install uninstall \
	install-module install-tools install-dkms uninstall-module uninstall-tools \
	uninstall-dkms deb upstream version clean

-include $(shell find build -name '*.d' 2>/dev/null)
