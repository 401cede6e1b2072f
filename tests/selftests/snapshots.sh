#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# usage: snapshots.sh [LAYERS [SEED]]
#
# LAYERS (8) snapshots of a file system in use, and streams that take the layers
# out again: see snapshots.py.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

layers=${1:-8} seed=${2:-$RANDOM}

prepare
for tool in python3 chainsetup mkfs.ext4 e2fsck; do
	command -v $tool >/dev/null || skip_all "$tool is missing"
done
pool $(((layers + 2) * 25 + 2))
ktap_start $(($("$here/snapshots.py" plan) + 1))
results_of "$here/snapshots.py" run "$POOL" "$layers" "$seed"
check_log
ktap_end
