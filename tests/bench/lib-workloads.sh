# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The workloads that dm-chain and its peers all get. Sourced after lib.sh, by
# groups in which /dev/mapper/linear is dm-linear on a disk of SIZE MiB or more.
#
# TARGET is the word for the cells, DEVICE what is measured, KEYS more words.

SIZE=256		# MiB of each device, in four quarters
QUARTER=$((SIZE / 4))
LESS=1			# so many times fewer I/Os, for slow targets

# with_linear KIND WORKLOAD LOAD TARGET DEVICE KEYS
with_linear()
{
	local command=measure

	[ "$1" = sync ] || command=measure_async
	$command "$2" "$3" linear=/dev/mapper/linear "$4=$5" "$6"
}

# counts WARMUP IOS: the options, the next round beginning where this one ends.
counts()
{
	echo "--warmup $(($1 / LESS)) --ios $(($2 / LESS)) --first %$((($1 + $2) / LESS))"
}

# reads KIND TARGET DEVICE KEYS
reads()
{
	local qd

	for qd in 1 16; do
		with_linear "$1" "randread-4k-qd$qd" \
			"read --bs 4K --pattern random --ios $((2000 / LESS)) --qd $qd --span ${SIZE}M" \
			"$2" "$3" "$4"
		with_linear "$1" "seqread-64k-qd$qd" \
			"read --bs 64K --ios $((1000 / LESS)) --qd $qd --span ${SIZE}M" \
			"$2" "$3" "$4"
	done
}

# overwrites KIND TARGET DEVICE KEYS: of what the device has written before.
overwrites()
{
	local qd

	for qd in 1 16; do
		with_linear "$1" "overwrite-4k-qd$qd" \
			"write --bs 4K --pattern random --ios $((2000 / LESS)) --qd $qd --span ${SIZE}M" \
			"$2" "$3" "$4"
		with_linear "$1" "seqwrite-128k-qd$qd" \
			"write --bs 128K --ios $((500 / LESS)) --qd $qd --span ${SIZE}M" \
			"$2" "$3" "$4"
	done
}

# first_writes KIND TARGET DEVICE KEYS: 4K writes in a random order into two
# halves of a device that nothing has been written to. For targets that work in
# 4K; with larger blocks some would not be the first in their block.
first_writes()
{
	local qd half=0

	for qd in 1 16; do
		with_linear "$1" "firstwrite-4k-qd$qd" \
			"write --bs 4K --pattern random $(counts 200 1800) --qd $qd --offset ${half}M --span $((SIZE / 2))M" \
			"$2" "$3" "$4"
		half=$((SIZE / 2))
	done
}

# first_touches KIND TARGET DEVICE KEYS: 4K writes each of which is the first in
# its 64K, and whole 128K, in order, in quarters of a device that nothing has
# been written to.
first_touches()
{
	local qd quarter=0

	for qd in 1 16; do
		with_linear "$1" "firsttouch-4k-qd$qd" \
			"write --bs 4K --pattern stride --stride 64K $(counts 20 180) --qd $qd --offset ${quarter}M --span ${QUARTER}M" \
			"$2" "$3" "$4"
		quarter=$((quarter + QUARTER))
	done
	for qd in 1 16; do
		with_linear "$1" "firstseqwrite-128k-qd$qd" \
			"write --bs 128K $(counts 10 90) --qd $qd --offset ${quarter}M --span ${QUARTER}M" \
			"$2" "$3" "$4"
		quarter=$((quarter + QUARTER))
	done
}

# sub_writes KIND TARGET DEVICE KEYS: 512 bytes each of which are the first in
# their 64K, in halves of a device that nothing has been written to.
sub_writes()
{
	local qd half=0

	for qd in 1 16; do
		with_linear "$1" "subwrite-512-qd$qd" \
			"write --bs 512 --pattern stride --stride 64K $(counts 20 180) --qd $qd --offset ${half}M --span $((SIZE / 2))M" \
			"$2" "$3" "$4"
		half=$((SIZE / 2))
	done
}

# flushes KIND TARGET DEVICE KEYS: each 4K write with a flush, into blocks that
# nothing has been written to and into others; and flushes with nothing to do.
flushes()
{
	with_linear "$1" fsync-firsttouch-4k \
		"write --bs 4K --pattern stride --stride 64K $(counts 20 180) --flush fdatasync --span ${QUARTER}M" \
		"$2" "$3" "$4"
	fill "$3" $QUARTER
	with_linear "$1" fsync-overwrite-4k \
		"write --bs 4K --pattern random --warmup 20 --ios $((200 / LESS)) --flush fdatasync --span ${QUARTER}M" \
		"$2" "$3" "$4"
	with_linear "$1" flush-clean \
		"flush --warmup 20 --ios $((500 / LESS))" "$2" "$3" "$4"
}
