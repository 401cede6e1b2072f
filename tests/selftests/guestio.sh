#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Guest I/O against a running stream; once more on loop devices, which take
# write-zeroes.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
again="around-the-cursor-64k-no-base threads-slow-no-base"

prepare
pool 64 cache_size=1
# shellcheck disable=SC2086
ktap_start $(($(count_of guestio) + $(count_of guestio $again) + 1))
run_suite guestio
pool_loop 64 || { echo "# no loop device"; check_log; ktap_end; }
# shellcheck disable=SC2086
run_suite guestio $again
check_log
ktap_end
