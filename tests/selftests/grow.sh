#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The active layer grows with its table.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
simple_test grow 192
