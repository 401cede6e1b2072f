// SPDX-License-Identifier: GPL-2.0
/*
 * Preloaded into a kernel of User Mode Linux, which keeps the floating point
 * state of its processes in buffers of a size that was fixed when it was
 * written. x86 wants that state back in full or not at all, so that on a
 * processor that has more of it (AMX) the kernel could start no process. Here the
 * part that UML knows is put over what the traced process has, and the whole of
 * that is handed on. Where the sizes agree nothing is changed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

/* More than a processor has: UML's stacks are small, its tracer is one thread. */
static char state[1 << 16] __attribute__((aligned(64)));
static long (*next)(int request, pid_t pid, void *addr, void *data);

__attribute__((constructor))
static void find_next(void)
{
	next = (long (*)(int, pid_t, void *, void *))dlsym(RTLD_NEXT, "ptrace");
	if (!next)
		abort();
}

static long set_xstate(pid_t pid, const struct iovec *part)
{
	struct iovec whole = { .iov_base = state, .iov_len = sizeof(state) };
	void *kind = (void *)NT_X86_XSTATE;

	if (next(PTRACE_GETREGSET, pid, kind, &whole))
		return -1;
	if (part->iov_len >= whole.iov_len)
		return next(PTRACE_SETREGSET, pid, kind, (void *)part);
	memcpy(state, part->iov_base, part->iov_len);
	return next(PTRACE_SETREGSET, pid, kind, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
	void *addr, *data;
	va_list ap;
	pid_t pid;

	va_start(ap, request);
	pid = va_arg(ap, pid_t);
	addr = va_arg(ap, void *);
	data = va_arg(ap, void *);
	va_end(ap);

	if (request == PTRACE_SETREGSET && addr == (void *)NT_X86_XSTATE)
		return set_xstate(pid, data);
	return next(request, pid, addr, data);
}
