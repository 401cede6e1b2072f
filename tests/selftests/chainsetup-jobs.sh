#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# chainsetup and jobs: stream, job, jobs, wait and monitor, on loop devices.
# shellcheck source=chainsetup-lib.sh
. "$(dirname "$0")/chainsetup-lib.sh"

test_stream_base()
{
	chain
	ok chainsetup stream "$name" --base base --wait
	matches result "$out" "E: 100%  3 MiB copied  completed"
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
	matches wait "$out" "E: 100%  3 MiB copied  completed"
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
		'E \[=*>? *\] +[0-9]+%.*B/s  [0-9-]+:[0-9-]+ left'
	matches "at the end" "$(cat "$scratch/typescript")" \
		'E \[=+\] 100%  3 MiB copied  completed'
	ok chainsetup close "$name"
}

chainsetup_tests "$@"
