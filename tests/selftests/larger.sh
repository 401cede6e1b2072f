#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A snapshot larger than the device below it shows zeros behind its end, also
# where owner ids are used again; and numbers of blocks that shrink are right.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

MIB=$((1024 * 1024))
NAME=dmct-larger-$$

# slice NAME OFFSET SIZE (MiB): a part of the pool
slice()
{
	dmsetup create "$NAME-$1" --table \
		"0 $(($3 * 2048)) linear $POOL $(($2 * 2048))"
	dmsetup mknodes "$NAME-$1"
	cleanups+=("dmsetup remove $NAME-$1")
}

dev()
{
	echo "/dev/mapper/$NAME-$1"
}

gone()
{
	[ ! -e "/dev/mapper/$NAME" ] || dmsetup remove "$NAME"
}

new_table()
{
	dmsetup load "$NAME" --table "$1" && dmsetup suspend "$NAME" &&
		dmsetup resume "$NAME"
}

# zeros FROM COUNT (MiB): does the view show zeros there?
zeros()
{
	cmp -s -n $(($2 * MIB)) /dev/zero \
		<(dd if="/dev/mapper/$NAME" bs=1M skip="$1" count="$2" \
			iflag=direct status=none)
}

# garbage NAME SIZE (MiB): what a layer's device may hold, but for its start
garbage()
{
	dd if=/dev/urandom of="$(dev "$1")" bs=1M seek=1 count=$(($2 - 1)) \
		oflag=direct status=none
	dd if=/dev/zero of="$(dev "$1")" bs=1M count=1 oflag=direct status=none
}

# data of the active layer, in blocks, as status has it
data()
{
	dmsetup status "$NAME" | sed 's/.*chain \([0-9]*\)\/.*/\1/'
}

prepare
pool 32
ktap_start 6
slice a 0 4
slice e 4 3
slice f 8 6
cleanups+=(gone)
for layer in a e f; do
	garbage $layer "$(blockdev --getsize64 "$(dev $layer)" | awk '{ print $1 / 1048576 }')"
done
A=$(dev a) E=$(dev e) F=$(dev f)

# A is 4 MiB, E shows 2 of it, F is 5.
dmsetup create "$NAME" --table "0 4096 chain 2 A $A - E $E $E 1 format"
dmsetup mknodes "$NAME"
dd if=/dev/urandom of="/dev/mapper/$NAME" bs=4k count=100 oflag=direct status=none
dmsetup suspend "$NAME"
dmsetup resume "$NAME"
blkdiscard -l 409600 "/dev/mapper/$NAME"
[ "$(data)" = 0 ]
verdict $? fewer-data-blocks-than-at-the-last-commit

stream "$NAME"
[ "$(dmsetup table "$NAME" | cut -d ' ' -f 4,5)" = "1 E" ]
verdict $? the-base-has-left

new_table "0 10240 chain 2 E $E $E F $F $F 1 format"
zeros 2 3
verdict $? zeros-behind-the-end

# One sector: the rest of its block must come from the view.
dd if=/dev/urandom of="/dev/mapper/$NAME" bs=512 count=1 seek=8001 oflag=direct status=none
dmsetup suspend "$NAME"
dmsetup resume "$NAME"
[ "$(data)" = 1 ]
verdict $? nothing-else-became-data

dmsetup remove "$NAME"
dmsetup create "$NAME" --table "0 10240 chain 2 E $E $E F $F $F"
dmsetup mknodes "$NAME"
zeros 2 1 && zeros 4 1
verdict $? zeros-from-the-superblocks-alone

check_log
ktap_end
