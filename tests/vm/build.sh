# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Kernels that are built here: once for each configuration, and kept in the cache.
# Sourced after scripts/lib.sh and tests/vm/lib.sh.

# shellcheck disable=SC2034 # used by tests/vm/run
X86_KERNELS="kasan kcsan"

# kernel_make ARCH BUILD TARGET...
kernel_make()
{
	make -s -C "$(kernel_source)" O="$2" ARCH="$1" -j "$(nproc)" "${@:3}"
}

# kernel_build ARCH NAME CONFIG...: the build directory of the kernel with what these
# files say. What they ask for and Kconfig refuses is an error.
kernel_build()
{
	local arch=$1 name=$2 dir top=x86 ignored
	shift 2

	[ "$arch" != um ] || top=uml
	dir=$CACHE/$top/$name-$({
		grep -hE '^(# )?CONFIG_' "$@"
		kernel_source
		gcc --version
	} | sha256sum | cut -c 1-16)
	once "$dir" make_kernel "$arch" "$@" || die "the kernel $name does not build"
	ignored=$(grep -h '^CONFIG_' "$@" | grep -vxF -f "$dir/.config" || :)
	[ -z "$ignored" ] || die "not in effect, of $*: ${ignored//$'\n'/ }"
	echo "$dir"
}

make_kernel()
{
	local arch=$1 new=${*: -1}

	cat "${@:2:$# - 2}" >"$new/all.config"
	KCONFIG_ALLCONFIG=$new/all.config kernel_make "$arch" "$new" allnoconfig \
		>"$new/log" 2>&1 &&
	make_images "$arch" "$new" >>"$new/log" 2>&1 &&
	kernel_make "$arch" "$new" INSTALL_MOD_PATH="$new/root" modules_install \
		>>"$new/log" 2>&1 && return
	tail -n 40 "$new/log" >&2
	return 1
}

# With KCSAN the kernel itself is left as it is: it is dm-chain whose accesses are
# watched, against each other and for values that change, and they alone, so that
# they are watched often.
make_images()
{
	if [ "$1" = um ]; then
		kernel_make "$1" "$2"
	else
		kernel_make "$1" "$2" KCSAN_SANITIZE=n vmlinux modules &&
			strip --strip-debug -o "$2/image" "$2/vmlinux"
	fi
}

# x86_kernel NAME: the build directory of the kernel kasan or kcsan; QEMU boots the
# file "image" in it.
x86_kernel()
{
	local dir=$ROOT/tests/vm

	kernel_build x86_64 "$1" "$dir/guest.config" "$dir/x86.config" "$dir/$1.config"
}

# built_module NAME ARCH BUILD: the directory with dm-chain.ko for it. That for gcov
# keeps what tells which counter belongs to which line.
built_module()
{
	cached "module-${3##*/}" module_sources make_built_module "$@"
}

make_built_module()
{
	local args=(ARCH="$2" "KDIR=$3")

	[ "$1" != gcov ] || args+=(GCOV_PROFILE=y)
	build_module "$4" "${args[@]}" || return
	if [ "$1" = gcov ]; then
		echo "$4/src" >"$4/built-in"
	else
		rm -rf "$4/src"
	fi
}

# built_initramfs MODULEDIR: of a kernel that needs no other modules to see the host.
built_initramfs()
{
	local dir

	dir=$CACHE/boot/initramfs-built-$(content_id "$ROOT/tests/vm/init.c" \
		"$ROOT/tests/vm/lib.sh" "$1/dm-chain.ko")
	once "$dir" make_built_initramfs "$1" || return
	echo "$dir/cpio"
}

make_built_initramfs()
{
	make_init "$2/root" "$1/dm-chain.ko" && pack_init "$2/root" "$2/cpio"
}
