#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The instruments of the other tests: that what has to fail fails.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
simple_test instruments 16 cache_size=1
