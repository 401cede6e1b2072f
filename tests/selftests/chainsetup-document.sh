# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A document whose commands are run as they stand there: each block of them, behind
# "::", is known by its section's title and its number in it. Sourced after
# chainsetup-lib.sh; $document is its path.
: "${document:?}"

# blocks: the document's blocks, a line for each of their lines, with the section's
# title, the number of the block in it, and the command, separated by tabs. In a manual
# page they are those between .Bd -literal and .Ed.
blocks()
{
	case $document in
	*.rst) rst_blocks ;;
	*) page_blocks ;;
	esac
}

rst_blocks()
{
	awk 'function indent() { match($0, /^[ \t]*/); return RLENGTH }
	/^=+$/ { section = last; n = 0; inside = 0 }
	inside && NF && indent() <= base { inside = 0 }
	inside && NF { printf "%s\t%d\t%s\n", section, n, substr($0, indent() + 1) }
	!inside && /::$/ && !/^\.\. / { inside = 1; base = indent(); n++ }
	{ last = $0 }' "$document"
}

page_blocks()
{
	awk '/^\.S[hs] / { section = substr($0, 5); n = 0 }
	/^\.Ed/ { inside = 0 }
	inside {
		sub(/^\\&/, "")
		gsub(/\\-/, "-")
		gsub(/\\e/, "\\")
		printf "%s\t%d\t%s\n", section, n, $0
	}
	/^\.Bd .*-literal/ { inside = 1; n++ }' "$document"
}

# A test that has other names than the document says so.
edited()
{
	cat
}

# block SECTION N: what stands in the N-th block of the section.
block()
{
	blocks | awk -F '\t' -v s="$1" -v n="$2" '
		$1 == s && $2 == n { print $3 }' | edited
}

# follow SECTION N: run it.
follow()
{
	local commands

	commands=$(block "$1" "$2")
	[ -n "$commands" ] || wrong "no block $2 in \"$1\""
	ok bash -euc "$commands"
	note "${commands//$'\n'/; }"
}

# all_followed [SECTION...]: no block of the document is without a line of the test
# that follows it, but for those of the sections.
all_followed()
{
	local section n s

	while IFS=$'\t' read -r section n; do
		for s; do
			[ "$section" != "$s" ] || continue 2
		done
		grep -Eq "(follow|block) \"$section\" $n\>" "$0" ||
			wrong "nothing follows block $n of \"$section\""
	done < <(blocks | cut -f 1,2 | sort -u)
}

[ -r "$document" ] || skip_all "no $document"
