// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup-generator: makes units of /etc/chaintab's lines, see systemd.generator(7).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "units.h"

/*
 * What systemd runs has no stderr that anybody reads, and there is no journal yet: it is
 * the kernel's log that the line goes to, by one write, as an error of a daemon.
 */
static void tell(const char *text)
{
	FILE *log = getenv("SYSTEMD_SCOPE") ? fopen("/dev/kmsg", "we") : NULL;

	if (log)
		fprintf(log, "<%d>chainsetup-generator: %s\n", LOG_DAEMON | LOG_ERR, text);
	else
		fprintf(stderr, "chainsetup-generator: %s\n", text);
	if (log)
		fclose(log);
}

static void refuse_line(void *data, unsigned int line, const struct dm_chain_why *why)
{
	char *text = xasprintf("%s:%u: %s", (const char *)data, line, why->text);

	tell(text);
	free(text);
}

static int fail(const struct dm_chain_why *why)
{
	tell(why->text);
	return 1;
}

static int usage(bool asked)
{
	fputs("Usage: chainsetup-generator [--tab FILE] DIR [EARLY-DIR LATE-DIR]\n\n"
	      "Writes a unit chainsetup@NAME.service to DIR for each line of /etc/chaintab, or\n"
	      "FILE (from / on), and what makes boot wait for it. A line is\n\n"
	      "    NAME DEVICE [OPTION,...]\n\n"
	      "DEVICE is a path below /dev or UUID=..., and has the superblock of the active\n"
	      "layer. The options: read-only, jobs-paused, rollback (as of \"chainsetup open\"),\n"
	      "noauto (not at boot), nofail (boot does not fail without it), _netdev (its layers\n"
	      "need the network), x-initrd.attach (opened by the initramfs, never closed),\n"
	      "x-systemd.device-timeout=TIME (how long to wait for the layers: 90s, 5min, 0 or\n"
	      "infinity). Lines that begin with # are comments. A line that is wrong is named and\n"
	      "left out; the exit status is 1 then.\n",
	      asked ? stdout : stderr);
	return asked ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *path = CHAINTAB_PATH;
	struct dm_chain_why why = { "" };
	struct chaintab tab;
	int first = 1, ret;
	unsigned int i;

	if (argc == 2 && !strcmp(argv[1], "--help"))
		return usage(true);
	if (argc > 2 && !strcmp(argv[1], "--tab")) {
		path = argv[2];
		first = 3;
	}
	/* The units name it. */
	if ((argc != first + 1 && argc != first + 3) || argv[first][0] == '-' || *path != '/')
		return usage(false);

	umask(022);
	ret = chaintab_read(&tab, path, refuse_line, (void *)path, &why);
	if (ret < 0)
		return fail(&why);
	for (i = 0; i < tab.nr; i++)
		if (write_units(argv[first], path, &tab.entry[i], &why))
			ret = fail(&why);
	if (tab.nr && hook_target(argv[first], &why))
		ret = fail(&why);
	chaintab_free(&tab);
	return ret ? 1 : 0;
}
