// SPDX-License-Identifier: GPL-2.0
/* chaintorture: a run in a process of its own; the shortest list that fails. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torture.h"

#define TIME_LIMIT_MS	300000
#define MOST_TRIES	8

struct progress *progress;

/* What the kernel's log says only when it got hurt. */
static const char *const complaints[] = {
	"WARNING:", "BUG:", "Oops", "INFO: task", "INFO: lockdep", "INFO: rcu",
	"general protection", "Call Trace", "possible circular",
	"possible recursive", "UBSAN", "KASAN", "refcount_t", "corruption",
};

static int log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	ct_check(fd >= 0, "/dev/kmsg: %m");
	lseek(fd, 0, SEEK_END);
	return fd;
}

/* The first complaint goes to @why. */
static bool log_complains(int fd, char *why, size_t len)
{
	bool found = false;
	char record[8192];
	unsigned int i;
	ssize_t n;

	for (;;) {
		n = read(fd, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			break;
		record[n] = '\0';
		for (i = 0; i < ARRAY_SIZE(complaints) && !found; i++) {
			if (!strstr(record, complaints[i]))
				continue;
			snprintf(why, len, "kernel's log: %s",
				 strchr(record, ';') + 1);
			found = true;
		}
	}
	close(fd);
	return found;
}

/* Return: the wait status, or -1 at the time limit. */
static int wait_for(pid_t pid)
{
	struct pollfd p = { .events = POLLIN };
	int status = -1;

	p.fd = syscall(SYS_pidfd_open, pid, 0);
	ct_check(p.fd >= 0, "pidfd_open: %m");
	if (poll(&p, 1, TIME_LIMIT_MS) > 0)
		waitpid(pid, &status, 0);
	close(p.fd);
	return status;
}

static void child(const struct list *l, const char *pool, int out)
{
	dup2(out, STDOUT_FILENO);
	setvbuf(stdout, NULL, _IOLBF, 0);
	pool_init(pool);
	run_list(l);
	fflush(stdout);
	_exit(0);
}

static void last_words(int fd, char *why, size_t len)
{
	char *failed;
	ssize_t n = pread(fd, why, len - 1, 0);

	why[max(n, 0L)] = '\0';
	failed = strstr(why, "FAILED: ");
	if (failed)
		memmove(why, failed + 8, strlen(failed + 8) + 1);
	why[strcspn(why, "\n")] = '\0';
}

/**
 * judge() - do a list
 * @v: whether it failed, and if so, why and where
 */
void judge(const struct list *l, const char *pool, struct verdict *v)
{
	int out = memfd_create("out", 0), log = log_open();
	int status;
	pid_t pid;

	memset(v, 0, sizeof(*v));
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	if (!pid)
		child(l, pool, out);
	status = wait_for(pid);
	v->at = progress->at;
	if (status == -1) {
		dmd_cleanup_devices(true);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		v->failed = true;
		snprintf(v->why, sizeof(v->why), "no end within %d s",
			 TIME_LIMIT_MS / 1000);
	} else if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		v->failed = true;
		last_words(out, v->why, sizeof(v->why));
		if (WIFSIGNALED(status))
			snprintf(v->why, sizeof(v->why), "signal %d",
				 WTERMSIG(status));
	}
	close(out);
	dmd_cleanup_devices(false);
	if (dmd_left_over()) {
		v->failed = true;
		v->stuck = true;
		snprintf(v->why + strlen(v->why), sizeof(v->why) - strlen(v->why),
			 "; devices cannot be removed");
	}
	if (!v->failed)
		v->failed = log_complains(log, v->why, sizeof(v->why));
	else
		close(log);
}

/* Where it depends on luck, it is given some. */
static bool fails(const struct list *l, const char *pool, struct verdict *v,
		  unsigned int tries)
{
	struct verdict now;

	while (tries--) {
		judge(l, pool, &now);
		if (now.failed) {
			*v = now;
			return true;
		}
	}
	return false;
}

static void cut_out(struct list *l, unsigned int from, unsigned int nr)
{
	memmove(&l->op[from], &l->op[from + nr],
		(l->nr - from - nr) * sizeof(*l->op));
	l->nr -= nr;
}

/* Behind the operation that failed nothing counts. */
static void cut_end(struct list *l, const struct verdict *v)
{
	if (!l->setup.threads && v->at + 1 < l->nr)
		l->nr = v->at + 1;
}

/**
 * shrink() - look for a shorter list that fails as well
 * @l: failed with @v, which becomes the result's
 * @seconds: about as long as this may take
 */
struct list *shrink(const struct list *l, const char *pool, struct verdict *v,
		    unsigned int seconds)
{
	u64 end = ct_now_ms() + 1000ULL * seconds;
	struct list *best = list_copy(l), *next;
	unsigned int tries, part, at;
	bool shorter = true;

	cut_end(best, v);
	for (tries = 1; tries < MOST_TRIES && !v->stuck; tries *= 2)
		if (fails(best, pool, v, tries))
			break;
	if (tries == MOST_TRIES) {
		ct_note("it fails too seldom to find a shorter list");
		return best;
	}
	if (tries > 1)
		tries = MOST_TRIES;
	for (part = max(best->nr / 2, 1U); shorter || part > 1;
	     part = max(part / 2, 1U)) {
		shorter = false;
		for (at = 0; at < best->nr && !v->stuck && ct_now_ms() < end;) {
			next = list_copy(best);
			cut_out(next, at, min(part, best->nr - at));
			if (fails(next, pool, v, tries)) {
				cut_end(next, v);
				list_free(best);
				best = next;
				shorter = true;
			} else {
				list_free(next);
				at += part;
			}
		}
		if (v->stuck || ct_now_ms() >= end)
			break;
	}
	return best;
}
