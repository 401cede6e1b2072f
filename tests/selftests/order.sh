#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Load, suspend, resume in every order, with I/O and jobs going on; jobs' verbs
# and events; read-only tables and long chains.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
simple_test order 96 cache_size=1
