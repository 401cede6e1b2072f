#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# chainsetup and jobs: stream, job, jobs, wait and monitor, on loop devices.
# shellcheck source=chainsetup-lib.sh
. "$(dirname "$0")/chainsetup-lib.sh"

test_stream_base()
{
	chain
	ok chainsetup stream "$name" --base base --wait
	matches result "$out" "E: 100%  3M copied  completed"
	matches release "$out" "$B  layer B, free"
	matches release "$out" "$C  layer C, free"
	[[ $out != *"$A "* ]] || wrong "the base was released: $out"
	same layers "$(layers_of "$name")" "base E"
	same view "$(view "/dev/mapper/$name")" "AABBCE.."
	# Free means that anybody may have them.
	wipefs -qa "$B" && fill "$B" g 0 9
	wipefs -qa "$C" && fill "$C" g 0 9
	ok chainsetup close "$name"
	ok chainsetup open "$name" "$E"
	same "view when opened again" "$(view "/dev/mapper/$name")" "AABBCE.."
	ok chainsetup stream "$name" --base base --wait
	same "a stream with nothing to do" "$out" "nothing to copy"
}

test_stream_all()
{
	chain
	ok chainsetup stream "$name" --wait
	same layers "$(layers_of "$name")" "E"
	fill "$A" g 0 8
	same view "$(view "/dev/mapper/$name")" "AABBCE.."
	ok chainsetup stream "$name" --wait
	same "a stream with nothing to do" "$out" "nothing to copy"
}

test_stream_intermediate()
{
	chain
	ok chainsetup stream "$name" --top C --bottom B --job mine --wait
	matches result "$out" "mine: 100%"
	same layers "$(layers_of "$name")" "base C E"
	same view "$(view "/dev/mapper/$name")" "AABBCE.."
}

test_stream_refusals()
{
	chain
	refused "nowhere" chainsetup stream "$name" --base nowhere
	refused "on-error.*maybe" chainsetup stream "$name" --on-error maybe
	refused "9z is not a size" chainsetup stream "$name" --speed 9z
	refused "base|below" chainsetup stream "$name" --top C --base E
	refused "bottom" chainsetup stream "$name" --base B --bottom C
	ok chainsetup stream "$name" --speed 4K
	matches stream "$out" "job E has started"
	refused "E" chainsetup stream "$name"
	ok chainsetup job cancel "$name" E
	refused "E" chainsetup job pause "$name" E
	refused "frob" chainsetup job frob "$name" E
	refused "needs a value" chainsetup job set-speed "$name" E
}

test_job_verbs()
{
	local before

	chain
	ok chainsetup stream "$name" --base base --speed 4K
	ok chainsetup jobs "$name"
	matches jobs "$out" "E +stream +(created|running) +E +base"
	ok chainsetup job pause "$name" E
	wait_until 100 test "$(job_field status)" = paused ||
		wrong "the job is $(job_field status)"
	before=$(job_field offset)
	sleep 0.5
	same "offset while paused" "$(job_field offset)" "$before"
	ok chainsetup jobs --json
	same json "$(json 'x[0]["id"], x[0]["status"], x[0]["speed"], x[0]["len"]')" \
		"E paused 4096 $((SIZE << 20))"
	ok chainsetup job set-speed "$name" E 0
	ok chainsetup job resume "$name" E
	ok chainsetup wait "$name" E
	matches wait "$out" "E: 100%  3M copied  completed"
	same layers "$(layers_of "$name")" "base E"
	# The result is still known.
	ok chainsetup wait "$name" E
	refused "no job F" chainsetup wait "$name" F
	ok chainsetup wait "$name"
	same "nothing to wait for" "$out" "$name: no job to wait for"
}

test_job_cancel()
{
	local pid rc=0

	chain
	rm -f "$scratch/wait"
	ok chainsetup stream "$name" --base base --speed 4K
	chainsetup wait "$name" E >"$scratch/wait" 2>&1 &
	pid=$!
	wait_until 600 test -s "$scratch/wait" || wrong "wait says nothing"
	ok chainsetup job cancel "$name" E
	wait "$pid" || rc=$?
	same "status of wait" "$rc" 1
	matches wait "$(cat "$scratch/wait")" "job E was cancelled"
	same layers "$(layers_of "$name")" "base B C E"
	same view "$(view "/dev/mapper/$name")" "AABBCE.."
}

test_wait_interrupted()
{
	local pid rc=0

	chain
	rm -f "$scratch/wait"
	chainsetup stream "$name" --base base --speed 4K --wait \
		>"$scratch/wait" 2>&1 &
	pid=$!
	wait_until 600 test -s "$scratch/wait" || wrong "wait says nothing"
	kill -INT "$pid"
	wait "$pid" || rc=$?
	same "status of wait" "$rc" 1
	matches wait "$(cat "$scratch/wait")" "interrupted, the job goes on"
	same "the job" "$(job_field id)" E
	ok chainsetup job set-speed "$name" E 0
	ok chainsetup wait "$name"
	same layers "$(layers_of "$name")" "base E"
}

# A bar on a terminal, and not a word of it elsewhere.
test_progress_bar()
{
	chain
	script -qec "stty cols 100; chainsetup stream $name --base base --speed 2M --wait" \
		"$scratch/typescript" >/dev/null </dev/null
	matches "on a terminal" "$(cat "$scratch/typescript")" \
		'E \[=*>? *\] +[0-9]+%.*[0-9][KMG]?/s  [0-9-]+:[0-9-]+ left'
	matches "at the end" "$(cat "$scratch/typescript")" \
		'E \[=+\] 100%  3M copied  completed'
	ok chainsetup close "$name"
}

# in_background FILE COMMAND...: its output goes to FILE in $scratch, its process
# is $pid.
in_background()
{
	local file=$scratch/$1
	shift

	rm -f "$file"
	"$@" >"$file" 2>&1 &
	pid=$!
	background+=("$pid")
}

# says FILE PATTERN: wait until the file has a line like that.
says()
{
	wait_until 600 grep -Eqs -- "$2" "$scratch/$1" ||
		wrong "no \"$2\" in $1: $(cat "$scratch/$1")"
}

# ended STATUS: the process in the background has ended with that status.
ended()
{
	local rc=0

	wait "$pid" || rc=$?
	same "status of the command in the background" "$rc" "$1"
}

status_is()
{
	[ "$(job_field status)" = "$1" ]
}

job_is()
{
	wait_until 300 status_is "$1" || wrong "the job is $(job_field status)"
}

test_monitor()
{
	chain
	in_background events chainsetup monitor "$name"
	says events "^monitoring $name\$"
	ok chainsetup stream "$name" --base base --wait
	says events " status=null "
	kill -TERM "$pid"
	ended 0
	# The order, and which word stands where.
	same events "$(awk 'NR > 1 { print $2, $3, $4, $6 }' "$scratch/events")" \
"$name JOB_STATUS_CHANGE job=E status=created
$name JOB_STATUS_CHANGE job=E status=running
$name BLOCK_JOB_COMPLETED job=E status=concluded
$name JOB_STATUS_CHANGE job=E status=concluded
$name JOB_STATUS_CHANGE job=E status=null"
	matches completed "$(grep COMPLETED "$scratch/events")" \
		"^20[0-9-]+T[0-9:]+\.[0-9]{3}[+-][0-9]{4} .* type=stream .* len=8388608 offset=8388608 speed=0 error=0\$"
}

# All devices, or one of them; a number of events, or until it is removed.
test_monitor_json()
{
	new_device A
	new_device B
	new_device C
	ok chainsetup format --name A "$A"
	ok chainsetup format --name B --backing "$A" "$B"
	ok chainsetup format --name C --backing "$A" "$C"
	ok chainsetup open "$name" "$B"
	ok chainsetup open "$other" "$C"
	in_background all chainsetup monitor --json --count 10
	says all "^monitoring all chain devices\$"
	in_background one chainsetup monitor "$other" --json
	says one "^monitoring $other\$"
	ok chainsetup stream "$name" --job 1 --wait
	ok chainsetup stream "$other" --job 2 --wait
	wait "${background[0]}" || wrong "status of the first monitor: $?"
	out=$(sed 1d "$scratch/all" | jq_lines)
	same "all devices" "$(json '[(e["device"], e["job"], e["event"], e["len"]) for e in x if e["event"] != "JOB_STATUS_CHANGE"]')" \
		"[('$name', '1', 'BLOCK_JOB_COMPLETED', $((SIZE << 20))), ('$other', '2', 'BLOCK_JOB_COMPLETED', $((SIZE << 20)))]"
	ok chainsetup close "$other"
	ended 0
	out=$(sed 1d "$scratch/one" | jq_lines)
	same "one device" "$(json '{(e["device"], e["job"]) for e in x}, len(x)')" \
		"{('$other', '2')} 5"
	in_background one chainsetup monitor "$name" --count 3
	says one "^monitoring $name\$"
	ok chainsetup close "$name"
	ended 1
	matches "what it says in the end" "$(cat "$scratch/one")" \
		"0 of 3 events, then the device was removed"
	refused "no device $name" chainsetup monitor "$name"
	refused "not a number of events" chainsetup monitor --count 0
}

# JSON lines become an array.
jq_lines()
{
	printf '[%s]' "$(paste -sd,)"
}

test_jobs_last()
{
	chain
	ok chainsetup jobs "$name" --last
	same "no result yet" "$out" ""
	ok chainsetup stream "$name" --base base --job mine --wait
	ok chainsetup jobs "$name" --last
	matches result "$out" "E +mine +stream +completed +base +8M +8M +3M"
	ok chainsetup jobs --last --json
	same json "$(json 'x[0]["layer"], x[0]["id"], x[0]["status"], x[0]["copied"], x[0]["error"]')" \
		"E mine completed 3145728 0"
	ok chainsetup jobs "$name"
	same "no live job" "$out" ""
}

test_finalize()
{
	chain
	in_background wait chainsetup stream "$name" --base base \
		--auto-finalize off --wait
	says wait "job finalize $name E"
	ok chainsetup jobs "$name" --json
	same json "$(json 'x[0]["status"], x[0]["auto-finalize"], x[0]["remaining"]')" \
		"pending off 0"
	same layers "$(layers_of "$name")" "base B C E"
	refused "pending" chainsetup job pause "$name" E
	ok chainsetup job finalize "$name" E
	ended 0
	matches wait "$(cat "$scratch/wait")" "layer C, free"
	same layers "$(layers_of "$name")" "base E"
	same view "$(view "/dev/mapper/$name")" "AABBCE.."
}

# A job that waits for dismiss has ended for whoever waits for it.
test_dismiss()
{
	chain
	ok chainsetup stream "$name" --base base --auto-dismiss off --wait
	matches wait "$out" "E: 100%  3M copied  completed"
	matches hint "$out" "job dismiss $name E"
	same layers "$(layers_of "$name")" "base E"
	ok chainsetup jobs "$name"
	matches jobs "$out" "E +stream +concluded +E +base"
	refused "'E' exists already" chainsetup stream "$name"
	ok chainsetup wait "$name"
	matches "wait again" "$out" "E: 100%  3M copied  completed"
	ok chainsetup job dismiss "$name" E
	ok chainsetup jobs "$name"
	same "no job is left" "$out" ""
	refused "'E'" chainsetup job dismiss "$name" E
}

# broken_chain: like chain, but E lies on a device that fails in the part where
# C's block would be copied to. mended: the same device without that.
broken_chain()
{
	local sectors=$(((SIZE + 1) << 11)) at=$((5 << 11))

	new_device A "$SIZE"
	new_device B
	new_device C
	new_device F
	mended="0 $sectors linear $F 0"
	below e "$mended"
	E=/dev/mapper/$name-e
	fill "$A" A 0 2
	ok chainsetup format --backing "$A" --name B "$B"
	ok chainsetup open "$name" "$B"
	fill "/dev/mapper/$name" B 2 2
	ok chainsetup snapshot "$name" "$C" --name C
	fill "/dev/mapper/$name" C 4
	ok chainsetup snapshot "$name" "$E" --name E
	reload_below e "0 $at linear $F 0
$at 2048 error
$((at + 2048)) $((sectors - at - 2048)) linear $F $((at + 2048))"
}

test_stop_and_resume()
{
	broken_chain
	in_background wait chainsetup stream "$name" --base base \
		--on-error stop --wait
	says wait "job E is paused at byte 4194304: Input/output error.*chainsetup job resume $name E"
	ok chainsetup jobs "$name" --json
	same json "$(json 'x[0]["status"], x[0]["io-status"], x[0]["error"], x[0]["offset"]')" \
		"paused failed 5 4194304"
	reload_below e "$mended"
	ok chainsetup job resume "$name" E
	ended 0
	same "said once" "$(grep -c 'is paused at' "$scratch/wait")" 1
	same layers "$(layers_of "$name")" "base E"
	same view "$(view "/dev/mapper/$name")" "AABBC..."
}

test_ignore_and_failed()
{
	broken_chain
	refused "failed at byte 4194304: Input/output error" \
		chainsetup stream "$name" --base base --wait
	rm -f "$scratch/wait"
	in_background wait chainsetup stream "$name" --base base \
		--on-error ignore --auto-dismiss off --wait
	ended 1
	matches wait "$(cat "$scratch/wait")" \
		"failed at byte 4194304: Input/output error"
	matches wait "$(cat "$scratch/wait")" \
		"not copied: layer E, [0-9]+ bytes at 4194304: Input/output error"
	same layers "$(layers_of "$name")" "base B C E"
	ok chainsetup job failed "$name" E
	matches failed "$out" "E +4M +[0-9.]+[KM]? +Input/output error"
	fits job failed "$name" E
	fits_end
	same json "$(json 'x[0]["layer"], x[0]["offset"], x[0]["error"], sum(r["length"] for r in x)')" \
		"E 4194304 5 1048576"
	ok chainsetup job dismiss "$name" E
	refused "'E'" chainsetup job failed "$name" E
	# Only what is missing is copied the next time.
	reload_below e "$mended"
	ok chainsetup stream "$name" --base base --wait
	matches wait "$out" "E: 100%  1M copied  completed"
	same view "$(view "/dev/mapper/$name")" "AABBC..."
}

# A job goes on when its chain is opened again, or waits for a word.
test_open_with_job()
{
	chain
	ok chainsetup stream "$name" --base base --speed 4K
	ok chainsetup close "$name"
	refused "unfinished job E" chainsetup rebase "$E" none
	ok chainsetup check "$E"
	matches check "$out" "note: it has the unfinished job E"
	ok chainsetup open "$name" "$E" --jobs-paused
	matches open "$out" "job E is paused"
	matches table "$(dmsetup table "$name")" " 2 jobs paused\$"
	ok chainsetup jobs "$name" --json
	same json "$(json 'x[0]["id"], x[0]["status"], x[0]["speed"]')" \
		"E paused 4096"
	ok chainsetup job set-speed "$name" E 8K
	ok chainsetup job resume "$name" E
	job_is running
	ok chainsetup close "$name"
	ok chainsetup open "$name" "$E"
	matches open "$out" "job E goes on"
	same speed "$(job_field speed)" 8192
	ok chainsetup job set-speed "$name" E 0
	ok chainsetup wait "$name"
	same layers "$(layers_of "$name")" "base E"
	same view "$(view "/dev/mapper/$name")" "AABBCE.."
}

test_pace_and_verify()
{
	chain
	ok chainsetup stream "$name" --base base --speed 4K --verify \
		--on-error enospc
	ok chainsetup job set-floor "$name" E 1K
	ok chainsetup job set-ceiling "$name" E 64K
	ok chainsetup jobs --json
	same json "$(json 'x[0]["floor"], x[0]["ceiling"], x[0]["verify"], x[0]["on-error"]')" \
		"1024 65536 on enospc"
	ok chainsetup job set-ceiling "$name" E 0
	ok chainsetup job set-speed "$name" E 0
	ok chainsetup wait "$name"
	same view "$(view "/dev/mapper/$name")" "AABBCE.."
}

test_two_jobs()
{
	chain
	ok chainsetup stream "$name" --base B --speed 4K
	ok chainsetup stream "$name" --top B --speed 4K
	refused "'[BCE]' is in use by job '[BE]'" \
		chainsetup stream "$name" --base base --job third
	in_background wait chainsetup wait "$name"
	says wait "^2 jobs: "
	ok chainsetup job set-speed "$name" E 0
	ok chainsetup job set-speed "$name" B 0
	ended 0
	matches wait "$(cat "$scratch/wait")" "B: 100%"
	matches wait "$(cat "$scratch/wait")" "E: 100%"
	same layers "$(layers_of "$name")" "B E"
	same view "$(view "/dev/mapper/$name")" "AABBCE.."
}

# A thin pool of 4 MiB below the top, and a raw base of 8.
test_no_room_in_pool()
{
	new_device A "$SIZE"
	new_device meta 2
	new_device F 16
	below pool "0 8192 thin-pool $meta $F 128 0 1 error_if_no_space"
	dmsetup message "$name-pool" 0 "create_thin 0"
	below thin "0 $(((SIZE + 1) << 11)) thin /dev/mapper/$name-pool 0"
	below e "0 $(((SIZE + 1) << 11)) linear /dev/mapper/$name-thin 0"
	E=/dev/mapper/$name-e
	fill "$A" A 0 2
	ok chainsetup format --backing "$A" --name E "$E"
	ok chainsetup open "$name" "$E"
	ok chainsetup estimate "$name"
	matches estimate "$out" "thin pool $name-pool: 3\.[0-9]M free"
	ok chainsetup estimate "$name" --json
	same json "$(json 'x["need"], x["rests-on"][0]["kind"], x["rests-on"][0]["name"], x["rests-on"][0]["trouble"]')" \
		"$((SIZE << 20)) thin-pool $name-pool None"
	refused "up to 8M .* layer E, but thin pool $name-pool has room for [34][0-9.]*M: extend the pool" \
		chainsetup stream "$name" --wait
	same "no job" "$(job_field id)" ""
	# Most of it is zeros, so that it fits nevertheless.
	ok chainsetup stream "$name" --force --wait
	same view "$(view "/dev/mapper/$name")" "AA......"
}

# A pool that is full pauses the job until there is room.
test_pool_runs_full()
{
	new_device A "$SIZE"
	new_device meta 2
	new_device F 16
	below pool "0 8192 thin-pool $meta $F 128 0 1 error_if_no_space"
	dmsetup message "$name-pool" 0 "create_thin 0"
	below thin "0 $(((SIZE + 1) << 11)) thin /dev/mapper/$name-pool 0"
	new_device B 2
	fill "$A" A 0 "$SIZE"
	ok chainsetup format --backing "$A" --name E --metadata "$B" \
		"/dev/mapper/$name-thin"
	ok chainsetup open "$name" "$B"
	in_background wait chainsetup stream "$name" --force --on-error enospc \
		--wait
	says wait "job E is paused at byte [0-9]+: No space left on device; make room"
	same io-status "$(job_field io-status)" nospace
	reload_below pool "0 32768 thin-pool $meta $F 128 0 1 error_if_no_space"
	ok chainsetup job resume "$name" E
	ended 0
	same view "$(view "/dev/mapper/$name")" "AAAAAAAA"
}

# A sparse file on a file system of 4 MiB.
test_no_room_for_file()
{
	new_device A "$SIZE"
	mkdir "$scratch/dev.small"
	mount -t tmpfs -o size=4m none "$scratch/dev.small"
	mounts+=("$scratch/dev.small")
	truncate -s "$((SIZE + 1))M" "$scratch/dev.small/file"
	E=$(losetup -f --show "$scratch/dev.small/file")
	loops+=("$E")
	fill "$A" A 0 2
	ok chainsetup format --backing "$A" --name E "$E"
	ok chainsetup open "$name" "$E"
	refused "the file system of $scratch/dev.small/file has room for [34].*M: make room" \
		chainsetup stream "$name"
	ok chainsetup stream "$name" --force --wait
	same view "$(view "/dev/mapper/$name")" "AA......"
}

chainsetup_tests "$@"
