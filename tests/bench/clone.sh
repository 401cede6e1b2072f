# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# dm-clone, which Debian's kernels do not have, as a module for one of them, out
# of Debian's linux-source package. It is built in the cache and stays there.
# Sourced after scripts/lib.sh.

# clone_module RELEASE: the file
clone_module()
{
	local build=/lib/modules/$1/build dir

	[ -e "$SOURCE_TAR" ] || die "$SOURCE_TAR is missing: run scripts/setup bench"
	dir=$CACHE/clone/$1-$(stat -c %Y "$build/Makefile")-$(stat -c %s-%Y "$SOURCE_TAR")
	once "$dir" build_clone "$SOURCE_TAR" "$build" || return
	echo "$dir/dm-clone.ko"
}

build_clone()
{
	local src=$3/src

	mkdir "$src"
	tar -C "$src" -xf "$1" --strip-components=3 --wildcards \
		'linux-source-*/drivers/md/dm-clone-*' \
		'linux-source-*/drivers/md/dm.h' \
		'linux-source-*/drivers/md/dm-stats.h' \
		'linux-source-*/drivers/md/persistent-data/*.h' || return
	cat >"$src/Kbuild" <<-'END'
	obj-m := dm-clone.o
	dm-clone-y := dm-clone-target.o dm-clone-metadata.o
	ccflags-y += -I$(src)
	END
	make -C "$2" -j "$(nproc)" M="$src" modules >"$3/log" 2>&1 ||
		{ cat "$3/log" >&2; return 1; }
	mv "$src/dm-clone.ko" "$3"
	rm -rf "$src"
}
