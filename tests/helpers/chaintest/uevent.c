// SPDX-License-Identifier: GPL-2.0
/* chaintest: uevents of chain devices. */
#include <linux/netlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ct.h"

int uevent_open(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int size = 1 << 20;
	int fd;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
		    NETLINK_KOBJECT_UEVENT);
	ct_check(fd >= 0 &&
		 !setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) &&
		 !bind(fd, (struct sockaddr *)&addr, sizeof(addr)),
		 "uevent socket: %m");
	return fd;
}

/*
 * The variables of the next event of a chain device until @end, each followed by
 * a space, or NULL.
 */
static char *next_any(int fd, u64 end)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[8192];
	ssize_t n;
	u64 now;

	while ((now = ct_now_ms()) < end) {
		if (poll(&p, 1, end - now) <= 0)
			break;
		n = recv(fd, buf, sizeof(buf) - 1, 0);
		if (n <= 0)
			continue;
		buf[n] = '\0';
		for (n--; n > 0; n--)
			if (!buf[n - 1])
				buf[n - 1] = ' ';
		if (strstr(buf, "DM_CHAIN_EVENT="))
			return ct_str("%s ", buf);
	}
	return NULL;
}

/**
 * uevent_next() - the next event of a chain device
 * @event: DM_CHAIN_EVENT sought, others are passed over
 * @ms: how long to wait
 *
 * Return: its variables, each followed by a space, or NULL.
 */
char *uevent_next(int fd, const char *event, unsigned int ms)
{
	char *want = ct_str("DM_CHAIN_EVENT=%s ", event);
	u64 end = ct_now_ms() + ms;
	char *text;

	while ((text = next_any(fd, end)) && !strstr(text, want))
		free(text);
	free(want);
	return text;
}

/* A word for an event: the status if it is one of those, else its name. */
static char *event_word(const char *text)
{
	char *name = field(text, "DM_CHAIN_EVENT=");

	if (strcmp(name, "JOB_STATUS_CHANGE"))
		return name;
	free(name);
	return field(text, "DM_CHAIN_STATUS=");
}

/**
 * uevent_history() - all events of a job, in order
 * @id: those of other jobs are passed over
 * @expected: a status, or the name of another event, and a space, for each
 */
void uevent_history(int fd, const char *id, const char *expected)
{
	u64 end = ct_now_ms() + 20000;
	char *seen = ct_str("%s", "");
	char *text, *word, *job, *longer;

	while (strlen(seen) < strlen(expected) && (text = next_any(fd, end))) {
		job = field(text, "DM_CHAIN_JOB=");
		if (!strcmp(job, id)) {
			word = event_word(text);
			longer = ct_str("%s%s ", seen, word);
			free(word);
			free(seen);
			seen = longer;
		}
		free(job);
		free(text);
	}
	ct_check(!strcmp(seen, expected),
		 "events of job %s: \"%s\", expected \"%s\"", id, seen, expected);
	free(seen);
}
