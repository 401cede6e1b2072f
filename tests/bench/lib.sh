# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the groups of the benchmark share. Sourced by a group, which runs as root
# in the guest, in bash:
#
#	set -eu
#	. "$(dirname "$0")/../lib.sh"
#
# A group's results are lines on stdout, which tests/bench/run collects:
#
#	cell <workload> <target> <key>=<value>...
#
# ns= is what an I/O took, mbs= 10^6 bytes a second; other values have their unit
# in the key. linear= is ns of dm-linear in the same rounds. kind=async says that
# a worker takes part, so that a run repeats less well. Other keys say what was
# measured (depth=, owner=). goal=KEY<=NUMBER (or <, >=, >) is what is aimed at;
# KEY is one of the cell's or "ratio", which is ns/linear. All else that a group
# prints is progress.

MIB=2048		# in sectors
DISK=/dev/ram		# disks are $DISK with a number behind it
ROUNDS=3		# of measure
ASYNC_ROUNDS=5		# of measure_async

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# disks COUNT MIB: ${DISK}0... of that size, which take memory for what is
# written to them only.
disks()
{
	modprobe brd rd_nr="$1" rd_size=$(($2 * 1024)) ||
		die "cannot make $1 RAM disks"
	DISK=/dev/ram
}

# caching_disks COUNT MIB: the same, with a volatile cache, so that flushes reach
# them. RAM disks have none, and the block layer drops their flushes.
caching_disks()
{
	local dir n word

	modprobe null_blk nr_devices=0 || die "no null_blk"
	for ((n = 0; n < $1; n++)); do
		dir=/sys/kernel/config/nullb/nullb$n
		mkdir "$dir"
		for word in size="$2" memory_backed=1 blocksize=512 \
			    cache_size="$2" power=1; do
			echo "${word#*=}" >"$dir/${word%%=*}" ||
				die "null_blk does not take $word"
		done
	done
	DISK=/dev/nullb
	[ "$(cat /sys/block/nullb0/queue/write_cache)" = "write back" ] ||
		die "null_blk has no cache"
}

# sectors_of DEV
sectors_of()
{
	blockdev --getsz "$1"
}

# fill DEV [MIB]: write all of it, or so much of its beginning. The first write
# to a RAM disk takes memory, which is not to be measured.
fill()
{
	local mib=${2:-$(($(sectors_of "$1") / MIB))}

	chainload write --bs 1M --ios "$mib" --span "${mib}M" "$1" >/dev/null
}

# wipe DEV...: make the metadata area, which lies in the first MiB, zeros.
wipe()
{
	local dev

	for dev in "$@"; do
		dd if=/dev/zero of="$dev" bs=1M count=1 oflag=direct status=none
	done
}

# make_device NAME TABLE: /dev/mapper/NAME. There is no udev that would have
# removed the node of an earlier device of that name.
make_device()
{
	rm -f "/dev/mapper/$1"
	dmsetup create "$1" --table "$2" || die "cannot create $1: $2"
	[ -b "/dev/mapper/$1" ] || die "$1: no node"
}

# remove_device NAME...
remove_device()
{
	local name

	for name in "$@"; do
		dmsetup remove --retry "$name"
		rm -f "/dev/mapper/$name"
	done
}

# make_linear NAME DEV [START [SECTORS]]: START in sectors (0).
make_linear()
{
	local start=${3:-0}

	make_device "$1" "0 ${4:-$(($(sectors_of "$2") - start))} linear $2 $start"
}

# chain_line SECTORS LAYER... [-- WORD...]: the table line of a chain, base
# first. A LAYER is raw=DEV, DATA,META or, with inline metadata, DEV. Names are
# L0, L1, ...
chain_line()
{
	local sectors=$1 layers=() n=0
	shift

	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		case $1 in
		raw=*) layers+=("L$n ${1#raw=} -") ;;
		*,*) layers+=("L$n ${1%,*} ${1#*,}") ;;
		*) layers+=("L$n $1 $1") ;;
		esac
		n=$((n + 1))
		shift
	done
	[ $# = 0 ] || shift
	echo "0 $sectors chain $n ${layers[*]}${1:+ $# $*}"
}

# make_chain NAME SECTORS LAYER... [-- WORD...]: as chain_line says.
make_chain()
{
	local name=$1
	shift

	make_device "$name" "$(chain_line "$@")"
}

# make_owned NAME DEPTH OWNER MIB: a chain of DEPTH layers, the base raw unless it
# is the only layer. All data is held by the layer OWNER: base, middle, top or, if
# there is to be no data, none. It is written through a chain of which that layer
# is the top, so that nothing but the module itself makes the metadata. The base is on ${DISK}1, the top always on
# ${DISK}2, so that its memory has been taken once for all depths; the others are
# on ${DISK}3 and up.
make_owned()
{
	local name=$1 depth=$2 mib=$4 owner=0 layers=("raw=${DISK}1") n

	case $3 in
	none|base) ;;
	middle) owner=$((depth / 2)) ;;
	top) owner=$((depth - 1)) ;;
	*) die "no owner $3" ;;
	esac
	for ((n = 1; n < depth - 1; n++)); do
		layers[n]=$DISK$((n + 2))
		wipe "${layers[n]}"
	done
	layers[depth - 1]=${DISK}2
	wipe "${DISK}2"

	if [ "$3" = none ]; then
		:
	elif [ "${layers[owner]}" = "raw=${DISK}1" ]; then
		fill "${DISK}1"
	else
		make_chain "$name" $((mib * MIB)) "${layers[@]:0:owner+1}" -- format
		fill "/dev/mapper/$name"
		remove_device "$name"
	fi
	make_chain "$name" $((mib * MIB)) "${layers[@]}" -- format
}

# What is aimed at, for cells of target chain: GOAL[WORKLOAD]="ratio<=1.05"
declare -A GOAL=()

# The middle, the least and the greatest of the numbers on stdin.
statistics()
{
	sort -n | awk '{ v[NR] = $1 }
		END { print v[int((NR + 1) / 2)], v[1], v[NR] }'
}

# The cells of dm-linear that were printed. Others of the same workload are the
# same, and only referred to.
declare -A linear_shown=()

# measure WORKLOAD LOAD [TARGET=DEVICE [KEYS]]...: chainload with the words LOAD
# on each device in turn, ROUNDS times after one that does not count; a cell for
# each with the middle of what it printed. A %N in LOAD is the number of the
# round, from 0, times N: rounds that must not meet the blocks of earlier ones
# begin behind them (--first %1100). There is no round that does not count then,
# the load itself has to have a warm-up. KEYS are words for the cell.
measure()
{
	run_rounds sync "$ROUNDS" "$@"
}

# measure_async: the same for what a worker takes part in.
measure_async()
{
	run_rounds async "$ASYNC_ROUNDS" "$@"
}

run_rounds()
{
	local kind=$1 rounds=$2 workload=$3 load=$4 warm=1 r i words out ns=()
	local targets=() devices=() about=() linear='' goal middle least most
	shift 4

	while [ $# -gt 0 ]; do
		targets+=("${1%%=*}")
		devices+=("${1#*=}")
		about+=("")
		shift
		if [ $# -gt 0 ] && [[ $1 != *=/* ]]; then
			about[-1]=$1
			shift
		fi
	done
	[[ $load != *%* ]] || warm=0

	for ((r = -warm; r < rounds; r++)); do
		words=$load
		if [ $warm = 0 ]; then
			i=${load##*%} i=${i%% *}
			words=${load//%$i/$((r * i))}
		fi
		for i in "${!targets[@]}"; do
			# shellcheck disable=SC2086 # the words are options
			out=$(chainload $words "${devices[i]}") ||
				die "$workload on ${targets[i]} failed"
			[ $r -ge 0 ] || continue
			[[ $out =~ \ ns=([0-9]+)\  ]] ||
				die "chainload printed: $out"
			ns[i]+=${BASH_REMATCH[1]}$'\n'
		done
	done
	for i in "${!targets[@]}"; do
		read -r middle least most < <(printf %s "${ns[i]}" | statistics)
		if [ "${targets[i]}" = linear ]; then
			linear=$middle
			[ -z "${linear_shown[$workload]-}" ] || continue
			linear_shown[$workload]=y
		fi
		goal=''
		[ "${targets[i]}" != chain ] || goal=${GOAL[$workload]-}
		echo "cell $workload ${targets[i]} ns=$middle kind=$kind" \
			"rounds=$rounds min=$least max=$most" \
			${linear:+"linear=$linear"} ${about[i]:+"${about[i]}"} \
			${goal:+"goal=$goal"}
	done
}
