# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # used where this is sourced
# checkpatch.pl is for patches to the kernel. What does not fit:
# - BIT() is not for headers that user space includes;
# - user space has no strscpy(), kstrtoul() or kernel types from its libraries,
#   and their names are in the case they like; its macros may use offsetof();
# - the shims define what checkpatch wants to see used, or what the kernel
#   defines in the same way;
# - compat.h is the one place for kernel versions;
# - the name of a file that a tracepoint's macro gets looks like a subtraction.
ALL=BIT_MACRO
USER=$ALL,CAMELCASE,PREFER_KERNEL_TYPES,NAKED_SSCANF,STRCPY,STRLCPY,STRNCPY
USER+=,PREFER_DEFINED_ATTRIBUTE_MACRO,CONSIDER_KSTRTO,EMBEDDED_FUNCTION_NAME
USER+=,VOLATILE,MACRO_ARG_REUSE
SHIM=$USER,NEW_TYPEDEFS,MACRO_ARG_PRECEDENCE,MACRO_ARG_UNUSED
SHIM+=,COMPLEX_MACRO,MEMORY_BARRIER
COMPAT=$ALL,LINUX_VERSION_CODE,CONSTANT_COMPARISON,NEW_TYPEDEFS
TRACE=$ALL,SPACING
