# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Completion of chainsetup for bash. Commands, options and what belongs where are read
# off "chainsetup --help", so all that it knows is known here.

# Lines of the usage of a command, one for each of its forms, in words: an option,
# an option's value as OPTION=VALUE, an operand. The last one repeats if it ends in "...".
_chainsetup_usage()
{
	chainsetup "$1" --help 2>/dev/null | awk '
	# A form begins anew at a bar or "or" that is in no bracket.
	function form(text, n, i, word, option, out) {
		n = split(text, w, " ")
		for (i = 1; i <= n; i++) {
			word = w[i]
			again = word ~ /\.\.\.$/
			if (word ~ /^\[/)
				option = ""
			if (word == "or" && !depth || word == "|" && !depth) {
				print out
				out = option = ""
				continue
			}
			depth += gsub(/\[/, "", word) - gsub(/\]/, "", word)
			gsub(/,$|\.\.\.$/, "", word)
			if (word == "|" || word == "") {
				option = ""
				continue
			}
			if (word ~ /^-.*\|/) {
				# --all|NAME
				out = out " " substr(word, 1, index(word, "|") - 1)
				out = out " " substr(word, index(word, "|") + 1)
				out = out (again ? "..." : "")
			} else if (word ~ /^-/) {
				option = word
				out = out " " word
			} else if (option != "") {
				out = out " " option "=" word
				option = ""
			} else {
				out = out " " word (again ? "..." : "")
			}
			if (w[i] ~ /\]/)
				option = ""
		}
		print out
	}
	NR == 1 { sub(/^Usage: chainsetup [^ ]+ ?/, ""); form($0) }
	# Options of every command
	NR > 1 && /^  --/ {
		for (i = 1; $i ~ /^-/; i++) {
			sub(/,$/, "", $i)
			print " " $i ($(i + 1) ~ /\|/ ? " " $i "=" $(i + 1) : "")
		}
	}'
}

# Names of layers or ids of jobs: the first column of a table.
_chainsetup_column()
{
	chainsetup "$@" 2>/dev/null | awk 'NR > 1 { print $1 }'
}

# _chainsetup_values WHAT COMMAND NAME: lines with what the word may be.
_chainsetup_values()
{
	case $1 in
	*[a-z]\|*|*\|*[a-z]*)
		local part

		for part in ${1//|/ }; do
			case $part in
			*[a-z]*) echo "$part" ;;
			*) _chainsetup_values "$part" "$2" "$3" ;;
			esac
		done ;;
	NAME\|DEV)
		_chainsetup_column list
		compgen -f -- "$cur" ;;
	NAME)
		case $2 in
		open) ;;
		attach) awk '/^[^#]/ { print $1 }' /etc/chaintab 2>/dev/null ;;
		*) _chainsetup_column list ;;
		esac ;;
	DEV*|BACKING|FILE*|IMAGE|ORIGIN|COW) compgen -f -- "$cur" ;;
	L) [ -z "$3" ] || _chainsetup_column layers "$3" ;;
	# A job that is started gets a new id.
	ID) [ -z "$3" ] || [ "$2" = stream ] || _chainsetup_column jobs "$3" ;;
	P) printf '%s\n' report ignore stop enospc auto ;;
	FMT) printf '%s\n' qcow2 raw qed vmdk vdi vhdx vpc ;;
	*[a-z]*) echo "$1" ;;
	esac
}

_chainsetup()
{
	local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} form word i last takes
	local forms=() operands=() found=() given=() name value=''

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(chainsetup --help 2>/dev/null |
			awk '/^  [a-z]/ { print $1 }
			NR == 1 { for (i = 2; i <= NF; i++) if ($i ~ /^-/) print $i }')" -- "$cur")
		return
	fi

	# What was given before: operands, and whether an option waits for its value.
	mapfile -t forms < <(_chainsetup_usage "$command")
	takes=$(printf '%s\n' "${forms[@]}" | tr ' ' '\n' | sed -n 's/^\(--[^=]*\)=.*/\1/p')
	for ((i = 2; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [ -n "$value" ]; then
			value=''
		elif [[ $word = -* ]]; then
			grep -qx -e "$word" <<<"$takes" && value=$word
		else
			given+=("$word")
		fi
	done
	# "job" has the verb first.
	name=${given[0]-}
	[ "$command" != job ] || name=${given[1]-}

	for form in "${forms[@]}"; do
		operands=() last=''
		for word in $form; do
			[[ $word = -* ]] || operands+=("$word")
		done
		# Another form of "job" has other verbs.
		if [ -z "$value" ] && [ ${#given[@]} -gt 0 ] &&
		   [[ ${operands[0]-} = *[a-z]* &&
		      "|${operands[0]}|" != *"|${given[0]}|"* ]]; then
			continue
		fi
		for word in $form; do
			case $word in
			--*=*) [ "${word%%=*}" != "$value" ] ||
				found+=("$(_chainsetup_values "${word#*=}" "$command" "$name")") ;;
			-*) [ -n "$value" ] || found+=("$word") ;;
			esac
		done
		[ -z "$value" ] || continue
		if [ ${#given[@]} -lt ${#operands[@]} ]; then
			last=${operands[${#given[@]}]}
		elif [ ${#operands[@]} -gt 0 ] && [[ ${operands[-1]} = *... ]]; then
			last=${operands[-1]}
		fi
		[ -z "$last" ] || [[ $cur = -* ]] ||
			found+=("$(_chainsetup_values "${last%...}" "$command" "$name")")
	done
	# A word at a time, so that names may hold anything but a line feed.
	while IFS= read -r word; do
		case $word in
		'') ;;
		-*) [[ $cur != -* || $word != "$cur"* ]] || COMPREPLY+=("$word") ;;
		"$cur"*) COMPREPLY+=("$word") ;;
		esac
	done < <(printf '%s\n' "${found[@]}" | sort -u)
}

complete -o filenames -F _chainsetup chainsetup
