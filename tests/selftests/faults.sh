#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# usage: faults.sh [--series N] [SCENARIO...]
#
# Every device of a chain misbehaves in every way.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

options=()
while [[ ${1-} = --* ]]; do
	options+=("$1" "$2")
	shift 2
done
for m in dm-flakey dm-delay dm-dust sd_mod; do
	modprobe -q $m
done
prepare
if [ ! -e /sys/module/scsi_debug ] &&
   modprobe -q scsi_debug dev_size_mb=1 delay=0; then
	cleanups+=("modprobe -qr scsi_debug")
fi
pool 64 cache_size=1
ktap_start $(($(count_of faults "$@") + 1))
results_of chaintest "${options[@]}" run faults "$POOL" "$@"
check_log
ktap_end
