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
# make install		module, tools, manual pages, completion, udev rules and what boot
#			needs, below DESTDIR

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build
DESTDIR ?=
PREFIX ?= /usr
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/vendor-completions
UDEVRULESDIR ?= /lib/udev/rules.d
SYSTEMDDIR ?= $(PREFIX)/lib/systemd
INITRAMFSDIR ?= $(PREFIX)/share/initramfs-tools

CFLAGS ?= -O2 -g
TOOL_CFLAGS = $(CFLAGS) -std=gnu11 -Wall -Wextra -Wno-unused-parameter \
	-Wno-sign-compare -fno-strict-aliasing -pthread
TOOL_CPPFLAGS = $(CPPFLAGS) -D_GNU_SOURCE -MMD -MP -Iuserspace/shim -Iuserspace -Idm-chain
TOOL_LIBS = -ldevmapper -lblkid -luuid -ljson-c

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
	$(addprefix userspace/,chaintab.c util.c) dm-chain/dm-chain-codec.c
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

install: install-module install-tools install-udev install-boot

install-module: module
	+$(MAKE) -C $(KDIR) M=$(CURDIR) \
		$(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install
	$(if $(DESTDIR),,depmod $(KVER))

install-tools: tools
	install -D -m 755 userspace/chainsetup $(DESTDIR)$(SBINDIR)/chainsetup
	for page in $(wildcard Documentation/*.8); do \
		install -D -m 644 $$page $(DESTDIR)$(MANDIR)/man8/$${page##*/} || exit; \
	done
	install -D -m 644 userspace/completion/chainsetup.bash $(DESTDIR)$(BASHCOMPDIR)/chainsetup
	install -D -m 644 userspace/completion/_chainsetup $(DESTDIR)$(ZSHCOMPDIR)/_chainsetup

# The program that the rules run is where install-tools puts it.
install-udev:
	for rules in $(wildcard userspace/udev/*.rules); do \
		install -D -m 644 /dev/null $(DESTDIR)$(UDEVRULESDIR)/$${rules##*/} && \
		sed 's|@SBINDIR@|$(SBINDIR)|g' $$rules \
			>$(DESTDIR)$(UDEVRULESDIR)/$${rules##*/} || exit; \
	done

install-boot: tools
	install -D -m 755 userspace/chainsetup-generator \
		$(DESTDIR)$(SYSTEMDDIR)/system-generators/chainsetup-generator
	install -D -m 644 boot/chainsetup.target \
		$(DESTDIR)$(SYSTEMDDIR)/system/chainsetup.target
	install -D -m 755 boot/initramfs-hook $(DESTDIR)$(INITRAMFSDIR)/hooks/chainsetup
	for when in local-top local-block; do \
		install -D -m 755 boot/initramfs-script \
			$(DESTDIR)$(INITRAMFSDIR)/scripts/$$when/chainsetup || exit; \
	done

# As Kbuild would, but without the kernel's headers.
clean:
	rm -rf build tests/bin tests/unit/build userspace/chainsetup userspace/chainsetup-generator
	rm -f dm-chain.ko dm-chain.mod dm-chain.mod.c modules.order Module.symvers
	rm -f *.o .*.o dm-chain/*.o .*.cmd dm-chain/.*.cmd

.PHONY: all module kernel-headers tools helpers core-sources demo check check-system \
	check-long torture bench bench-compare lint install \
	install-module install-tools install-udev install-boot clean

-include $(shell find build -name '*.d' 2>/dev/null)
