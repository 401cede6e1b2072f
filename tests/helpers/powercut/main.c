// SPDX-License-Identifier: GPL-2.0
/*
 * The parts of the power-cut tests, in one program:
 *
 *	powercut record		the disks: an NBD server that logs every request
 *	powercut mark		put marks into that log, from the guest
 *	powercut load		write to a chain in the guest, with marks
 *	powercut await		wait there for an event of a job, with marks
 *	powercut replay		cut the power at many points of a log and check
 *	powercut same		compare a device with what was found at a cut
 */
#include <stdio.h>
#include <string.h>
#include <linux/kernel.h>

#include "powercut.h"

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} parts[] = {
	{ "record", record_main },
	{ "mark", mark_main },
	{ "load", load_main },
	{ "await", await_main },
	{ "replay", replay_main },
	{ "same", same_main },
};

int main(int argc, char **argv)
{
	unsigned int i;

	for (i = 0; argc > 1 && i < ARRAY_SIZE(parts); i++)
		if (!strcmp(argv[1], parts[i].name))
			return parts[i].main(argc - 1, argv + 1);
	fprintf(stderr, "usage: powercut record|mark|load|replay ...\n");
	return 2;
}
