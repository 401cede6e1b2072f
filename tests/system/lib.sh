# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A Debian system in QEMU: its root file system, made once for each list of packages
# and kept in the cache, and how to boot it and run a script in it. Sourced after
# scripts/lib.sh and tests/vm/lib.sh.
#
#	work=$(mktemp -d) mkdir "$work/share"
#	system_tree "$work/root" 6.12 [PACKAGE...]
#	system_install "$work/root" 6.12
#	system_initrd "$work/root" 6.12 "$work/initrd"
#	system_image "$work/root" "$work/disk"
#	system_boot --kernel 6.12 --initrd "$work/initrd" --disk root="$work/disk" \
#		"$work/share" script-that-runs-in-the-guest [ARG...]

# shellcheck disable=SC2153 # scripts/lib.sh has set it
SYSTEM=$ROOT/tests/system

# What every such system has. More is for the tests to name.
SYSTEM_PACKAGES="busybox dmsetup e2fsprogs initramfs-tools kmod libjson-c5
	systemd-sysv udev zstd"

# What has nothing to do with block devices and takes time in an emulated machine.
SYSTEM_MASKED="apt-daily-upgrade.timer apt-daily.timer dev-hugepages.mount
	dev-mqueue.mount dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service
	fstrim.timer getty.target modprobe@.service sys-fs-fuse-connections.mount
	sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount
	systemd-ask-password-console.path systemd-ask-password-wall.path
	systemd-journal-flush.service systemd-machine-id-commit.service
	systemd-random-seed.service systemd-sysusers.service
	systemd-tmpfiles-clean.timer systemd-update-utmp-runlevel.service
	systemd-update-utmp.service systemd-user-sessions.service"

# Where the host gets its packages from: "deb URI SUITE COMPONENT" lines.
system_sources()
{
	# shellcheck disable=SC2016 # for apt-get to expand
	apt-get indextargets 'Created-By: Packages' 'Origin: Debian' \
		--format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' | sort -u
}

# debian_tree [PACKAGE...]: the directory of a Debian root with these packages, for
# others to copy. Only building it needs the network.
debian_tree()
{
	local packages dir

	# shellcheck disable=SC2086 # the words are packages
	packages=$(printf '%s\n' $SYSTEM_PACKAGES "$@" | sort -u)
	dir=$CACHE/system/$(echo "$packages" | sha256sum | cut -c 1-16)
	# shellcheck disable=SC2086
	once "$dir" make_debian $packages || die "no Debian root: see above"
	echo "$dir/root"
}

make_debian()
{
	local new=${*: -1} uri base packages

	[ "$(id -u)" = 0 ] || { echo "only root can make a Debian root" >&2; return 1; }
	uri=$(system_sources | awk '$3 == "bookworm" && $4 == "main" { print $2; exit }')
	[ -n "$uri" ] || { echo "apt-get has no sources of bookworm" >&2; return 1; }
	packages=("${@:1:$# - 1}")
	base=$CACHE/system/base
	once "$base" bootstrap_debian "$uri" || return
	cp -a "$base/root" "$new/root" &&
		in_debian "$new/root" apt-get -q -y -o APT::Sandbox::User=root \
			install --no-install-recommends "${packages[@]}" \
			>"$new/log" 2>&1 &&
		in_debian "$new/root" apt-get clean && return
	tail -n 30 "$new/log" >&2
	return 1
}

bootstrap_debian()
{
	local uri=$1 new=$2

	debootstrap --variant=minbase bookworm "$new/root" "$uri" >"$new/log" 2>&1 ||
		{ tail -n 30 "$new/log" >&2; return 1; }
	system_sources >"$new/root/etc/apt/sources.list"
	apt-config dump | grep -E '^Acquire::(http|https|Retries)' \
		>"$new/root/etc/apt/apt.conf.d/90host" || :
	# Nothing is started in a chroot.
	printf '#!/bin/sh\nexit 101\n' >"$new/root/usr/sbin/policy-rc.d"
	chmod 755 "$new/root/usr/sbin/policy-rc.d"
	in_debian "$new/root" apt-get -q update >>"$new/log" 2>&1 ||
		{ tail -n 30 "$new/log" >&2; return 1; }
}

# in_debian TREE COMMAND...: in a chroot, with the host's names of hosts for as long
# as it takes.
in_debian()
{
	local tree=$1 rc=0
	shift

	cp /etc/resolv.conf /etc/hosts "$tree/etc/"
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
		DEBIAN_FRONTEND=noninteractive chroot "$tree" "$@" </dev/null || rc=$?
	rm -f "$tree/etc/resolv.conf"
	return $rc
}

# system_tree NEW LINE [PACKAGE...]: the tree NEW, to change at will, with the modules
# of the stock kernel of that line and what system_boot needs.
system_tree()
{
	local new=$1 release tree unit
	release=$(kernel_release "$2")
	shift 2

	tree=$(debian_tree "$@") || return
	cp -a "$tree" "$new" || return
	copy_modules "$release" "$new" || return
	install -D -m 755 "$SYSTEM/agent" "$new/usr/local/sbin/system-agent"
	install -D -m 644 "$SYSTEM/agent.service" "$new/etc/systemd/system/agent.service"
	install -d "$new/etc/systemd/system/multi-user.target.wants" \
		"$new/etc/systemd/system/emergency.service.d" "$new/share"
	ln -s ../agent.service "$new/etc/systemd/system/multi-user.target.wants/"
	ln -s /lib/systemd/system/multi-user.target "$new/etc/systemd/system/default.target"
	for unit in $SYSTEM_MASKED; do
		ln -s /dev/null "$new/etc/systemd/system/$unit"
	done
	printf '[Service]\nExecStartPre=\nExecStart=\nExecStart=%s\n' \
		"-/usr/local/sbin/system-agent --emergency" \
		>"$new/etc/systemd/system/emergency.service.d/agent.conf"
	echo guest >"$new/etc/hostname"
	echo 0123456789abcdef0123456789abcdef >"$new/etc/machine-id"
	printf '/dev/disk/by-id/virtio-root / ext4 defaults 0 0\n' >"$new/etc/fstab"
	# Without the host's hardware to look at, the list says it.
	sed -i 's/^MODULES=.*/MODULES=list/' "$new/etc/initramfs-tools/initramfs.conf"
	printf '%s\n' virtio_pci virtio_blk ext4 crc32c_generic \
		>>"$new/etc/initramfs-tools/modules"
}

# But for those of hardware that QEMU does not have here.
copy_modules()
{
	local release=$1 new=$2

	install -D -m 644 "/boot/config-$release" "$new/boot/config-$release"
	mkdir -p "$new/lib/modules"
	tar -C /lib/modules -cf - --exclude=source --exclude=build \
		--exclude='kernel/drivers/gpu' --exclude='kernel/drivers/net/*/*' \
		--exclude='kernel/drivers/media' --exclude='kernel/drivers/infiniband' \
		--exclude='kernel/drivers/staging' --exclude='kernel/drivers/iio' \
		--exclude='kernel/drivers/usb' --exclude='kernel/drivers/hwmon' \
		--exclude='kernel/drivers/input' --exclude='kernel/sound' \
		--exclude='kernel/drivers/scsi/*/*' --exclude='*/updates' \
		"$release" | tar -C "$new/lib/modules" -xf - &&
		depmod -b "$new" "$release"
}

# What "make install" reads.
install_sources()
{
	{
		tool_sources
		(cd "$ROOT" && find boot Documentation scripts userspace -type f)
	} | grep -v -e '^userspace/chainsetup$' -e '^userspace/chainsetup-generator$' |
		LC_ALL=C sort -u
}

# installed_tree LINE: the directory of what "make install DESTDIR=" installs.
installed_tree()
{
	local release dir

	release=$(kernel_release "$1")
	dir=$(cached "installed-$release" install_sources make_installed "$release") ||
		return
	echo "$dir/root"
}

make_installed()
{
	local new=$2

	make -C "$new/src" -j 2 install KVER="$1" DESTDIR="$new/root" \
		>"$new/log" 2>&1 && rm -rf "$new/src" && return
	tail -n 30 "$new/log" >&2
	return 1
}

# system_install TREE LINE: as "make install" does it.
system_install()
{
	local tree

	tree=$(installed_tree "$2") || return
	# Not over the links that Debian has in its root.
	tar -C "$tree" -cf - . | tar -C "$1" -xf - --keep-directory-symlink || return
	depmod -b "$1" "$(kernel_release "$2")"
}

# system_initrd TREE LINE FILE: the initramfs, as Debian's own tools make it.
system_initrd()
{
	local log=$3.log

	in_debian "$1" mkinitramfs -o /boot/initrd "$(kernel_release "$2")" \
		>"$log" 2>&1 && mv "$1/boot/initrd" "$3" && return
	cat "$log" >&2
	return 1
}

# system_image TREE FILE [MIB]: an ext4 file system of what is in the tree.
system_image()
{
	truncate -s "${3:-1536}M" "$2" &&
		mke2fs -q -t ext4 -E root_owner=0:0,lazy_itable_init=1 -L system \
			-d "$1" "$2"
}

# system_boot [OPTION...] SHARE SCRIPT [ARG...]: boot and run a copy of SCRIPT as
# root when the system is up; the host's directory SHARE is /share. Prints what the
# script prints. Return: the script's status; 124 at the time limit; 125 if the
# guest ended without one, the kernel's log holds a warning, or boot came to
# emergency mode.
#
#	--kernel LINE, --initrd FILE	what to boot
#	--disk SERIAL=FILE		/dev/disk/by-id/virtio-SERIAL; may be given again
#	--root DEVICE			(/dev/disk/by-id/virtio-root)
#	--memory MIB			(768)
#	--timeout S			(900)
#
# In SHARE are left: .console, .journal and .dmesg (if the script came to its end).
system_boot()
{
	local line=6.12 initrd='' root=/dev/disk/by-id/virtio-root memory=768 limit=900
	local disks=() n=0 share release kernel module rc=0 accel

	while [ $# -gt 0 ]; do
		case $1 in
		--kernel) line=$2 ;;
		--initrd) initrd=$2 ;;
		--root) root=$2 ;;
		--memory) memory=$2 ;;
		--timeout) limit=$2 ;;
		--disk)
			n=$((n + 1))
			disks+=(-drive "if=none,id=d$n,format=raw,discard=unmap,file=${2#*=}"
				-device "virtio-blk-pci,drive=d$n,serial=${2%%=*}") ;;
		*) break ;;
		esac
		shift 2
	done
	share=$1
	rm -f "$share"/.[a-z]*
	install -m 755 "$2" "$share/.script"
	shift 2
	[ $# = 0 ] || printf '%s\0' "$@" >"$share/.args"
	: >"$share/.console"

	release=$(kernel_release "$line")
	kernel=$(vmlinux "$release") || return 125
	module=$(module_dir "$release") || return 125
	accel=(-accel tcg -smp 1 -cpu max)
	if kvm_works "$kernel" "$(initramfs "$release" "$module")"; then
		accel=(-accel kvm -smp 2 -cpu host)
	fi
	timeout --kill-after=5 "$limit" qemu-system-x86_64 -M q35 -nodefaults \
		-no-user-config -display none -no-reboot -m "$memory" "${accel[@]}" \
		-chardev "file,id=console,path=$share/.console" -serial chardev:console \
		-fsdev "local,id=share,path=$share,security_model=none" \
		-device virtio-9p-pci,fsdev=share,mount_tag=share \
		-device virtio-rng-pci "${disks[@]}" -kernel "$kernel" -initrd "$initrd" \
		-append "root=$root ro console=ttyS0 panic=1 quiet systemd.show_status=0 loglevel=4 oops=panic mitigations=off rcupdate.rcu_cpu_stall_timeout=120 watchdog_thresh=60 no_timer_check" \
		</dev/null >"$share/.qemu" 2>&1 || rc=$?
	cat "$share/.qemu" >&2
	[ ! -e "$share/.output" ] || cat "$share/.output"
	if [ $rc = 124 ] || [ $rc = 137 ]; then
		tail -n 40 "$share/.console"
		echo "no end within $limit s"
		return 124
	fi
	if cat "$share/.dmesg" "$share/.console" 2>/dev/null |
	   grep -aE -f "$ROOT/tests/vm/bad-log-lines"; then
		echo "warnings in the guest's kernel log"
		return 125
	fi
	if [ -e "$share/.emergency" ]; then
		grep -aE 'fail|error|chain' "$share/.journal" | tail -n 60
		echo "the guest came to emergency mode"
		return 125
	fi
	[ -e "$share/.status" ] || return 125
	return "$(cat "$share/.status")"
}
