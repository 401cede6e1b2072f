# SPDX-License-Identifier: GPL-2.0
#
# make			the module for the running kernel (or KDIR=...), and chainsetup
# make demo		a file system on a chain while it is streamed, in a virtual machine
# make check		all tests; TIERS="unit vm" for some of them
# make lint		style and static checks, silent if there is nothing to say
# make install		module, tools and manual pages, below DESTDIR

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build
DESTDIR ?=
PREFIX ?= /usr

all: module tools

module: kernel-headers
	+$(MAKE) -C $(KDIR) M=$(CURDIR) modules

kernel-headers:
	@test -e $(KDIR)/Makefile || { \
		echo "There are no kernel headers at $(KDIR)." >&2; \
		echo "On Debian: apt-get install linux-headers-$(KVER)" >&2; \
		echo "For another kernel: make KDIR=/usr/src/linux-headers-..." >&2; \
		exit 1; }

tools:
	+$(MAKE) -C userspace

helpers:
	+$(MAKE) -C tests/helpers

demo:
	tests/demo/run

check:
	tests/run $(TIERS)

lint:
	@scripts/lint

install: install-module install-tools

install-module: module
	+$(MAKE) -C $(KDIR) M=$(CURDIR) \
		$(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install

install-tools: tools
	+$(MAKE) -C userspace install DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)

# Kbuild's own clean wants the kernel's headers; ours leaves what it would.
clean:
	find . -path ./.git -prune -o -type f \
		\( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o \
		-name '*.mod.c' -o -name '.*.cmd' -o -name '*.d' \) \
		-exec rm -f {} +
	rm -f modules.order Module.symvers
	+for d in userspace tests/helpers; do \
		if [ -e $$d/Makefile ]; then $(MAKE) -C $$d clean || exit; fi; \
	done

.PHONY: all module kernel-headers tools helpers demo check lint install \
	install-module install-tools clean
