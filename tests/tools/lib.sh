# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What commands of chainsetup have to do with images, *.img in the current directory,
# where the file stderr may be written. Sourced.

passed=0 failed=0

pass()
{
	echo "ok $1"
	passed=$((passed + 1))
}

fail()
{
	echo "not ok $1: $2"
	failed=$((failed + 1))
}

# works NAME COMMAND...: succeeds and is silent on stderr; stdout is in $out.
works()
{
	local name=$1 status
	shift

	out=$("$@" 2>stderr)
	status=$?
	if [ $status = 0 ] && [ ! -s stderr ]; then
		pass "$name"
	else
		fail "$name" "status $status: $(cat stderr) $out"
	fi
}

images()
{
	cksum ./*.img
}

# refuses NAME FRAGMENT COMMAND...: exits with 1 and one line that holds
# FRAGMENT, and changes no image. stdout is in $out.
refuses()
{
	local name=$1 fragment=$2 before status
	shift 2

	before=$(images)
	out=$("$@" 2>stderr)
	status=$?
	if [ $status != 1 ]; then
		fail "$name" "status $status"
	elif [ "$(wc -l <stderr)" != 1 ] || ! grep -q '^chainsetup: ' stderr; then
		fail "$name" "not one line of chainsetup: $(cat stderr)"
	elif ! grep -qF -- "$fragment" stderr; then
		fail "$name" "not \"$fragment\" but: $(cat stderr)"
	elif [ "$(images)" != "$before" ]; then
		fail "$name" "an image has changed"
	else
		pass "$name"
	fi
}

# same NAME EXPECTED GOT
same()
{
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "expected \"$2\", got \"$3\""
	fi
}

# finds NAME FRAGMENT DEV...: check fails and one of its findings has FRAGMENT.
finds()
{
	local name=$1 fragment=$2 before
	shift 2

	before=$(images)
	if out=$(chainsetup check "$@" 2>stderr); then
		fail "$name" "no finding: $out"
	elif ! printf '%s\n' "$out" | grep -v ': note: ' |
	     grep -qF -- "$fragment"; then
		fail "$name" "not \"$fragment\" but: $out $(cat stderr)"
	elif [ "$(images)" != "$before" ]; then
		fail "$name" "an image has changed"
	else
		pass "$name"
	fi
}

clean()
{
	works "$1" chainsetup check "${@:2}"
	[ "$(printf '%s\n' "$out" | grep -c ': clean$')" = $(($# - 1)) ] ||
		fail "$1, says so" "$out"
}

# field NAME DEV: of dump, at the outermost level
field()
{
	chainsetup dump "$2" | sed -n "s/^$1: //p"
}

# image FILE SIZE: of garbage that is the same every time
image()
{
	seq 1000000 9999999 | head -c "$2" >"$1"
}

# flip FILE OFFSET [MASK]: invert bits of a byte, all of them by default
flip()
{
	local byte

	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	printf %b "\\0$(printf %o $((byte ^ ${3:-255})))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

zero_image()
{
	rm -f "$1"
	truncate -s "$2" "$1"
}

fresh()
{
	rm -f ./*.img
	zero_image a.img 8M
	zero_image b.img 8M
	zero_image c.img 8M
	{
		chainsetup format --size 4M --name A a.img &&
		chainsetup format --size 4M --name B --backing a.img b.img &&
		chainsetup format --size 4M --name C --backing b.img c.img
	} >format.log || die "format does not work"
}

view()
{
	chainview read - "$@" | sha256sum
}
