#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# usage: failnth.sh [--step N] [--series N] [OPERATION...]
#
# Every allocation of each operation fails once, the first, the second and so on,
# or every N-th; on kernels with fault injection.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

options=()
while [[ ${1-} = --* ]]; do
	options+=("$1" "$2")
	shift 2
done
prepare
[ -d /sys/kernel/debug/failslab ] || mount -t debugfs none /sys/kernel/debug 2>/dev/null
[ -d /sys/kernel/debug/failslab ] || skip_all "no fault injection in this kernel"
pool 64
ktap_start $(($(count_of failnth "$@") + 1))
results_of chaintest "${options[@]}" run failnth "$POOL" "$@"
check_log
ktap_end
