# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# The variables are those of guest.
# shellcheck disable=SC2034,SC2154
# Part of guest: scenarios of jobs, and what all scenarios need of them.

NR_JOBS=0
job=

# new_job TOP BOTTOM: sets $job, an id that is used once
new_job()
{
	NR_JOBS=$((NR_JOBS + 1))
	job=j$NR_JOBS
	mark "job $job $1 $2"
}

message()
{
	dmsetup message "$SCENARIO" 0 "$@" ||
		die "$*: $(dmsetup message "$SCENARIO" 0 error)"
}

# start STATE... -- WORD...: $job may soon be in one of these states, and when
# the message has returned its record is sure to be there
start()
{
	local states=()

	while [ "$1" != -- ]; do
		states+=("$1")
		shift
	done
	shift
	mark "jobmay $job ${states[*]}"
	message stream job "$job" "$@"
	mark "jobis $job ${states[*]}"
}

# verb VERB STATE...: the same for a verb
verb()
{
	local verb=$1
	shift

	mark "jobmay $job $*"
	message job "$job" "$verb"
	mark "jobis $job $*"
}

# expect EVENT MARK... [-- DEVICE...]: from now on, wait for an event of $job and
# then do at once what powercut await does with the rest; expected: it came
declare -A EXPECT
expect()
{
	local fd

	exec {fd}< <(exec powercut await "$MARKS" "$job" "$@")
	EXPECT[$job]=$fd
	read -r _ <&"$fd" || die "nobody waits for $1"
}

expected()
{
	local fd=${EXPECT[$job]} line

	read -r line <&"$fd" || die "job $job: $(dmsetup message "$SCENARIO" 0 jobs)"
	exec {fd}<&-
	echo "$line"
}

# expect_end LAYER...: $job completes, and these layers leave. Their devices get
# another use when the event was seen, before anything else can happen.
expect_end()
{
	local layer d devices=() gone=()

	drop "$@"
	mark "may ${chain[*]}"
	for layer in "$@"; do
		gone+=("gone $layer")
		for d in "${data[$layer]}" "${meta[$layer]}"; do
			[ "$d" = - ] || devices+=("${disk[$d]}")
		done
	done
	expect BLOCK_JOB_COMPLETED "is ${chain[*]}" "jobis $job completed" \
		"${gone[@]}" -- "${devices[@]}"
}

again()
{
	dmsetup suspend "$SCENARIO"
	dmsetup resume "$SCENARIO"
}

# the dropped layers leave the table
release()
{
	dmsetup load "$SCENARIO" --table "$(dmsetup table "$SCENARIO")"
	again
}

# So slow that it makes no more than a few steps by itself, however long the
# scenario takes.
SLOW=16

# jobs_begin NAME LAYER...: a chain over a raw base with something in each of
# three windows of each layer. Most of the third window is written in B only.
jobs_begin()
{
	local name=$1 layer
	shift

	begin "$name" "$OWNERS" $((12 * M)) $((4 * K)) 0:$((512 * K)) \
		$((4 * M)):$((256 * K)) $((8 * M)):$((256 * K))
	OWNERS=$((OWNERS + 1))
	declare_layer A raw
	declare_layer B separate
	create A B
	written $((8 * M)):$((256 * K)) -c -p w -n 64
	WINDOWS=(-w "0:$((512 * K))" -w "$((4 * M)):$((256 * K))"
		-w "$((8 * M)):$((64 * K))")
	load -n 40
	for layer in "$@"; do
		snapshot "$layer" separate
		load -n 30
	done
}

# written OFFSET:LENGTH OPTION...: write there only
written()
{
	local WINDOWS=(-w "$1")
	shift

	load "$@"
}

# A job in all the states that it can be in until it has completed.
job_states()
{
	jobs_begin job C D
	new_job D B

	mark "phase running"
	start running -- base A speed $SLOW auto-finalize off on-error stop
	load -n 25
	with_load -n 10 -- again

	mark "phase paused"
	verb pause paused
	load -n 15
	with_load -n 10 -- again

	mark "phase resumed"
	verb resume running
	load -n 15
	verb pause paused

	mark "phase stopped-by-an-error"
	mark "@fail-read $SCENARIO.B 8192"
	expect BLOCK_JOB_ERROR "jobis $job stopped"
	verb resume running stopped
	message job "$job" set-speed 0
	expected
	mark "jobis $job stopped"
	written 0:$((512 * K)) -n 25
	again

	mark "phase pending"
	mark "@fail-read $SCENARIO.B 0"
	expect BLOCK_JOB_PENDING "jobis $job pending"
	verb resume running pending
	expected
	mark "jobis $job pending"
	load -n 25
	with_load -n 10 -- snapshot E separate

	mark "phase completed"
	mark "jobmay $job completed"
	expect_end B C
	message job "$job" finalize
	expected
	load -n 25
	release
	finish
}

# cancelled: when it has returned there is no job any more
cancelled()
{
	verb cancel cancelled
	for _ in $(seq 1000); do
		[ -n "$(dmsetup message "$SCENARIO" 0 jobs)" ] || return 0
		sleep 0.05
	done
	die "job $job does not end"
}

# slowly COMMAND...: while metadata of the top, C, takes long to write
slowly()
{
	mark "@delay $SCENARIO.Cm 1000000"
	"$@"
	mark "@delay $SCENARIO.Cm 0"
}

# Jobs that end in every other way, and what they have copied by then.
job_ends()
{
	jobs_begin ends C

	mark "phase cancelled"
	new_job C B
	start running -- base A speed $SLOW
	load -n 10
	slowly cancelled
	load -n 15
	again

	mark "phase paused-and-cancelled"
	new_job C B
	start running -- base A speed $SLOW
	verb pause paused
	cancelled
	load -n 15

	mark "phase failed"
	mark "@fail-read $SCENARIO.B 8192"
	new_job C B
	mark "jobmay $job failed"
	expect JOB_STATUS_CHANGE=concluded "jobis $job failed"
	start running failed -- base A
	expected
	mark "jobis $job failed" "@fail-read $SCENARIO.B 0"
	load -n 15

	mark "phase cancelled-while-copying"
	mark "@delay $SCENARIO.C 10000"
	new_job C B
	start running pending -- base A auto-finalize off
	cancelled
	mark "@delay $SCENARIO.C 0"
	load -n 15

	mark "phase pending-and-cancelled"
	new_job C A
	expect BLOCK_JOB_PENDING "jobis $job pending"
	start running pending -- auto-finalize off
	expected
	mark "jobis $job pending"
	load -n 10
	cancelled
	load -n 15

	mark "phase completed"
	new_job C A
	mark "jobmay $job completed"
	expect_end A B
	start running completed -- verify on
	expected
	mark "jobis $job completed"
	load -n 15
	release
	finish
}

# Two jobs side by side, one of them into a layer in the middle.
two_jobs()
{
	local into_c into_e

	jobs_begin two C D E

	mark "phase running"
	new_job C B
	into_c=$job
	start running -- top C base A speed $SLOW
	new_job E D
	into_e=$job
	start running -- base C speed $SLOW auto-finalize off
	load -n 25
	with_load -n 10 -- again

	mark "phase one-paused"
	job=$into_c
	verb pause paused
	with_load -n 15 -- snapshot F separate

	mark "phase the-other-pending"
	job=$into_e
	expect BLOCK_JOB_PENDING "jobis $job pending"
	mark "jobmay $job pending"
	message job "$job" set-speed 0
	expected
	load -n 20

	mark "phase the-other-completed"
	mark "jobmay $job completed"
	expect_end D
	message job "$job" finalize
	expected
	load -n 20

	mark "phase both-completed"
	job=$into_c
	mark "jobmay $job completed"
	expect_end B
	message job "$job" set-speed 0
	verb resume running completed
	expected
	mark "jobis $job completed"
	load -n 20
	release
	finish
}

# grow SIZE: the view becomes longer
grow()
{
	SIZE=$1
	mark "maysize $SIZE"
	dmsetup load "$SCENARIO" --table "$(line "${chain[@]}" |
		sed 's/ [34] format.*//')"
	again
	mark "size $SIZE"
}

# A view that becomes longer, over a base that has more than it shows; the ends
# lie inside blocks.
growing()
{
	local windows

	begin grow "$OWNERS" $((4 * M + 2 * K)) $((16 * K)) 0:$((256 * K)) \
		$((4 * M - 64 * K)):$((128 * K)) $((6 * M - 64 * K)):$((128 * K)) \
		$((8 * M - 64 * K)):$((64 * K + 512))
	OWNERS=$((OWNERS + 1))
	declare_layer A raw
	declare_layer B separate
	create A B
	windows=("${WINDOWS[@]}")
	WINDOWS=(-w "0:$((256 * K))" -w "$((4 * M - 64 * K)):$((64 * K))")
	load -n 30

	mark "phase grow"
	with_load -t 2 -n 15 -- grow $((6 * M + 512))
	WINDOWS=("${windows[@]:0:4}" -w "$((6 * M - 64 * K)):$((64 * K))")
	load -n 30
	# what is left to the job: nothing else writes it meanwhile
	written $((6 * M - 64 * K)):$((64 * K)) -c -p w -n 4
	WINDOWS=("${windows[@]:0:4}")

	mark "phase grow-in-a-job"
	snapshot C separate
	new_job C B
	start running -- base A speed $SLOW
	load -n 20
	with_load -n 15 -- grow $((8 * M + 512))
	WINDOWS+=(-w "$((6 * M + 16 * K)):$((48 * K))" "${windows[@]:6}")
	load -n 20

	mark "phase completed"
	mark "jobmay $job completed"
	expect_end B
	message job "$job" set-speed 0
	expected
	WINDOWS=("${windows[@]}")
	load -n 20
	release
	finish
}
