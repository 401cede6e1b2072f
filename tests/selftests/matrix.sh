#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Streams for every (top, base) pair of chains of 2 to 5 layers.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
simple_test matrix 64
