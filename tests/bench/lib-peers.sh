# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The systems that dm-chain is compared with. Sourced after lib-workloads.sh. Each
# shows the first SIZE MiB of /dev/ram1, and nothing has been written to it.

# push_snapshot N SECTORS COW: /dev/mapper/snapN, a persistent snapshot with
# chunks of SECTORS, of snap(N-1) or, the first, of /dev/ram1.
push_snapshot()
{
	local origin=/dev/ram1

	[ "$1" = 1 ] || origin=/dev/mapper/snap$(($1 - 1))
	[ -d /sys/module/dm_snapshot ] || modprobe dm-snapshot
	wipe "$3"
	make_device "snap$1" "0 $((SIZE * MIB)) snapshot $origin $3 P $2"
}

# pop_snapshots N: snapN to snap1
pop_snapshots()
{
	local n

	for ((n = $1; n > 0; n--)); do
		remove_device "snap$n"
	done
}
