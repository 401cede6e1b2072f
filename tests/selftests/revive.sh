#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Jobs that outlive their device's tables, suspends and the device itself, and
# the records of them on disk.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

modprobe -q dm-flakey
prepare
pool 64 cache_size=1
ktap_start $(($(count_of revive) + $(count_of record) + 1))
run_suite revive
run_suite record
check_log
ktap_end
