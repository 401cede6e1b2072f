# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# usage: complete.bash FILE WORD...
#
# Words that the bash completion in FILE offers for the last WORD.
# shellcheck source=../../userspace/completion/chainsetup.bash
. "$1"
shift
# shellcheck disable=SC2034 # read by the completion
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_chainsetup
[ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
