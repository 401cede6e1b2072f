# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The kernel's side of scripts/upstream. Sourced after scripts/lib.sh.

# Who commits, if git does not know
upstream_identity()
{
	git var GIT_COMMITTER_IDENT >/dev/null 2>&1 && return
	export GIT_AUTHOR_NAME="A Developer" GIT_AUTHOR_EMAIL=developer@example.org
	export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
}

# The files of the kernel that the series changes
upstream_changed()
{
	cat "$ROOT"/scripts/series/[0-9][0-9]-* |
		sed -n 's/^insert|\([^|]*\)|.*/\1/p' | LC_ALL=C sort -u
}

# upstream_base TREE: a git repository of TREE with what the series changes, of
# linux-source-6.12, in one commit. Git does not see what else there is.
upstream_base()
{
	local source f

	source=$(kernel_source) || return
	upstream_identity
	# not by .git/info/exclude, which W=1 would complain about
	git init -q -b base "$1" && git -C "$1" config status.showUntrackedFiles no ||
		return
	while read -r f; do
		# a copy, where it was a link
		rm -f "$1/$f"
		install -D -m 644 "$source/$f" "$1/$f" || return
		git -C "$1" add -f "$f"
	done < <(upstream_changed)
	git -C "$1" commit -q -m "Debian's linux-source-6.12"
}

# upstream_patches OUT: the series, made in a tree of these files only
upstream_patches()
{
	local tree rc=0

	upstream_identity
	tree=$(mktemp -d "${TMPDIR:-/tmp}/dm-chain-upstream.XXXXXX")
	upstream_base "$tree" && "$ROOT/scripts/upstream" "$tree" "$1" || rc=1
	rm -rf "$tree"
	return $rc
}

# upstream_copy: a copy of linux-source-6.12 with nothing of ours; most files are
# links to those of the cache, and must not be changed but replaced.
upstream_copy()
{
	local source dir

	source=$(kernel_source) || return
	dir=$CACHE/upstream/linux-${source##*/linux-}-$(upstream_changed | sha256sum |
		cut -c 1-8)
	once "$dir" make_upstream_copy "$source" || return
	rm -f "$dir/.git/index.lock"
	git -C "$dir" am --abort 2>/dev/null
	git -C "$dir" checkout -q -f base && git -C "$dir" branch -q -D dm-chain 2>/dev/null
	echo "$dir"
}

make_upstream_copy()
{
	cp -al "$1/." "$2" && upstream_base "$2"
}

# upstream_apply TREE PATCHES: onto a new branch dm-chain
upstream_apply()
{
	upstream_identity
	git -C "$1" checkout -q -b dm-chain &&
		git -C "$1" am -q --3way "$2"/000[1-9]-*.patch "$2"/00[1-9]?-*.patch
}
