#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Layers that several devices share, and layers that changed behind an overlay.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
simple_test sharing 64 cache_size=1
