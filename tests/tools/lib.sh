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
