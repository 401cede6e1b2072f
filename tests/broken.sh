# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Controls of tests: a copy of the checkout with something taken out of the module,
# which they have to find. Sourced after scripts/lib.sh.

# What a copy needs for running chaintorture with it.
# shellcheck disable=SC2034 # by those who source this
TORTURE_PATHS="Kbuild Makefile COPYING dm-chain userspace/shim scripts tests/helpers
	tests/selftests/lib.sh tests/torture tests/uml tests/vm"

# copy_of DIR PATH...: put PATHs of the checkout into DIR.
copy_of()
{
	mkdir -p "$1"
	(cd "$ROOT" && tar -c --exclude='*.o' --exclude='.*.cmd' --exclude='*.ko' \
		"${@:2}") | tar -x -C "$1"
}

# break_copy DIR FILE OUT IN PATH...: put PATHs of the checkout into DIR, and IN there
# in the place of what the Perl expression OUT finds in FILE; $1 to $3 in IN are its
# groups. A control that does not find what it takes out, or finds it twice, fails.
break_copy()
{
	local dir=$1 file=$2

	copy_of "$dir" "${@:5}"
	OUT=$3 IN=$4 perl -0777 -pi -e '
		$n = s/$ENV{OUT}/@g = ("", $1, $2, $3); $ENV{IN} =~ s,\$(\d),$g[$1],gr/eg;
		die "$ARGV has ", $n || 0, " places for this control\n" if $n != 1;
	' "$dir/$file"
}
