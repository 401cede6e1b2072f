// SPDX-License-Identifier: GPL-2.0
/*
 * Wait for an event of a job, and do what its sight permits at once.
 *
 *	powercut await MARKS JOB EVENT[=STATUS] MARK... [-- DEVICE...]
 *
 * Prints a line when it listens and another when the event came. Between the
 * two, and as soon as the event is there, the marks go to the device MARKS, and
 * garbage over the start of each DEVICE.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "powercut.h"
#include "sector.h"

#define GARBAGE		(1536 * 1024)
#define PIECE		(64 * 1024)
#define TIMEOUT_MS	300000

static int listen_to_events(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int size = 1 << 20;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
			NETLINK_KOBJECT_UEVENT);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		err(1, "uevents");
	return fd;
}

/* The value of a variable in @n bytes of strings; "" if it is not there. */
static const char *value(const char *buf, size_t n, const char *name)
{
	size_t len = strlen(name);
	const char *p;

	for (p = buf; p < buf + n; p += strlen(p) + 1)
		if (!strncmp(p, name, len) && p[len] == '=')
			return p + len + 1;
	return "";
}

static void wait_for(int fd, const char *job, const char *event,
		     const char *status)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[8192];
	ssize_t n;

	for (;;) {
		if (poll(&p, 1, TIMEOUT_MS) <= 0)
			errx(1, "no %s of job %s", event, job);
		n = recv(fd, buf, sizeof(buf) - 1, 0);
		if (n < 0)
			err(1, "uevents");
		buf[n] = '\0';
		if (!strcmp(value(buf, n, "DM_CHAIN_EVENT"), event) &&
		    !strcmp(value(buf, n, "DM_CHAIN_JOB"), job) &&
		    (!status ||
		     !strcmp(value(buf, n, "DM_CHAIN_STATUS"), status)))
			return;
	}
}

static void scribble(const char *path, void *buf)
{
	int fd = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
	off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	off_t at;

	if (end < 0)
		err(1, "%s", path);
	memset(buf, 0xe5, PIECE);
	for (at = 0; at < GARBAGE && at + PIECE <= end; at += PIECE)
		if (pwrite(fd, buf, PIECE, at) != PIECE)
			err(1, "%s", path);
	close(fd);
}

int await_main(int argc, char **argv)
{
	char *event, *status;
	int fd, marks, i;
	void *buf;

	if (argc < 5 || posix_memalign(&buf, 4096, PIECE))
		errx(2, "usage: powercut await: see await.c");
	event = argv[3];
	status = strchr(event, '=');
	if (status)
		*status++ = '\0';
	marks = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (marks < 0)
		err(1, "%s", argv[1]);
	fd = listen_to_events();
	puts("ready");
	fflush(stdout);

	wait_for(fd, argv[2], event, status);
	for (i = 4; i < argc && strcmp(argv[i], "--"); i++)
		powercut_mark(marks, buf, argv[i]);
	while (++i < argc)
		scribble(argv[i], buf);
	printf("%s of job %s\n", event, argv[2]);
	return 0;
}
