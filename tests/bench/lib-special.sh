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

# free_kib: sets FREE_KIB, what the kernel could give away; starts no process,
# which would take some of it.
free_kib()
{
	local key number unit

	while read -r key number unit; do
		case $key in
		MemFree:) FREE_KIB=$number ;;
		Buffers:|Cached:|SReclaimable:) FREE_KIB=$((FREE_KIB + number)) ;;
		esac
	done </proc/meminfo
	[ "$unit" = kB ]
}
