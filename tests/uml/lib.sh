# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Kernels of User Mode Linux, built once for each configuration and kept in the
# cache, and what they boot. Sourced after scripts/lib.sh and tests/vm/lib.sh.

# shellcheck disable=SC2034 # used by tests/vm/run
UML_KERNELS="san gcov"

# uml_make BUILD TARGET...
uml_make()
{
	make -s -C "$(kernel_source)" O="$1" ARCH=um -j "$(nproc)" "${@:2}"
}

# uml_build NAME CONFIG...: the build directory of the kernel with what these files
# say. What they ask for and Kconfig refuses is an error.
uml_build()
{
	local name=$1 dir ignored
	shift

	dir=$CACHE/uml/$name-$({
		grep -hE '^(# )?CONFIG_' "$@"
		kernel_source
		gcc --version
	} | sha256sum | cut -c 1-16)
	once "$dir" make_uml "$@" || die "the UML kernel $name does not build"
	ignored=$(grep -h '^CONFIG_' "$@" | grep -vxF -f "$dir/.config" || :)
	[ -z "$ignored" ] || die "not in effect, of $*: ${ignored//$'\n'/ }"
	echo "$dir"
}

make_uml()
{
	local new=${*: -1}

	cat "${@:1:$# - 1}" >"$new/all.config"
	KCONFIG_ALLCONFIG=$new/all.config uml_make "$new" allnoconfig \
		>"$new/log" 2>&1 &&
	uml_make "$new" >>"$new/log" 2>&1 &&
	uml_make "$new" INSTALL_MOD_PATH="$new/root" modules_install \
		>>"$new/log" 2>&1 && return
	tail -n 40 "$new/log" >&2
	return 1
}

# uml_kernel NAME: the build directory of the kernel san or gcov.
uml_kernel()
{
	local dir=$ROOT/tests/uml

	uml_build "$1" "$dir/base.config" "$dir/$1.config"
}

# uml_module NAME BUILD: the directory with dm-chain.ko for it. That for gcov keeps
# what tells which counter belongs to which line.
uml_module()
{
	cached "module-${2##*/}" module_sources make_uml_module "$1" "$2"
}

make_uml_module()
{
	local args=(ARCH=um "KDIR=$2")

	[ "$1" != gcov ] || args+=(GCOV_PROFILE=y)
	build_module "$3" "${args[@]}" || return
	if [ "$1" = gcov ]; then
		echo "$3/src" >"$3/built-in"
	else
		rm -rf "$3/src"
	fi
}

# uml_initramfs MODULEDIR
uml_initramfs()
{
	local dir

	dir=$CACHE/boot/initramfs-uml-$(content_id "$ROOT/tests/vm/init.c" \
		"$ROOT/tests/vm/lib.sh" "$1/dm-chain.ko")
	once "$dir" make_uml_initramfs "$1" || return
	echo "$dir/cpio"
}

make_uml_initramfs()
{
	make_init "$2/root" "$1/dm-chain.ko" && pack_init "$2/root" "$2/cpio"
}

# uml_xstate: the library without which some processors cannot run UML.
uml_xstate()
{
	local dir

	dir=$CACHE/boot/uml-xstate-$(content_id "$ROOT/tests/uml/xstate.c")
	once "$dir" make_xstate || return
	echo "$dir/xstate.so"
}

make_xstate()
{
	gcc -O2 -Wall -Wextra -Werror -shared -fPIC -o "$1/xstate.so" \
		"$ROOT/tests/uml/xstate.c"
}
