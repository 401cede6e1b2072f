#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# usage: udev.sh [TEST...]
#
# What a real udevd makes of chains and their layers, by the rules in userspace/udev:
# tests/vm/run --udev.
# shellcheck source=chainsetup-lib.sh
. "$(dirname "$0")/chainsetup-lib.sh"

document=$here/../../Documentation/udev.rst
# shellcheck source=chainsetup-document.sh
. "$here/chainsetup-document.sh"

uuid=5d4e1ab0-0f2f-4cc8-8d4c-3a1f5a6f0c11
label=on-a-chain
link=/dev/disk/by-uuid/$uuid
rules=/run/udev/rules.d

# settled: udevd has seen everything; a device that was written is looked at again.
settled()
{
	udevadm settle --timeout=60 || wrong "udevd does not come to rest"
}

# property DEVICE KEY
property()
{
	udevadm info --query=property --property="$2" --value "$1"
}

# links_to DEVICE: where the links with UUID and label of the file system lead to.
links_to()
{
	local wanted l

	wanted=$(readlink -f "$1")
	for l in "$link" "/dev/disk/by-label/$label"; do
		same "$l" "$(readlink -f "$l")" "$wanted"
	done
}

# hidden DEVICE...: nobody learns from udev what is on it.
hidden()
{
	local d content

	for d; do
		# A partition has its disk's table.
		content='^ID_(FS|PART_TABLE)_'
		[ "$(property "$d" DEVTYPE)" != partition ] || content='^ID_FS_'
		same "layer $d" "$(property "$d" DM_CHAIN_IS_LAYER)" 1
		same "contents of $d" "$(udevadm info --query=property "$d" |
			grep -E "$content")" ""
		same "links of $d" "$(udevadm info --query=symlink "$d" |
			tr ' ' '\n' | grep -E '^disk/by-(uuid|label)/')" ""
		if [ -n "$(property "$d" DM_CHAIN_LAYER_UUID)" ]; then
			matches "systemd, $d" "$(property "$d" SYSTEMD_READY)" '^1?$'
		else
			same "systemd, $d" "$(property "$d" SYSTEMD_READY)" 0
		fi
	done
}

# shown DEVICE [UUID]: what is on it is known to udev.
shown()
{
	same "layer $1" "$(property "$1" DM_CHAIN_IS_LAYER)" ""
	same "UUID of $1" "$(property "$1" ID_FS_UUID)" "${2-$uuid}"
	matches "systemd, $1" "$(property "$1" SYSTEMD_READY)" '^1?$'
	matches "links of $1" " $(udevadm info --query=symlink "$1") " \
		" disk/by-uuid/${2-$uuid} "
}

# file_system DEVICE [UUID [LABEL]]: udevd does not watch a device before it has dealt
# with its first event, nor while it deals with one: what is written then is not seen.
file_system()
{
	settled
	ok mkfs.ext4 -q -F -m 0 -O ^has_journal -U "${2-$uuid}" -L "${3-$label}" "$1"
}

# touched NAME: write a file on the chain's file system.
touched()
{
	mkdir -p "$scratch/mnt"
	ok mount "/dev/mapper/$name" "$scratch/mnt"
	echo "$1" >"$scratch/mnt/$1" || wrong "$1 is not written"
	ok umount "$scratch/mnt"
}

# on_base: a file system on the raw base $A, and B above it, both on loop devices.
on_base()
{
	new_device A "$SIZE"
	new_device B
	file_system "$A"
	ok chainsetup format --backing "$A" --name B "$B"
	settled
}

no_cookies()
{
	same cookies "$(dmsetup udevcookies | tail -n +2 | grep -v '^Cookie')" ""
}

test_open_and_close()
{
	on_base
	shown "$A"
	links_to "$A"
	hidden "$B"
	same "link of the layer" "$(readlink -f "/dev/disk/by-id/chain-layer-$(
		property "$B" DM_CHAIN_LAYER_UUID)")" "$B"

	# The view has the links when open returns, whatever became of others.
	ok chainsetup open "$name" "$B"
	links_to "/dev/mapper/$name"
	settled
	links_to "/dev/mapper/$name"
	hidden "$A" "$B"
	shown "/dev/mapper/$name"
	same "view of $A" "$(property "$A" DM_CHAIN_VIEW)" "$name"
	same node "$(stat -c %F "/dev/mapper/$name")" "symbolic link"

	ok chainsetup close "$name"
	[ ! -e "/dev/mapper/$name" ] || wrong "the node stays"
	settled
	shown "$A"
	links_to "$A"
	hidden "$B"
	no_cookies
}

# A layer with its metadata apart has the file system where the view has it.
test_snapshot_and_release()
{
	on_base
	new_device E "$SIZE"
	new_device meta 3
	ok chainsetup open "$name" "$B"
	touched one
	ok chainsetup snapshot "$name" "$E" --metadata "$meta" --name E
	touched two
	settled
	same "file system on E" "$(blkid -p -o value -s UUID "$E")" "$uuid"
	hidden "$A" "$B" "$E" "$meta"
	shown "/dev/mapper/$name"
	links_to "/dev/mapper/$name"

	# All that is below E becomes free, and the base is an old copy.
	ok chainsetup stream "$name" --wait
	settled
	same layers "$(layers_of "$name")" "E"
	hidden "$A" "$B" "$E" "$meta"
	same "view of $A" "$(property "$A" DM_CHAIN_VIEW)" ""
	links_to "/dev/mapper/$name"

	# What else comes onto it is nobody's copy.
	file_system "$A" 11111111-2222-4333-8444-555555555555 other
	settled
	shown "$A" 11111111-2222-4333-8444-555555555555
	links_to "/dev/mapper/$name"

	touched three
	ok chainsetup close "$name"
	settled
	links_to "$E"
	hidden "$meta"
	no_cookies
}

# Devices of dm have flags, which events without a cookie take from the database.
test_dm_devices()
{
	new_device A $((SIZE + 1))
	new_device B
	below a "0 $((SIZE * 2048)) linear $A 2048"
	below b "0 $((SIZE * 2048 + 2048)) linear $B 0"
	file_system "/dev/mapper/$name-a"
	ok chainsetup format --backing "/dev/mapper/$name-a" --name B \
		"/dev/mapper/$name-b"
	settled
	links_to "/dev/mapper/$name-a"

	ok chainsetup open "$name" "/dev/mapper/$name-b"
	links_to "/dev/mapper/$name"
	settled
	hidden "/dev/mapper/$name-a" "/dev/mapper/$name-b"
	same "flag for others" "$(property "/dev/mapper/$name-a" \
		DM_UDEV_DISABLE_OTHER_RULES_FLAG)" 1
	same "name's link" "$(readlink -f "/dev/disk/by-id/dm-name-$name-a")" \
		"$(readlink -f "/dev/mapper/$name-a")"

	# As at boot, for devices that the initial RAM disk has set up.
	ok udevadm trigger --settle --action=add "/sys/class/block/$(basename \
		"$(readlink -f "/dev/mapper/$name-b")")"
	hidden "/dev/mapper/$name-b"

	# A suspended one is not read, and stays what it was.
	ok dmsetup suspend "$name"
	ok dmsetup suspend "$name-a"
	ok udevadm trigger --settle "/sys/class/block/$(basename "$(readlink -f \
		"/dev/mapper/$name-a")")"
	hidden "/dev/mapper/$name-a"
	ok dmsetup resume "$name-a"
	ok dmsetup resume "$name"
	settled
	hidden "/dev/mapper/$name-a" "/dev/mapper/$name-b"
	links_to "/dev/mapper/$name"

	ok chainsetup close "$name"
	settled
	shown "/dev/mapper/$name-a"
	links_to "/dev/mapper/$name-a"
	same "flag for others" "$(property "/dev/mapper/$name-a" \
		DM_UDEV_DISABLE_OTHER_RULES_FLAG)" ""
	hidden "/dev/mapper/$name-b"
}

# Nothing but dmsetup: the rules see it all the same.
test_dmsetup()
{
	local s

	new_device A "$SIZE"
	new_device B
	file_system "$A"
	ok dmsetup create "$name" --uuid "CHAIN-$name" --table \
		"0 $((SIZE * 2048)) chain 2 A $A - B $B $B 1 format"
	links_to "/dev/mapper/$name"
	settled
	hidden "$A" "$B"
	ok dmsetup message "$name" 0 stream
	wait_until 100 sh -c "[ -z \"\$(dmsetup message $name 0 jobs)\" ]" ||
		wrong "the job does not end"
	s=$(dmsetup table "$name")
	same "the table" "$(wc -w <<<"$s")" 7
	ok dmsetup load "$name" --table "$s"
	ok dmsetup suspend "$name"
	ok dmsetup resume "$name"
	settled
	hidden "$A" "$B"
	same "view of $A" "$(property "$A" DM_CHAIN_VIEW)" ""
	links_to "/dev/mapper/$name"
	ok dmsetup remove "$name"
	settled
	shown "$A"
	links_to "$A"
}

# loaded_again: the chain's table, as it is.
loaded_again()
{
	ok dmsetup load "$name" --table "$(dmsetup table "$name")"
	ok dmsetup suspend "$name"
	ok dmsetup resume "$name"
	settled
}

# events DEVICE...: how many changes of each udevd has seen since it was asked last.
events()
{
	local d

	for d; do
		grep -cx "$(basename "$(readlink -f "$d")")" /run/changes
	done | paste -sd ' '
	: >/run/changes
}

# What a chain does is told to its own layers, once, and not to those of others.
test_events()
{
	on_base
	new_device C "$SIZE"
	new_device E
	file_system "$C" 11111111-2222-4333-8444-555555555555 other
	ok chainsetup format --backing "$C" --name E "$E"
	ok chainsetup open "$name" "$B"
	ok chainsetup open "$other" "$E"
	mkdir -p "$rules"
	echo 'SUBSYSTEM=="block", ACTION=="change", RUN+="/bin/sh -c '"'"'echo %k >>/run/changes'"'"'"' \
		>"$rules/99-changes.rules"
	udevadm control --reload
	settled
	: >/run/changes
	loaded_again
	same "a table" "$(events "$A" "$B" "$C" "$E")" "1 1 0 0"

	# A layer that leaves is told so, when it leaves and not again.
	ok dmsetup message "$name" 0 stream
	wait_until 100 sh -c "[ -z \"\$(dmsetup message $name 0 jobs)\" ]" ||
		wrong "the job does not end"
	settled
	same "a job" "$(events "$A" "$B" "$C" "$E")" "0 0 0 0"
	loaded_again
	same "a shorter table" "$(events "$A" "$B" "$C" "$E")" "1 1 0 0"
	hidden "$A" "$C"
	loaded_again
	same "the same table" "$(events "$A" "$B" "$C" "$E")" "0 1 0 0"

	# It was hidden as a copy, and is not one any more.
	ok dmsetup remove "$name"
	settled
	same "the end" "$(events "$A" "$B" "$C" "$E")" "1 1 0 0"
	shown "$A"
	hidden "$C"
	rm "$rules/99-changes.rules"
	udevadm control --reload
	ok chainsetup close "$other"
}

# The numbers of its layers take more than the 511 characters that a rule can assign.
test_many_layers()
{
	local i n=44 all major line=''

	major=$(awk '$2 == "device-mapper" { print $1 }' /proc/devices)
	new_device A "$SIZE"
	new_device all $((2 * n))
	file_system "$A"
	for ((i = 0; i < n; i++)); do
		ok dmsetup create "$name-$i" --major "$major" --minor $((1000000 + i)) \
			--table "0 4096 linear $all $((i * 4096))"
		targets=("$name-$i" "${targets[@]}")
		line+=" L$i /dev/mapper/$name-$i /dev/mapper/$name-$i"
	done
	ok dmsetup create "$name" --uuid "CHAIN-$name" --table \
		"0 2048 chain $((n + 1)) A $A -$line 1 format"
	settled
	i=$(property "/dev/mapper/$name" DM_CHAIN_LAYERS)
	[ ${#i} -gt 511 ] || wrong "only ${#i} characters: $i"
	hidden "$A" "/dev/mapper/$name-$((n - 1))"
	links_to "/dev/mapper/$name"
	loaded_again
	same "what was left" "$(property "/dev/mapper/$name" DM_CHAIN_LEFT)" ""
	ok dmsetup remove "$name"
	settled
	shown "$A"
	links_to "$A"
}

# A chain that was open for less time than udevd takes to look at its layers.
test_open_for_a_moment()
{
	on_base
	mkdir -p "$rules"
	rm -f /run/looked /run/closed
	echo "KERNEL==\"${A##*/}\", PROGRAM==\"/bin/sh -c 'touch /run/looked; while [ ! -e /run/closed ]; do sleep 0.1; done'\"" \
		>"$rules/59-slow.rules"
	udevadm control --reload
	ok chainsetup open "$name" "$B"
	wait_until 300 test -e /run/looked || wrong "nobody looked at $A"
	ok chainsetup close "$name"
	: >/run/closed
	settled
	rm "$rules/59-slow.rules"
	udevadm control --reload
	settled
	shown "$A"
	links_to "$A"
}

# What a job's event says of the view is not what udev knows of layers, not even of a
# layer that is called 1.
test_error_of_a_job()
{
	new_device A
	new_device E
	below a "0 $((SIZE * 2048 + 2048)) linear $A 0"
	ok chainsetup format --name 1 "/dev/mapper/$name-a"
	ok chainsetup open "$name" "/dev/mapper/$name-a"
	file_system "/dev/mapper/$name"
	ok chainsetup snapshot "$name" "$E" --name E
	settled
	mkdir -p "$rules"
	# shellcheck disable=SC2016 # for udev
	echo 'ENV{DM_CHAIN_EVENT}=="BLOCK_JOB_ERROR", RUN+="/bin/sh -c '"'"'echo layer $env{DM_CHAIN_LAYER} hidden $env{DM_CHAIN_IS_LAYER} >/run/error'"'"'"' \
		>"$rules/99-error.rules"
	udevadm control --reload
	rm -f /run/error
	reload_below a "0 $((SIZE * 2048 + 2048)) error"
	refused "." chainsetup stream "$name" --on-error report --wait
	reload_below a "0 $((SIZE * 2048 + 2048)) linear $A 0"
	settled
	same "event" "$(cat /run/error)" "layer 1 hidden"
	links_to "/dev/mapper/$name"
	rm "$rules/99-error.rules"
	udevadm control --reload
	ok chainsetup close "$name"
}

# The partition table's word on a partition is not the partition's content.
test_partition()
{
	local disk number=04030201-01 uuid_of_view

	# A DOS partition table: a number, and a partition from the first MiB on.
	new_device disk $((SIZE + 8))
	printf '\1\2\3\4\0\0\0\0\0\0\x83\0\0\0\0\x08\0\0\0\x40\0\0' |
		dd of="$disk" bs=1 seek=440 conv=notrunc status=none
	printf '\x55\xaa' | dd of="$disk" bs=1 seek=510 conv=notrunc status=none
	ok partx -a "$disk"
	A=${disk}p1
	new_device B
	file_system "$A"
	ok chainsetup format --backing "$A" --name B "$B"
	settled
	links_to "$A"
	ok chainsetup open "$name" "$B"
	settled
	hidden "$A"
	links_to "/dev/mapper/$name"
	same "partition's link" "$(readlink -f "/dev/disk/by-partuuid/$number")" "$A"
	ok chainsetup close "$name"
	settled
	links_to "$A"

	# The whole disk as a layer: its partition is hidden as well, from then on.
	new_device E $((SIZE + 9))
	ok chainsetup format --backing "$disk" --name E "$E"
	settled
	ok chainsetup open "$name" "$E"
	settled
	hidden "$disk" "$A"
	same "partition's link" "$(readlink -f "/dev/disk/by-partuuid/$number")" "$A"

	# kpartx makes the view's partitions, and names them so.
	uuid_of_view=$(dmsetup info -c --noheadings -o uuid "$name")
	ok dmsetup create "$name-p1" --uuid "part1-$uuid_of_view" --table \
		"0 $((SIZE * 2048)) linear /dev/mapper/$name 2048"
	settled
	shown "/dev/mapper/$name-p1"
	links_to "/dev/mapper/$name-p1"
	new_device C "$SIZE"
	file_system "$C"
	settled
	links_to "/dev/mapper/$name-p1"
	ok losetup -d "$C"

	# Old copies of them are hidden until the chain is closed.
	ok chainsetup stream "$name" --wait
	settled
	hidden "$A"
	same "copy of" "$(property "$A" DM_CHAIN_COPY_OF)" "$uuid_of_view"
	ok dmsetup remove "$name-p1"
	ok chainsetup close "$name"
	settled
	shown "$A"
	links_to "$A"
	same "copy of" "$(property "$A" DM_CHAIN_COPY_OF)" ""
	partx -d "$disk"
}

# An administrator says which device is a base, before there is a chain.
dev=''
edited()
{
	sed "s|ENV{ID_SERIAL}==\"QEMU_DISK_4711\"|KERNEL==\"${dev##*/}\"|
		s|DEV|$dev|"
}

test_said_by_a_rule()
{
	new_device A "$SIZE"
	dev=$A
	file_system "$A"
	settled
	shown "$A"
	mkdir -p "$rules"
	block "What is a layer" 1 >"$rules/57-golden.rules"
	follow "What is a layer" 2
	hidden "$A"
	follow "What becomes of layers" 1
	matches "what udev knows" "$out" "DM_CHAIN_IS_LAYER=1"
	rm "$rules/57-golden.rules"
	follow "What is a layer" 2
	shown "$A"
}

test_all_is_followed()
{
	all_followed
}

# Every command that changes the device returns when udevd has dealt with it.
test_waits_for_udev()
{
	local n=0 command

	mkdir -p "$rules"
	on_base
	new_device E
	echo 'ENV{DM_UUID}=="CHAIN-*", ENV{DM_COOKIE}=="?*", RUN+="/bin/sh -c '"'"'sleep 1; echo >>/run/slow'"'"'"' \
		>"$rules"/57-slow.rules
	udevadm control --reload
	rm -f /run/slow
	for command in "open $name $B" "snapshot $name $E --name E" \
		       "stream $name --wait" "close $name"; do
		# shellcheck disable=SC2086 # words
		ok chainsetup $command
		n=$((n + 1))
		same "events, ${command%% *}" "$(wc -l </run/slow)" "$n"
		no_cookies
	done
	rm "$rules"/57-slow.rules
	udevadm control --reload
}

# A journal that was aborted cannot be frozen: the snapshot is refused, and does not
# wait for an event that never comes.
test_suspend_fails()
{
	new_device A $((SIZE + 1))
	new_device B $((SIZE + 1))
	new_device E $((SIZE + 1))
	below a "0 $((SIZE * 2048 + 2048)) linear $A 0"
	ok chainsetup format --name A "/dev/mapper/$name-a"
	ok chainsetup open "$name" "/dev/mapper/$name-a"
	ok mkfs.ext4 -q -F -J size=1 -E lazy_itable_init=0 "/dev/mapper/$name"
	mkdir -p "$scratch/mnt"
	ok mount -o errors=continue "/dev/mapper/$name" "$scratch/mnt"
	: >"$scratch/mnt/file"
	sync -f "$scratch/mnt"
	reload_below a "0 $((SIZE * 2048 + 2048)) flakey $A 0 0 1 1 error_writes"
	# The transaction cannot be written; then it is the freeze that fails, and
	# nothing that comes after it.
	chmod 700 "$scratch/mnt/file"
	! sync -f "$scratch/mnt" 2>/dev/null || wrong "a transaction was written"
	refused "no snapshot, $name is unchanged: Input/output error" timeout 60 \
		chainsetup snapshot "$name" "$E" --name E
	! dmsetup table --inactive "$name" | grep -q . || wrong "a table is loaded"
	no_cookies
	reload_below a "0 $((SIZE * 2048 + 2048)) linear $A 0"
	umount "$scratch/mnt"
	ok chainsetup close "$name"
}

[ -e /run/udev/control ] || skip_all "no udevd"
chainsetup_tests "$@"
