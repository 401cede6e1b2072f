// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: may anybody be writing to a device right now?
 */
#include <dirent.h>
#include <limits.h>
#include <string.h>

#include "chainsetup.h"
#include "dm.h"
#include "dm-chain-parse.h"

#define MAX_WORDS	(3 * DM_CHAIN_MAX_LAYERS + 16)

/* Does a chain's table line leave the content of @number alone? */
static bool line_only_reads(char *params, const char *number)
{
	const struct dm_chain_line_layer *active;
	char *argv[MAX_WORDS], *word, *rest;
	struct dm_chain_line line;
	unsigned int argc = 0;

	for (word = strtok_r(params, " ", &rest); word && argc < MAX_WORDS;
	     word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	if (dm_chain_parse_line(argc, argv, &line, NULL))
		return false;
	if (line.read_only)
		return true;
	active = &line.layer[line.nr_layers - 1];
	return strcmp(active->data, number) && strcmp(active->meta, number);
}

/*
 * A job into a layer below the active one does not change what it shows. A
 * table that waits for its turn may.
 */
static bool holder_only_reads(const char *holder, const char *number)
{
	char path[PATH_MAX], name[256];
	struct live live;
	bool ok;

	snprintf(path, sizeof(path), "/sys/class/block/%s/dm/name", holder);
	if (!read_line(path, name, sizeof(name)) ||
	    live_open(&live, name, NULL))
		return false;
	ok = !live.inactive && line_only_reads(live.table, number);
	live_close(&live);
	return ok;
}

bool device_may_change(const struct device *dev)
{
	char path[PATH_MAX], number[32];
	unsigned int holders = 0;
	struct dirent *entry;
	struct device own;
	bool change = false;
	DIR *dir;

	if (!device_open(&own, dev->path, DEVICE_EXCL, NULL)) {
		device_close(&own);
		return false;
	}
	snprintf(path, sizeof(path), "/sys/dev/block/%s/holders",
		 device_number(dev, number));
	dir = device_is_block(dev) ? opendir(path) : NULL;
	if (!dir)
		return true;
	while (!change && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		holders++;
		change = !holder_only_reads(entry->d_name, number);
	}
	closedir(dir);
	return change || !holders;
}
