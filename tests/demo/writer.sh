# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2086,SC2154 # the caller's
# Somebody who writes to the file system at $disk while a job runs, and keeps
# a copy of all of it in $work; sourced with these and $here set. What is in
# progress when the writing is stopped is finished first, so both must agree.

writer=''
SECTORS=8192	# of the file that is written in place
KEEP=24		# files at most

# The content: $work/random to cut pieces from, a file to be changed in place.
prepare_writer()
{
	head -c 2M /dev/urandom >$work/random
	head -c $((SECTORS * 512)) /dev/urandom >$work/database
	rm -rf $work/busy
	mkdir $work/busy
}

# piece SECTORS: a piece of that length, from anywhere
piece()
{
	dd if=$work/random of=$work/piece bs=512 count="$1" \
		skip=$((RANDOM % 4000)) status=none
}

# Sectors anywhere in the file, directly to the device and as they are: nearly
# none of the writes covers whole blocks.
write_in_place()
{
	local at=$((RANDOM % (SECTORS - 64))) f

	piece $((RANDOM % 40 + 1)) &&
	for f in "$disk/database oflag=direct" $work/database; do
		dd if=$work/piece of=$f bs=512 seek=$at conv=notrunc \
			status=none || return
	done
}

# A new file, an old one replaced, or one less.
write_files()
{
	local name=$((RANDOM % KEEP)) f

	if [ $((RANDOM % 4)) = 0 ]; then
		rm -f $disk/busy/$name $work/busy/$name
		return
	fi
	piece $((RANDOM % 90 + 1)) &&
	for f in $disk/busy $work/busy; do
		cp $work/piece $f/$name || return
	done
	[ $((RANDOM % 4)) != 0 ] || sync $disk/busy/$name
}

write_on()
{
	local n=0

	until [ $n != 0 ] && [ -e $work/stop ]; do
		if ! write_in_place || ! write_files; then
			echo failed >$work/rounds
			return 1
		fi
		n=$((n + 1))
		echo $n >$work/rounds
	done
}

start_writer()
{
	rm -f $work/stop
	echo 0 >$work/rounds
	mkdir -p $disk/busy
	write_on &
	writer=$!
}

stop_writer()
{
	[ -n "$writer" ] || return 0
	touch $work/stop
	wait $writer
	writer=''
}

# After stop_writer: whether all of it is there. Nothing written is an error.
same_written()
{
	[ "$(cat $work/rounds)" -gt 0 ] &&
	cmp $disk/database $work/database &&
	"$here/sums" $disk/busy >$work/written.disk &&
	"$here/sums" $work/busy >$work/written.copy &&
	diff $work/written.disk $work/written.copy
}
