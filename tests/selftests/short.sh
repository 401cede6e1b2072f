#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Layers of unequal sizes, and discarded blocks.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
simple_test short 64
