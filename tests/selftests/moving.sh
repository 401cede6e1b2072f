#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# usage: moving.sh [TEST...]
#
# What Documentation/moving.rst says, with its very commands: images of QEMU, a snapshot
# that the kernel's dm-snapshot has written, and backups of a chain in use.
# shellcheck source=chainsetup-lib.sh
. "$(dirname "$0")/chainsetup-lib.sh"

document=$here/../../Documentation/moving.rst
# shellcheck source=chainsetup-document.sh
. "$here/chainsetup-document.sh"

# shellcheck disable=SC2034 # by name, see device()
edit='' mon='' tue='' r1='' r2='' plain=''
edited()
{
	sed "s|/images/|$scratch/|g; s|/backup/|$scratch/|g; s|\\<vm1\\>|$name|g
		s|open restored|open $other|; s|remove snap|remove $name-snap|
		s|remove origin|remove $name-origin|$edit"
}

# device NAME VARIABLE: of the document
device()
{
	edit+="; s|/dev/vg/$1\\>|${!2}|g"
}

test_images()
{
	command -v qemu-nbd >/dev/null || { note "no qemu-utils: not tested"; return; }
	ok qemu-img create -q -f qcow2 "$scratch/gold.qcow2" "${SIZE}M"
	ok qemu-io -c "write -P 65 0 2M" "$scratch/gold.qcow2"
	ok qemu-img create -q -f qcow2 -b gold.qcow2 -F qcow2 "$scratch/$name.qcow2"
	ok qemu-io -c "write -P 66 1M 2M" -c "write -z 0 4k" "$scratch/$name.qcow2"
	new_device A "$SIZE"
	new_device E
	edit=''
	device gold A
	device e E
	follow "From disk images of QEMU" 1
	follow "From disk images of QEMU" 2
	same layers "$(layers_of "$name")" "$(layers_of "$name" | awk '{ print $NF }')"
	ok qemu-img convert -O raw "$scratch/$name.qcow2" "$scratch/flat"
	same view "$(sha256sum <"/dev/mapper/$name")" "$(sha256sum <"$scratch/flat")"
	rm -f "$scratch"/*.qcow2 "$scratch/flat"
}

# snapshot CHUNK: of $A, with its store on $B, as the kernel writes it; view "CBAA....".
snapshot()
{
	local size=$((SIZE * 2048))

	modprobe dm-snapshot || wrong "no dm-snapshot"
	new_device A "$SIZE"
	new_device B 12
	new_device E
	fill "$A" A 0 4
	below origin "0 $size snapshot-origin $A"
	below snap "0 $size snapshot $A $B P $1"
	# What is overwritten is copied first.
	fill "/dev/mapper/$name-origin" X 5
	fill "/dev/mapper/$name-snap" C 0
	fill "/dev/mapper/$name-snap" B 1
	sync
	cp "/dev/mapper/$name-snap" "$scratch/flat"
	edit=''
	device disk A
	device cow B
	device e E
}

test_snapshot()
{
	local chunk

	for chunk in 8 128; do
		snapshot "$chunk"
		refused "is in use by" chainsetup convert snapshot "$A" "$B" "$E"
		follow "From a snapshot of dm-snapshot" 1
		same view "$(view "/dev/mapper/$name")" "CBAA...."
		same "all of it" "$(sha256sum <"/dev/mapper/$name")" \
			"$(sha256sum <"$scratch/flat")"
		drop_devices
	done
}

# disturb WHAT DEVICE: in its eighth MiB, if it writes
disturb()
{
	case $1 in
	flush) sync "$2" ;;
	read) dd if="$2" of=/dev/null bs=1M status=none ;;
	direct) fill "$2" X 7 ;;
	buffered) dd if=/dev/zero of="$2" bs=4k seek=1792 count=1 \
		conv=notrunc status=none ;;
	# by force: a device that is held as a mount does is not discarded
	discard) blkdiscard --force -o 7M -l 1M "$2" ;;
	esac
}

# What is written to the origin or the COW device, by who does not ask whether it is in
# use, while they are read is seen: there is no layer then, and both are as they were left.
test_snapshot_written_meanwhile()
{
	local what d pid rc e

	snapshot 8
	ok dmsetup remove "$name-snap"
	ok dmsetup remove "$name-origin"
	below e "0 $(((SIZE + 1) * 2048)) linear $E 0"
	e=/dev/mapper/$name-e
	# The discard takes back what was written to the origin.
	for what in "direct $A" "direct $B" "buffered $B" "discard $A" nothing \
		"flush $B" "read $A"; do
		read -r what d <<<"$what"
		# Where the layer will be nothing goes on before all has happened.
		ok dmsetup suspend "$name-e"
		chainsetup convert snapshot --force "$A" "$B" "$e" >"$scratch/all" \
			2>"$scratch/err" &
		pid=$!
		background=("$pid")
		wait_until 600 has_open "$pid" "$e" || wrong "$what: it does not begin"
		disturb "$what" "$d"
		ok dmsetup resume "$name-e"
		wait "$pid"
		rc=$?
		background=()
		same "status with $what" "$rc" "$([[ $what = [nfr]* ]]; echo $?)"
		[ "$rc" = 1 ] || continue
		matches "$what" "$(cat "$scratch/err")" "$d was written to while it was read"
		refused "is not complete" chainsetup open "$name" "$e"
	done
	ok chainsetup open "$name" "$e"
	same view "$(view "/dev/mapper/$name")" "CBAA...."
	same "all of it" "$(sha256sum <"/dev/mapper/$name")" "$(sha256sum <"$scratch/flat")"
	ok chainsetup close "$name"
}

test_invalid_snapshot()
{
	local size=$((SIZE * 2048))

	modprobe dm-snapshot || wrong "no dm-snapshot"
	new_device A "$SIZE"
	new_device B 1
	new_device E
	below snap "0 $size snapshot $A $B P 8"
	dd if=/dev/zero of="/dev/mapper/$name-snap" bs=1M count=4 oflag=direct \
		status=none 2>/dev/null
	matches status "$(dmsetup status "$name-snap")" "Invalid|Overflow"
	ok dmsetup remove "$name-snap"
	refused "the snapshot is invalid" chainsetup convert snapshot "$A" "$B" "$E"
}

test_backups()
{
	new_device A "$SIZE"
	new_device E
	new_device mon
	new_device tue
	new_device r1
	new_device r2
	new_device plain "$SIZE"
	fill "$A" A 0 2
	ok chainsetup format --backing "$A" --name E "$E"
	ok chainsetup open "$name" "$E"
	fill "/dev/mapper/$name" E 1 2
	edit=''
	for d in mon tue r1 r2 plain; do
		device "$d" "$d"
	done
	device e E
	refused "may be written to" chainsetup export "$E"
	follow "Backups" 1
	fill "/dev/mapper/$name" M 2 2
	follow "Backups" 2
	# The active layer goes on meanwhile, and a job into a layer below counts as writing.
	fill "/dev/mapper/$name" T 6
	follow "Backups" 3
	matches "the first" "$out" "name=mon .* base=[0-9a-f-]*"
	same view "$(view "/dev/mapper/$name")" "AEMM..T."
	ok chainsetup stream "$name" --top mon --speed 4096 --job slow
	refused "the job slow copies into" chainsetup export "$mon"
	ok chainsetup job cancel "$name" slow
	ok chainsetup close "$name"
	refused "is the layer E" chainsetup apply "$r1" <"$scratch/full"
	losetup -d "$E" && losetup -d "$mon" && losetup -d "$tue"
	follow "Backups" 4
	same restored "$(view "/dev/mapper/$other")" "AEMM...."
	ok chainsetup close "$other"
	follow "Backups" 5
	same plain "$(view "$plain")" "AEMM...."
}

# What is written to a raw base, past the chain, while it is exported is seen.
test_written_meanwhile()
{
	local what

	new_device A "$SIZE"
	new_device E
	fill "$A" A 0 4
	ok chainsetup format --backing "$A" --name E "$E"
	mkfifo "$scratch/pipe"
	for what in nothing flush read direct buffered discard; do
		chainsetup export --all "$E" >"$scratch/pipe" 2>"$scratch/err" &
		# It waits for room in the pipe.
		{
			head -c 4096
			disturb "$what" "$A"
			cat
		} <"$scratch/pipe" >"$scratch/all"
		wait $!
		same "status with $what" $? \
			"$([[ $what = [nfr]* ]]; echo $?)"
	done
	matches "what is said" "$(cat "$scratch/err")" \
		"$A was written to while it was read"
	refused "it was cut off" chainsetup apply --dry-run <"$scratch/all"
	# On a base in use, and with a chain opened meanwhile.
	new_device B
	ok chainsetup format --backing "$A" --name B "$B"
	chainsetup export --all "$E" >"$scratch/pipe" &
	{
		head -c 4096
		ok chainsetup open "$name" "$B" >&2
		fill "/dev/mapper/$name" B 0
		cat
	} <"$scratch/pipe" >"$scratch/all"
	wait $! || wrong "export with a chain opened meanwhile: status $?"
	ok chainsetup close "$name"
	rm "$scratch/pipe"
	ok chainsetup apply --dry-run <"$scratch/all"
}

test_named_twice()
{
	new_device A "$SIZE"
	new_device B
	refused "cannot be a metadata device of its own for $A" \
		chainsetup format --metadata "$A" "$A"
	mknod "$scratch/alias" b $((0x$(stat -c %t "$A"))) $((0x$(stat -c %T "$A")))
	refused "cannot be a metadata device of its own for $A" \
		chainsetup format --metadata "$scratch/alias" "$A"
	refused "$A and $scratch/alias are the same device" \
		chainsetup convert snapshot "$A" "$scratch/alias" "$B"
	refused "$A is named twice" chainsetup convert snapshot "$A" "$A" "$B"
	rm "$scratch/alias"
}

test_all_is_followed()
{
	all_followed
}

chainsetup_tests "$@"
