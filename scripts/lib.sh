# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the build and test scripts share. Sourced, with "set -eu" in force; the
# caller has not changed directory since it was started.
# shellcheck disable=SC2034 # most of it is used by the callers only

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
CACHE=${DM_CHAIN_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/dm-chain}
case $CACHE in
/*) ;;
*) CACHE=$PWD/$CACHE ;;
esac
KERNEL_LINES="6.1 6.12"
SOURCE_TAR=/usr/src/linux-source-6.12.tar.xz

# Kernels and their tools install to sbin, which not every user has on PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# once DIR COMMAND...: fill the cache directory DIR by COMMAND, which is called
# with a new directory's name as its last argument. A directory of that name
# exists only when COMMAND succeeded; of several callers at once one works and
# the others wait for it.
once()
{
	local dir=$1 new="$1.new" lock
	shift

	if [ ! -d "$dir" ]; then
		mkdir -p "$(dirname "$dir")"
		exec {lock}>"$dir.lock"
		flock "$lock"
		if [ ! -d "$dir" ]; then
			rm -rf "$new"
			mkdir "$new"
			"$@" "$new" {lock}>&- || { rm -rf "$new"; return 1; }
			mv "$new" "$dir"
		fi
		exec {lock}>&-
	fi
	touch -c "$dir"
}

# The directory of the unpacked kernel source of Debian's linux-source-6.12.
kernel_source()
{
	local dir

	[ -e "$SOURCE_TAR" ] || die "$SOURCE_TAR is missing: run scripts/setup"
	dir=$CACHE/source/linux-6.12-$(stat -c %s-%Y "$SOURCE_TAR")
	once "$dir" unpack_source "$SOURCE_TAR" || die "cannot unpack $SOURCE_TAR"
	echo "$dir"
}

# Other architectures are of no use here and a third of the files.
unpack_source()
{
	tar -C "$2" -xf "$1" --strip-components=1 --wildcards \
		--exclude='*/arch/*/boot/dts' --exclude='*/drivers/gpu/drm/amd/include' \
		--exclude='linux-source-*/Documentation/translations'
}

# The release of the newest kernel of the line $1 (6.1, 6.12) that has an image
# and headers on this machine, or nothing.
kernel_release()
{
	local r newest=

	for r in $(printf '%s\n' "/lib/modules/$1".*-amd64 | sort -V); do
		r=${r##*/}
		case $r in
		*-cloud-*|*-rt-*) continue ;;
		esac
		if [ -e "/boot/vmlinuz-$r" ] && [ -e "/lib/modules/$r/build/Makefile" ] &&
		   [ -e "/lib/modules/$r/modules.dep" ]; then
			newest=$r
		fi
	done
	echo "$newest"
}
