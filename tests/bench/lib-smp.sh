# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For groups that measure what a bio costs in the kernel: bios from the module
# biogen, which the host has put into /share (see smp/build), over null_blk, which
# moves no data. Sourced after lib.sh.

BIOGEN=/sys/kernel/debug/biogen/run
GIB=$((1024 * MIB))
SPAN=$((128 << 20))	# bytes, the first of a device, where bios go
BIOS=$((SPAN / 4096))

# null_disks COUNT: /dev/nullb0... of 1 GiB for data, /dev/ram0... for metadata,
# and /dev/mapper/linear over the first.
null_disks()
{
	[ -e /share/biogen.ko ] || die "/share/biogen.ko is missing: smp/build makes it"
	mountpoint -q /sys/kernel/debug ||
		mount -t debugfs none /sys/kernel/debug
	[ -e $BIOGEN ] || insmod /share/biogen.ko || die "cannot load biogen.ko"
	# A queue for each CPU: they are not to meet below the target.
	modprobe null_blk nr_devices="$1" queue_mode=2 irqmode=0 gb=1 \
		submit_queues="$(nproc)" || die "cannot make $1 null disks"
	disks "$1" 2
	make_linear linear /dev/nullb0
}

# null_layers DEPTH: sets LAYERS, the words for make_chain. The base is raw unless
# it is the only layer; the others' metadata is zeros.
null_layers()
{
	local n

	LAYERS=(raw=/dev/nullb0)
	for ((n = 1; n < $1; n++)); do
		LAYERS[n]=/dev/nullb$n,/dev/ram$n
	done
	[ "$1" -gt 1 ] || LAYERS=("/dev/nullb0,/dev/ram0")
	for n in "${LAYERS[@]}"; do
		[ "$n" = raw=/dev/nullb0 ] || wipe "${n#*,}"
	done
}

# null_chain DEPTH OWNER: /dev/mapper/chain, the first SPAN bytes held by the
# layer OWNER: base, top, or either, blocks of both scattered.
null_chain()
{
	null_layers "$1"
	make_chain chain "$GIB" "${LAYERS[@]}" -- format
	case $2 in
	base) ;;
	top) bios /dev/mapper/chain \
		"op=write,size=1048576,count=$((SPAN >> 20))" ;;
	either) bios /dev/mapper/chain \
		"op=write,order=random,span=$SPAN,count=$((BIOS / 2))" ;;
	*) die "no owner $2" ;;
	esac
}

# empty_chain DEPTH: the same chain again, nothing held by its top. What the
# layers below hold stays.
empty_chain()
{
	if [ -e /dev/mapper/chain ]; then
		remove_device chain
		wipe "${LAYERS[-1]#*,}"
	else
		null_layers "$1"
	fi
	make_chain chain "$GIB" "${LAYERS[@]}" -- format
}

# bios DEVICE SUBMITTER...: a run of biogen; sets BIO_NS, what a bio of each of
# the submitters took, and BIO_COUNT, how many there were: 0 is possible without a
# count of its own.
bios()
{
	local line number ns errors

	echo "$*" >$BIOGEN || die "biogen refused $*"
	BIO_NS=() BIO_COUNT=()
	while read -r line; do
		[[ $line =~ ^bios=([0-9]+)\ ns=([0-9]+)\ errors=([0-9]+)$ ]] ||
			die "biogen printed: $line"
		number=${BASH_REMATCH[1]} ns=${BASH_REMATCH[2]}
		errors=${BASH_REMATCH[3]}
		[ "$errors" = 0 ] || die "$errors errors of $number: $*"
		BIO_COUNT+=("$number")
		BIO_NS+=($((number ? (ns + number / 2) / number : 0)))
	done <$BIOGEN
	[ ${#BIO_NS[@]} = $(($# - 1)) ] || die "biogen printed too little: $*"
}
