// SPDX-License-Identifier: GPL-2.0
/*
 * Does a device hold what a cut's "view" says (save.h)?
 *
 *	powercut same DEVICE DIR
 *
 * Exit status: 0, or 1 with the first sector that differs.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "powercut.h"
#include "sector.h"

#define PIECE	(64 * 1024)

static FILE *open_in(const char *dir, const char *name)
{
	char *path;
	FILE *f;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		err(2, "memory");
	f = fopen(path, "re");
	if (!f)
		err(2, "%s", path);
	free(path);
	return f;
}

static int compare(int fd, FILE *view, char *buf, unsigned long long at,
		   unsigned long long length)
{
	static char want[PIECE];
	unsigned long long n, i;

	for (; length; at += n, length -= n) {
		n = length < PIECE ? length : PIECE;
		if (pread(fd, buf, n, at) != (ssize_t)n)
			err(1, "byte %llu", at);
		if (fread(want, 1, n, view) != n)
			errx(2, "the view is too short");
		for (i = 0; i < n; i += POWERCUT_SECTOR) {
			if (memcmp(buf + i, want + i, POWERCUT_SECTOR)) {
				printf("sector %llu differs\n",
				       (at + i) / POWERCUT_SECTOR);
				return 1;
			}
		}
	}
	return 0;
}

int same_main(int argc, char **argv)
{
	unsigned long long at, length;
	FILE *view, *windows;
	int fd, r = 0;
	void *buf;

	if (argc != 3 || posix_memalign(&buf, 4096, PIECE))
		errx(2, "usage: powercut same DEVICE DIR");
	fd = open(argv[1], O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		err(2, "%s", argv[1]);
	view = open_in(argv[2], "view");
	windows = open_in(argv[2], "windows");
	while (!r && fscanf(windows, "%llu %llu", &at, &length) == 2)
		r = compare(fd, view, buf, at, length);
	return r;
}
