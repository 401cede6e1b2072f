# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For the groups that measure other things than single I/Os: what reaches the
# disks, jobs, memory, activation. Sourced after lib.sh.

# flushed_disks COUNT MIB [NS]: as caching_disks, but without FUA, so that whatever
# is to be durable takes a flush, and each request, flushes included, takes NS, any
# number of them at the same time.
flushed_disks()
{
	local words=(nr_devices=0 fua=0)

	[ $# -lt 3 ] || words+=(irqmode=2 "completion_nsec=$3")
	modprobe null_blk "${words[@]}" || die "no null_blk"
	caching_disks "$1" "$2"
}

# remove_flushed_disks COUNT
remove_flushed_disks()
{
	local n

	for ((n = 0; n < $1; n++)); do
		echo 0 >/sys/kernel/config/nullb/nullb$n/power
		rmdir /sys/kernel/config/nullb/nullb$n
	done
	modprobe -r null_blk
}

# disk_counts DEV...: sets WRITES, SECTORS and FLUSHES, what the disks have done
# together: bios that write, those that only flush included, how much, and flushes.
disk_counts()
{
	local dev fields

	WRITES=0 SECTORS=0 FLUSHES=0
	for dev in "$@"; do
		read -ra fields <"/sys/block/${dev##*/}/stat"
		WRITES=$((WRITES + fields[4]))
		SECTORS=$((SECTORS + fields[6]))
		FLUSHES=$((FLUSHES + fields[15]))
	done
}

# dm_disk NAME: what /sys/block calls a device of device mapper
dm_disk()
{
	dmsetup info -c --noheadings -o blkdevname "$1"
}

# per TOTAL COUNT: the quotient with three decimals
per()
{
	awk -v total="$1" -v count="$2" 'BEGIN { printf "%.3f", total / count }'
}

# value KEY LINE: what follows KEY= in it
value()
{
	[[ " $2 " =~ \ $1=([^ ]*)\  ]] || die "no $1= in: $2"
	echo "${BASH_REMATCH[1]}"
}

# waiting_disks COUNT MIB NS: disks without a cache that take so long for each
# request, any number of them at the same time.
waiting_disks()
{
	local dir n word

	modprobe null_blk nr_devices=0 irqmode=2 completion_nsec="$3" ||
		die "no null_blk"
	for ((n = 0; n < $1; n++)); do
		dir=/sys/kernel/config/nullb/nullb$n
		mkdir "$dir"
		for word in size="$2" memory_backed=1 blocksize=512 power=1; do
			echo "${word#*=}" >"$dir/${word%%=*}" ||
				die "null_blk does not take $word"
		done
	done
	# shellcheck disable=SC2034 # lib.sh uses it
	DISK=/dev/nullb
}

# mbs BYTES NS
mbs()
{
	awk -v bytes="$1" -v ns="$2" 'BEGIN { printf "%.1f", bytes * 1000 / ns }'
}

# free_kib: sets FREE_KIB, what the kernel could give away. Starts no process, which
# would take some of it, and reads the file at once, which takes little time.
free_kib()
{
	local lines line

	mapfile -t lines </proc/meminfo
	FREE_KIB=0
	for line in "${lines[@]}"; do
		case $line in
		MemFree:*|Buffers:*|Cached:*|SReclaimable:*)
			line=${line#*:}
			FREE_KIB=$((FREE_KIB + ${line% kB})) ;;
		esac
	done
}

# settle: sets FREE_KIB when what is freed later is free, when nothing is kept that
# could be read again, and each CPU keeps but few free pages for itself, which do
# not count as free.
settle()
{
	echo 100000 >/proc/sys/vm/percpu_pagelist_high_fraction
	sync
	echo 3 >/proc/sys/vm/drop_caches
	sleep 1
	free_kib
}

# bytes SIZE: of a size such as 16T
bytes()
{
	numfmt --from=iec "$1"
}

# big_layers COUNT SIZE BLOCK: BIG[0]..., loop devices over sparse files, each
# formatted as a layer of that size with blocks of that size, not bound to another
# yet. Its map has room for four times the size, as always.
big_layers()
{
	local n file room

	BIG=()
	# shellcheck disable=SC2034 # the groups use it
	BIG_SECTORS=$(($(bytes "$2") / 512))
	room=$(($(bytes "$2") + $(bytes "$2") / 512 + 64 * 1048576))
	for ((n = 0; n < $1; n++)); do
		file=/dev/shm/layer$n
		truncate -s $room $file
		BIG[n]=$(losetup --find --show $file) || die "no loop device"
		chainsetup format --size "$2" --block-size "$3" --name "L$n" \
			"${BIG[n]}" >/dev/null || die "cannot format a layer"
	done
}

remove_big_layers()
{
	local n

	for n in "${!BIG[@]}"; do
		losetup --detach "${BIG[n]}"
		rm "/dev/shm/layer$n"
	done
}


# timed_chain NAME SECTORS LAYER...: as make_chain; sets TOOK, a line of
# load_ns= and resume_ns=.
timed_chain()
{
	local name=$1
	shift

	rm -f "/dev/mapper/$name"
	# shellcheck disable=SC2034 # the groups use it
	TOOK=$(chaindm create "$name" "$(chain_line "$@")") ||
		die "cannot create $name: $*"
}

# ms NS: with three decimals
ms()
{
	awk -v ns="$1" 'BEGIN { printf "%.3f", ns / 1000000 }'
}
