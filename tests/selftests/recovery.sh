#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# usage: recovery.sh [TEST...]
#
# What Documentation/recovery.rst says, with its very commands: each block of them is
# read from there and run, with our names instead of those in capitals.
# shellcheck source=chainsetup-lib.sh
. "$(dirname "$0")/chainsetup-lib.sh"

document=$here/../../Documentation/recovery.rst
# shellcheck source=chainsetup-document.sh
. "$here/chainsetup-document.sh"

sector=0 rescued='' old='' new='' backing=''

edited()
{
	sed "s|OVERLAY|$dev|g; s|BACKING|$backing|g; s|OLD|$old|g; s|NEW|$new|g
		s|NAME|$name|g; s|DEV|$dev|g; s|SECTOR|$sector|g
		s|/dev/vg/rescued|$rescued|g; s|ID|E|g"
}

# mode PATTERN: what status says, the mode and what follows it.
mode()
{
	matches status "$(dmsetup status "$name" | cut -d ' ' -f 5,6)" "^$1\$"
}

# The first MiB of the device below stays free, so that the layer is found on one
# device only.
FREE=2048

sectors()
{
	echo $(($(blockdev --getsz "$1") - FREE))
}

whole()
{
	echo "0 $(sectors "$1") linear $1 $FREE"
}

broken()
{
	echo "0 $(sectors "$1") error"
}

# Flushes fail, all else is right: nobody uses the last 4 KiB.
without_flush()
{
	local n=$(($(sectors "$1") - 8))

	echo "0 $n linear $1 $FREE
$n 8 flakey $1 $((FREE + n)) 0 1 1 error_writes"
}

# A raw base, B and E, with E's metadata apart, on dm devices of these names in small
# letters; opened, view "AABBE...". E's superblock is on $dev.
chain_below()
{
	local slice

	new_device A $((SIZE + 1))
	new_device B $((SIZE + 2))
	new_device E $((SIZE + 1))
	new_device meta 3
	fill "$A" A 1 2
	for slice in "a $A" "b $B" "e $E" "m $meta"; do
		# shellcheck disable=SC2086 # two words
		set -- $slice
		below "$1" "$(whole "$2")"
	done
	a=/dev/mapper/$name-a b=/dev/mapper/$name-b e=/dev/mapper/$name-e
	dev=/dev/mapper/$name-m
	ok chainsetup format --backing "$a" --name B "$b"
	ok chainsetup open "$name" "$b"
	fill "/dev/mapper/$name" B 2 2
	ok chainsetup snapshot "$name" "$e" --metadata "$dev" --name E
	fill "/dev/mapper/$name" E 4
	same view "$(view "/dev/mapper/$name")" "AABBE..."
}

# unflushed CHAR MIB: a block there, acknowledged but not flushed. As the chain does
# that by itself a second later, what is to keep it from it has to be there before.
unflushed()
{
	head -c 4096 /dev/zero | tr '\0' "$1" | dd of="/dev/mapper/$name" bs=4k \
		seek=$(($2 * 256)) oflag=direct conv=notrunc iflag=fullblock \
		status=none
}

flush()
{
	dd if=/dev/null of="/dev/mapper/$name" conv=nocreat,fsync 2>"$scratch/err"
}

opened_again()
{
	ok chainsetup close "$name"
	ok chainsetup open "$name" "$dev"
	mode "rw -"
	same "view after all" "$(view "/dev/mapper/$name")" "$1"
}

test_metadata_fails()
{
	chain_below
	reload_below m "$(broken "$meta")"
	unflushed X 5 || wrong "a write fails before the flush"
	! flush || wrong "a flush succeeds"
	mode "fail (-|needs_check)"
	same view "$(view "/dev/mapper/$name")" "AABBEX.."
	unflushed Y 4 || wrong "a block that the layer holds cannot be written"
	! unflushed Z 6 || wrong "another block can be written"
	reload_below m "$(whole "$meta")"
	follow "Metadata or data cannot be written" 1
	mode "rw -"
	same view "$(view "/dev/mapper/$name")" "AABBYX.."
	opened_again "AABBYX.."
}

test_data_cannot_be_flushed()
{
	chain_below
	reload_below e "$(without_flush "$E")"
	unflushed X 5
	! flush || wrong "a flush succeeds"
	mode "fail needs_check"
	same view "$(view "/dev/mapper/$name")" "AABBEX.."
	reload_below e "$(whole "$E")"
	follow "Metadata or data cannot be written" 1
	mode "rw -"
	opened_again "AABBEX.."
}

test_metadata_is_gone()
{
	chain_below
	new_device rescued "$SIZE"
	reload_below m "$(broken "$meta")"
	unflushed X 5
	! flush || wrong "a flush succeeds"
	follow "Metadata or data cannot be written" 2
	same rescued "$(view "$rescued")" "AABBEX.."
	ok chainsetup close "$name"
	same "rescued, and closed" "$(view "$rescued")" "AABBEX.."
}

test_other_names()
{
	chain_below
	reload_below b "$(broken "$B")"
	reload_below m "$(broken "$meta")"
	unflushed X 4
	below b2 "$(whole "$B")"
	below m2 "$(whole "$meta")"
	dev=/dev/mapper/$name-m2
	follow "Metadata or data cannot be written" 3
	mode "rw -"
	same view "$(view "/dev/mapper/$name")" "AABBX..."
	opened_again "AABBX..."
}

test_needs_check()
{
	chain_below
	reload_below e "$(without_flush "$E")"
	unflushed X 5
	! flush || wrong "a flush succeeds"
	ok chainsetup close "$name"
	reload_below e "$(whole "$E")"
	ok chainsetup open "$name" "$dev"
	mode "ro needs_check"
	# What was not flushed may be there or not.
	matches view "$(view "/dev/mapper/$name")" '^AABBE[X.]\.\.$'
	follow "A layer needs a check" 1
	mode "rw -"
	matches view "$(view "/dev/mapper/$name")" '^AABBE[X.]\.\.$'
}

test_read_only()
{
	local d

	for d in "$name-e" "$name-m"; do
		chain_below
		ok chainsetup close "$name"
		dev=/dev/mapper/$name-m
		blockdev --setro "/dev/mapper/$d"
		ok chainsetup open "$name" "$dev"
		mode "ro -"
		same view "$(view "/dev/mapper/$name")" "AABBE..."
		! unflushed X 5 2>/dev/null || wrong "a write succeeds"
		dev=/dev/mapper/$d
		follow "A device is read-only" 1
		mode "rw -"
		unflushed X 5 || wrong "a write fails"
		dev=/dev/mapper/$name-m
		opened_again "AABBEX.."
		drop_devices
	done
}

# The base: the second half of the first MiB cannot be read.
half_a_mib()
{
	echo "0 1024 linear $A $FREE
1024 1024 error
2048 14336 linear $A $((FREE + 2048))"
}

test_data_device_fails()
{
	chain_below
	reload_below a "$(half_a_mib)"
	! dd if="/dev/mapper/$name" of=/dev/null bs=4k skip=128 count=1 \
		iflag=direct 2>"$scratch/err" || wrong "what cannot be read is read"
	mode "rw -"
	sector=1024
	follow "A data device fails" 1
	matches map "$out" "^1024 8 base\$"
	fill "/dev/mapper/$name" X 0
	same view "$(view "/dev/mapper/$name")" "XABBE..."
	blkdiscard -o 524288 -l 4096 "/dev/mapper/$name" ||
		wrong "it cannot be discarded"
	opened_again "XABBE..."
}

test_dying_device()
{
	chain_below
	reload_below a "$(half_a_mib)"
	follow "A data device fails" 2
	matches failed "$out" "layer=base offset=524288 length=524288 error=5"
	same layers "$(layers_of "$name")" "base B E"
	fill "/dev/mapper/$name" X 0
	follow "A data device fails" 3
	same layers "$(layers_of "$name")" "E"
	same view "$(view "/dev/mapper/$name")" "XABBE..."
}

test_refused()
{
	chain_below
	ok chainsetup close "$name"
	reload_below b "$(broken "$B")"
	refused "no device carries the layer .*-b: attach the device" chainsetup open "$name" "$dev"
	reload_below b "$(whole "$B")"
	ok chainsetup open "$name" "$dev"
	opened_again "AABBE..."
	ok chainsetup close "$name"
	# Nothing of E but one superblock.
	reload_below m "0 64 linear $meta $FREE
64 4032 error"
	refused "$dev: read error" chainsetup open "$name" "$dev"
	refused "finding" bash -euc "$(blocks | awk -F '\t' '
		$1 == "The activation is refused" { print $3 }' |
		sed "s|DEV|$dev|")"
	reload_below m "$(whole "$meta")"
	ok chainsetup open "$name" "$dev"
	opened_again "AABBE..."
}

test_lost()
{
	chain_below
	ok chainsetup close "$name"
	reload_below b "$(broken "$B")"
	backing=$a
	follow "A layer is lost" 1
	mode "ro -"
	same "view without B" "$(view "/dev/mapper/$name")" "AA..E..."
	ok chainsetup close "$name"
	backing=none
	follow "A layer is lost" 1
	same "view of E alone" "$(view "/dev/mapper/$name")" "....E..."
}

test_older_layer()
{
	chain_below
	new_device new $((SIZE + 1))
	old=$b
	follow "Back to an older layer" 1
	mode "ro -"
	same "view of B" "$(view "/dev/mapper/$name")" "AABB...."
	follow "Back to an older layer" 2
	mode "rw -"
	fill "/dev/mapper/$name" N 6
	same "view of the new layer" "$(view "/dev/mapper/$name")" "AABB..N."
	ok chainsetup close "$name"
	ok chainsetup open "$name" "$dev"
	same "view as it was" "$(view "/dev/mapper/$name")" "AABBE..."
	follow "Back to an older layer" 3
	fill "/dev/mapper/$name" X 1
	same "view of B, written" "$(view "/dev/mapper/$name")" "AXBB...."
	ok chainsetup close "$name"
	refused "changed behind the back" chainsetup open "$name" "$dev"
}

test_plain_disk()
{
	chain_below
	new_device new $((SIZE + 1))
	ok chainsetup snapshot "$name" "$new" --name N
	fill "/dev/mapper/$name" N 6
	dev=$new
	follow "A plain disk again" 1
	same layers "$(layers_of "$name")" "N"
	follow "A plain disk again" 2
	matches table "$(dmsetup table "$name")" '^0 [0-9]+ linear '
	same "view of the disk" "$(view "/dev/mapper/$name")" "AABBE.N."
	ok dmsetup remove "$name"
}

# No block of the document is without a test.
test_all_is_followed()
{
	all_followed "The activation is refused"
	[ "$(blocks | wc -l)" -ge 20 ] || wrong "only $(blocks | wc -l) commands"
}

chainsetup_tests "$@"
