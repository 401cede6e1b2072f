// SPDX-License-Identifier: GPL-2.0
/* chaintest: the end of a scenario, notes, small things. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ct.h"

#define KMSG_MAX	(256 * KIB)

const char *ct_plant = "";
unsigned int ct_series;
unsigned int ct_step = 1;
const char *ct_scenario;

static int kmsg_fd = -1;

/* One write a line: the threads of a scenario share stdout. */
static void say(const char *prefix, const char *fmt, va_list args)
{
	char text[1024];
	char line[1100];
	char *p;

	vsnprintf(text, sizeof(text), fmt, args);
	for (p = text; *p; p++)
		if (*p == '\n')
			*p = '|';
	snprintf(line, sizeof(line), "# %s%s\n", prefix, text);
	fputs(line, stdout);
	fflush(stdout);
}

void ct_fail(const char *fmt, ...)
{
	static bool failing;
	va_list args;

	if (__atomic_exchange_n(&failing, true, __ATOMIC_SEQ_CST))
		for (;;)
			pause();

	va_start(args, fmt);
	say("FAILED: ", fmt, args);
	va_end(args);
	/* No thread of ours can end while its request is held. */
	dmd_cleanup_devices(true);
	_exit(1);
}

void ct_skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("skipped: ", fmt, args);
	va_end(args);
	_exit(4);
}

void ct_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("", fmt, args);
	va_end(args);
}

char *ct_str(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		ct_fail("no memory");
	va_end(args);
	return text;
}

void *ct_alloc(size_t size)
{
	void *p = calloc(1, size);

	ct_check(p, "no memory");
	return p;
}

u64 ct_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

void ct_sleep_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

static __thread u64 random_state;

bool ct_plants(const char *kind)
{
	return !strcmp(ct_plant, kind);
}

void ct_seed(u64 seed)
{
	random_state = (seed + 1 + 1000003ULL * ct_series) *
		       0x9e3779b97f4a7c15ULL;
}

/* xorshift64*; the same sequence in every run of the same series. */
u64 ct_random(u64 below)
{
	u64 x;

	if (!random_state)
		ct_seed(0);
	x = random_state;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	random_state = x;
	return (x * 0x2545f4914f6cdd1dULL >> 16) % below;
}

void kmsg_mark(void)
{
	if (kmsg_fd < 0)
		kmsg_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ct_check(kmsg_fd >= 0, "/dev/kmsg: %m");
	lseek(kmsg_fd, 0, SEEK_END);
}

/* The texts since the mark, a line each. */
char *kmsg_read(void)
{
	char *all = ct_alloc(KMSG_MAX);
	char record[8192];
	size_t len = 0;
	ssize_t n;
	char *text;

	for (;;) {
		n = read(kmsg_fd, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			return all;
		record[n] = '\0';
		text = strchr(record, ';');
		if (text)
			len += scnprintf(all + len, KMSG_MAX - len, "%s",
					 text + 1);
	}
}
