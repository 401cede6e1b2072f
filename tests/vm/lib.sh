# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What tests/vm/run boots: built once for each content and kept in the cache.
# Sourced after scripts/lib.sh.

# What the guest needs before it sees the host's files, and what dm-chain and
# nearly every test use.
BOOT_MODULES="virtio_pci 9pnet_virtio 9p configfs loop crc32c-intel"

# content_id FILE...: a name for what is in the files, whatever their dates.
content_id()
{
	sha256sum -- "$@" | sha256sum | cut -c 1-16
}

# The files that "make module" and "make tools helpers" read.
module_sources()
{
	(cd "$ROOT" && find Kbuild Makefile dm-chain -type f \
		\( -name '*.[ch]' -o -name Kbuild -o -name Makefile \) \
		! -name '*.mod.c' | LC_ALL=C sort)
}

tool_sources()
{
	local dirs=() d

	for d in userspace tests/helpers; do
		[ ! -d "$ROOT/$d" ] || dirs+=("$d")
	done
	module_sources
	[ ${#dirs[@]} = 0 ] || (cd "$ROOT" && find "${dirs[@]}" -type f \
		\( -name '*.[ch]' -o -name 'Makefile*' -o -name '*.mk' \) |
		LC_ALL=C sort)
}

# cached NAME LISTER COMMAND ARG...: the cache directory NAME-ID, filled by
# COMMAND with the new directory and what LISTER lists in its src/. ID stands for
# the files' content. They are copied before they are looked at: somebody may be
# editing.
cached()
{
	local name=$1 copy id
	shift

	copy=$(mktemp -d "${TMPDIR:-/tmp}/dm-chain-build.XXXXXX")
	(cd "$ROOT" && "$1" | cpio -pd --quiet "$copy") ||
		{ rm -rf "$copy"; return 1; }
	id=$(cd "$copy" && find . -type f | LC_ALL=C sort | xargs -d '\n' sha256sum |
		sha256sum | cut -c 1-16)
	shift
	once "$CACHE/build/$name-$id" with_copy "$copy" "$@" ||
		{ rm -rf "$copy"; return 1; }
	rm -rf "$copy"
	echo "$CACHE/build/$name-$id"
}

with_copy()
{
	local new=${*: -1}

	cp -r "$1" "$new/src"
	shift
	"$@"
}

# module_dir RELEASE: the directory with dm-chain.ko built for that kernel.
module_dir()
{
	cached "module-$1-$(stat -c %Y "/lib/modules/$1/build/Makefile")" \
		module_sources make_module "$1"
}

make_module()
{
	build_module "$2" "KDIR=/lib/modules/$1/build" && rm -rf "$2/src"
}

# build_module NEW ARG...: NEW/dm-chain.ko from NEW/src, by make with these
# arguments.
build_module()
{
	local new=$1
	shift

	if make -C "$new/src" -j "$(nproc)" module "$@" >"$new/log" 2>&1 &&
	   [ -e "$new/src/dm-chain.ko" ]; then
		mv "$new/src/dm-chain.ko" "$new"
		return
	fi
	cat "$new/log" >&2
	return 1
}

# tools_dir: the directory bin/ in there has chainsetup and the test helpers.
# A program that does not build is missing and named in the file "broken": the
# others can be used nevertheless. With DM_CHAIN_COVERAGE they count what they run,
# below GCOV_PREFIX.
tools_dir()
{
	if [ -n "${DM_CHAIN_COVERAGE-}" ]; then
		cached tools-gcov tool_sources make_tools "CFLAGS=-O0 -g --coverage"
	else
		cached tools tool_sources make_tools
	fi
}

make_tools()
{
	local new=${*: -1} f

	make -C "$new/src" -j "$(nproc)" -k "${@:1:$# - 1}" tools helpers \
		>"$new/log" 2>&1 ||
		grep -E 'error:|undefined|\*\*\*' "$new/log" >"$new/broken"
	mkdir "$new/bin"
	for f in "$new"/src/userspace/chainsetup{,-generator} "$new"/src/tests/bin/*; do
		[ ! -x "$f" ] || mv "$f" "$new/bin/"
	done
	[ $# -gt 1 ] || rm -rf "$new/src"
}

# vmlinux RELEASE: the kernel as QEMU starts it soonest, unpacked. Where the
# payload lies is said by the x86 boot protocol's header.
vmlinux()
{
	local image=/boot/vmlinuz-$1 dir

	dir=$CACHE/boot/vmlinux-$1-$(stat -c %s-%Y "$image")
	once "$dir" unpack_vmlinux "$image" || return
	echo "$dir/vmlinux"
}

header_field()
{
	od -An -j "$2" -N "$3" -t "u$3" "$1" | tr -d ' '
}

unpack_vmlinux()
{
	local image=$1 start len magic unpack

	start=$((($(header_field "$image" 497 1) + 1) * 512 +
		$(header_field "$image" 584 4)))
	len=$(header_field "$image" 588 4)
	magic=$(od -An -j "$start" -N 4 -t x1 "$image" | tr -d ' ')
	case $magic in
	28b52ffd) unpack="zstd -dcq" ;;
	fd377a58) unpack="xz -dcq --single-stream" ;;
	1f8b*) unpack="gzip -dcq" ;;
	*) echo "$image: compressed in an unknown way ($magic)" >&2; return 1 ;;
	esac
	# The uncompressed size follows the payload as four bytes, which is
	# garbage to the unpacker, and an error for some only.
	tail -c +$((start + 1)) "$image" | head -c $((len - 4)) |
		$unpack >"$2/vmlinux"
	[ -s "$2/vmlinux" ]
}

# initramfs RELEASE MODULEDIR: init, dm-chain.ko and the modules that come before
# it, in the order of loading.
initramfs()
{
	local dir

	dir=$CACHE/boot/initramfs-$1-$(content_id "$ROOT/tests/vm/init.c" \
		"$ROOT/tests/vm/lib.sh" "$2/dm-chain.ko" \
		"/lib/modules/$1/modules.dep")
	once "$dir" make_initramfs "$1" "$2" || return
	echo "$dir/cpio"
}

make_initramfs()
{
	local release=$1 module=$2/dm-chain.ko new=$3 tree=$3/root
	local depends word path n=0

	make_init "$tree" "$module" || return
	depends=$(modinfo -F depends "$module" | tr ',' ' ')
	for word in $BOOT_MODULES $depends; do
		modprobe -S "$release" --show-depends "$word" || return
	done >"$new/order"
	while read -r word path _; do
		[ "$word" = insmod ] || continue
		grep -qxF "$path" "$new/seen" 2>/dev/null && continue
		echo "$path" >>"$new/seen"
		n=$((n + 1))
		word=modules/$(printf %02d $n)-$(basename "${path%.xz}")
		case $path in
		*.xz) xz -dc "$path" >"$tree/$word" ;;
		*) cp "$path" "$tree/$word" ;;
		esac || return
		strip --strip-debug "$tree/$word"
		echo "/$word" >>"$tree/modules/list"
	done <"$new/order"
	pack_init "$tree" "$new/cpio"
}

# make_init TREE MODULE: the root of an initramfs that needs no other modules yet.
make_init()
{
	mkdir -p "$1/modules" "$1/dev"
	: >"$1/modules/list"
	gcc -O2 -Wall -Wextra -Werror -static -s -o "$1/init" \
		"$ROOT/tests/vm/init.c" || return
	cp "$2" "$1/modules/dm-chain.ko"
	strip --strip-debug "$1/modules/dm-chain.ko"
}

pack_init()
{
	(cd "$1" && find . | LC_ALL=C sort | cpio -o -H newc --quiet) >"$2" &&
		rm -rf "$1"
}

# kvm_works KERNEL INITRAMFS: whether a guest gets as far as init under KVM.
# /dev/kvm alone says little: nested virtualisation may hang a guest. Asked
# once for each boot of this machine.
kvm_works()
{
	local dir

	[ -w /dev/kvm ] || return 1
	dir=$CACHE/kvm/$(cat /proc/sys/kernel/random/boot_id)
	once "$dir" probe_kvm "$1" "$2" || return 1
	[ -e "$dir/yes" ]
}

probe_kvm()
{
	local status=0

	timeout -k 2 15 qemu-system-x86_64 -M q35 -nodefaults \
		-no-user-config -display none -no-reboot -m 256 -accel kvm \
		-cpu host -device isa-debug-exit,iobase=0xf4,iosize=4 \
		-kernel "$1" -initrd "$2" -append "quiet panic=-1 -- probe" \
		</dev/null >/dev/null 2>&1 || status=$?
	[ $status != 85 ] || : >"$3/yes"
}

# Builds and boot files that nobody has asked for in a week.
prune_cache()
{
	find "$CACHE/build" "$CACHE/boot" -mindepth 1 -maxdepth 1 -mtime +7 \
		-exec rm -rf {} + 2>/dev/null || :
}
