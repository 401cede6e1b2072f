#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The life cycle of a job: every verb in every state, finalize, dismiss, events.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
simple_test lifecycle 64 cache_size=1
