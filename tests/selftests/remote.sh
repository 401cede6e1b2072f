#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# usage: remote.sh [TEST...]
#
# What Documentation/remote.rst says, with its very commands: chains on images over NBD
# and NVMe/TCP, whose server goes away, and comes back, and whose network is slow or cut.
# The server is in a network namespace of its own.
# shellcheck source=chainsetup-lib.sh
. "$(dirname "$0")/chainsetup-lib.sh"

document=$here/../../Documentation/remote.rst
# shellcheck source=chainsetup-document.sh
. "$here/chainsetup-document.sh"

own='' edit=''
nqn=nqn.2026-01.org.example:gold nvmet=/sys/kernel/config/nvmet
on_server="nsenter --net=/run/netns/server"

# Servers, and what makes a port of the kernel's, are in the other namespace.
edited()
{
	sed "s|images.example.org|192.0.2.1|; s|/images/|$own/|; s|/run/|$own/|g
		s|--speed 20M|--speed 512K|$edit
		s|^qemu-nbd .*--port|$on_server &|; s|^ln -s|$on_server &|"
}

# device NAME VARIABLE: of the document
device()
{
	edit+="; s|/dev/vg/$1\\>|${!2}|g"
}

# The client gives up after a second, or never.
impatient="; s|reconnect-delay=20|reconnect-delay=1|"
patient="; s|reconnect-delay=20|reconnect-delay=1000000|"

# An answer takes a tenth of a second.
network()
{
	ok ip netns add server
	ok ip link add client type veth peer name eth0 netns server
	ok ip addr add 192.0.2.2/24 dev client
	ok ip link set client up
	ok ip -n server addr add 192.0.2.1/24 dev eth0
	ok ip -n server link set eth0 up
	answers delay 100ms
}

# answers WORD...: of netem, which also loses them.
answers()
{
	ok tc -n server qdisc replace dev eth0 root netem "$@"
}

is_gone()
{
	[ ! -d "/proc/$1" ]
}

has_size()
{
	[ "$(cat "/sys/block/$1/size")" != 0 ]
}

# kill_server [SIGNAL]
kill_server()
{
	local pid

	pid=$(cat "$own/gold.pid")
	kill "${1--TERM}" "$pid"
	wait_until 100 is_gone "$pid" || wrong "the server stays"
	rm -f "$own/gold.pid"
}

# What hangs at a server that is away gets errors when its client dies.
drop_remote()
{
	local p n pid

	umount /mnt 2>/dev/null
	for p in "$own"/*.pid /sys/block/nbd[0-2]/pid; do
		{ pid=$(cat "$p") && kill -KILL "$pid"; } 2>/dev/null
	done
	for n in vm1 vm2 vm3 master; do
		! dmsetup info "$n" >/dev/null 2>&1 || dmsetup remove --retry "$n"
	done
	for n in 0 1 2; do
		! has_size "nbd$n" || qemu-nbd --disconnect "/dev/nbd$n"
	done >/dev/null 2>&1
	if [ -d "$nvmet/ports/1" ]; then
		nvme disconnect --nqn "$nqn"
		rm -f "$nvmet/ports/1/subsystems/$nqn"
		rmdir "$nvmet/ports/1" "$nvmet/subsystems/$nqn/namespaces/1" \
			"$nvmet/subsystems/$nqn"
	fi >/dev/null 2>&1
	ip netns del server 2>/dev/null
	edit=''
	rm -f "$own"/*
}

# remote_test NAME: with everything gone afterwards, before the devices of the test are.
remote_test()
{
	network
	"remote_$1"
	drop_remote
}

# image MIB: of random bytes, and the model of what a clone of it has to show.
image()
{
	head -c "$1M" /dev/urandom >"$own/gold.img"
	cp "$own/gold.img" "$own/model"
}

# write VIEW MODEL MIB: a MiB of new bytes.
write()
{
	head -c 1M /dev/urandom >"$scratch/new"
	timeout -s KILL 60 dd if="$scratch/new" of="$1" bs=1M seek="$3" oflag=direct \
		conv=fsync,notrunc status=none || wrong "cannot write to $1"
	dd if="$scratch/new" of="$2" bs=1M seek="$3" conv=notrunc status=none
}

# shows VIEW MODEL [MIB]: all of it, or one MiB.
shows()
{
	local part=()

	[ $# = 2 ] || part=(skip="$3" count=1)
	timeout -s KILL 300 dd if="$1" bs=1M iflag=direct "${part[@]}" status=none \
		of="$scratch/got" || wrong "cannot read $1"
	dd if="$2" bs=1M "${part[@]}" status=none | cmp - "$scratch/got" ||
		wrong "$1 does not show what was written"
}

# job_is FIELD VALUE
job_is()
{
	dmsetup message vm1 0 jobs | grep -q "\<$1=$2\>"
}

copied()
{
	local offset

	offset=$(dmsetup message vm1 0 jobs | tr ' ' '\n' | sed -n 's/^offset=//p')
	[ "${offset:-0}" -ge "$1" ]
}

through()
{
	ok timeout 200 chainsetup wait vm1
	same layers "$(layers_of vm1)" E
}

# The job is given all of the network, and comes to its end.
finish()
{
	ok chainsetup job set-speed vm1 E 0
	through
}

# served: the image over NBD.
served()
{
	new_device E 17
	device e E
	edit+=$1
	follow "An image over NBD" 1
	follow "An image over NBD" 2
}

# streamed WORDS: a clone, with a job that cannot be through when it is looked at.
streamed()
{
	image 16
	served "$1"
	ok chainsetup format --backing /dev/nbd0 --name E "$E"
	ok chainsetup open vm1 "$E"
	follow "An image over NBD" 4
	wait_until 300 copied $((1 << 20)) || wrong "the job does nothing"
}

remote_nbd()
{
	image 16
	mkfs.ext4 -q -F -E nodiscard "$own/gold.img"
	cp "$own/gold.img" "$own/model"
	served "$impatient"
	follow "An image over NBD" 3
	follow "An image over NBD" 4
	# A file system in use, with a stream that takes half a minute at least.
	head -c 3M /dev/urandom >"$scratch/file"
	ok cp "$scratch/file" /mnt/file
	ok sync -f /mnt
	echo 3 >/proc/sys/vm/drop_caches
	ok cmp "$scratch/file" /mnt/file
	job_is status running || wrong "the job is not running: $(chainsetup jobs vm1)"
	ok chainsetup job set-speed vm1 E 0
	follow "An image over NBD" 5
	matches "what is free" "$out" "/dev/nbd0  layer base, free"
	same layers "$(layers_of vm1)" E
	kill_server
	same "the image" "$(sha256sum <"$own/gold.img")" "$(sha256sum <"$own/model")"
	ok umount /mnt
	ok fsck.ext4 -f -n /dev/mapper/vm1
	ok mount /dev/mapper/vm1 /mnt
	ok cmp "$scratch/file" /mnt/file
}

remote_errors()
{
	streamed "$impatient"
	shows /dev/mapper/vm1 "$own/model" 15
	write /dev/mapper/vm1 "$own/model" 14
	kill_server
	wait_until 300 job_is status paused || wrong "the job is not paused"
	follow "When the server goes away" 1
	matches "the job" "$out" "paused .*Input/output error"
	! timeout -s KILL 60 dd if=/dev/mapper/vm1 of=/dev/null bs=1M skip=13 count=1 \
		iflag=direct status=none 2>/dev/null || wrong "data from nowhere"
	write /dev/mapper/vm1 "$own/model" 12
	shows /dev/mapper/vm1 "$own/model" 14
	shows /dev/mapper/vm1 "$own/model" 0
	follow "An image over NBD" 1
	follow "When the server goes away" 2
	through
	kill_server
	shows /dev/mapper/vm1 "$own/model"
}

# still_waits READER: whom the server's absence holds up, and the job, which is running.
still_waits()
{
	write /dev/mapper/vm1 "$own/model" 12
	shows /dev/mapper/vm1 "$own/model" 12
	sleep 3
	! is_gone "$1" || wrong "a read did not wait"
	job_is status running || wrong "the job does not wait: $(chainsetup jobs vm1)"
}

# late READER: what it read after all.
late()
{
	wait_until 900 is_gone "$1" || { wrong "the read still waits"; return; }
	wait "$1" || wrong "the read that waited has failed"
	background=()
	dd if="$own/model" bs=1M skip=13 count=1 status=none | cmp - "$scratch/late" ||
		wrong "the read that waited is wrong"
}

remote_waits()
{
	local reader

	streamed "$patient"
	kill_server
	dd if=/dev/mapper/vm1 of="$scratch/late" bs=1M skip=13 count=1 iflag=direct \
		status=none &
	reader=$!
	background+=("$reader")
	still_waits "$reader"
	follow "An image over NBD" 1
	late "$reader"
	finish
	kill_server
	shows /dev/mapper/vm1 "$own/model"
}

unanswered()
{
	[ -z "$(ss --no-header --tcp --numeric state established dst 192.0.2.1)" ]
}

# The server's machine loses its power after it has got all that the client has to say.
# Nothing is said of that by anybody; the client has to ask.
remote_power()
{
	local reader old

	mapfile -t old < <(sysctl net.ipv4.tcp_keepalive_{time,intvl,probes} net.ipv4.tcp_retries2)
	edit+="; s|keepalive_time=60|keepalive_time=2|; s|intvl=10|intvl=1|"
	follow "Timeouts" 1
	streamed "$patient"
	kill -STOP "$(cat "$own/gold.pid")"
	dd if=/dev/mapper/vm1 of="$scratch/late" bs=1M skip=13 count=1 iflag=direct \
		status=none &
	reader=$!
	background+=("$reader")
	sleep 2
	! unanswered || wrong "there is no connection"
	answers loss 100%
	kill_server -KILL
	wait_until 300 unanswered ||
		{ wrong "the client still waits for an answer"; return; }
	still_waits "$reader"
	answers delay 100ms
	follow "An image over NBD" 1
	late "$reader"
	finish
	kill_server
	shows /dev/mapper/vm1 "$own/model"
	ok sysctl -w "${old[@]// = /=}"
}

# Somebody does not want to wait any more; later he goes on.
remote_gives_up()
{
	local reader

	streamed "$patient"
	kill_server
	dd if=/dev/mapper/vm1 of=/dev/null bs=1M skip=13 count=1 iflag=direct \
		status=none 2>/dev/null &
	reader=$!
	background+=("$reader")
	still_waits "$reader"
	follow "Timeouts" 2
	! wait "$reader" || wrong "data from nowhere"
	background=()
	wait_until 300 job_is status paused || wrong "the job is not paused"
	ok chainsetup close vm1
	follow "An image over NBD" 1
	follow "An image over NBD" 2
	ok chainsetup open vm1 "$E"
	ok chainsetup job resume vm1 E
	finish
	kill_server
	shows /dev/mapper/vm1 "$own/model"
}

remote_middle()
{
	local gold updates

	image 8
	truncate -s 9M "$own/gold.layer" "$own/updates.layer"
	gold=$(losetup -f --show "$own/gold.layer")
	updates=$(losetup -f --show "$own/updates.layer")
	new_device F
	device gold gold
	device updates updates
	device f F
	follow "Layers in between" 1
	write /dev/mapper/master "$own/model" 2
	follow "Layers in between" 2
	# Another machine has no such devices.
	losetup -d "$gold" "$updates"
	gold=$own/gold.layer updates=$own/updates.layer edit=''
	device gold gold
	device updates updates
	device f F
	follow "Layers in between" 3
	follow "Layers in between" 4
	shows /dev/mapper/vm2 "$own/model"
	write /dev/mapper/vm2 "$own/model" 3
	follow "Layers in between" 5
	same layers "$(layers_of vm2)" "gold F"
	shows /dev/mapper/vm2 "$own/model"
	ok timeout 200 chainsetup stream vm2 --wait
	same layers "$(layers_of vm2)" F
	ok qemu-nbd --disconnect /dev/nbd1
	shows /dev/mapper/vm2 "$own/model"
}

remote_many()
{
	# by name, see device()
	# shellcheck disable=SC2034
	local e1 e2 e3 n

	image 8
	new_device e1
	new_device e2
	new_device e3
	for n in 1 2 3; do
		device "e$n" "e$n"
		cp "$own/model" "$own/model$n"
	done
	served "$patient"
	follow "Many chains on one image" 1
	for n in 1 2 3; do
		write "/dev/mapper/vm$n" "$own/model$n" "$n"
	done
	follow "Many chains on one image" 2
	ok qemu-nbd --disconnect /dev/nbd0
	kill_server
	for n in 1 2 3; do
		same "layers of vm$n" "$(layers_of "vm$n")" "E$n"
		shows "/dev/mapper/vm$n" "$own/model$n"
	done
}

nvme_is()
{
	[ "$(cat /sys/class/nvme/nvme0/state)" = "$1" ]
}

remote_nvme()
{
	local gold

	image 16
	new_device gold 16
	ok dd if="$own/gold.img" of="$gold" bs=1M conv=fsync status=none
	new_device E 17
	device gold gold
	device e E
	follow "An image over NVMe/TCP" 1
	follow "An image over NVMe/TCP" 2
	wait_until 100 test -b /dev/nvme0n1 || wrong "no device"
	follow "An image over NVMe/TCP" 3
	wait_until 300 copied $((1 << 20)) || wrong "the job does nothing"
	write /dev/mapper/vm1 "$own/model" 14
	answers loss 100%
	wait_until 600 nvme_is connecting || wrong "nobody sees that the server is away"
	write /dev/mapper/vm1 "$own/model" 12
	shows /dev/mapper/vm1 "$own/model" 14
	job_is status running || wrong "the job does not wait: $(chainsetup jobs vm1)"
	! job_is offset $((16 << 20)) || wrong "the job did not need the server"
	answers delay 100ms
	wait_until 900 nvme_is live || wrong "no connection any more"
	edit+="; s|echo 20|echo 1|"
	follow "An image over NVMe/TCP" 4
	answers loss 100%
	wait_until 600 job_is status paused || wrong "the job is not paused"
	shows /dev/mapper/vm1 "$own/model" 12
	answers delay 100ms
	wait_until 900 nvme_is live || wrong "no connection any more, after errors"
	ok chainsetup job resume vm1 E
	ok chainsetup job set-speed vm1 E 0
	follow "An image over NVMe/TCP" 5
	same layers "$(layers_of vm1)" E
	shows /dev/mapper/vm1 "$own/model"
	same "the image" "$(sha256sum <"$gold")" "$(sha256sum <"$own/gold.img")"
}

# units_say: what systemd finds wrong with the units that are made of both files.
units_say()
{
	local made=$scratch/made

	rm -rf "$made"
	mkdir "$made"
	cp "$here/../../boot/chainsetup.target" "$made"
	ok chainsetup-generator --tab "$scratch/tab" "$made"
	ok env SYSTEMD_FSTAB="$scratch/fstab" \
		/lib/systemd/system-generators/systemd-fstab-generator "$made" "$made" "$made"
	SYSTEMD_UNIT_PATH=$units:$made: systemd-analyze --man=no verify \
		gold.service chainsetup@vm1.service srv-vm1.mount multi-user.target 2>&1 |
		grep -v 'is not executable'
}

# The server comes after the client and the chain have been started.
remote_boot()
{
	local units=$scratch/tree/etc/systemd/system connect attach

	streamed "$patient"
	ok chainsetup close vm1
	ok qemu-nbd --disconnect /dev/nbd0
	kill_server
	mkdir -p "$units"
	block "At boot" 1 >"$units/gold.service"
	block "At boot" 2 >"$scratch/tab"
	block "At boot" 3 >"$scratch/fstab"
	edit+="; s|systemctl|& --root=$scratch/tree|"
	follow "At boot" 4
	same "what systemd says" "$(units_say)" ""
	sed -i 's/_netdev,nofail/defaults/' "$scratch/fstab"
	matches "what it says without _netdev" "$(units_say)" "ordering cycle"

	sed -n 's/^ExecStart[a-zA-Z]*=//p' "$units/gold.service" >"$scratch/start"
	bash -eu "$scratch/start" &
	connect=$!
	background+=("$connect")
	chainsetup attach --tab "$scratch/tab" vm1 >"$scratch/attached" &
	attach=$!
	background+=("$attach")
	sleep 3
	! is_gone "$connect" || wrong "the client does not wait"
	! is_gone "$attach" || wrong "the chain does not wait"
	follow "An image over NBD" 1
	wait "$connect" || wrong "the client has failed"
	wait "$attach" || wrong "the chain is not opened"
	background=()
	shows /dev/mapper/vm1 "$own/model" 15
	ok chainsetup job set-speed vm1 E 0
	wait_until 1000 job_is_through || wrong "the job does not end: $(chainsetup jobs vm1)"
	follow "At boot" 5
	! has_size nbd0 || wrong "the device is still there"
	[ ! -e "$units/chainsetup@vm1.service.wants" ] || wrong "the unit is still there"
	kill_server
	shows /dev/mapper/vm1 "$own/model"
}

job_is_through()
{
	[ -z "$(dmsetup message vm1 0 jobs)" ]
}

test_nbd() { remote_test nbd; }
test_errors() { remote_test errors; }
test_waits() { remote_test waits; }
test_power() { remote_test power; }
test_gives_up() { remote_test gives_up; }
test_middle() { remote_test middle; }
test_many() { remote_test many; }
test_nvme() { remote_test nvme; }
test_boot() { remote_test boot; }

test_all_is_followed()
{
	all_followed
}

prepare
for command in qemu-nbd nvme ip tc ss; do
	command -v $command >/dev/null || skip_all "$command is missing"
done
modprobe nbd || skip_all "no NBD"
own=$(mktemp -d)
cleanups+=("rm -rf $own" drop_remote)
[ $# -gt 0 ] || set -- nbd errors waits power gives_up middle many nvme boot all_is_followed
chainsetup_tests "$@"
