# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2034,SC2154
# Part of guest: a scenario that is a row of steps by chance, the same for the
# same seed. Part of run as well, which has to make its disks.
#
# Jobs go on while everything else happens, so at most times the chain and the
# jobs may be found in one of several ways; marks name them all.

# roll N: sets $R to one of 0 .. N - 1
roll()
{
	DICE=$((DICE * 6364136223846793005 + 1442695040888963407))
	R=$(((DICE >> 32) & 0x7fffffff))
	R=$((((R ^ R >> 15) * 0x2c1b3c6d) & 0x7fffffff))
	R=$(((R ^ R >> 12) % $1))
}

# choose WORD...: sets $R to one of them
choose()
{
	roll $#
	shift $R
	R=$1
}

# random_shape SEED NUMBER: block size, sizes of the view, windows, layers
random_shape()
{
	local middle kind

	DICE=$(($1 * 1000003 + $2 * 7919))
	roll 2
	roll 2
	# large blocks take long
	choose $((4 * K)) $((4 * K)) $((4 * K)) $((16 * K)) $((16 * K)) \
		$((64 * K)) $((64 * K)) "$M"
	BLOCK=$R
	# lengths of the windows: at the start, and of the others
	FIRST=$((256 * K)) OTHER=$((64 * K))
	[ "$BLOCK" -lt $((64 * K)) ] || FIRST=$((8 * BLOCK)) OTHER=$((2 * BLOCK))
	[ "$BLOCK" -lt "$M" ] || FIRST=$M OTHER=$M
	OLD_END=$((8 * M))
	middle=$((4 * M))
	# the second map page begins inside of a window
	roll 3
	if [ "$R" = 0 ] && [ "$BLOCK" -le $((16 * K)) ]; then
		middle=$((16128 * BLOCK - OTHER))
		OLD_END=$((middle + 4 * M))
	fi
	NEW_END=$((OLD_END + 4 * M))
	choose 0 512 $((2 * K))
	OLD_TAIL=$R
	choose 0 512 $((2 * K))
	NEW_TAIL=$R
	RANDOM_WINDOWS=("0:$FIRST" "$middle:$((2 * OTHER))"
		"$((OLD_END - OTHER)):$((2 * OTHER))"
		"$((NEW_END - OTHER)):$((OTHER + 512))")

	# A base that has something in no window can only stay.
	choose short long layer
	BASE=$R
	roll 8
	case $BASE in
	short) BASE_SIZE=$((FIRST - R * 4 * K)) ;;
	*) BASE_SIZE=$((6 * M)) ;;
	esac
	KINDS=()
	for _ in 1 2 3 4 5 6 7 8 9; do
		choose inline separate
		KINDS+=("$R")
	done
	[ "$BASE" = layer ] || KINDS[0]=raw
}

# random_disks SCENARIO: NAME:SIZE:ZEROS of the disks of such a shape
random_disks()
{
	local n=0 name size=$((NEW_END + M))

	for name in A B C D E F G H I; do
		case ${KINDS[$n]} in
		raw) echo "$1.$name:$BASE_SIZE:0" ;;
		inline) echo "$1.$name:$((size + M)):$M" ;;
		separate)
			echo "$1.$name:$size:0"
			echo "$1.${name}m:$((2 * M)):$((2 * M))"
			;;
		esac
		n=$((n + 1))
	done
}

# ---- what the chain and the jobs may be now ----

# Jobs that are not known to have ended, oldest first, and what is known of each:
#	free	it runs, and may have completed
#	held	it is paused
#	pends	it runs or is pending, and waits for "finalize"
declare -a live
declare -A job_is job_top job_gone

# without CHAIN LAYER...: sets $R
without()
{
	local layer gone=" ${*:2} "

	R=
	for layer in $1; do
		[[ $gone == *" $layer "* ]] || R+=${R:+ }$layer
	done
}

# found: sets $ALTERNATIVES to all that the chain may be found as
found()
{
	local j alternative more

	ALTERNATIVES=("${chain[*]}")
	for j in "${live[@]}"; do
		[ "${job_is[$j]}" = free ] || continue
		more=()
		for alternative in "${ALTERNATIVES[@]}"; do
			# shellcheck disable=SC2086 # a list
			without "$alternative" ${job_gone[$j]}
			more+=("$R")
		done
		ALTERNATIVES+=("${more[@]}")
	done
}

mark_is()
{
	local text

	found
	printf -v text '%s | ' "${ALTERNATIVES[@]}"
	mark "is ${text% | }" "$@"
}

# mark_may [LAYER]: with one more on top
mark_may()
{
	local alternative marks=()

	found
	for alternative in "${ALTERNATIVES[@]}"; do
		marks+=("may $alternative${1:+ $1}")
	done
	mark "${marks[@]}"
}

forget()
{
	local j left=()

	for j in "${live[@]}"; do
		[ "$j" = "$1" ] || left+=("$j")
	done
	live=("${left[@]}")
}

# status_of JOB: sets $R, to nothing if it has ended
status_of()
{
	R=$(dmsetup message "$SCENARIO" 0 jobs | sed -n "s/^id=$1 .* status=\([a-z]*\).*/\1/p")
}

# Those that have completed; what they dropped gets another use, or just stays.
reap()
{
	local j layer d

	for j in "${live[@]}"; do
		[ "${job_is[$j]}" = free ] || continue
		status_of "$j"
		[ -z "$R" ] || continue
		forget "$j"
		# shellcheck disable=SC2086 # a list
		drop ${job_gone[$j]}
		mark_is "jobis $j completed"
		echo "$j completed: ${chain[*]}"
		roll 3
		[ "$R" != 0 ] || continue
		release
		for layer in ${job_gone[$j]}; do
			mark "gone $layer"
			for d in "${data[$layer]}" "${meta[$layer]}"; do
				[ "$d" = - ] || scribble "${disk[$d]}"
			done
		done
	done
}

# ask JOB VERB STATE...: false if the job, which was free, has ended
ask()
{
	local j=$1 verb=$2
	shift 2

	[ $# = 0 ] || mark "jobmay $j $*"
	# shellcheck disable=SC2086 # a verb and perhaps a value
	if dmsetup message "$SCENARIO" 0 job "$j" $verb 2>/dev/null; then
		[ $# = 0 ] || mark "jobis $j $*"
		return 0
	fi
	[ "${job_is[$j]}" = free ] ||
		die "$verb $j: $(dmsetup message "$SCENARIO" 0 error)"
	ended "$j"
	return 1
}

# speed JOB BYTES: unless it is pending, or at its end
speed()
{
	dmsetup message "$SCENARIO" 0 job "$1" set-speed "$2" 2>/dev/null || :
}

# ended JOB: wait until it has
ended()
{
	for _ in $(seq 1000); do
		status_of "$1"
		[ -n "$R" ] || return 0
		sleep 0.05
	done
	die "job $1 does not end: $(dmsetup message "$SCENARIO" 0 jobs)"
}

# ---- steps ----

step_snapshot()
{
	local new

	[ ${#unused[@]} -gt 0 ] && [ ${#chain[@]} -lt 6 ] || return 0
	new=${unused[0]}
	unused=("${unused[@]:1}")
	roll 3
	random_snapshot "$new" "$R"
}

# random_snapshot NEW 0|1|2: 0: without a flush
random_snapshot()
{
	local top=${chain[-1]} options=()

	[ "$2" != 0 ] || options=(--nolockfs --noflush)
	random_layer "$1"
	mark_may "$1"
	mark "freezing $top"
	dmsetup load "$SCENARIO" --table "$(line "${chain[@]}" "$1")"
	dmsetup suspend "${options[@]}" "$SCENARIO"
	dmsetup resume "$SCENARIO"
	chain+=("$1")
	mark "frozen $top"
	mark_is
}

random_layer()
{
	local names=ABCDEFGHI before

	before=${names%%"$1"*}
	declare_layer "$1" "${KINDS[${#before}]}"
}

# A job into any layer, down to any base that no other job needs.
step_stream()
{
	local top base n=${#chain[@]} i j taken=' ' state=free
	local -a request

	[ ${#live[@]} -lt 2 ] && [ "$NR_JOBS" -lt 14 ] && [ "$n" -gt 1 ] || return 0
	roll $((n - 1))
	top=$((R + 1))
	roll 2
	[ "$R" = 0 ] || top=$((n - 1))
	roll "$top"
	base=$((R - 1))
	# -1 is none; one that would have to be copied where nobody writes stays
	[ "$base" -ge 0 ] || [ "${chain[0]}" != A ] || [ "$BASE" != long ] || base=0
	[ $((top - base)) -ge 2 ] || return 0
	for j in "${live[@]}"; do
		taken+="${job_gone[$j]} ${job_top[$j]} "
	done
	for ((i = base + 1; i <= top; i++)); do
		[[ $taken != *" ${chain[$i]} "* ]] || return 0
	done

	request=(top "${chain[$top]}")
	[ $base -lt 0 ] || request+=(base "${chain[$base]}")
	choose "$SLOW" $((64 * K)) $((512 * K)) 0 0
	request+=(speed "$R")
	roll 3
	[ "$R" != 0 ] || { request+=(auto-finalize off); state=pends; }
	roll 4
	[ "$R" != 0 ] || request+=(verify on)
	new_job "${chain[$top]}" "${chain[$((base + 1))]}"
	live+=("$job")
	job_is[$job]=$state
	job_top[$job]=${chain[$top]}
	job_gone[$job]=${chain[*]:base + 1:top - base - 1}
	mark_may
	case $state in
	free) start running completed -- "${request[@]}" ;;
	pends) start running pending -- "${request[@]}" ;;
	esac
	echo "$job: ${chain[*]}: ${request[*]}"
}

# go_on JOB: one that is held
go_on()
{
	job_is[$1]=free
	mark_may
	job_is[$1]=held
	ask "$1" resume running completed
	job_is[$1]=free
}

# finalize JOB: one that is pending
finalize()
{
	job_is[$1]=free
	mark_may
	mark "jobmay $1 completed"
	message job "$1" finalize
}

# Something with a job.
step_verb()
{
	local j what status

	[ ${#live[@]} -gt 0 ] || return 0
	choose "${live[@]}"
	j=$R
	choose speed cancel other other other
	what=$R
	status_of "$j"
	status=$R
	echo "$j is ${status:-no more}, ${job_is[$j]}: $what"
	case $what in
	speed)
		choose "$SLOW" $((64 * K)) $((512 * K)) 0
		speed "$j" "$R"
		return
		;;
	cancel)
		ask "$j" cancel cancelled || return 0
		job_is[$j]=held
		ended "$j"
		forget "$j"
		mark_is
		return
		;;
	esac
	case ${job_is[$j]} in
	free)
		# one that was told to finalize
		[ "$status" != pending ] || return 0
		ask "$j" pause paused || return 0
		job_is[$j]=held
		mark_is
		;;
	held)
		go_on "$j"
		;;
	pends)
		[ "$status" = pending ] || return 0
		finalize "$j"
		;;
	esac
}

step_suspend()
{
	choose '' '--nolockfs --noflush'
	# shellcheck disable=SC2086 # options
	dmsetup suspend $R "$SCENARIO"
	dmsetup resume "$SCENARIO"
}

step_reload()
{
	release
}

# Closed, so all of it is durable, and opened from the superblocks.
step_create()
{
	scsi_down "$SCENARIO"
	mark "f 0"
	dmsetup remove "$SCENARIO"
	mark "F 0"
	FEATURE=
	dmsetup create "$SCENARIO" --table "$(line "${chain[@]}" |
		sed 's/ [34] format.*//')"
	scsi_up "$SCENARIO"
}

# Copy-on-read begins or ends.
step_copying()
{
	if [ -n "$FEATURE" ]; then FEATURE=; else FEATURE=copy_on_read; fi
	dmsetup load "$SCENARIO" --table "$(line "${chain[@]}")"
	again
}

step_grow()
{
	# shellcheck disable=SC2153 # guest sets it
	[ "$SIZE" != $((NEW_END + NEW_TAIL)) ] || return 0
	grow $((NEW_END + NEW_TAIL))
}

# Some disk takes its time, and no other does.
step_delay()
{
	local layer

	[ -z "$slow_disk" ] || mark "@delay $slow_disk 0"
	slow_disk=
	roll 3
	[ "$R" != 0 ] || return 0
	choose "${chain[@]}"
	layer=$R
	choose "${data[$layer]}" "${meta[$layer]}"
	[ "$R" != - ] || R=${data[$layer]}
	slow_disk=$R
	choose 2000 10000 40000
	mark "@delay $slow_disk $R"
}

# What the load may write to; the end of the view moves.
random_windows()
{
	WINDOWS=(-w "${RANDOM_WINDOWS[0]}" -w "${RANDOM_WINDOWS[1]}")
	if [ "$1" = "$((NEW_END + NEW_TAIL))" ]; then
		WINDOWS+=(-w "${RANDOM_WINDOWS[2]}"
			-w "$((NEW_END - OTHER)):$OTHER")
	else
		WINDOWS+=(-w "$((OLD_END - OTHER)):$OTHER")
	fi
}

# random_steps SEED NUMBER STEPS
random_steps()
{
	local what step threads ops j

	random_shape "$1" "$2"
	# the first number for the load as well
	SEED=$DICE
	SEED=$(((SEED >> 8) & 0xffffff))
	live=()
	slow_disk=
	choose '' copy_on_read
	FEATURE=$R
	LETTERS=wwwsssuuffdzrrr
	unused=(C D E F G H I)
	begin "random$2" "$OWNERS" $((OLD_END + OLD_TAIL)) "$BLOCK" \
		"${RANDOM_WINDOWS[@]}"
	OWNERS=$((OWNERS + 1))
	random_windows "$SIZE"
	random_layer A
	random_layer B
	echo "$SCENARIO: blocks of $BLOCK, base $BASE, kinds ${KINDS[*]}, $SIZE, then $((NEW_END + NEW_TAIL)) $FEATURE"
	create A B
	load -n 30
	random_snapshot C 1
	unused=("${unused[@]:1}")
	load -n 20

	mark "phase steps"
	for step in $(seq "$3"); do
		reap
		choose snapshot snapshot stream stream stream verb verb verb \
			verb suspend reload create grow delay copying
		what=$R
		roll 4
		threads=$R
		echo "step $step: $what, ${chain[*]}, ${live[*]}"
		roll 20
		ops=$R
		if [ "$threads" = 0 ] || [ "$what" = create ]; then
			"step_$what"
			load -n $((ops / 2))
		else
			with_load -t "$threads" -n $((ops / threads)) -- \
				"step_$what"
		fi
		random_windows "$SIZE"
	done

	for j in "${live[@]}"; do
		case ${job_is[$j]} in
		held)
			go_on "$j"
			;;
		pends)
			speed "$j" 0
			for _ in $(seq 1000); do
				status_of "$j"
				[ "$R" != pending ] || break
				sleep 0.05
			done
			finalize "$j"
			;;
		esac
		speed "$j" 0
		with_load -t 2 -n 10 -- ended "$j"
	done
	reap
	[ -z "$slow_disk" ] || mark "@delay $slow_disk 0"
	FEATURE=
	finish
	LETTERS=wwwsssuuffdz
}
