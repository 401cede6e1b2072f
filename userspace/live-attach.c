// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: attach, which opens what /etc/chaintab says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chaintab.h"
#include "json.h"
#include "live.h"
#include "live-open.h"

/**
 * struct source - a file that is read
 * @path: of it
 * @all: all of it is to be opened: each line that is wrong is named
 * @wait: for what is not there yet
 * @array: JSON objects; NULL: print lines
 * @wrong: what was said of the first one
 */
struct source {
	const char *path;
	bool all;
	bool wait;
	struct json_object *array;
	struct dm_chain_why wrong;
};

static void refuse_line(void *data, unsigned int line, const struct dm_chain_why *why)
{
	struct source *source = data;

	if (source->all)
		complain("%s:%u: %s", source->path, line, why->text);
	else if (!*source->wrong.text)
		dm_chain_refuse(&source->wrong, 0, "; line %u is wrong: %.340s", line,
				why->text);
}

void chaintab_outdated(const char *name, const u8 *uuid)
{
	const struct chaintab_entry *entry;
	char text[DM_CHAIN_UUID_TEXT];
	struct source source = { .path = CHAINTAB_PATH };
	struct chaintab tab;

	chaintab_read(&tab, CHAINTAB_PATH, refuse_line, &source, NULL);
	entry = chaintab_find(&tab, name);
	if (entry && !dm_chain_uuid_equal(entry->uuid, uuid)) {
		dm_chain_uuid_format(uuid, text);
		printf(CHAINTAB_PATH ":%u: for the next boot, write UUID=%s instead of %s%s\n",
		       entry->line, text, entry->device,
		       entry->initrd ? ", and make the initramfs anew" : "");
	}
	chaintab_free(&tab);
}

static void show_present(const struct source *source, const struct live *live)
{
	struct json_object *object;

	if (!source->array) {
		say("%s is open already", live->name);
		return;
	}
	object = json_object_new_object();
	json_flag(object, "opened", false);
	json_text(object, "device", live->name);
	json_number(object, "size", live->sectors << 9);
	json_text(object, "table", live->table);
	json_object_object_add(object, "jobs", json_object_new_array());
	json_object_array_add(source->array, object);
}

/* Who asks wants the device: one that is there already, from the initramfs, will do. */
static int attach_entry(const struct chaintab_entry *entry, const struct source *source,
			struct dm_chain_why *why)
{
	struct open_options options = {
		.name = entry->name,
		.path = entry->device,
		.read_only = entry->read_only,
		.jobs_paused = entry->jobs_paused,
		.rollback = entry->rollback,
		.wait = source->wait ? entry->timeout : 0,
		.json = source->array,
		.array = source->array,
	};
	struct live live;
	int ret = live_exists(entry->name, why);

	if (ret < 0)
		return ret;
	if (!ret)
		return open_chain_device(&options, why);
	ret = live_open(&live, entry->name, why);
	if (!ret)
		show_present(source, &live);
	live_close(&live);
	return ret;
}

static int attach_named(const struct chaintab *tab, const struct source *source,
			const char *name)
{
	const struct chaintab_entry *entry = chaintab_find(tab, name);
	struct dm_chain_why why = { "" };

	if (!entry)
		return complain("%s has no line for %s%s", source->path, name,
				source->wrong.text);
	if (attach_entry(entry, source, &why))
		return complain("%s: %s", name, why.text);
	return 0;
}

static int attach_all(const struct chaintab *tab, const struct source *source)
{
	unsigned int i;
	int status = 0;

	for (i = 0; i < tab->nr; i++)
		if (!tab->entry[i].noauto)
			status |= attach_named(tab, source, tab->entry[i].name);
	return status;
}

int cmd_attach(int argc, char **argv)
{
	static const struct option words[] = {
		{ "tab", required_argument, NULL, 't' },
		{ "all", no_argument, NULL, 'a' },
		{ "no-wait", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	struct source source = { .path = CHAINTAB_PATH, .wait = true };
	struct dm_chain_why why = { "" };
	struct chaintab tab;
	bool json = false;
	int c, i, status;

	while ((c = next_option(argc, argv, words)) != -1) {
		if (c == 't')
			source.path = optarg;
		else if (c == 'a')
			source.all = true;
		else if (c == 'n')
			source.wait = false;
		else if (c == 'j')
			json = true;
		else
			return 1;
	}
	if (!operands_ok(argc, argv, !source.all, source.all ? 0 : argc))
		return 1;
	if (target_available(&why))
		return complain_why(&why);
	status = chaintab_read(&tab, source.path, refuse_line, &source, &why);
	if (status < 0)
		return complain_why(&why);
	if (json)
		source.array = json_object_new_array();
	/* A line that is wrong does not matter to him who asks for another. */
	status = source.all && status;
	if (source.all)
		status |= attach_all(&tab, &source);
	for (i = optind; i < argc; i++)
		status |= attach_named(&tab, &source, argv[i]);
	if (json)
		print_json(source.array);
	chaintab_free(&tab);
	return status;
}
