#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# I/O whose completion is polled for (io_uring with IOPOLL): a device that has a queue
# for that completes nothing by itself, so a bio that nobody polls for hangs. What the
# target sends down for such I/O is the guest's, which is polled, or its own, which is
# not: reads, first writes, merges, overwrites, FUA; alone and beside a stream.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

NAME=dmct-polled-$$
MIB=8 LIMIT=200

# layer NAME: a device of its own, with a queue that is polled
layer()
{
	null_device "$NAME-$1" $((MIB + 1)) poll_queues=1 || return
	printf -v "$1" %s "$POOL"
}

gone()
{
	[ ! -e "/dev/mapper/$NAME" ] || dmsetup remove "$NAME"
}

# polled SEED DEPTH: with the jobs on standard input; writers read again what they wrote
polled()
{
	cat >"$jobs" <<-END
		[global]
		filename=/dev/mapper/$NAME
		ioengine=io_uring
		hipri=1
		direct=1
		iodepth=$2
		thread=1
		randseed=$1
		do_verify=1
		verify_fatal=1
		group_reporting=1
	END
	cat >>"$jobs"
	timeout "$LIMIT" fio "$jobs" >"$out" 2>&1 ||
		{ tail -n 20 "$out" | sed 's/^/# /'; return 1; }
}

# Who polls completes all of a queue: what others do hides what nobody polls for.
one_at_a_time()
{
	polled 1 1 <<-END
		[parts]
		offset=3584k
		size=512k
		rw=randwrite
		bsrange=512-16k
		verify=md5
	END
}

# three_writers SEED: and a reader
three_writers()
{
	polled "$1" 4 <<-END
		[whole]
		offset=0
		size=2m
		rw=randwrite
		bs=4k
		verify=crc32c
		[parts]
		offset=2m
		size=1m
		rw=randwrite
		bsrange=512-16k
		verify=md5
		[durable]
		offset=3m
		size=256k
		rw=randwrite
		bs=4k
		sync=dsync
		verify=crc32c
		[reads]
		offset=4m
		size=4m
		rw=randread
		bs=16k
	END
}

prepare
command -v fio >/dev/null || skip_all "fio is missing"
# Older kernels let io_uring poll only where targets promise never to wait.
[ "$(printf '%s\n' 6.5 "$(uname -r)" | sort -V | head -n 1)" = 6.5 ] ||
	skip_all "before 6.5 io_uring does not poll for a target like this one"
jobs=$(mktemp) out=$(mktemp)
cleanups+=("rm -f $jobs $out")
A='' B='' E=''
for layer in A B E; do
	layer $layer || skip_all "null_blk has no queues that are polled"
done
[ "$(cat "/sys/block/${A#/dev/}/queue/io_poll")" = 1 ] ||
	skip_all "null_blk is not polled"
cleanups+=(gone)
ktap_start 7

dd if=/dev/urandom of="$A" bs=1M count=$MIB oflag=direct status=none
dmsetup create "$NAME" --table "0 $((MIB << 11)) chain 3 A $A - B $B $B E $E $E 1 format" &&
	dmsetup mknodes "$NAME"
verdict $? chain-of-three
[ "$(cat "/sys/dev/block/$(dmsetup info -c --noheadings --separator : -o major,minor \
	"$NAME")/queue/io_poll")" = 1 ]
verdict $? polling-is-offered
one_at_a_time
verdict $? one-at-a-time
three_writers 2
verdict $? alone
# Slow enough to be there until the writers have ended, fast enough to end then.
dmsetup message "$NAME" 0 stream speed $((128 << 10)) && three_writers 3 &&
	[ -n "$(dmsetup message "$NAME" 0 jobs)" ]
verdict $? beside-a-stream
dmsetup message "$NAME" 0 job E set-speed 0
while events=$(dmsetup info -c --noheadings -o events "$NAME")
      [ -n "$(dmsetup message "$NAME" 0 jobs)" ]; do
	dmsetup wait "$NAME" "$events"
done
cmp -s <(dd if="/dev/mapper/$NAME" bs=1M skip=4 count=4 iflag=direct status=none) \
	<(dd if="$A" bs=1M skip=4 count=4 iflag=direct status=none)
verdict $? the-rest-is-the-base
check_log
ktap_end
