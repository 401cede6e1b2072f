# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Kernels of User Mode Linux, and what they need. Sourced after scripts/lib.sh and
# tests/vm/lib.sh.
# shellcheck source=../vm/build.sh
. "$ROOT/tests/vm/build.sh"

# shellcheck disable=SC2034 # used by tests/vm/run
UML_KERNELS="san gcov"

# uml_make BUILD TARGET...
uml_make()
{
	kernel_make um "$@"
}

# uml_kernel NAME: the build directory of the kernel san or gcov.
uml_kernel()
{
	local dir=$ROOT/tests/uml

	kernel_build um "$1" "$ROOT/tests/vm/guest.config" "$dir/base.config" \
		"$dir/$1.config"
}

# uml_module NAME BUILD: the directory with dm-chain.ko for it.
uml_module()
{
	built_module "$1" um "$2"
}

# uml_xstate: the library without which some processors cannot run UML.
uml_xstate()
{
	local dir

	dir=$CACHE/boot/uml-xstate-$(content_id "$ROOT/tests/uml/xstate.c")
	once "$dir" make_xstate || return
	echo "$dir/xstate.so"
}

make_xstate()
{
	gcc -O2 -Wall -Wextra -Werror -shared -fPIC -o "$1/xstate.so" \
		"$ROOT/tests/uml/xstate.c"
}
