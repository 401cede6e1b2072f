#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# usage: observability.sh [TEST...]
#
# What Documentation/observability.rst says, with its very commands, and the figures
# for Prometheus: that they are in its format, and what the target says.
# shellcheck source=chainsetup-lib.sh
. "$(dirname "$0")/chainsetup-lib.sh"
document=$here/../../Documentation/observability.rst
# shellcheck source=chainsetup-document.sh
. "$here/chainsetup-document.sh"

edited()
{
	sed "s|NAME|$name|g; s|/var/lib/prometheus/node-exporter|$scratch|g"
}

# exposition [ARG...]: samples by status --prometheus, a line each, in $samples.
exposition()
{
	ok chainsetup status --prometheus "$@"
	samples=$(printf '%s' "${out:+$out$'\n'}" | "$here/promtext.py") ||
		wrong "not Prometheus' format: $out"
}

# sample NAME [LABEL=VALUE...]: its value.
sample()
{
	local words="dm_chain_$1 device='$name'" label

	for label in "${@:2}"; do
		words+=" ${label%%=*}='${label#*=}'"
	done
	awk -v words="$words" 'index($0, words " ") == 1 {
		if (NF == split(words, w, " ") + 1) print $NF }' <<<"$samples"
}

# said MESSAGE LINE KEY: what the target says.
said()
{
	dmsetup message "$name" 0 "$1" | grep -- "$2" | tr ' ' '\n' | sed -n "s/^$3=//p"
}

# A finished job, one that is paused, and a layer that can be released.
busy_chain()
{
	chain
	ok chainsetup stream "$name" --top C --bottom B --job over
	wait_until 100 concluded over || wrong "the job does not end"
	ok chainsetup stream "$name" --job "j.1" --speed 1000
	ok chainsetup job pause "$name" j.1
	wait_until 100 paused || wrong "the job is not paused"
}

concluded()
{
	dmsetup message "$name" 0 jobs last | grep -q "id=$1 .*status=completed"
}

paused()
{
	[ "$(job_field status)" = paused ]
}

test_figures()
{
	local layer

	busy_chain
	exposition "$name"
	same size "$(sample size_bytes)" $((SIZE << 20))
	same "block size" "$(sample block_size_bytes)" 4096
	same mode "$(sample mode mode=rw) $(sample mode mode=ro) $(sample mode mode=fail)" \
		"1 0 0"
	same check "$(sample needs_check) $(sample suspended)" "0 0"
	for layer in B C E; do
		same "size of $layer" "$(sample layer_size_bytes "layer=$layer")" \
			"$(said layers "name=$layer " size)"
		same "data of $layer" "$(sample layer_data_bytes "layer=$layer")" \
			"$(said layers "name=$layer " allocated)"
		same "zeros of $layer" "$(sample layer_zero_bytes "layer=$layer")" \
			"$(said layers "name=$layer " zero)"
		same "memory of $layer" "$(sample layer_memory_bytes "layer=$layer")" \
			"$(said layers "name=$layer " memory)"
		same "generation of $layer" \
			"$(sample layer_generation "layer=$layer")" \
			"$(said layers "name=$layer " generation)"
		same "users of $layer" "$(sample layer_users "layer=$layer")" 1
	done
	same job "$(sample job_status job=j.1 status=paused)" 1
	same "no other state" "$(sample job_status job=j.1 status=running)" 0
	same length "$(sample job_length_bytes job=j.1)" "$(job_field len)"
	same offset "$(sample job_offset_bytes job=j.1)" "$(job_field offset)"
	same copied "$(sample job_copied_bytes job=j.1)" "$(job_field copied)"
	same speed "$(sample job_speed_limit_bytes_per_second job=j.1)" 1000
	same "last job" "$(sample last_job_status layer=C status=completed)" 1
	same finished "$(sample last_job_finished_timestamp_seconds layer=C)" \
		"$(said "jobs last" "layer=C" finished)"
	matches elapsed "$(sample job_elapsed_seconds job=j.1)" '^[0-9]+\.[0-9]{3}$'
	dmsetup suspend "$name"
	exposition "$name"
	dmsetup resume "$name"
	same suspended "$(sample suspended)" 1
}

# Two devices: what is of one kind stands together, and NAME picks one.
test_several_devices()
{
	local both

	chain
	new_device F
	ok chainsetup format --backing "$A" --name F "$F"
	ok chainsetup open "$other" "$F"
	exposition
	both=$(grep -c "^dm_chain_size_bytes" <<<"$samples")
	same "with all devices" "$both" 2
	exposition "$other"
	same "with one" "$(grep -o "device='[^']*'" <<<"$samples" | sort -u)" "device='$other'"
	ok chainsetup close "$other"
	ok chainsetup close "$name"
	exposition
	same "without any" "$out" ""
}

# A reader sees the old file or the new one, and nothing else is left there.
test_output()
{
	local dir=$scratch/prom old

	mkdir "$dir"
	chain
	ok chainsetup status --prometheus --output "$dir/chain.prom"
	same printed "$out" ""
	"$here/promtext.py" <"$dir/chain.prom" >"$scratch/lines" || wrong "not the format"
	grep -q "^dm_chain_info " "$scratch/lines" || wrong "nothing is in it"
	same mode "$(stat -c %a "$dir/chain.prom")" 644
	old=$(stat -c %i "$dir/chain.prom")
	ok chainsetup status --prometheus --output "$dir/chain.prom"
	[ "$old" != "$(stat -c %i "$dir/chain.prom")" ] || wrong "written over"
	same "what is there" "$(ls -A "$dir")" chain.prom

	cp "$dir/chain.prom" "$scratch/before"
	refused "no device none" chainsetup status none --prometheus \
		--output "$dir/chain.prom"
	mkdir "$dir/taken"
	refused "--output $dir/taken: .*Is a directory" \
		chainsetup status --prometheus --output "$dir/taken"
	refused "--output /nowhere/x: .*No such file" \
		chainsetup status --prometheus --output /nowhere/x
	cmp -s "$scratch/before" "$dir/chain.prom" || wrong "the file has changed"
	same "after refusals" "$(cd "$dir" && echo .[!.]* *)" ".[!.]* chain.prom taken"
	refused "do not go together" chainsetup status --prometheus --json
	refused "add that" chainsetup status --output "$dir/x"
}

# Each metric is in the guide, and each of the guide there is.
test_metrics_documented()
{
	busy_chain
	exposition
	# shellcheck disable=SC2016 # of the guide
	same metrics "$(sed -n 's/^``\(dm_chain_[a-z_]*\)`` .*/\1/p' "$document" |
			sort -u)" \
		"$({ cut -d ' ' -f 1 <<<"$samples"
		     echo dm_chain_job_remaining_seconds; } | sort -u)"
}

# What is wrong is seen to be.
test_format_is_checked()
{
	local text

	for text in 'x 1' '# HELP x y' $'# HELP x y\n# TYPE x gauge' \
		    $'# HELP x y\n# TYPE x counter\nx 1' \
		    $'# HELP x_kilobytes y\n# TYPE x_kilobytes gauge\nx_kilobytes 1' \
		    $'# HELP x y\n# TYPE x gauge\nx{a="b} 1' \
		    $'# HELP x y\n# TYPE x gauge\nx{a="\\t"} 1' \
		    $'# HELP x y\n# TYPE x gauge\nx{a="b"} one' \
		    $'# HELP x y\n# TYPE x gauge\nx 1\nx 2' \
		    $'# HELP x y\n# TYPE x gauge\ny 1'; do
		! "$here/promtext.py" <<<"$text" >"$scratch/out" 2>&1 ||
			wrong "taken for Prometheus' format: $text"
	done
	"$here/promtext.py" <<<$'# HELP x y\n# TYPE x gauge\nx{a="\\"\\\\\\n"} 1' \
		>"$scratch/out" || wrong "refused what is right"
	same read "$(cat "$scratch/out")" "x a='\"\\\\\\n' 1"
}

test_guide_figures()
{
	chain
	ok chainsetup stream "$name" --wait
	follow "Figures" 1
	matches "the last job" "$out" '"status": *"completed"'
}

test_guide_statistics()
{
	chain
	follow "I/O statistics" 1
	matches statistics "$out" "0\+$((SIZE << 11)) 0 0 0 0 "
	follow "I/O statistics" 2
	matches histogram "$out" "$name"
}

test_guide_prometheus()
{
	chain
	follow "Prometheus" 1
	grep -qxF "dm_chain_size_bytes{device=\"$name\"} $((SIZE << 20))" <<<"$out" ||
		wrong "no size: $out"
	follow "Prometheus" 2
	"$here/promtext.py" <"$scratch/chain.prom" >"$scratch/out" ||
		wrong "not Prometheus' format"
}

test_guide_tracepoints()
{
	local number

	chain
	number=$(dmsetup info -c --noheadings --separator , -o major,minor "$name")
	follow "Tracepoints" 1
	matches trace "$out" "dm_chain_map: $number R[A-Z]* 0 \+ 128 how=pass layer=base"
	follow "Tracepoints" 2
	matches merges "$out" "dm_chain_work: $number W[A-Z]* 0 \+ 1 how=merge layer=E"
	follow "Tracepoints" 3
	matches counts "$out" "layer: base .* how: .* nr_sector: +10"
	follow "Tracepoints" 4
	matches commits "$out" "hitcount: +[1-9].*max: +[0-9]"
	same "what is left" "$(cat "$tracefs/events/dm_chain/enable")" 0
}

test_all_is_followed()
{
	all_followed
	[ "$(blocks | wc -l)" -ge 30 ] || wrong "only $(blocks | wc -l) commands"
}

tracefs=/sys/kernel/tracing
mountpoint -q $tracefs || mount -t tracefs none $tracefs 2>/dev/null ||
	skip_all "no tracefs"
command -v dmstats >/dev/null || skip_all "no dmstats"
chainsetup_tests "$@"
