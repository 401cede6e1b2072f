#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Failing sequences that a review of the design thought up: what is durable
# when, devices that fail, requests that meet.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
simple_test holes 192 cache_size=1
