#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What a job does about errors, and about a top that runs out of space: a thin
# pool, and loop devices on a file system that is full.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# full_loop DIRECT VARIABLE: a loop device whose file has holes that cannot be
# filled before CHAINTEST_FULL_FILLER is deleted.
full_loop()
{
	local dir disk file

	dir=$(mktemp -d) || return
	cleanups+=("rm -rf $dir")
	truncate -s 16M "$dir/disk" || return
	mkdir "$dir/mnt"
	disk=$(losetup -f --show "$dir/disk") || return
	cleanups+=("losetup -d $disk")
	mkfs.ext4 -q -m 0 -O ^has_journal "$disk" || return
	mount "$disk" "$dir/mnt" || return
	cleanups+=("umount $dir/mnt")
	truncate -s 2M "$dir/mnt/file"
	# Some of it fits.
	dd if=/dev/zero of="$dir/mnt/file" bs=64k count=8 conv=notrunc status=none
	file=$(losetup -f --show --direct-io="$1" "$dir/mnt/file") || return
	cleanups+=("losetup -d $file")
	dd if=/dev/zero of="$dir/mnt/filler" bs=64k oflag=direct status=none 2>/dev/null
	dd if=/dev/zero of="$dir/mnt/filler" bs=4k oflag=direct,append \
		conv=notrunc status=none 2>/dev/null
	sync
	export CHAINTEST_FULL_FILLER=$dir/mnt/filler
	export "$2=$file"
}

modprobe -q dm-thin-pool
modprobe -q dm-flakey
prepare
pool 64 cache_size=1
ktap_start $(($(count_of onerror) + $(count_of nospace) + 1 + 1))
run_suite onerror
run_suite nospace
full_loop on CHAINTEST_FULL_DIRECT
run_suite nospace-direct
check_log
ktap_end
