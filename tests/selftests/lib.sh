# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the selftests of dm-chain share. They run in bash as root, with the
# target loaded or loadable; each prints KTAP and exits 0, 1 or, if it cannot
# run here, 4.
set -u

KSFT_PASS=0 KSFT_FAIL=1 KSFT_SKIP=4
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:$here/../bin:$here

ktap_n=0 ktap_planned=0 ktap_pass=0 ktap_failed=0 ktap_skipped=0

ktap_start()
{
	ktap_planned=$1
	echo "KTAP version 1"
	echo "1..$1"
}

ktap_pass()
{
	ktap_n=$((ktap_n + 1)) ktap_pass=$((ktap_pass + 1))
	echo "ok $ktap_n $1"
}

ktap_fail()
{
	ktap_n=$((ktap_n + 1)) ktap_failed=$((ktap_failed + 1))
	echo "not ok $ktap_n $1"
}

ktap_skip()
{
	ktap_n=$((ktap_n + 1)) ktap_skipped=$((ktap_skipped + 1))
	echo "ok $ktap_n $1 # SKIP"
}

# verdict STATUS TEST: of what was done with the device $NAME
verdict()
{
	if [ "$1" = 0 ]; then
		ktap_pass "$2"
	else
		dmsetup status "$NAME" 2>&1 | sed 's/^/# /'
		ktap_fail "$2"
	fi
}

# Totals and the exit status. Fewer results than planned are errors.
ktap_end()
{
	local missing=$((ktap_planned - ktap_n))

	[ $missing -ge 0 ] || missing=$((-missing))
	echo "# Totals: pass:$ktap_pass fail:$ktap_failed xfail:0 xpass:0" \
		"skip:$ktap_skipped error:$missing"
	[ "$ktap_failed" = 0 ] && [ $missing = 0 ] || exit $KSFT_FAIL
	[ "$ktap_pass" != 0 ] || exit $KSFT_SKIP
	exit $KSFT_PASS
}

skip_all()
{
	echo "KTAP version 1"
	echo "1..0 # SKIP $*"
	exit $KSFT_SKIP
}

cleanups=()
cleanup()
{
	local i

	for ((i = ${#cleanups[@]} - 1; i >= 0; i--)); do
		${cleanups[i]}
	done
}
trap cleanup EXIT

# prepare: what every test needs.
prepare()
{
	[ "$(id -u)" = 0 ] || skip_all "not root"
	command -v dmsetup >/dev/null || skip_all "dmsetup is missing"
	command -v chaintest >/dev/null ||
		skip_all "chaintest is missing: run make helpers"
	if [ ! -e /sys/module/dm_chain ]; then
		modprobe dm-chain 2>/dev/null || skip_all "no target chain"
	fi
	# Everything behind this line of the kernel's log was caused here.
	log_mark="dm-chain selftest ${0##*/} $$ begins"
	echo "$log_mark" >/dev/kmsg
}

# null_device NAME MIB [ATTRIBUTE=VALUE...]: POOL becomes a null_blk device in
# memory.
null_device()
{
	local dir word

	[ -d /sys/module/null_blk ] || modprobe null_blk nr_devices=0 2>/dev/null
	[ -d /sys/kernel/config/nullb ] ||
		mount -t configfs none /sys/kernel/config 2>/dev/null
	dir=/sys/kernel/config/nullb/$1
	mkdir "$dir" 2>/dev/null || return
	cleanups+=("rmdir $dir")
	for word in "size=$2" memory_backed=1 discard=1 blocksize=512 \
		    "${@:3}" power=1; do
		echo "${word#*=}" >"$dir/${word%%=*}" || return
	done
	POOL=/dev/nullb$(cat "$dir/index")
	[ -b "$POOL" ] || POOL=/dev/$1
	[ -b "$POOL" ]
}

# pool_loop MIB: POOL becomes a loop device over a file in memory.
pool_loop()
{
	local dir

	dir=$(mktemp -d) || return
	cleanups+=("rm -rf $dir")
	mount -t tmpfs -o "size=$(($1 + 1))m" none "$dir" || return
	cleanups+=("umount $dir")
	truncate -s "$1M" "$dir/pool" || return
	POOL=$(losetup -f --show "$dir/pool") || return
	cleanups+=("losetup -d $POOL")
}

# pool MIB [ATTRIBUTE=VALUE...]: the best there is. DM_CHAIN_TEST_DEV names a
# device to be used, and overwritten, instead.
pool()
{
	if [ -n "${DM_CHAIN_TEST_DEV-}" ]; then
		POOL=$DM_CHAIN_TEST_DEV
	else
		null_device dmct$$ "$@" || pool_loop "$1" ||
			skip_all "neither null_blk nor loop works"
	fi
}

# count_of SUITE [NAME...]: how many scenarios there are.
count_of()
{
	if [ $# -gt 1 ]; then
		echo $(($# - 1))
	else
		chaintest list "$1" | wc -l
	fi
}

# results_of COMMAND...: lines "ok NAME" and "not ok NAME" become results of ours.
results_of()
{
	local line

	while IFS= read -r line; do
		case $line in
		"ok "*" # SKIP") line=${line#ok }; ktap_skip "${line% # SKIP}" ;;
		"ok "*) ktap_pass "${line#ok }" ;;
		"not ok "*) ktap_fail "${line#not ok }" ;;
		*) echo "# ${line#"# "}" ;;
		esac
	done < <("$@" 2>&1)
}

# run_suite SUITE [NAME...]: those of chaintest.
run_suite()
{
	results_of chaintest run "$1" "$POOL" "${@:2}"
}

# stream DEVICE: everything into its active layer, until no job is left
stream()
{
	local events

	dmsetup message "$1" 0 stream || return
	while events=$(dmsetup info -c --noheadings -o events "$1")
	      [ -n "$(dmsetup message "$1" 0 jobs)" ]; do
		dmsetup wait "$1" "$events"
	done
}

# The last test: nothing in the kernel's log says that it got hurt.
check_log()
{
	local bad

	bad="WARNING|BUG|Oops|INFO: (task|lockdep|rcu)|general protection|Call Trace"
	bad+="|possible (circular|recursive)|UBSAN|KASAN|refcount_t|corruption"
	bad=$(dmesg | awk -v mark="$log_mark" -v bad="$bad" '
		index($0, mark) { seen = 1; next }
		seen && $0 ~ bad')
	if [ -z "$bad" ]; then
		ktap_pass kernel-log
	else
		printf '%s\n' "$bad" | head -n 20 | sed 's/^/# /'
		ktap_fail kernel-log
	fi
}

# simple_test SUITE MIB [ATTRIBUTE=VALUE...]: a whole test program.
simple_test()
{
	prepare
	pool "${@:2}"
	ktap_start $(($(count_of "$1") + 1))
	run_suite "$1"
	check_log
	ktap_end
}
