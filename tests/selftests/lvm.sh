#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# usage: lvm.sh [TEST...]
#
# What Documentation/lvm.rst says, with its very commands, one section after the other,
# and LVM's own tools and udevd: tests/vm/run --udev. What is written is remembered,
# and everything is compared after each step. The first test makes the volume group.
# shellcheck source=chainsetup-lib.sh
. "$(dirname "$0")/chainsetup-lib.sh"

document=$here/../../Documentation/lvm.rst
# shellcheck source=chainsetup-document.sh
. "$here/chainsetup-document.sh"

export LVM_SUPPRESS_FD_WARNINGS=1

# The disks, which stay from test to test.
sdb='' sdc='' sdd='' own=''
edited()
{
	sed "s|/dev/sdb|$sdb|; s|/dev/sdc|$sdc|; s|/dev/sdd|$sdd|g"
}

disk()
{
	truncate -s "$2M" "$own/$1"
	printf -v "$1" %s "$(losetup -f --show "$own/$1")"
	disks+=("${!1}")
}

# LVM writes below /etc/lvm, and neither dmeventd nor lvmpolld is there.
configure_lvm()
{
	modprobe -a dm-mirror dm-thin-pool || return
	cp -r /etc/lvm "$own/lvm"
	mount --bind "$own/lvm" /etc/lvm || return
	mkdir -p /etc/lvm/devices /etc/lvm/backup /etc/lvm/archive
	cat >/etc/lvm/lvmlocal.conf <<-END
	activation { monitoring = 0 }
	global { use_lvmpolld = 0 }
	END
}

disks=()
drop_lvm()
{
	local n

	umount /mnt 2>/dev/null
	vgchange -qq --activate n guest image 2>/dev/null
	for n in vm1 vm2 vm3 vm4; do
		dmsetup remove --retry "$n" 2>/dev/null
	done
	vgchange -qq --activate n vg 2>/dev/null
	for n in "${disks[@]}"; do
		losetup -d "$n"
	done
	mountpoint -q /etc/lvm && umount /etc/lvm
}

# same_file A B
same_file()
{
	cmp "$1" "$2" || wrong "$1 and $2 differ"
}

# file NAME KIB: a file of random bytes on the mounted chain, and its copy.
file()
{
	head -c "$2K" /dev/urandom >"$scratch/copy/$1"
	ok cp "$scratch/copy/$1" /mnt
	ok sync -f /mnt
}

# files: they are what they were, also on the disk.
files()
{
	sync -f /mnt
	echo 3 >/proc/sys/vm/drop_caches
	diff -r -x lost+found "$scratch/copy" /mnt ||
		wrong "files are not what was written"
}

# The image on the raw base, which nobody may change.
image_is_kept()
{
	same "image" "$(sha256sum </dev/vg/gold)" "$image"
}

hidden()
{
	same "layer $1" "$(udevadm info --query=property --value \
		--property=DM_CHAIN_IS_LAYER "$1")" 1
}

test_layers()
{
	follow "Layers on logical volumes" 1
	image=$(sha256sum </dev/vg/gold)
	follow "Layers on logical volumes" 2
	mkdir "$scratch/copy"
	file one 2000
	udevadm settle
	hidden /dev/vg/gold
	hidden /dev/vg/b
	follow "Layers on logical volumes" 3
	matches "what is free" "$out" "/dev/mapper/vg-b  layer B, free"
	same layers "$(layers_of vm1)" "base E"
	file two 1000
	files
	follow "Layers on logical volumes" 4
	image_is_kept

	# Without that the new volume would have been a layer.
	ok lvcreate --yes --size 20M --name b vg
	ok chainsetup probe /dev/vg/b
	same "a new volume" "$out" ""
	ok lvremove --yes vg/b
}

# A volume that is new is no layer: LVM alone does not see to that.
test_second_superblock()
{
	ok lvcreate --yes --size 4M --name s vg
	ok chainsetup format --name S /dev/vg/s
	ok lvremove --yes vg/s
	ok lvcreate --yes --size 4M --name s vg
	ok chainsetup probe /dev/vg/s
	matches "a new volume" "$out" "DM_CHAIN_LAYER_NAME=S"
	ok blkdiscard --zeroout --length 1M /dev/vg/s
	ok lvremove --yes vg/s
}

# found_when_renamed NAME: the layer on a volume, by its UUID alone.
found_when_renamed()
{
	new_device E 14
	ok chainsetup format --name L "/dev/vg/$1"
	ok chainsetup format --backing "/dev/vg/$1" --name E "$E"
	ok lvrename vg "$1" renamed
	udevadm settle
	ok chainsetup open "$name" "$E"
	same "base of E" "$(readlink -f "$(chainsetup layers "$name" |
		awk '$1 == "L" { print $(NF - 2) }')")" "$(readlink -f /dev/vg/renamed)"
	ok chainsetup close "$name"
}

# uuid_on DEVICE: the UUID in its first page, where a superblock has it
uuid_on()
{
	dd if="$1" bs=4K count=1 iflag=direct status=none | tail -c +41 | head -c 16 | od -An -tx1
}

# shows DEVICE: LVM's own device has the superblock as well.
shows()
{
	same "the UUID on vg-$1" "$(uuid_on "/dev/mapper/vg-$1")" "$(uuid_on /dev/vg/renamed)"
}

# What LVM makes volumes of shows the same superblocks.
test_hidden_volumes()
{
	modprobe -a dm-raid raid1 || wrong "no RAID of LVM's"
	ok lvcreate --yes --type raid1 --mirrors 1 --nosync --size 12M --name half vg
	found_when_renamed half
	shows renamed_rimage_0
	ok dmsetup suspend vg-renamed
	refused "vg-renamed_rimage_[01], which is part of vg-renamed:" \
		chainsetup open "$name" "$E"
	ok dmsetup resume vg-renamed
	ok lvremove --yes vg/renamed

	# The pool's first blocks are those that are written first.
	ok lvcreate --yes --type thin-pool --size 20M --name pool vg
	ok lvcreate --yes --thinpool pool --virtualsize 12M --name first vg
	ok dd if=/dev/zero of=/dev/vg/first bs=64K count=4 oflag=direct status=none
	found_when_renamed first
	shows pool_tdata
	ok dmsetup suspend vg-renamed
	refused "vg-pool[-_a-z]*, which is (hidden by LVM|part of vg-[-_a-z]*):" \
		chainsetup open "$name" "$E"
	ok dmsetup resume vg-renamed
	ok lvremove --yes vg/renamed vg/pool
}

test_growing()
{
	follow "Growing" 1
	same "size" "$(blockdev --getsize64 /dev/mapper/vm1)" $((27 << 20))
	file three 8000
	files
}

# The base moves while files are read and written.
test_moving()
{
	local writer i

	for i in 1 2 3 4 5 6 7 8; do
		head -c 200K /dev/urandom >"$scratch/copy/moving$i"
		cp "$scratch/copy/moving$i" /mnt && sync -f /mnt && sleep 0.5
	done &
	writer=$!
	background+=("$writer")
	follow "Moving a layer" 1
	wait "$writer"
	background=()
	matches "where it is now" "$(lvs --noheadings -o devices vg/gold)" "$sdc"
	files
	image_is_kept
}

test_stopping()
{
	ok pvmove --name e "$sdb" "$sdc"
	! vgchange --activate n vg >"$scratch/out" 2>&1 ||
		wrong "a volume group with a layer in use was stopped"
	follow "Stopping and starting" 1
	[ ! -e /dev/vg/gold ] || wrong "the group was not stopped"
	follow "Stopping and starting" 2
	ok mount /dev/mapper/vm1 /mnt
	files
	same "type" "$(lsblk --noheadings --nodeps --output TYPE /dev/mapper/vm1)" chain

	# With a job under way, which goes on by itself.
	ok chainsetup stream vm1 --speed 64K
	follow "Stopping and starting" 3
	! dmsetup info vm1 >/dev/null 2>&1 || wrong "the chain was not closed"
	[ ! -e /dev/vg/gold ] || wrong "the volume stays"
	ok vgchange --activate y vg
	ok chainsetup open vm1 /dev/vg/e
	matches "the job" "$out" "job E goes on"
	ok chainsetup job cancel vm1 E
	ok mount /dev/mapper/vm1 /mnt
	files
	ok umount /mnt
	ok chainsetup close vm1
	image_is_kept
}

# pool_holds: what the pool says that it holds, in tenths of a percent
pool_holds()
{
	lvs --noheadings -o data_percent vg/pool | awk '{ print int($1 * 10) }'
}

test_thin()
{
	local before full

	follow "Thin volumes" 1
	before=$(pool_holds)
	ok dd if="$own/random" of=/dev/mapper/vm2 bs=1M seek=4 oflag=direct \
		status=none
	full=$(pool_holds)
	# 8 of 48 MiB
	[ "$full" -ge $((before + 160)) ] ||
		wrong "the pool holds $full after $before"
	follow "Thin volumes" 2
	matches "the pool" "$out" "pool"
	[ "$(pool_holds)" -le $((full + 30)) ] ||
		wrong "the pool gave nothing back: $(pool_holds) after $full"
	ok dd if=/dev/mapper/vm2 of="$scratch/read" bs=1M skip=4 count=8 iflag=direct \
		status=none
	same_file "$own/random" "$scratch/read"

	# And what the view discards, in the only layer that has it.
	ok blkdiscard --offset 4M --length 8M /dev/mapper/vm2
	wait_until 100 given_back "$before" ||
		wrong "a discard gave nothing back: $(pool_holds) after $before"
	ok chainsetup close vm2
	image_is_kept
	ok lvremove --yes vg/t1 vg/t2 vg/pool
}

given_back()
{
	sync
	[ "$(pool_holds)" -le $(($1 + 30)) ]
}

test_physical_volume()
{
	follow "A physical volume on a chain" 1
	ok dd if="$own/random" of=/dev/guest/home bs=1M oflag=direct status=none
	follow "A physical volume on a chain" 2
	matches "physical volumes" "$out" "/dev/mapper/vm3 +guest"
	same "warnings of duplicates" "$err" ""
	same "volumes of LVM on vm3 and its layers" "$(pvs --noheadings -o pv_name \
		--select vg_name=guest | tr -d ' ')" /dev/mapper/vm3
	ok dd if=/dev/guest/home of="$scratch/read" bs=1M iflag=direct status=none
	same_file "$own/random" "$scratch/read"
	# A new volume, and what LVM writes for it, goes into the active layer.
	ok lvcreate --yes --size 4M --name more guest
	ok vgck guest
}

test_physical_base()
{
	ok vgcreate image "$sdd"
	ok lvcreate --yes --size 8M --name data image
	ok dd if="$own/random" of=/dev/image/data bs=1M oflag=direct status=none
	# LVM activates by itself what udev sees, and may not have done so yet.
	udevadm settle
	ok vgchange --activate n image
	image=$(sha256sum <"$sdd")
	sed -i '$a devices { use_devicesfile = 1 }' /etc/lvm/lvmlocal.conf
	follow "A base that is a physical volume" 1
	same "warnings" "$err" ""
	udevadm settle
	hidden "$sdd"
	same "device of the group" "$(pvs --noheadings -o pv_name \
		--select vg_name=image | tr -d ' ')" /dev/mapper/vm4
	ok dd if=/dev/image/data of="$scratch/read" bs=1M iflag=direct status=none
	same_file "$own/random" "$scratch/read"
	ok dd if=/dev/zero of=/dev/image/data bs=1M count=1 oflag=direct status=none
	follow "A base that is a physical volume" 2
	matches "with a filter" "$out" "/dev/mapper/vm4 +image"
	same "warnings with a filter" "$err" ""
	follow "A base that is a physical volume" 3
	same "the base" "$(sha256sum <"$sdd")" "$image"
}

test_all_is_followed()
{
	all_followed
}

[ -e /run/udev/control ] || skip_all "no udevd"
command -v lvm >/dev/null || skip_all "lvm2 is missing"
prepare
own=$(mktemp -d)
cleanups+=("rm -rf $own" drop_lvm)
configure_lvm || skip_all "LVM cannot be used"
disk sdb 160
disk sdc 160
disk sdd 16
head -c 8M /dev/urandom >"$own/random"
[ $# -gt 0 ] || set -- layers second_superblock hidden_volumes growing moving stopping thin \
	physical_volume physical_base all_is_followed
chainsetup_tests "$@"
