#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Copy on read: which blocks, and beside what.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
simple_test readcopy 96 cache_size=1
