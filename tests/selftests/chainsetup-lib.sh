# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the tests of chainsetup's live commands share. A test is a function
# test_NAME; it complains with "wrong", and its devices are gone afterwards.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SIZE=8		# MiB that each layer shows
name=ct$$	# of the chain device
other=cu$$	# of a second one
scratch=''
bad=0		# the running test has failed
# The devices of the tests, by new_device
# shellcheck disable=SC2034 # used where this is sourced
A='' B='' C='' E='' F='' meta='' copy=''

note()
{
	printf '%s\n' "$*" | sed 's/^/# /'
}

wrong()
{
	note "$*"
	bad=1
}

# ok COMMAND...: has to succeed. What it prints is in $out and $err.
ok()
{
	local rc=0

	"$@" >"$scratch/out" 2>"$scratch/err" || rc=$?
	out=$(cat "$scratch/out") err=$(cat "$scratch/err")
	[ "$rc" = 0 ] || wrong "$*: status $rc: $err"
}

# refused PATTERN COMMAND...: has to fail with status 1 and one line that the
# extended regular expression PATTERN fits.
refused()
{
	local pattern=$1 rc=0
	shift

	"$@" >"$scratch/out" 2>"$scratch/err" || rc=$?
	err=$(cat "$scratch/err")
	[ "$rc" = 1 ] || wrong "$*: status $rc instead of 1"
	[ "$(wc -l <"$scratch/err")" = 1 ] || wrong "$*: not one line: $err"
	[[ $err =~ $pattern ]] || wrong "$*: \"$err\" is not like \"$pattern\""
}

# same WHAT GOT WANTED
same()
{
	[ "$2" = "$3" ] || wrong "$1: \"$2\" instead of \"$3\""
}

# fits COMMAND...: has to succeed; its JSON is held against the schema by fits_end,
# which starts Python only once.
outputs=()
fits()
{
	local file=$scratch/json.${#outputs[@]}

	ok chainsetup "$@" --json
	printf '%s\n' "$out" >"$file"
	outputs+=("$1" "$file")
}

fits_end()
{
	local errors

	errors=$(python3 "$(dirname "${BASH_SOURCE[0]}")/../tools/schema.py" \
		"${outputs[@]}" 2>&1) || wrong "$errors"
	rm -f "$scratch"/json.*
	outputs=()
}

# matches WHAT GOT PATTERN
matches()
{
	[[ $2 =~ $3 ]] || wrong "$1: \"$2\" is not like \"$3\""
}

# new_device VARIABLE [MIB]: a loop device over a file of zeros.
new_device()
{
	local file

	file=$(mktemp "$scratch/dev.XXXXXX")
	truncate -s "${2:-$((SIZE + 1))}M" "$file"
	printf -v "$1" %s "$(losetup -f --show "$file")"
	loops+=("${!1}")
}

# below SUFFIX TABLE: $name-SUFFIX is a dm device for layers to lie on.
below()
{
	dmsetup create "$name-$1" --table "$2" || wrong "no device $name-$1"
	targets=("$name-$1" "${targets[@]}")
}

# reload_below SUFFIX TABLE: another table for it, while it is in use.
reload_below()
{
	if ! dmsetup load "$name-$1" --table "$2" ||
	   ! dmsetup suspend --noflush --nolockfs "$name-$1" ||
	   ! dmsetup resume "$name-$1"; then
		wrong "$name-$1 has no new table"
	fi
}

loops=() targets=() mounts=() background=()
drop_devices()
{
	local d

	for d in "${background[@]}"; do
		kill "$d" 2>/dev/null && wait "$d"
	done
	for d in "$name" "$other" "${targets[@]}"; do
		if dmsetup info "$d" >/dev/null 2>&1; then
			dmsetup resume "$d" >/dev/null 2>&1
			dmsetup remove --retry "$d" 2>/dev/null
		fi
	done
	for d in "${loops[@]}"; do
		losetup -d "$d" 2>/dev/null
	done
	for d in "${mounts[@]}"; do
		umount "$d"
	done
	loops=() targets=() mounts=() background=()
	rm -rf "$scratch"/dev.*
}

# fill DEVICE CHAR MIB [COUNT]: COUNT (1) MiB of the character, from MIB on.
fill()
{
	head -c "${4:-1}M" /dev/zero | tr '\0' "$2" |
		dd of="$1" bs=1M seek="$3" oflag=direct conv=notrunc,fsync \
			iflag=fullblock status=none ||
		wrong "cannot write to $1"
}

# view DEVICE [MIB]: the first byte of each MiB, zeros as dots.
view()
{
	local size=${2:-$SIZE}

	dd if="$1" of="$scratch/view" bs=1M count="$size" iflag=direct,fullblock \
		status=none
	perl -e 'open(F, $ARGV[0]);
		for (0 .. $ARGV[1] - 1) {
			seek(F, $_ << 20, 0);
			read(F, $c, 1) or $c = "?";
			print $c eq "\0" ? "." : $c;
		}' "$scratch/view" "$size"
}

# chain: a raw base $A and layers $B, $C, $E; opened, view "AABBCE..".
chain()
{
	new_device A "$SIZE"
	new_device B
	new_device C
	new_device E
	fill "$A" A 0 2
	ok chainsetup format --backing "$A" --name B "$B"
	ok chainsetup open "$name" "$B"
	fill "/dev/mapper/$name" B 2 2
	ok chainsetup snapshot "$name" "$C" --name C
	fill "/dev/mapper/$name" C 4
	ok chainsetup snapshot "$name" "$E" --name E
	fill "/dev/mapper/$name" E 5
}

# Names of the layers of a device, base first.
layers_of()
{
	dmsetup table "$1" | awk '{
		for (i = 0; i < $4; i++)
			printf "%s%s", i ? " " : "", $(5 + 3 * i)
		print "" }'
}

# json EXPRESSION: evaluate it with the command's output as x.
json()
{
	printf '%s' "$out" | python3 -c "import json, sys
x = json.load(sys.stdin)
print($1)"
}

# wait_until TRIES COMMAND...: a tenth of a second each.
wait_until()
{
	local tries=$1
	shift

	while ! "$@"; do
		[ $((tries -= 1)) -gt 0 ] || return 1
		sleep 0.1
	done
}

# has_open PID FILE: has the process opened it?
has_open()
{
	local fd

	for fd in "/proc/$1/fd"/*; do
		[ ! "$fd" -ef "$2" ] || return 0
	done
	return 1
}

job_field()
{
	dmsetup message "$name" 0 jobs | tr ' ' '\n' | sed -n "s/^$1=//p"
}

# chainsetup_tests [NAME...]: run the tests that were defined, or those named.
chainsetup_tests()
{
	local tests t

	prepare
	command -v chainsetup >/dev/null || skip_all "chainsetup is missing"
	command -v python3 >/dev/null || skip_all "python3 is missing"
	[ -z "$(chainsetup list)" ] || skip_all "there are chain devices in use"
	scratch=$(mktemp -d)
	cleanups+=("rm -rf $scratch" drop_devices)

	tests=$(declare -F | sed -n 's/^declare -f test_//p')
	if [ $# -gt 0 ]; then
		tests=$*
	fi
	ktap_start $(($(wc -w <<<"$tests") + 1))
	for t in $tests; do
		bad=0
		"test_$t" || [ $? != 127 ] || wrong "there is no test $t"
		drop_devices
		if [ $bad = 0 ]; then
			ktap_pass "$t"
		else
			ktap_fail "$t"
		fi
	done
	check_log
	ktap_end
}
