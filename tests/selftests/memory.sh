#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# usage: memory.sh [MIB [SECONDS]]
#
# Swap lies on a chain, MIB of memory, more than there is, are in use, and a stream
# runs: it ends, and everything is what it was. That nothing waits for ever is for
# a watchdog to say, which makes the machine panic: with SECONDS the chain is
# stopped, to see it do so after that time.
# For a machine with little memory and a device, /dev/vda or DM_CHAIN_TEST_DEV, of
# 1 GiB that is not in its memory:
#
#	in-vm 6.12 --memory 256 --disk 1024 memory.sh
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

mib=${1:-260} hang=${2-}
NAME=dmct-memory
SIZE=256 SWAP=200	# MiB: the chain, and the swap in front of the file system

# linear NAME DEVICE FROM SIZE (MiB)
linear()
{
	dmsetup create "$NAME-$1" --table \
		"0 $(($4 * 2048)) linear $2 $(($3 * 2048))" || return
	dmsetup mknodes "$NAME-$1"
	cleanups+=("dmsetup remove --force $NAME-$1")
}

dev()
{
	echo "/dev/mapper/$NAME${1:+-$1}"
}

swapped_out()
{
	sed -n 's/^pswpout //p' /proc/vmstat
}

# files NUMBER: some more of them in the file system
files()
{
	local i

	for ((i = 0; i < 8; i++)); do
		dd if=/dev/urandom of="$mnt/$1.$i" bs=64k count=8 status=none || return
	done
	(cd "$mnt" && sha256sum "$1".*) >>"$sums" && sync -f "$mnt"
}

files_right()
{
	sync -f "$mnt"
	echo 3 >/proc/sys/vm/drop_caches
	(cd "$mnt" && sha256sum --quiet -c "$sums")
}

stream_alone()
{
	stream "$NAME" || return
	dmsetup message "$NAME" 0 jobs last | sed 's/^/# /'
	[ "$(dmsetup table "$NAME" | cut -d ' ' -f 4,5)" = "1 E" ]
}

close_chain()
{
	umount "$mnt" 2>/dev/null
	dmsetup remove "$NAME-data"
	dmsetup remove "$NAME-swap"
	dmsetup remove "$NAME"
}

prepare
command -v memhog >/dev/null || skip_all "memhog is missing: run make helpers"
modprobe -q virtio_blk
POOL=${DM_CHAIN_TEST_DEV:-/dev/vda}
[ -b "$POOL" ] || skip_all "no device $POOL"
[ "$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)" -lt "$mib" ] ||
	skip_all "too much memory for $mib MiB to be more"
ktap_start 9
mnt=$(mktemp -d) sums=$(mktemp) out=$(mktemp)
cleanups+=("rm -rf $mnt $sums $out")

# A CPU that an emulator on a busy machine does not run is not locked up.
echo 0 >/proc/sys/kernel/soft_watchdog
echo 1 >/proc/sys/kernel/sysrq

linear a "$POOL" 0 $SIZE
linear b "$POOL" 257 $((SIZE + 1))
linear e "$POOL" 515 $((SIZE + 1))
A=$(dev a) B=$(dev b) E=$(dev e)
for layer in "$B" "$E"; do
	dd if=/dev/zero of="$layer" bs=1M count=1 oflag=direct status=none
done
dd if=/dev/urandom of="$out" bs=1M count=4 status=none
for ((i = 0; i < SIZE; i += 4)); do
	dd if="$out" of="$A" bs=1M seek=$i oflag=direct status=none
done
table="0 $((SIZE * 2048)) chain"
dmsetup create "$NAME" --table "$table 2 A $A - B $B $B 1 format"
dmsetup mknodes "$NAME"
for ((i = 4; i < SIZE; i += 12)); do
	dd if="$out" of="$(dev)" bs=1M seek=$i oflag=direct status=none
done
dmsetup load "$NAME" --table "$table 3 A $A - B $B $B E $E $E 1 format" &&
	dmsetup suspend "$NAME" && dmsetup resume "$NAME"
verdict $? chain-of-three
linear swap "$(dev)" 0 $SWAP
linear data "$(dev)" $SWAP $((SIZE - SWAP))
mkfs.ext4 -q "$(dev data)" && mount "$(dev data)" "$mnt" && files before
verdict $? files-before
mkswap -q "$(dev swap)"
swapon "$(dev swap)"
before=$(swapped_out)
# What makes no progress for ten minutes has hung, on the slowest machine.
memhog "$mib" 3 "${hang:-600}" >"$out" 2>&1 &
hog=$!
while ! grep -q round "$out" && kill -0 $hog 2>/dev/null; do
	sleep 0.2
done
if [ -n "$hang" ]; then
	dmsetup suspend --noflush --nolockfs "$NAME"
	wait $hog
fi
stream_alone &
job=$!
files during
verdict $? files-during
wait $job
verdict $? the-stream-ends
wait $hog
rc=$?
sed 's/^/# /' "$out"
verdict $rc memory-unchanged
pages=$(($(swapped_out) - before))
echo "# $pages pages were swapped out"
[ $pages -gt 10000 ]
verdict $? much-was-swapped
swapoff "$(dev swap)" && files_right && close_chain && {
	# What was dropped is of no use any more.
	blkdiscard -z "$A"
	blkdiscard -z "$B"
	dmsetup create "$NAME" --table "$table 1 E $E $E"
	dmsetup mknodes "$NAME"
	linear data "$(dev)" $SWAP $((SIZE - SWAP))
	e2fsck -fn "$(dev data)" >"$out" 2>&1 && mount "$(dev data)" "$mnt" &&
		files_right
}
verdict $? files-after
umount "$mnt"
dmsetup remove "$NAME-data"
dmsetup remove "$NAME"
! dmesg | grep -q "Out of memory"
verdict $? nothing-was-killed
check_log
ktap_end
