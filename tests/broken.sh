# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Controls of tests: a copy of the checkout with something taken out of the module,
# which they have to find. Sourced after scripts/lib.sh.

# break_copy DIR FILE OUT IN PATH...: put PATHs of the checkout into DIR, and IN there
# in the place of what the Perl expression OUT finds in FILE; $1 to $3 in IN are its
# groups. A control that does not find what it takes out, or finds it twice, fails.
break_copy()
{
	local dir=$1 file=$2

	mkdir -p "$dir"
	(cd "$ROOT" && tar -c --exclude='*.o' --exclude='.*.cmd' --exclude='*.ko' \
		"${@:5}") | tar -x -C "$dir"
	OUT=$3 IN=$4 perl -0777 -pi -e '
		$n = s/$ENV{OUT}/@g = ("", $1, $2, $3); $ENV{IN} =~ s,\$(\d),$g[$1],gr/eg;
		die "$ARGV has ", $n || 0, " places for this control\n" if $n != 1;
	' "$dir/$file"
}
