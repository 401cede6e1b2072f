#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Every live command of chainsetup but those for jobs, on loop devices.
# shellcheck source=chainsetup-lib.sh
. "$(dirname "$0")/chainsetup-lib.sh"

test_open_close()
{
	new_device A "$SIZE"
	new_device B
	ok chainsetup format --backing "$A" --name B "$B"
	ok chainsetup open "$name" "$B"
	same "what open prints" "$out$err" ""
	[ -b "/dev/mapper/$name" ] || wrong "no device node"
	same layers "$(layers_of "$name")" "base B"
	matches uuid "$(dmsetup info -c --noheadings -o uuid "$name")" \
		"^CHAIN-[0-9a-f-]{36}-$name$"
	refused "a device $name already" chainsetup open "$name" "$B"
	ok chainsetup close "$name"
	[ ! -e "/dev/mapper/$name" ] || wrong "the device node is still there"
	refused "no device $name" chainsetup close "$name"
}

test_open_keeps_data()
{
	chain
	same view "$(view "/dev/mapper/$name")" "AABBCE.."
	ok chainsetup close "$name"
	ok chainsetup open "$name" "$E"
	same layers "$(layers_of "$name")" "base B C E"
	same "view after reopening" "$(view "/dev/mapper/$name")" "AABBCE.."
}

test_open_equal_names()
{
	new_device A
	new_device B
	new_device C
	ok chainsetup format --name L "$A"
	ok chainsetup format --name L --backing "$A" "$B"
	ok chainsetup format --name L --backing "$B" "$C"
	ok chainsetup open "$name" "$C"
	same layers "$(layers_of "$name")" "L L-2 L-3"
}

test_open_separate_metadata()
{
	local uuid

	new_device A "$SIZE"
	new_device B "$SIZE"
	new_device meta 2
	ok chainsetup format --backing "$A" --metadata "$meta" --name B "$B"
	uuid=$(sed 's/.*uuid=//; s/ .*//' <<<"$out")
	ok chainsetup open "$name" "$meta"
	fill "/dev/mapper/$name" B 0
	same view "$(view "/dev/mapper/$name")" "B......."
	same "metadata device" "$(chainsetup layers "$name" |
		awk '$1 == "B" { print $(NF - 2), $(NF - 1) }')" "$B $meta"
	ok chainsetup close "$name"
	# The data device has moved, which nothing but the user can know.
	new_device copy "$SIZE"
	fill "$copy" K 0
	ok chainsetup open "$name" "$meta" --layer "$uuid=$copy,$meta"
	same "view of the copy" "$(view "/dev/mapper/$name")" "K......."
	ok chainsetup tree
	matches "tree, live" "$out" "B  .*$copy,$meta  *active"
	ok chainsetup close "$name"
	ok chainsetup tree "$meta"
	matches "tree, at rest" "$out" "B  .*$B,$meta  *at rest"
}

# traced OPTION... -- COMMAND...: what it asks of device mapper is in $scratch/trace.
traced()
{
	local options=()

	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	strace -qq -o "$scratch/trace" -P /dev/mapper/control -e trace=ioctl \
		"${options[@]}" chainsetup "$@"
}

# call NAME: the number of the last such ioctl in the trace
call()
{
	grep -n "$1" "$scratch/trace" | tail -n 1 | cut -d : -f 1
}

# A signal that comes in any moment leaves a device with a table, or none, and no
# table that waits for a resume.
test_interrupted()
{
	local first last n rc

	new_device A
	ok chainsetup format --name A --size 4M "$A"
	ok traced -- open "$name" "$A"
	first=$(call DM_DEV_CREATE) last=$(call DM_DEV_SUSPEND)
	if [ "${first:-0}" = 0 ] || [ "${last:-0}" -le "$first" ]; then
		wrong "no such calls: $(cat "$scratch/trace")"
	fi
	ok chainsetup close "$name"
	for ((n = first; n <= last; n++)); do
		rc=0
		traced -e inject=ioctl:signal=TERM:when="$n" -- open "$name" "$A" || rc=$?
		same "status of call $n" "$rc" 143
		if [ "$n" -lt "$last" ]; then
			! dmsetup info "$name" >/dev/null 2>&1 ||
				wrong "call $n: $(dmsetup info "$name")"
		else
			[ -n "$(dmsetup table "$name")" ] || wrong "call $n: no table"
			ok chainsetup close "$name"
		fi
	done

	ok chainsetup open "$name" "$A"
	ok traced -- resize "$name" --size 5M
	n=$(call DM_TABLE_LOAD) rc=0
	traced -e inject=ioctl:signal=TERM:when="$n" -- resize "$name" --size 6M || rc=$?
	same "status of resize" "$rc" 143
	same "table that waits" "$(dmsetup table --inactive "$name")" ""
	ok chainsetup resize "$name" --size 6M
	# A signal that is ignored is none.
	# shellcheck disable=SC2016 # for the other shell
	ok bash -c 'trap "" TERM
		exec strace -qq -o /dev/null -P /dev/mapper/control -e trace=ioctl \
			-e inject=ioctl:signal=TERM:when="$0" chainsetup "$@"' \
		"$n" resize "$name" --size 7M
	same size "$(blockdev --getsize64 "/dev/mapper/$name")" $((7 << 20))
}

# A layer that is no longer where it was is found by its UUID, and where the
# hint says something else lies there.
test_open_moved()
{
	new_device A
	new_device B
	ok chainsetup format --name A --size "${SIZE}M" "$A"
	ok chainsetup format --name B --backing "$A" "$B"
	cp --sparse=always "$(losetup -n -O BACK-FILE "$A")" "$scratch/dev.moved"
	losetup -d "$A"
	new_device squatter
	A=$(losetup -f --show "$scratch/dev.moved")
	loops+=("$A")
	ok chainsetup open "$name" "$B"
	same layers "$(layers_of "$name")" "A B"
	ok chainsetup close "$name"
}

# A base that has lost its first sectors: what can be read is there.
test_open_damaged_base()
{
	local sectors

	chain
	ok chainsetup close "$name"
	sectors=$(blockdev --getsz "$A")
	below bad "0 32 error
		32 $((sectors - 32)) linear $A 32"
	ok chainsetup open "$name" "$E" --layer "raw=/dev/mapper/$name-bad"
	same "2nd MiB" "$(dd if="/dev/mapper/$name" bs=1M skip=1 count=1 status=none |
		tr -dc A | wc -c)" 1048576
	dd if="/dev/mapper/$name" of="$scratch/out" bs=4k count=1 iflag=direct \
		2>/dev/null && wrong "the lost sectors can be read"
	ok chainsetup close "$name"
}

# The target formats layers whose paths a superblock cannot hold, without a hint: one
# has a control character, one is too long.
test_open_odd_paths()
{
	local long

	new_device A
	new_device B "$SIZE"
	new_device meta 2
	long=$scratch/dev.$(printf 'd%.0s' {1..150})
	mkdir -p "$long/$(basename "$long")"
	long=$long/$(basename "$long")
	ln -s "$A" "$long/A"
	ln -s "$B" "$scratch/dev."$'\x01'
	ok dmsetup create "$name" --table \
		"0 $((SIZE << 11)) chain 2 A $long/A $long/A B $scratch/dev."$'\x01'" $meta 1 format"
	fill "/dev/mapper/$name" B 1
	ok chainsetup close "$name"
	ok chainsetup check "$A"
	ok chainsetup dump --json "$meta"
	same hints "$(json 'x["data-path"], x["backing"]["path"]')" "None "
	ok dmsetup create "$name" --table \
		"0 $((SIZE << 11)) chain 2 A $A $A B $B $meta"
	same view "$(view "/dev/mapper/$name")" ".B......"
}

test_open_layer_option()
{
	new_device A "$SIZE"
	new_device copy "$SIZE"
	new_device B
	fill "$A" A 0
	fill "$copy" K 0
	ok chainsetup format --backing "$A" --name B "$B"
	ok chainsetup open "$name" "$B" --layer "raw=$copy"
	same view "$(view "/dev/mapper/$name")" "K......."
	ok chainsetup close "$name"
	refused "UUID" chainsetup open "$name" "$B" --layer "$copy"
}

test_open_overlay()
{
	chain
	ok chainsetup close "$name"
	refused "rollback" chainsetup open "$name" "$C"
	ok chainsetup open "$name" "$C" --read-only
	same view "$(view "/dev/mapper/$name")" "AABBC..."
	ok chainsetup close "$name"
	ok chainsetup open "$name" "$E"
	ok chainsetup close "$name"
	ok chainsetup open "$name" "$C" --rollback
	fill "/dev/mapper/$name" X 0
	ok chainsetup close "$name"
	refused "rebase --unsafe $E $C" chainsetup open "$name" "$E"
	ok chainsetup rebase --unsafe "$E" "$C"
	ok chainsetup open "$name" "$E"
	same "view of the changed chain" "$(view "/dev/mapper/$name")" "XABBCE.."
}

test_open_read_only()
{
	chain
	ok chainsetup close "$name"
	sync
	ok chainsetup open "$name" "$E" --read-only
	if dd if=/dev/zero of="/dev/mapper/$name" bs=4k count=1 oflag=direct \
	      status=none 2>/dev/null; then
		wrong "a read-only device was written"
	fi
	same view "$(view "/dev/mapper/$name")" "AABBCE.."
	new_device F
	refused "read-only" chainsetup snapshot "$name" "$F"
}

test_open_refusals()
{
	chain
	new_device F
	refused "no chain superblock" chainsetup open "$other" "$F"
	refused "$E.* in use by .*$name" chainsetup open "$other" "$E"
	ok chainsetup format --name F --backing "$E" "$F"
	refused "$E is the active layer of $name" chainsetup open "$other" "$F"
	refused "no name for a device" chainsetup open a/b "$E"
	refused "--frob" chainsetup open --frob "$other" "$E"
	refused "missing" chainsetup open "$other"
	refused "too much: x" chainsetup open "$other" "$E" x
	truncate -s 16M "$scratch/dev.file"
	ok chainsetup format --name F "$scratch/dev.file"
	refused "losetup" chainsetup open "$other" "$scratch/dev.file"
	! dmsetup info "$other" >/dev/null 2>&1 || wrong "$other is there"
}

# One golden base below two devices.
test_shared_base()
{
	new_device A
	new_device B
	new_device C
	ok chainsetup format --name A "$A"
	ok chainsetup open "$name" "$A"
	fill "/dev/mapper/$name" A 0
	ok chainsetup close "$name"
	ok chainsetup format --name B --backing "$A" "$B"
	ok chainsetup format --name C --backing "$A" "$C"
	ok chainsetup open "$name" "$B"
	ok chainsetup open "$other" "$C"
	same "first view" "$(view "/dev/mapper/$name")" "A......."
	same "second view" "$(view "/dev/mapper/$other")" "A......."
	# A is dropped by one of them only, and so is not free.
	ok chainsetup stream "$name" --wait
	matches release "$out" "$A  layer A, not free: .*$other"
	same layers "$(layers_of "$name")" "B"
	same "view of the other" "$(view "/dev/mapper/$other")" "A......."
	ok chainsetup stream "$other" --wait
	matches release "$out" "$A  layer A, free"
}

test_list()
{
	ok chainsetup list
	same "empty list" "$out" ""
	chain
	ok chainsetup list
	matches list "$out" "$name +E +8M +4 +0"
	ok chainsetup list --json
	same json "$(json 'len(x), x[0]["device"], x[0]["active"], x[0]["layers"], x[0]["size"]')" \
		"1 $name E 4 $((SIZE << 20))"
	# A device of another target is none of ours.
	new_device F 1
	dmsetup create "$other" --table "0 8 linear $F 0"
	ok chainsetup list
	[[ $out != *$other* ]] || wrong "a linear device in the list: $out"
	refused "$other is not a chain device" chainsetup status "$other"
	refused "$other is not a chain device" chainsetup close "$other"
	refused "$other is not a chain device" chainsetup jobs "$other"
	refused "$other is not a chain device" chainsetup release "$other"
	refused "no device nowhere" chainsetup layers nowhere
}

test_status()
{
	chain
	ok chainsetup status "$name"
	matches status "$out" "$name  8M  rw"
	matches picture "$out" "\[base\] <- \[B\] <- \[C\] <- \[E\]"
	ok chainsetup status --json
	same json "$(json 'x[0]["mode"], x[0]["block-size"], x[0]["allocated-blocks"], x[0]["total-blocks"], [l["name"] for l in x[0]["layers"]], x[0]["jobs"]')" \
		"rw 4096 256 2048 ['base', 'B', 'C', 'E'] []"
	dmsetup suspend "$name"
	ok chainsetup status "$name"
	matches "status while suspended" "$out" suspended
	dmsetup resume "$name"
}

test_layers()
{
	chain
	ok chainsetup layers "$name"
	matches layers "$out" "base +backing +8M"
	matches layers "$out" "E +active +8M +1M +0B +C +$E +inline"
	ok chainsetup layers "$name" --json
	same json "$(json '[(l["name"], l["state"], l["allocated"], l["backing"]) for l in x]')" \
		"[('base', 'backing', $((SIZE << 20)), '-'), ('B', 'backing', 2097152, 'base'), ('C', 'backing', 1048576, 'B'), ('E', 'active', 1048576, 'C')]"
}

test_map()
{
	chain
	blkdiscard -o 6M -l 1M "/dev/mapper/$name" || wrong "no discard"
	ok chainsetup map "$name" --json
	same json "$(json '[(r["start"] >> 20, r["length"] >> 20, r["layer"], r["zero"]) for r in x]')" \
		"[(0, 2, 'base', False), (2, 2, 'B', False), (4, 1, 'C', False), (5, 1, 'E', False), (6, 1, 'E', True), (7, 1, 'base', False)]"
	ok chainsetup map
	matches map "$out" "5M +1M +E +data"
	matches map "$out" "6M +1M +E +zero"
}

# write_alternating DEVICE COUNT: every other block of 4 KiB.
write_alternating()
{
	python3 -c 'import mmap, os, sys
block = mmap.mmap(-1, 4096)
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_DIRECT)
for i in range(int(sys.argv[2])):
    os.pwrite(fd, block, i * 8192)' "$@" || wrong "cannot write to $1"
}

# More runs than one answer to "map" holds.
test_map_long()
{
	new_device A 64
	ok chainsetup format --name A --size 48M "$A"
	ok chainsetup open "$name" "$A"
	write_alternating "/dev/mapper/$name" 2100
	ok chainsetup map "$name" --json
	same "runs" "$(json 'len(x), sum(r["length"] for r in x), all(a["start"] + a["length"] == b["start"] for a, b in zip(x, x[1:]))')" \
		"4200 $((48 << 20)) True"
}

test_estimate()
{
	local by_base

	chain
	ok chainsetup estimate "$name" --base base
	matches estimate "$out" "^data to copy 3M"
	ok chainsetup estimate "$name" --top C --json
	same json "$(json 'x["data"]')" "$((7 << 20))"
	refused "nowhere" chainsetup estimate "$name" --top nowhere
	ok chainsetup estimate "$name" --base B
	by_base=$out
	ok chainsetup estimate "$name" --bottom C
	same "by the lowest layer that is copied" "$out" "$by_base"
	refused "nowhere" chainsetup estimate "$name" --bottom nowhere
}

test_snapshot()
{
	chain
	new_device F
	new_device meta 2
	ok chainsetup snapshot "$name" "$F" --metadata "$meta" --name F
	matches snapshot "$out" "\[E\] <- \[F\], active"
	same "view after" "$(view "/dev/mapper/$name")" "AABBCE.."
	fill "/dev/mapper/$name" F 0
	same layers "$(layers_of "$name")" "base B C E F"
	ok chainsetup close "$name"
	ok chainsetup open "$name" "$E" --read-only
	same "view of the snapshot" "$(view "/dev/mapper/$name")" "AABBCE.."
	ok chainsetup close "$name"
	ok chainsetup open "$name" "$meta"
	same "view when opened again" "$(view "/dev/mapper/$name")" "FABBCE.."
}

# The base is larger than the layer on it: what is new shows none of it.
test_resize()
{
	new_device A 12
	new_device B 13
	fill "$A" A 0
	fill "$A" A 9
	ok chainsetup format --backing "$A" --size "${SIZE}M" --name B "$B"
	ok chainsetup open "$name" "$B"
	ok chainsetup resize "$name" --size 10M
	same resize "$out" "$name: 10M, was 8M"
	same size "$(blockdev --getsize64 "/dev/mapper/$name")" $((10 << 20))
	ok chainsetup resize "$name"
	same resize "$out" "$name: 12M, was 10M"
	ok chainsetup resize "$name"
	same "nothing to gain" "$out" "$name: 12M already"
	fill "/dev/mapper/$name" B 11
	same "old part" "$(view "/dev/mapper/$name")" "A......."
	same "new part" "$(view "/dev/mapper/$name" 12)" "A..........B"
	ok chainsetup close "$name"
	ok chainsetup open "$name" "$B"
	same "opened again" "$(view "/dev/mapper/$name" 12)" "A..........B"
}

test_resize_refusals()
{
	local table

	chain
	table=$(dmsetup table "$name")
	refused "$name is unchanged: layer E has .* not shrink to 4194304" \
		chainsetup resize "$name" --size 4M
	refused "layer E was formatted for at most 33554432 bytes" \
		chainsetup resize "$name" --size 33M
	refused "$E has 8M for the data of layer E, not 9M: enlarge it" \
		chainsetup resize "$name" --size 9M
	refused "multiple of 512" chainsetup resize "$name" --size 9000001
	refused "no device nowhere" chainsetup resize nowhere
	dmsetup suspend "$name"
	refused "suspended" chainsetup resize "$name"
	dmsetup resume "$name"
	same table "$(dmsetup table "$name")" "$table"
	ok chainsetup close "$name"
	ok chainsetup open "$name" "$E" --read-only
	refused "unchanged: it is read-only" chainsetup resize "$name"
}

# Somebody else is at it: the next one waits, and then goes by what it finds.
test_changes_one_at_a_time()
{
	local number pid lock

	chain
	new_device F
	new_device G
	number=$(dmsetup info -c --noheadings --separator : -o major,minor "$name")
	mkdir -p /run/chainsetup
	exec {lock}>"/run/chainsetup/$number"
	flock "$lock"
	chainsetup snapshot "$name" "$F" --name F >"$scratch/late" 2>&1 {lock}>&- &
	pid=$!
	# A line "1: -> FLOCK ADVISORY WRITE PID ..." is one that waits.
	until grep -q -- "-> FLOCK .* $pid " /proc/locks || ! kill -0 "$pid" 2>/dev/null; do
		sleep 0.05
	done
	same "waits" "$(grep -c -- "-> FLOCK .* $pid " /proc/locks)" 1
	ok chainsetup format --name G --backing "$E" "$G"
	on_top G "$G"
	fill "/dev/mapper/$name" G 6
	exec {lock}>&-
	wait "$pid" || wrong "snapshot: $(cat "$scratch/late")"
	same layers "$(layers_of "$name")" "base B C E G F"
	same view "$(view "/dev/mapper/$name")" "AABBCEG."
}

# on_top NAME DEVICE: another layer, without chainsetup.
on_top()
{
	local table number

	number=$(stat -c "%Hr:%Lr" "$2")
	table=$(dmsetup table "$name" | awk -v add="$1 $number $number" '{
		last = 4 + 3 * $4; $4++; $last = $last " " add; print }')
	if ! dmsetup load "$name" --table "$table" ||
	   ! dmsetup suspend "$name" || ! dmsetup resume "$name"; then
		wrong "no layer $1 on top"
	fi
}

# Who knows of no lock has put a layer on top while another was being formatted.
test_changed_by_hand()
{
	local pid

	chain
	new_device F
	new_device G
	below slow "0 $((18 * 1024)) linear $F 0"
	dmsetup suspend "$name-slow"
	chainsetup snapshot "$name" "/dev/mapper/$name-slow" --name F >"$scratch/late" 2>&1 &
	pid=$!
	# It has read the table before it opens what will be F, and waits for that.
	until has_open "$pid" "/dev/mapper/$name-slow" || ! kill -0 "$pid" 2>/dev/null; do
		sleep 0.05
	done
	ok chainsetup format --name G --backing "$E" "$G"
	on_top G "$G"
	fill "/dev/mapper/$name" G 6
	dmsetup resume "$name-slow"
	wait "$pid" && wrong "the snapshot was taken"
	matches reason "$(cat "$scratch/late")" "is unchanged: .*somebody else"
	same layers "$(layers_of "$name")" "base B C E G"
	same view "$(view "/dev/mapper/$name")" "AABBCEG."
	dmsetup info "$name" | grep -q "State: *ACTIVE" || wrong "it is suspended"
	dmsetup table --inactive "$name" | grep -q . && wrong "a table is left loaded"
	ok chainsetup snapshot "$name" "/dev/mapper/$name-slow" --force --name F
	same "layers then" "$(layers_of "$name")" "base B C E G F"
}

test_snapshot_larger()
{
	new_device A
	new_device B $((2 * SIZE))
	ok chainsetup format --name A "$A"
	ok chainsetup open "$name" "$A"
	fill "/dev/mapper/$name" A 7
	ok chainsetup snapshot "$name" "$B" --size 12M --name B
	same size "$(blockdev --getsize64 "/dev/mapper/$name")" $((12 << 20))
	fill "/dev/mapper/$name" B 11
	same "old part" "$(view "/dev/mapper/$name")" ".......A"
	refused "smaller" chainsetup snapshot "$name" "$A" --size 1M
}

test_snapshot_refusals()
{
	local table

	chain
	new_device F
	table=$(dmsetup table "$name")
	refused "$name is unchanged.*layer E already" \
		chainsetup snapshot "$name" "$F" --name E
	refused "no name for a layer" \
		chainsetup snapshot "$name" "$F" --name zero
	refused "$E is in use" chainsetup snapshot "$name" "$E"
	refused "losetup" chainsetup snapshot "$name" "$0"
	mkfs.ext4 -q "$F" 4M
	refused "ext4" chainsetup snapshot "$name" "$F"
	dmsetup suspend "$name"
	refused "suspended" chainsetup snapshot "$name" "$F" --force
	dmsetup resume "$name"
	dmsetup load "$name" --table "$table"
	refused "another table" chainsetup snapshot "$name" "$F" --force
	dmsetup clear "$name"
	same "table" "$(dmsetup table "$name")" "$table"
	same "view" "$(view "/dev/mapper/$name")" "AABBCE.."
	ok chainsetup snapshot "$name" "$F" --force --name F
	same layers "$(layers_of "$name")" "base B C E F"
}

test_release()
{
	chain
	ok chainsetup release "$name"
	same "nothing to release" "$out" "$name: nothing to release"
	ok chainsetup stream "$name" --base B
	wait_until 300 test -z "$(job_field id)" || wrong "the job goes on"
	ok chainsetup layers "$name" --json
	same states "$(json '[l["state"] for l in x]')" \
		"['backing', 'backing', 'releasable', 'active']"
	dmsetup suspend "$name"
	refused "suspended" chainsetup release "$name"
	dmsetup resume "$name"
	ok chainsetup release "$name"
	same release "$out" "$name: released
  $C  layer C, free"
	same layers "$(layers_of "$name")" "base B E"
	same view "$(view "/dev/mapper/$name")" "AABBCE.."
}

# A layer in use is left alone, whatever is said; at rest it is repaired.
test_repair()
{
	local d undo=$scratch/dev.undo

	chain
	for d in "$B" "$C" "$E"; do
		refused "$d is in use by .*$name" chainsetup repair "$d"
		refused "$d is in use by .*$name" \
			chainsetup repair --yes --undo "$undo" "$d"
		refused "$d is in use by .*$name" \
			chainsetup repair --yes --restore "$undo" "$d"
	done
	[ ! -e "$undo" ] || wrong "there is an undo file"
	same view "$(view "/dev/mapper/$name")" "AABBCE.."
	ok chainsetup close "$name"
	dd if=/dev/zero of="$E" bs=4k seek=32 count=1 oflag=direct status=none
	refused "1 finding" chainsetup check "$E"
	refused "nothing done" chainsetup repair "$E"
	ok chainsetup repair --yes --undo "$undo" "$E"
	ok chainsetup check "$E"
	ok chainsetup repair --yes --restore "$undo" "$E"
	refused "1 finding" chainsetup check "$E"
	ok chainsetup repair --yes --undo "$undo.2" "$E"
	ok chainsetup open "$name" "$E"
	same "view after the repair" "$(view "/dev/mapper/$name")" "AABBCE.."
}

test_close_busy()
{
	chain
	exec 8<"/dev/mapper/$name"
	refused "$name" chainsetup close "$name"
	exec 8<&-
	dmsetup create "$other" --table "0 8 linear /dev/mapper/$name 0"
	refused "in use by .*$other" chainsetup close "$name"
	dmsetup remove --retry "$other"
	ok chainsetup close "$name"
}

test_close_deferred()
{
	chain
	ok chainsetup close --deferred "$name"
	same "what is said of a device that is free" "$out$err" ""
	! dmsetup info "$name" >/dev/null 2>&1 || wrong "the device is still there"
	ok chainsetup open "$name" "$E"
	exec 8<"/dev/mapper/$name"
	ok chainsetup close --deferred "$name"
	same "what is said of one in use" "$out" \
		"$name is in use: it is removed as soon as it is not"
	same "view meanwhile" "$(view /dev/fd/8)" "AABBCE.."
	exec 8<&-
	wait_until 300 no_device || wrong "the device is still there"
	ok chainsetup open "$name" "$E"
	same "view afterwards" "$(view "/dev/mapper/$name")" "AABBCE.."
}

# It lets go of its layers a moment after it cannot be seen any more.
no_device()
{
	! dmsetup info "$name" >/dev/null 2>&1 &&
		[ -z "$(ls "/sys/class/block/${E##*/}/holders")" ]
}

test_attach()
{
	local uuid tab=$scratch/tab

	chain
	uuid=$(chainsetup layers "$name" --json | jq -r '.[-1].uuid')
	cat >"$tab" <<-END
		bad $E ro
		$other UUID=${uuid%????}0000 noauto,x-systemd.device-timeout=1
		$name UUID=$uuid read-only
	END
	ok chainsetup attach --tab "$tab" "$name"
	same "attach what is open" "$out" "$name is open already"
	fits attach --tab "$tab" "$name"
	same "it was not opened" "$(jq -c '.[] | [.opened, .device, .size]' <<<"$out")" \
		"[false,\"$name\",$((SIZE << 20))]"
	ok chainsetup close "$name"
	fits attach --tab "$tab" "$name"
	same "it was opened" "$(jq -c '.[] | [.opened, .device, .size]' <<<"$out")" \
		"[true,\"$name\",$((SIZE << 20))]"
	fits_end
	same view "$(view "/dev/mapper/$name")" "AABBCE.."
	matches "its mode" "$(dmsetup status "$name")" " ro - "
	ok chainsetup close "$name"

	refused "$tab has no line for x; line 1 is wrong: unknown option ro" \
		chainsetup attach --tab "$tab" x
	refused "$other: no device carries the layer ${uuid%????}0000" \
		chainsetup attach --tab "$tab" "$other"
	refused "attach: " chainsetup attach --tab "$tab"
	refused "attach: " chainsetup attach --tab "$tab" --all "$name"
	if chainsetup attach --tab "$tab" --all 2>"$scratch/err"; then
		wrong "no failure with a line that is wrong"
	fi
	matches "what is said of the line" "$(cat "$scratch/err")" ":1: unknown option ro"
	same "the other is open" "$(layers_of "$name")" "base B C E"
	ok chainsetup close "$name"

	echo "$name $E jobs-paused,rollback" >"$tab"
	ok chainsetup attach --tab "$tab" --all
	matches "its words" "$(dmsetup table "$name")" " 2 jobs paused$"
}

# attach_with LAYER PATTERN: it comes while that waits; PATTERN is said without it.
attach_with()
{
	local tab=$scratch/tab file pid

	echo "$name $E" >"$tab"
	ok chainsetup close "$name"
	file=$(losetup -n -O BACK-FILE "$1")
	ok losetup -d "$1"
	refused "$2" chainsetup attach --tab "$tab" --no-wait "$name"
	chainsetup attach --tab "$tab" "$name" &
	pid=$!
	background+=("$pid")
	wait_until 50 losetup "$1" "$file" || wrong "$1 is busy"
	wait "$pid" || wrong "attach: status $?"
	same layers "$(layers_of "$name")" "base B C E"
	same view "$(view "/dev/mapper/$name")" "AABBCE.."
}

# A layer in the middle, and a raw base whose node is there all the time.
test_attach_waits()
{
	chain
	attach_with "$C" "no device carries the layer .*, last seen at $C"
	attach_with "$A" "the raw base of $B: $A has no size: nothing is attached to it"
}

chainsetup_tests "$@"
