#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Jobs side by side: which may, and that each ends well whatever the others do.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
simple_test parallel 160 cache_size=1
