#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# usage: scan.sh [TEST...]
#
# Which device the layer with a UUID is on, where several show its superblock: members
# of a RAID and paths of a multipath device are never taken for it. The RAID is md's
# own; what stands for the multipath device is linear, with a UUID as multipathd's.
# shellcheck source=chainsetup-lib.sh
. "$(dirname "$0")/chainsetup-lib.sh"

# overlay DEVICE: $E, whose base is the layer on DEVICE.
overlay()
{
	new_device E
	ok chainsetup format --backing "$1" --name E "$E"
}

# found DEVICE: where E's base is.
found()
{
	ok chainsetup open "$name" "$E"
	same "the base of E" "$(readlink -f "$(chainsetup layers "$name" |
		awk '$1 == "A" { print $(NF - 2) }')")" "$(readlink -f "$1")"
	ok chainsetup close "$name"
}

# udev_says DEVICE [E:KEY=VALUE]: what its database has about it, or nothing.
udev_says()
{
	local file

	file=/run/udev/data/b$(lsblk -dnro MAJ:MIN "$1")
	mkdir -p "${file%/*}"
	if [ $# = 2 ]; then
		echo "$2" >"$file"
	else
		# with the directory by which others know that there is a udevd
		rm -r /run/udev
	fi
}

test_multipath()
{
	local map=/dev/mapper/$name-map

	new_device A
	ok chainsetup format --name A --size "${SIZE}M" "$A"
	dmsetup create "$name-map" --uuid "mpath-$name" \
		--table "0 $(blockdev --getsz "$A") linear $A 0" || wrong "no device $map"
	targets=("$name-map")
	overlay "$map"
	found "$map"

	# What was recorded leads to a path.
	ok dmsetup rename "$name-map" "$name-other"
	targets=("$name-other")
	rm -f "$map"
	ln -s "$A" "$map"
	found "/dev/mapper/$name-other"
	rm "$map"

	# None of its paths works, and it waits for one.
	ok dmsetup suspend "$name-other"
	refused "on $A, which is part of $name-other" chainsetup open "$name" "$E"
	ok dmsetup resume "$name-other"

	# It is not there yet, but udev knows what the path is.
	ok dmsetup remove "$name-other"
	found "$A"
	udev_says "$A" E:DM_MULTIPATH_DEVICE_PATH=1
	refused "on $A, which is a path of a multipath device" chainsetup open "$name" "$E"
	udev_says "$A"
	found "$A"
}

test_raid()
{
	local one two

	modprobe -q raid1
	new_device one
	new_device two
	# Without bitmap its metadata is at the end, 64 KiB or more.
	ok mdadm --create /dev/md77 --run --level=1 --raid-devices=2 --metadata=1.0 \
		--bitmap=none --assume-clean "$one" "$two"
	ok chainsetup format --name A --size "$((SIZE - 1))M" /dev/md77
	overlay /dev/md77
	found /dev/md77
	ok mdadm --stop /dev/md77
	refused "on $one, which is a linux_raid_member|on $two, which is a linux_raid_member" \
		chainsetup open "$name" "$E"
	same "layers of the members" "$(chainsetup tree --scan | grep -c "$one\|$two")" 0

	# One has come, and md waits for the other.
	ok mdadm --incremental "$one"
	refused "on $one, which is part of md[0-9]*:|on $two, which is a linux_raid_member" \
		chainsetup open "$name" "$E"
	mdadm --stop --scan 2>/dev/null
	ok mdadm --assemble /dev/md78 "$one" "$two"
	found /dev/md78
	ok mdadm --stop /dev/md78
}

# A partition is what its disk is.
test_partition()
{
	local disk

	new_device disk 12
	ok addpart "$disk" 1 2048 20480
	A=${disk}p1
	ok chainsetup format --name A --size "${SIZE}M" "$A"
	overlay "$A"
	found "$A"
	udev_says "$disk" E:DM_MULTIPATH_DEVICE_PATH=1
	refused "on $A, which is a path of a multipath device" chainsetup open "$name" "$E"
	udev_says "$disk"
	found "$A"
	ok delpart "$disk" 1
}

# What a layer shows may be part of a RAID: that is its own.
test_raid_on_top()
{
	local two

	new_device A
	new_device two "$SIZE"
	ok chainsetup format --name A "$A"
	ok chainsetup open "$name" "$A"
	ok mdadm --create /dev/md77 --run --level=1 --raid-devices=2 --metadata=0.90 \
		--assume-clean "/dev/mapper/$name" "$two"
	ok mdadm --stop /dev/md77
	ok chainsetup close "$name"
	same "what libblkid sees" "$(blkid -p -o value -s TYPE "$A")" linux_raid_member
	overlay "$A"
	# not by its path
	mv "$(losetup -nO BACK-FILE "$A")" "$scratch/dev.moved"
	ok losetup -d "$A"
	new_device squatter
	A=$(losetup -f --show "$scratch/dev.moved")
	loops+=("$A")
	found "$A"
}

[ ! -e /run/udev ] || skip_all "there is a udevd"
command -v mdadm >/dev/null || skip_all "mdadm is missing"
mkdir -p /run/mdadm
chainsetup_tests "$@"
