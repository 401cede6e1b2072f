#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# usage: torture.sh [ROUNDS [SEED]]
#
# ROUNDS (30) of anything that may be done to a chain and to the jobs in it, at
# random, while fio writes and verifies: see torture.py. A SEED gives the same
# choices again as far as the jobs, which are not in step with it, let it.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

rounds=${1:-30} seed=${2:-$RANDOM}

prepare
for tool in fio python3 chainsetup; do
	command -v $tool >/dev/null || skip_all "$tool is missing"
done
# Not as quick as memory is, so that what may meet does.
pool 400 irqmode=2 completion_nsec=2000000
ktap_start $(($("$here/torture.py" plan "$rounds") + 1))
results_of "$here/torture.py" run "$POOL" "$rounds" "$seed"
check_log
ktap_end
