// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: what the target says in the kernel's log, see kernel-log.h.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "kernel-log.h"

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* The kernel does so with backslashes as well: nothing else looks like it. */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (text[0] == '\\' && text[1] == 'x' &&
		    isxdigit((unsigned char)text[2]) &&
		    isxdigit((unsigned char)text[3])) {
			*to++ = hex(text[2]) << 4 | hex(text[3]);
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = 0;
}

char *kernel_log_record(char *record, bool *own)
{
	static const char dm[] = "device-mapper: ", mark[] = TARGET_NAME ": ";
	char *text = strchr(record, ';');

	if (!text)
		return NULL;
	/* Behind the first line stand its properties. */
	text[strcspn(text, "\n")] = 0;
	text++;
	if (strncmp(text, dm, strlen(dm)))
		return NULL;
	text += strlen(dm);
	*own = !strncmp(text, mark, strlen(mark));
	text = strstr(text, mark);
	if (!text)
		return NULL;
	text += strlen(mark);
	unescape(text);
	return text;
}

int kernel_log_mark(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

void kernel_log_forget(int fd)
{
	if (fd >= 0)
		close(fd);
}

void kernel_log_reason(int fd, struct dm_chain_why *why)
{
	struct dm_chain_why reason = { "" };
	bool own, any_own = false;
	char record[1024], *text;
	ssize_t n;

	if (fd < 0)
		return;
	for (;;) {
		n = read(fd, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			break;
		record[n] = 0;
		text = kernel_log_record(record, &own);
		/* The target's own lines say more than dm's about it. */
		if (!text || (any_own && !own))
			continue;
		any_own = own;
		snprintf(reason.text, sizeof(reason.text), "%.*s",
			 (int)sizeof(reason.text) - 1, text);
	}
	close(fd);
	if (reason.text[0])
		*why = reason;
}
