#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# usage: manpages.sh [TEST...]
#
# The examples of the manual pages, as they stand there, and what a shell completes.
# shellcheck source=chainsetup-lib.sh
. "$(dirname "$0")/chainsetup-lib.sh"
pages=$here/../../Documentation
document=$pages/chainsetup.8
# shellcheck source=chainsetup-document.sh
. "$here/chainsetup-document.sh"

edited()
{
	sed "s|vm1|$name|g; s|/dev/vg/gold|$A|g; s|/dev/vg/work|$B|g
		s|/dev/vg/today|$C|g"
}

# gold: a disk image, "AA......", and devices for two layers.
gold()
{
	new_device A "$SIZE"
	new_device B
	new_device C
	fill "$A" A 0 2
}

test_chainsetup()
{
	gold
	document=$pages/chainsetup.8
	follow "EXAMPLES" 1
	same layers "$(layers_of "$name")" "base work"
	fill "/dev/mapper/$name" W 3
	follow "EXAMPLES" 2
	same layers "$(layers_of "$name")" "base today"
	fill "/dev/mapper/$name" T 5
	same view "$(view "/dev/mapper/$name")" "AA.W.T.."
	follow "EXAMPLES" 3
	same layers "$(layers_of "$name")" "today"
	follow "EXAMPLES" 4
	same target "$(dmsetup table "$name" | cut -d ' ' -f 3)" linear
	same "the disk" "$(view "/dev/mapper/$name")" "AA.W.T.."
	same "the image" "$(view "$A")" "AA......"
	all_followed DESCRIPTION
}

test_dm_chain()
{
	gold
	document=$pages/dm-chain.7
	follow "EXAMPLES" 1
	same layers "$(layers_of "$name")" "gold work"
	fill "/dev/mapper/$name" W 3
	follow "EXAMPLES" 2
	same layers "$(layers_of "$name")" "work"
	same view "$(view "/dev/mapper/$name")" "AA.W...."
	same "the image" "$(view "$A")" "AA......"
	all_followed DESCRIPTION
}

# What a shell offers with real chains; tests/tiers/33-completion has the rest.
offered()
{
	bash "$here/../completion/complete.bash" \
		"$here/../../userspace/completion/chainsetup.bash" "$@" | sort | paste -sd ' '
}

test_completion()
{
	chain
	ok chainsetup stream "$name" --job j.1 --speed 1000
	ok chainsetup job pause "$name" j.1
	same names "$(offered chainsetup status "")" "$name"
	same layers "$(offered chainsetup stream "$name" --top "")" "B C E base"
	same jobs "$(offered chainsetup job resume "$name" "")" "j.1"
}

# No page is without a test, but for one with lines of a file: tests/tiers/34-manpages.
test_all_pages()
{
	local page

	for page in "$pages"/*.[1-9]; do
		[ "${page##*/}" != chaintab.5 ] || continue
		document=$page
		! blocks | grep -qv ^DESCRIPTION ||
			grep -q "^	document=.*/${page##*/}\$" "$0" ||
			wrong "nothing follows ${page##*/}"
	done
}

chainsetup_tests "$@"
