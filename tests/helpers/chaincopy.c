// SPDX-License-Identifier: GPL-2.0
/*
 * chaincopy: the plainest copy loop there is, as a yardstick for copiers.
 *
 *	chaincopy copy SOURCE DESTINATION BYTES
 *		read and write, direct I/O, 1 MiB at a time
 *	chaincopy scan SOURCE BYTES
 *		read, and look whether all is zero, a word at a time, as the kernel
 *		has to that does without vector registers; exit status 1 if it is not
 *
 * Prints one line: ns= mbs=, mbs being 10^6 bytes a second.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define PIECE	(1U << 20)
#define ALIGN	4096

static int open_direct(const char *path, int flags)
{
	int fd = open(path, flags | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

static bool all_zero(const uint64_t *word)
{
	unsigned int n;

	for (n = 0; n < PIECE / sizeof(*word); n++) {
		if (word[n])
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	bool copy = argc == 5 && !strcmp(argv[1], "copy"), zero = true;
	bool scan = argc == 4 && !strcmp(argv[1], "scan");
	uint64_t bytes, at, begin, ns;
	int from, to = -1;
	uint64_t *buf;

	if (!copy && !scan)
		die("usage: chaincopy copy SOURCE DESTINATION BYTES | scan SOURCE BYTES");
	bytes = strtoull(argv[argc - 1], NULL, 10);
	if (!bytes || bytes % PIECE)
		die("%s: not a multiple of %u", argv[argc - 1], PIECE);
	from = open_direct(argv[2], O_RDONLY);
	if (copy)
		to = open_direct(argv[3], O_WRONLY);
	buf = aligned_alloc(ALIGN, PIECE);
	if (!buf)
		die("no memory");
	memset(buf, 0, PIECE);

	begin = now();
	for (at = 0; at < bytes; at += PIECE) {
		if (pread(from, buf, PIECE, at) != PIECE)
			die("%s: read at byte %" PRIu64, argv[2], at);
		if (copy && pwrite(to, buf, PIECE, at) != PIECE)
			die("%s: write at byte %" PRIu64, argv[3], at);
		if (scan && !all_zero(buf))
			zero = false;
	}
	if (copy && fdatasync(to))
		die("%s: %s", argv[3], strerror(errno));
	ns = now() - begin;
	printf("ns=%" PRIu64 " mbs=%.1f\n", ns, bytes * 1000.0 / (ns ? ns : 1));
	return scan && !zero;
}
