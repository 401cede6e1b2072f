# SPDX-License-Identifier: GPL-2.0
# usage: complete.zsh FILE WORD...
#
# Words that the zsh completion in FILE offers for the last WORD, without an editor.
file=$1
shift
words=("$@")
CURRENT=$#

# What compadd would take: the words that begin as the one at hand.
compadd()
{
	[[ $1 != -- ]] || shift
	local word
	for word; do
		[[ $word != "${words[CURRENT]}"* ]] || print -r -- $word
	done
}

_files()
{
	local word
	for word in "${words[CURRENT]}"*(N); do
		print -r -- $word
	done
}

# The last line runs it.
source $file
