#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Layers that several devices share, and layers that changed behind an overlay.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

prepare
if null_device dmct4k$$ 16 blocksize=4096; then
	export CHAINTEST_4K_DEVICE=$POOL
fi
pool 64 cache_size=1
ktap_start $(($(count_of sharing) + 1))
run_suite sharing
check_log
ktap_end
