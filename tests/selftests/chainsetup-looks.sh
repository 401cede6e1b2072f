#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What chainsetup shows of chains in use: trees, pictures, dry runs, JSON.
# shellcheck source=chainsetup-lib.sh
. "$(dirname "$0")/chainsetup-lib.sh"

# Of a chain in use, from the target: 2, 2, 1 and 1 of the 8 MiB, and zeros.
test_map_picture()
{
	chain
	ok chainsetup map "$name" --picture --width 34
	same strip "$(sed -n 2p <<<"$out")" "  bbbbbbbbBBBBBBBBCCCCEEEEbbbbbbbb"
	matches legend "$out" "E    E      12.5%  1M"
	ok chainsetup map "$name" --output "$scratch/map.svg"
	grep -q "</svg>" "$scratch/map.svg" || wrong "no picture"
	refused "$name.* of a chain in use give the name" chainsetup map "$E"
}

# shape: names and states of the tree in $out
shape()
{
	json '(lambda f: f(f, x))(lambda f, l: " ".join(n["name"] + ":" + n["state"] + (":" + n["job"] if n["job"] else "") + ("(" + f(f, n["children"]) + ")" if n["children"] else "") for n in sorted(l, key=lambda n: n["name"])))'
}

# What is in use and what is not, one base below two devices, a job, dropped layers.
test_tree()
{
	local before

	new_device A
	new_device B
	new_device C
	new_device E
	ok chainsetup tree
	same "no tree" "$out" ""
	ok chainsetup format --name A "$A"
	ok chainsetup open "$name" "$A"
	fill "/dev/mapper/$name" A 0 2
	ok chainsetup close "$name"
	ok chainsetup format --name B --backing "$A" "$B"
	ok chainsetup format --name C --backing "$A" "$C"
	ok chainsetup format --name E --backing "$C" "$E"
	ok chainsetup tree --scan --json
	same "at rest" "$(shape)" "A:at rest(B:at rest C:at rest(E:at rest))"
	ok chainsetup tree --json
	same "nothing is in use" "$out" "[
]"
	ok chainsetup open "$name" "$B"
	ok chainsetup open "$other" "$E"
	ok chainsetup tree --json
	same "in use" "$(shape)" \
		"A:backing(B:active($name:rw) C:backing(E:active($other:rw)))"
	before=$(shape)
	ok chainsetup tree --scan --json "$name"
	same "with a scan" "$(shape)" "$before"
	ok chainsetup tree "$E"
	matches "a line" "$out" "E +[0-9a-f-]{36} +8M +$E +active +-"
	# As long as the job waits, its percent are what they are.
	ok chainsetup stream "$name" --auto-finalize off
	until chainsetup jobs "$name" | grep -q pending; do
		sleep 0.05
	done
	ok chainsetup tree --json
	same "a job" "$(shape)" \
		"A:backing(B:active:stream 100%, pending: waits for \"job finalize\"($name:rw) C:backing(E:active($other:rw)))"
	ok chainsetup job finalize "$name" B
	until [ -z "$(chainsetup jobs "$name")" ]; do
		sleep 0.05
	done
	ok chainsetup tree --json
	same "what one has dropped the other needs" "$(shape)" \
		"A:backing(C:backing(E:active($other:rw))) B:active($name:rw)"
	ok chainsetup release "$name"
	ok chainsetup close "$other"
	ok chainsetup tree --json
	same "the rest" "$(shape)" "B:active($name:rw)"
	# A copy without a UUID of its own.
	dd if="$E" of="$A" bs=1M status=none oflag=direct
	ok chainsetup tree --scan --json
	matches "a copy" "$(shape)" "E:same UUID as $A|E:same UUID as $E"
}

# dry PATTERN COMMAND...: a dry run succeeds, prints a line like PATTERN, and neither
# the table nor what the layers hold is changed by it.
dry()
{
	local pattern=$1 table locks
	shift

	locks=$(ls /run/chainsetup 2>/dev/null)
	table=$(dmsetup table "$name")
	ok chainsetup "$@" --dry-run
	matches "$*" "$out" "$pattern"
	matches "$*" "$out" "nothing was changed\$"
	fits "$@" --dry-run
	same "$*: dry" "$(json 'x["dry-run"]')" True
	same "$*: table" "$(dmsetup table "$name")" "$table"
	same "$*: jobs" "$(chainsetup jobs "$name")" ""
	[ -z "$(dmsetup table --inactive "$name")" ] || wrong "$*: a table is loaded"
	same "$*: locks" "$(ls /run/chainsetup 2>/dev/null)" "$locks"
}

test_dry_run()
{
	local sums

	chain
	new_device F 20
	new_device G
	ok chainsetup format --name old "$G"
	sync
	sums=$(sha256sum "$scratch"/dev.*)
	rm -rf /run/chainsetup
	dry "would make $F the layer F, size 8M" snapshot "$name" "$F" --name F
	dry "would load: 0 16384 chain 5 base .* F [0-9:]+ [0-9:]+" snapshot "$name" "$F" --name F
	dry "would overwrite: $G already is the layer old" snapshot "$name" "$G" --force --name G
	dry "job E would make it \[base\] <- \[E\]" stream "$name" --base base
	dry "job mine would make it \[base\] <- \[C\] <- \[E\]" \
		stream "$name" --top C --bottom B --job mine
	dry "nothing to copy" stream "$name" --base C
	refused "nowhere" chainsetup stream "$name" --top nowhere --dry-run
	refused "never" chainsetup stream "$name" --on-error never --dry-run
	refused "not shrink" chainsetup resize "$name" --size 4M --dry-run
	refused "no name for a layer" chainsetup snapshot "$name" "$F" --name a/b --dry-run
	same "the devices" "$(sha256sum "$scratch"/dev.*)" "$sums"
	ok chainsetup snapshot "$name" "$F" --name F
	dry "$name would be: 19M, is 8M" resize "$name"
	ok chainsetup stream "$name" --top C --base base
	until [ -z "$(chainsetup jobs "$name")" ]; do
		sleep 0.05
	done
	dry "$B  layer B" release "$name"
	same "it is there still" "$(chainsetup layers "$name" | awk '$2 == "releasable" { print $1 }')" B
	ok chainsetup close "$name"
	ok chainsetup open "$name" "$F" --dry-run
	matches open "$out" "would create $name: 0 16384 chain 4 base [0-9:]+ - C .*E .*F "
	! dmsetup info "$name" >/dev/null 2>&1 || wrong "it was opened"
	ok chainsetup open "$name" "$F"
	ok chainsetup stream "$name" --base base --speed 1 --job slow
	ok chainsetup close "$name"
	ok chainsetup open "$name" "$F" --dry-run
	matches "open with a job" "$out" "job slow would go on"$'\n'
	ok chainsetup open "$name" "$F" --jobs-paused --dry-run
	matches "open with a job" "$out" "job slow would go on, paused"$'\n'
	fits_end
}

# A dry run refuses what the target refuses.
refused_dry()
{
	local pattern=$1
	shift

	refused "$pattern" chainsetup stream "$name" "$@" --dry-run
	refused "$pattern" chainsetup stream "$name" "$@"
}

test_dry_run_refusals()
{
	local ro

	chain
	refused_dry "top 'base' is a raw device" --top base
	refused_dry "base 'E' is not below" --base E
	ok chainsetup stream "$name" --top C --base base --auto-finalize off
	until chainsetup jobs "$name" | grep -q pending; do
		sleep 0.05
	done
	refused_dry "job '?C'? .*already" --top E --base C --job C
	refused_dry "layer 'B' is in use by job 'C'"
	refused_dry "layer 'C' is in use by job 'C'" --base B
	# What is no job's may be streamed.
	ok chainsetup stream "$name" --base C --dry-run
	dmsetup suspend "$name"
	refused_dry "is suspended" --base C
	dmsetup resume "$name"
	ok chainsetup job cancel "$name" C
	until [ -z "$(chainsetup jobs "$name")" ]; do
		sleep 0.05
	done

	# B, which another device shows as well
	new_device F
	ok chainsetup format --name F --backing "$C" "$F"
	ok chainsetup open "$other" "$F"
	refused_dry "top 'B' is in use by .*device" --top B
	dry "nothing to copy" stream "$name" --top B --base base
	ok chainsetup close "$other"
	ok chainsetup close "$name"

	ok chainsetup open "$name" "$E" --read-only
	refused_dry "the device is read-only"
	ok chainsetup close "$name"
	ro=$(losetup -r -f --show "$(losetup -n -O BACK-FILE "$C")")
	loops+=("$ro")
	ok dmsetup create "$name" --table \
		"0 $((SIZE << 11)) chain 4 base $A - B $B $B C $ro $ro E $E $E"
	refused_dry "top 'C' .*read-only" --top C
	dry "job E would make it" stream "$name"
	fits_end
}

# Every live command as its schema says, and what scripts need of it.
test_json()
{
	local pid

	chain
	new_device F
	fits list
	fits status "$name"
	fits layers "$name"
	fits map "$name"
	fits tree
	fits estimate "$name" --base base
	fits snapshot "$name" "$F" --name F
	same snapshot "$(json 'x["layer"], x["backing"], x["dry-run"]')" "F E False"
	fits resize "$name"
	chainsetup monitor "$name" --json --count 2 >"$scratch/json.monitor" 2>"$scratch/monitor" &
	pid=$!
	until grep -q monitoring "$scratch/monitor"; do
		sleep 0.05
	done
	fits stream "$name" --base C --job mine --auto-dismiss off --auto-finalize off
	same stream "$(json 'x["job"], x["drops"], x["chain"]')" \
		"mine ['E'] ['base', 'B', 'C', 'F']"
	wait "$pid" || wrong "monitor: $(cat "$scratch/monitor")"
	outputs+=(monitor "$scratch/json.monitor")
	until chainsetup jobs "$name" | grep -q pending; do
		sleep 0.05
	done
	fits jobs "$name"
	fits status "$name"
	ok chainsetup status "$name"
	matches status "$out" "job mine: stream pending, top F, base C, [0-9]+M of 8M"
	fits job failed "$name" mine
	ok chainsetup job finalize "$name" mine
	fits wait "$name"
	same wait "$(json '[(j["id"], j["result"], j["copied"], j["listed"]) for j in x["jobs"]], [(r["layer"], r["device"], r["free"]) for r in x["released"]]')" \
		"[('mine', 'completed', 1048576, True)] [('E', '$E', True)]"
	ok chainsetup job dismiss "$name" mine
	fits jobs --last
	fits stream "$name" --base B --wait
	same "stream and wait" "$(json '[j["result"] for j in x["jobs"]]')" "['completed']"
	fits release "$name"
	same release "$(json 'x["released"]')" "[]"
	ok chainsetup close "$name"
	fits open "$name" "$F"
	same open "$(json 'x["device"], x["jobs"], x["size"]')" "$name [] $((SIZE << 20))"
	fits_end
}

chainsetup_tests "$@"
