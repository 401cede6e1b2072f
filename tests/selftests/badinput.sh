#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Table lines, messages, superblocks and pages that have to be refused.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
simple_test badinput 64 cache_size=1
