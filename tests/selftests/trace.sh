#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# usage: trace.sh [TEST...]
#
# The tracepoints, through tracefs, and the statistics of device mapper: known I/O,
# and what has to be told of it.
# shellcheck source=chainsetup-lib.sh
. "$(dirname "$0")/chainsetup-lib.sh"

tracefs=/sys/kernel/tracing
trace=$tracefs/instances/dm-chain-$$
document=$here/../../Documentation/observability.rst

# trace_on EVENT...: from here on these are recorded, and none from before.
trace_on()
{
	local e

	echo 0 >"$trace/events/dm_chain/enable"
	echo >"$trace/trace"
	for e; do
		echo 1 >"$trace/events/dm_chain/dm_chain_$e/enable"
	done
}

# told EVENT: what was recorded of it, without what differs from run to run; the
# chain device is D.
told()
{
	local number

	number=$(dmsetup info -c --noheadings --separator , -o major,minor "$name" \
		2>/dev/null)
	sed -n "s/.* dm_chain_$1: //p" "$trace/trace" |
		sed "s/^${number:-none} /D /"
}

# try COMMAND KIB [COUNT SIZE]: read or write so many pieces, past the page cache,
# from there on.
try()
{
	local size=${4:-4k}

	case $1 in
	read)
		dd if="/dev/mapper/$name" of=/dev/null iflag=direct,skip_bytes \
			bs="$size" skip="$2k" count="${3:-1}" status=none ;;
	write)
		head -c "$((${size%k} * 1024 * ${3:-1}))" /dev/zero | tr '\0' W |
			dd of="/dev/mapper/$name" oflag=direct,seek_bytes \
				iflag=fullblock bs="$size" seek="$2k" \
				conv=notrunc status=none ;;
	esac
}

at()
{
	try "$@" || wrong "$*: failed"
}

flush()
{
	dd if=/dev/null of="/dev/mapper/$name" conv=nocreat,fsync 2>"$scratch/err"
}

# The chain of chainsetup-lib.sh, with nothing left to commit.
quiet_chain()
{
	chain
	flush || wrong "a flush fails"
}

# The layer that holds it, or none; and a bio is cut where another one begins.
test_reads()
{
	quiet_chain
	blkdiscard -f -o 6291456 -l 1048576 "/dev/mapper/$name" 2>"$scratch/err" ||
		wrong "it cannot be discarded"
	trace_on map
	at read 0
	at read 2048
	at read 4096
	at read 5120
	at read 6144
	at read 2044 1 8k
	same map "$(told map | sed 's/ RS* / R /')" "D R 0 + 8 how=pass layer=base
D R 4096 + 8 how=pass layer=B
D R 8192 + 8 how=pass layer=C
D R 10240 + 8 how=pass layer=E
D R 12288 + 8 how=zero layer=-
D R 4088 + 8 how=pass layer=base
D R 4096 + 8 how=pass layer=B"
}

# The first write of whole blocks, the second one, and parts of a block.
test_writes()
{
	quiet_chain
	trace_on map work
	at write 6144
	at write 6144
	at write 4092 1 12k
	head -c 512 /dev/zero | dd of="/dev/mapper/$name" oflag=direct,seek_bytes \
		bs=512 seek=7M conv=notrunc status=none
	same map "$(told map | sed 's/ W[A-Z]* / W /')" "D W 12288 + 8 how=first layer=E
D W 12288 + 8 how=pass layer=E
D W 8184 + 24 how=first layer=E
D W 14336 + 1 how=defer layer=-"
	same work "$(told work | sed 's/ W[A-Z]* / W /')" \
		"D W 14336 + 1 how=merge layer=E"
	same view "$(view "/dev/mapper/$name")" "AABBWEW."
}

# What becomes zero, what is filled with zeros, and what a discard leaves alone.
test_zeroes()
{
	quiet_chain
	trace_on map work
	blkdiscard -f -o 3145216 -l 8192 "/dev/mapper/$name" 2>"$scratch/err" ||
		wrong "it cannot be discarded"
	blkdiscard -f -z -o 5243392 -l 512 "/dev/mapper/$name" 2>"$scratch/err" ||
		wrong "it cannot be filled with zeros"
	same map "$(told map | awk '$2 !~ /^R/ { $2 = ""; print }')" \
		"D  6143 + 1 how=defer layer=-
D  6144 + 15 how=defer layer=-
D  10241 + 1 how=defer layer=-"
	# The parts of the discard go to several workers.
	same work "$(told work | awk '{ $2 = ""; print }' | sort -n -k 2,2)" \
		"D  6143 + 1 how=skip layer=-
D  6144 + 8 how=zero layer=E
D  6152 + 7 how=skip layer=-
D  10241 + 1 how=fill layer=E"
	same view "$(view "/dev/mapper/$name")" "AAB.CE.."
}

# What waited for nothing before it was recorded is not in the commit.
test_commits()
{
	local generation

	quiet_chain
	generation=$(dmsetup message "$name" 0 layers | sed -n \
		's/.*name=E .* generation=\([0-9]*\) .*/\1/p')
	trace_on commit_start commit_end map
	at write 6144
	flush || wrong "a flush fails"
	flush || wrong "a flush fails"
	# By the first flush or by itself, whichever came first.
	same commits "$(told commit_end | cut -d ' ' -f 2-)" \
		"layer=E generation=$generation pages=1 error=0"
	same "commits begun" "$(told commit_start | cut -d ' ' -f 2-)" \
		"layer=E generation=$generation dirty=1"
	same device "$(told commit_end | cut -d ' ' -f 1)" \
		"$(dmsetup message "$name" 0 layers | sed -n \
			's/^name=E data=\([0-9]*\):\([0-9]*\) .*/\1,\2/p')"
	# Nothing is to be committed by the last.
	matches "the last flush" "$(told map | tail -n 1)" \
		'^D F[A-Z]* 0 \+ 0 how=pass layer=E$'
}

test_failures()
{
	new_device A "$SIZE"
	new_device E
	new_device meta 3
	below m "0 $(blockdev --getsz "$meta") linear $meta 0"
	ok chainsetup format --backing "$A" --metadata "/dev/mapper/$name-m" \
		--name E "$E"
	ok chainsetup open "$name" "/dev/mapper/$name-m"
	fill "/dev/mapper/$name" E 0
	flush || wrong "a flush fails"
	trace_on commit_end map
	# Before the write: a commit might succeed by itself.
	reload_below m "0 $(blockdev --getsz "$meta") error"
	at write 1024
	! flush || wrong "a flush succeeds"
	! try write 2048 2>"$scratch/err" || wrong "a write succeeds after that"
	matches commits "$(told commit_end)" "layer=E generation=[0-9]+ pages=[01] error=5"
	same refused "$(told map | tail -n 1 | sed 's/ W[A-Z]* / W /')" \
		"D W 4096 + 8 how=refuse layer=-"
	reload_below m "0 $(blockdev --getsz "$meta") linear $meta 0"
	echo >"$trace/trace"
	flush || wrong "a flush fails"
	matches "the last commit" "$(told commit_end | tail -n 1)" \
		"layer=E generation=[0-9]+ pages=1 error=0"
	same view "$(view "/dev/mapper/$name")" "EW......"
}

# What a job has copied, byte by byte, its states, and what was told of it.
test_job()
{
	quiet_chain
	# Of this MiB the job has nothing to read.
	blkdiscard -f -o 1048576 -l 1048576 "/dev/mapper/$name" 2>"$scratch/err" ||
		wrong "it cannot be discarded"
	trace_on job copy event
	ok chainsetup stream "$name" --job j1 --wait
	same states "$(told job | awk '{ print $2, $3, $4, $7 }')" \
		"job=j1 from=null to=created error=0
job=j1 from=created to=running error=0
job=j1 from=running to=concluded error=0
job=j1 from=concluded to=null error=0"
	matches copied "$(told job | tail -n 1)" "copied=4194304 zeroed=2097152"
	same extents "$(told copy | sort -n -k 2 | awk '
		{ if (NR == 1 || $2 != end) {
			if (NR > 1)
				print begin, end, rest
			begin = $2
		  }
		  end = $2 + $4; rest = $5 " " $6 " " $7 }
		END { print begin, end, rest }')" \
		"0 2048 job=j1 layer=E state=data
4096 10240 job=j1 layer=E state=data
12288 16384 job=j1 layer=E state=zero"
	same events "$(told event | awk '{ print $2, $3, $4, $7 }')" \
		"JOB_STATUS_CHANGE job=j1 status=created error=0
JOB_STATUS_CHANGE job=j1 status=running error=0
BLOCK_JOB_COMPLETED job=j1 status=concluded error=0
JOB_STATUS_CHANGE job=j1 status=concluded error=0
JOB_STATUS_CHANGE job=j1 status=null error=0"
	same layers "$(layers_of "$name")" E
	same view "$(view "/dev/mapper/$name")" "A.BBCE.."
}

no_jobs()
{
	[ -z "$(dmsetup message "$name" 0 jobs)" ]
}

# One that is told to wait, and comes back.
test_job_comes_back()
{
	quiet_chain
	trace_on job
	ok chainsetup stream "$name" --job j1 --speed 1
	ok chainsetup job pause "$name" j1
	ok chainsetup close "$name"
	ok chainsetup open "$name" "$E"
	ok chainsetup job cancel "$name" j1
	wait_until 100 no_jobs || wrong "the job is still there"
	same states "$(told job | awk '{ print $3, $4, $7 }')" \
		"from=null to=created error=0
from=created to=running error=0
from=running to=paused error=0
from=null to=paused error=0
from=paused to=aborting error=0
from=aborting to=concluded error=0
from=concluded to=null error=125"
}

copied_by_reads()
{
	[ "$(told copy | wc -l)" -ge "$1" ]
}

test_copy_on_read()
{
	local line

	quiet_chain
	line=$(dmsetup table "$name")
	if ! dmsetup load "$name" --table "$line 1 copy_on_read" ||
	   ! dmsetup suspend "$name" || ! dmsetup resume "$name"; then
		wrong "no copy on read"
	fi
	trace_on copy
	at read 1024
	wait_until 100 copied_by_reads 1 || wrong "nothing was copied"
	at read 8 1 8k
	wait_until 100 copied_by_reads 2 || wrong "nothing more was copied"
	same copies "$(told copy)" "D 2048 + 8 job=- layer=E state=data
D 16 + 16 job=- layer=E state=data"
}

# stats REGION FIELD...: these of what device mapper has counted there.
stats()
{
	dmsetup message "$name" 0 @stats_print "$1" |
		awk -v fields="${*:2}" '{
			n = split(fields, f, " ")
			for (i = 1; i <= n; i++)
				printf "%s%s", $f[i], i < n ? " " : "\n" }'
}

# Requests and sectors, read and written, each once, whatever became of it; the
# requests are those that the map path saw, so one that was cut counts for each part.
test_statistics()
{
	local region pieces

	quiet_chain
	region=$(dmsetup message "$name" 0 @stats_create - /1)
	trace_on map
	at read 0
	at read 6144 4
	at read 2044 1 8k
	at write 6144 2
	at write 6144
	head -c 512 /dev/zero | dd of="/dev/mapper/$name" \
		oflag=direct,seek_bytes,dsync bs=512 seek=7M conv=notrunc status=none
	blkdiscard -f -o 3145216 -l 8192 "/dev/mapper/$name" 2>"$scratch/err" ||
		wrong "it cannot be discarded"
	trace_on
	# reads, sectors; writes, sectors (the discard is two of them); in flight
	pieces=$(stats "$region" 2 4 6 8 10)
	same "reads and writes" "$pieces" "7 56 6 41 0"
	same "those of /sys" "$(awk '{ print $9 }' \
		"/sys/dev/block/$(dmsetup info -c --noheadings --separator : \
			-o major,minor "$name")/stat")" 0
	dmsetup message "$name" 0 @stats_clear "$region"
	same cleared "$(stats "$region" 2 4 6 8 10)" "0 0 0 0 0"
	dmsetup message "$name" 0 @stats_delete "$region"
}

# Each event and each of its fields is described.
test_documented()
{
	local e field section

	[ -r "$document" ] || { wrong "no $document"; return; }
	for e in "$trace"/events/dm_chain/*/; do
		e=$(basename "$e")
		section=$(sed -n "/^\`\`$e\`\`/,/^\$/p" "$document")
		[ -n "$section" ] || wrong "$e is not described"
		while IFS= read -r field; do
			grep -q "\`\`$field\`\`" <<<"$section" ||
				wrong "$e: $field is not described"
		done < <(sed -n '/common_/d
			s/^\tfield:.*[ *]\([a-z_]*\)\(\[[^;]*\]\)*;.*/\1/p' \
			"$trace/events/dm_chain/$e/format")
	done
}

mountpoint -q $tracefs || mount -t tracefs none $tracefs 2>/dev/null ||
	skip_all "no tracefs"
cleanups+=("rmdir $trace")
mkdir "$trace" || skip_all "no instance of tracefs"
[ -d /sys/module/dm_chain ] || modprobe dm-chain 2>/dev/null
[ -d "$trace/events/dm_chain" ] || skip_all "no tracepoints"
chainsetup_tests "$@"
