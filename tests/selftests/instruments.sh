#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The instruments of the other tests: that what has to fail fails, and that a
# model which is wrong in one place is found to be.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
plants="view states data map counts"

prepare
pool 64 cache_size=1
# shellcheck disable=SC2086
set -- $plants
ktap_start $(($(count_of instruments) + $# + 1))
run_suite instruments
for kind; do
	out=$(chaintest --plant "$kind" run short "$POOL" discarded 2>&1)
	printf '%s\n' "$out" | sed 's/^#* */# /; s/^# not ok/# found: not ok/'
	case $out in
	*"FAILED: "*"not ok discarded") ktap_pass "a-wrong-$kind-is-found" ;;
	*) ktap_fail "a-wrong-$kind-is-found" ;;
	esac
done
check_log
ktap_end
