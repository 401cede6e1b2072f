// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the code of the tracepoints.
 */
#include "dm-chain.h"

#define CREATE_TRACE_POINTS
#include "dm-chain-trace.h"
