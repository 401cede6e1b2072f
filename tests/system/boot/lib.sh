# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# In the guest: what has to hold after each boot. Sourced; every check is a line "ok"
# or "not ok", which the host counts.

# check WHAT COMMAND...: has to succeed.
check()
{
	what=$1
	shift
	if "$@" >/run/said 2>&1; then
		echo "ok $what"
	else
		echo "not ok $what: $*: $(cat /run/said)"
	fi
}

# same WHAT WANTED GOT
same()
{
	if [ "$2" = "$3" ]; then
		echo "ok $1"
	else
		echo "not ok $1: \"$3\" instead of \"$2\""
	fi
}

# until COMMAND...: as long as it takes; the time limit is the host's.
until_true()
{
	until "$@"; do
		sleep 0.2
	done
}

# job KEY: of the job in home-1, "null" if there is none.
job()
{
	chainsetup jobs home-1 --json | jq -r ".[0][\"$1\"]"
}

active()
{
	systemctl show -p ActiveState --value "$1"
}

files_right()
{
	(cd /home && sha256sum --quiet -c /share/sums)
}

# The files from the disk, not from memory.
forget()
{
	sync
	echo 3 >/proc/sys/vm/drop_caches
}

both_chains()
{
	# "running" or, for the line whose layer never comes, "degraded"
	same "boot came to its end" degraded "$(systemctl is-system-running --wait)"
	same "/ is on its chain" /dev/mapper/rootchain "$(findmnt -n -o SOURCE /)"
	same "/home is on its chain" /dev/mapper/home-1 "$(findmnt -n -o SOURCE /home)"
	same "the service of /home" active "$(active 'chainsetup@home\x2d1.service')"
	same "the service of /" active "$(active chainsetup@rootchain.service)"
	same "the service of a layer that never comes" failed \
		"$(active chainsetup@never.service)"
	same "the target" active "$(active chainsetup.target)"
	same "what failed" "chainsetup@never.service" \
		"$(systemctl --failed --plain --no-legend | cut -d ' ' -f 1)"
	check "says which layer is missing" sh -c \
		"journalctl -b -u chainsetup@never.service | grep -q 'no device carries the layer'"
	check "says which line is wrong" sh -c \
		"journalctl -b | grep -q '/etc/chaintab:2: unknown option readonly'"
	check "files in /home" files_right
}
