# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What runs chaintorture on several kernels, one after the other, shares.
# Sourced with "set -eu" in force.

passed=0 failed=0 ran=()
torture_dir=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

on_both()
{
	on_kernels "6.12 6.1" "$@"
}

# on_kernels KERNELS SECONDS GUEST-ARG...: tests/torture/guest with these arguments.
# Adds up passed and failed, and appends to ran what it did.
on_kernels()
{
	local kernels=$1 kernel rc p f out
	shift

	out=$(mktemp)
	for kernel in $kernels; do
		rc=0
		"$torture_dir/../vm/run" --kernel "$kernel" --memory 1536 \
			--timeout $(($1 + 600)) "$torture_dir/guest" "${@:2}" \
			>"$out" 2>&1 || rc=$?
		echo "Linux $kernel:"
		cat "$out"
		read -r p f < <(awk '/^[0-9]+ passed, [0-9]+ failed$/ {
			p += $1; f += $3 } END { print p + 0, f + 0 }' "$out")
		if [ "$f" = 0 ] && { [ $rc != 0 ] || [ "$p" = 0 ]; }; then
			echo "not ok: Linux $kernel: the status is $rc, $p lists have passed"
			f=1
		fi
		passed=$((passed + p)) failed=$((failed + f))
		ran+=("$kernel: $(sed -n 's/^\([0-9]* lists, .*\), seed [0-9]*$/\1/p' "$out" |
			tail -n 1)")
	done
	rm -f "$out"
}
