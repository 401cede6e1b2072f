#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Table lines, messages, superblocks and pages that have to be refused.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

empty=$(mktemp)
CHAINTEST_EMPTY_DEVICE=$(losetup -f --show "$empty" 2>/dev/null)
cleanups+=("rm -f $empty")
if [ -n "$CHAINTEST_EMPTY_DEVICE" ]; then
	cleanups+=("losetup -d $CHAINTEST_EMPTY_DEVICE")
	export CHAINTEST_EMPTY_DEVICE
else
	unset CHAINTEST_EMPTY_DEVICE
fi
simple_test badinput 64 cache_size=1
