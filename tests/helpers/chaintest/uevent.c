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

/**
 * uevent_next() - the next event of a chain device
 * @event: DM_CHAIN_EVENT sought, others are passed over
 * @ms: how long to wait
 *
 * Return: its variables, each followed by a space, or NULL.
 */
char *uevent_next(int fd, const char *event, unsigned int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	u64 end = ct_now_ms() + ms;
	char buf[8192];
	char *want = ct_str("DM_CHAIN_EVENT=%s ", event);
	char *text = NULL;
	ssize_t n;
	u64 now;

	while (!text && (now = ct_now_ms()) < end) {
		if (poll(&p, 1, end - now) <= 0)
			break;
		n = recv(fd, buf, sizeof(buf) - 1, 0);
		if (n <= 0)
			continue;
		buf[n] = '\0';
		for (n--; n > 0; n--)
			if (!buf[n - 1])
				buf[n - 1] = ' ';
		text = ct_str("%s ", buf);
		if (!strstr(text, want)) {
			free(text);
			text = NULL;
		}
	}
	free(want);
	return text;
}
