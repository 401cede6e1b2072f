// SPDX-License-Identifier: GPL-2.0
/*
 * A libnbd for odd_images.py: every image is of SIZE bytes, all its own and of 0x55, but
 * where the environment's ODD says what goes wrong.
 */
#include <libnbd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int handle;

/* Is it what ODD says, "WHAT" or "WHAT NAME"? */
static int odd(const char *what, const char *name)
{
	const char *says = getenv("ODD");
	size_t len = strlen(what);

	if (!says || strncmp(says, what, len))
		return 0;
	return name ? says[len] == ' ' && !strcmp(says + len + 1, name) : !says[len];
}

struct nbd_handle *nbd_create(void)
{
	return odd("create", NULL) ? NULL : (struct nbd_handle *)&handle;
}

void nbd_close(struct nbd_handle *h)
{
}

const char *nbd_get_error(void)
{
	static char text[64];

	snprintf(text, sizeof(text), "libnbd cannot %s", getenv("ODD") ?: "do that");
	return text;
}

int nbd_add_meta_context(struct nbd_handle *h, const char *name)
{
	return odd("add", name) ? -1 : 0;
}

int nbd_can_meta_context(struct nbd_handle *h, const char *name)
{
	return !odd("offer", name);
}

int nbd_connect_socket(struct nbd_handle *h, int sock)
{
	char byte;

	/* The other end is closed when the process ends. */
	while (read(sock, &byte, 1) > 0)
		;
	return odd("connect", NULL) || odd("connect", "saying why") ? -1 : 0;
}

int64_t nbd_get_size(struct nbd_handle *h)
{
	return atoll(getenv("SIZE")) + odd("size", NULL) * 512;
}

static void tell(nbd_extent_callback *extent, const char *name, uint64_t offset,
		 uint32_t len, uint32_t word)
{
	uint32_t entries[2] = { len, word };
	int error = 0;

	extent->callback(extent->user_data, name, offset, entries,
			 odd("tell", name) ? 1 : 2, &error);
}

int nbd_block_status(struct nbd_handle *h, uint64_t count, uint64_t offset,
		     nbd_extent_callback extent, uint32_t flags)
{
	if (odd("status", NULL))
		return -1;
	tell(&extent, "other:context", offset, 1, 7);
	tell(&extent, "qemu:allocation-depth", offset, count, 1);
	tell(&extent, LIBNBD_CONTEXT_BASE_ALLOCATION, offset, count, 0);
	return 0;
}

#ifndef OLD
int nbd_pread(struct nbd_handle *h, void *buf, size_t count, uint64_t offset,
	      uint32_t flags)
{
	if (odd("read", NULL))
		return -1;
	memset(buf, 0x55, count);
	return 0;
}
#endif
