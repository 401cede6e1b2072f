# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The systems that dm-chain is compared with. Sourced after lib-workloads.sh. Each
# is made on top of ${DISK}1, of which it shows the first SIZE MiB, takes its
# writes on ${DISK}2 and up, and holds nothing yet.

# need_module NAME [FILE]
need_module()
{
	[ ! -d "/sys/module/${1//-/_}" ] || return 0
	if [ $# = 1 ]; then
		modprobe "$1" || die "no module $1"
	else
		insmod "$2" || die "cannot load $2"
	fi
}

# push_snapshot N SECTORS COW: /dev/mapper/snapN, a persistent snapshot with
# chunks of SECTORS, of snap(N-1) or, the first, of ${DISK}1.
push_snapshot()
{
	local origin=${DISK}1

	[ "$1" = 1 ] || origin=/dev/mapper/snap$(($1 - 1))
	need_module dm-snapshot
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

# make_snapshots SECTORS N: a stack of them. The top takes the writes, always on
# the same disk. PEER becomes the top.
make_snapshots()
{
	local n

	for ((n = 1; n < $2; n++)); do
		push_snapshot "$n" "$1" "$DISK$((n + 2))"
	done
	push_snapshot "$2" "$1" "${DISK}2"
	PEER=/dev/mapper/snap$2
}

remove_snapshots()
{
	pop_snapshots "$2"
}

# make_thin: a thin volume of a pool with blocks of 64K, the smallest there are,
# with ${DISK}1 as external origin. Metadata is on ${DISK}3.
make_thin()
{
	need_module dm-thin-pool
	wipe "${DISK}3"
	make_device pool "0 $((SIZE * MIB)) thin-pool ${DISK}3 ${DISK}2 128 0 1 skip_block_zeroing"
	dmsetup message pool 0 "create_thin 0"
	make_device thin "0 $((SIZE * MIB)) thin /dev/mapper/pool 0 ${DISK}1"
	PEER=/dev/mapper/thin
}

remove_thin()
{
	remove_device thin pool
}

# make_clone SECTORS: a clone with regions of SECTORS that does not hydrate, but
# for what is written. Metadata is on ${DISK}3.
make_clone()
{
	need_module dm-persistent-data
	need_module dm-clone /share/dm-clone.ko
	wipe "${DISK}3"
	make_device clone "0 $((SIZE * MIB)) clone ${DISK}3 ${DISK}2 ${DISK}1 $1 1 no_hydration"
	PEER=/dev/mapper/clone
}

remove_clone()
{
	remove_device clone
}

# make_qcow2 N: N qcow2 images on top of the raw base, through qemu-nbd.
make_qcow2()
{
	local backing=${DISK}1 format=raw n image

	need_module nbd
	for ((n = 1; n <= $1; n++)); do
		image=$DISK$((n + 2))
		[ "$n" != "$1" ] || image=${DISK}2
		wipe "$image"
		qemu-img create -q -f qcow2 -b "$backing" -F $format "$image" \
			"${SIZE}M" >/dev/null
		backing=$image format=qcow2
	done
	qemu-nbd --fork --pid-file /run/qemu-nbd.pid -c /dev/nbd0 -f qcow2 \
		--cache=none --aio=native --discard=unmap "$backing" ||
		die "qemu-nbd failed"
	until [ "$(sectors_of /dev/nbd0)" = $((SIZE * MIB)) ]; do
		sleep 0.1
	done
	PEER=/dev/nbd0
}

remove_qcow2()
{
	local pid

	pid=$(cat /run/qemu-nbd.pid)
	qemu-nbd -d /dev/nbd0 >/dev/null
	while [ -d "/proc/$pid" ]; do
		sleep 0.1
	done
}

# peer_reads TARGET KEYS KIND MAKE ARG...: only the reads of what the base holds.
peer_reads()
{
	local target=$1 keys=$2 kind=$3 make=$4
	shift 4

	"make_$make" "$@"
	reads "$kind" "$target" "$PEER" "$keys owner=base"
	"remove_$make" "$@"
}

# peer TARGET KEYS GRAIN KIND MAKE ARG...: all workloads on a peer, which MAKE
# makes and REMOVE, of the same name, removes. GRAIN is 4K or 64K. KIND is that of
# its reads and later writes; the first write is asynchronous in all of them.
peer()
{
	local target=$1 keys=$2 grain=$3 kind=$4 make=$5
	shift 5

	"make_$make" "$@"
	reads "$kind" "$target" "$PEER" "$keys owner=base"
	[ "$grain" != 4K ] || first_writes async "$target" "$PEER" "$keys"
	fill "$PEER" "$SIZE"
	overwrites "$kind" "$target" "$PEER" "$keys"
	reads "$kind" "$target" "$PEER" "$keys owner=top"
	"remove_$make" "$@"

	"make_$make" "$@"
	first_touches async "$target" "$PEER" "$keys"
	"remove_$make" "$@"

	"make_$make" "$@"
	sub_writes async "$target" "$PEER" "$keys"
	"remove_$make" "$@"
}
