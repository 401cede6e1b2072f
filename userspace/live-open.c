// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: open and close.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chaintab.h"
#include "job-words.h"
#include "live.h"
#include "live-open.h"

#define RAW_BASE_NAME	"base"
#define LOOK_AGAIN	500000	/* microseconds */

static int check_overlay(const struct open_options *options,
			 const struct dm_chain_sb *sb, struct dm_chain_why *why)
{
	char overlay[DM_CHAIN_UUID_TEXT];

	if (!(sb->flags & DM_CHAIN_F_HAS_OVERLAY) || options->rollback ||
	    options->read_only)
		return 0;
	dm_chain_uuid_format(sb->overlay_uuid, overlay);
	return dm_chain_refuse(why, -EBUSY,
			       "layer %s is the backing of layer %s, which the first write would make unusable: open that one, or give --rollback or --read-only",
			       sb->name, overlay);
}

static int check_block_device(const struct device *dev,
			      struct dm_chain_why *why)
{
	if (device_is_block(dev))
		return 0;
	return dm_chain_refuse(why, -ENOTBLK,
			       "%s is no block device: attach it with losetup",
			       dev->path);
}

/* The live job with that top; one that waits for dismiss holds nothing. */
static const struct reply_line *find_job(const struct reply *jobs,
					 const char *top)
{
	unsigned int i;

	for (i = 0; i < jobs->nr; i++)
		if (!strcmp(reply_get(&jobs->line[i], "top"), top) &&
		    job_end_of(&jobs->line[i]) == JOB_LIVE)
			return &jobs->line[i];
	return NULL;
}

/* Is @layer active, or a job's top, in layer @n of @other's table? */
static int check_use(const struct line_words *line, unsigned int n,
		     const char *other, const struct reply *jobs,
		     const struct layer *layer, struct dm_chain_why *why)
{
	const char *path = layer->raw ? layer->data.path : layer->meta.path;
	const struct reply_line *job;

	if (n == line->nr_layers - 1)
		return dm_chain_refuse(why, -EBUSY,
				       "%s is the active layer of %s: close that first, or take a snapshot there",
				       path,
				       other);
	job = find_job(jobs, line->layer[n].name);
	if (!job)
		return 0;
	return dm_chain_refuse(why, -EBUSY,
			       "%s is the top of job %s of %s: let that end first, or cancel it",
			       path, reply_get(job, "id"), other);
}

static int check_table(const char *table, const char *other,
		       const struct reply *jobs, const struct chain *chain,
		       struct dm_chain_why *why)
{
	struct line_words line;
	unsigned int i, n;
	char devno[32];
	int ret = 0;

	if (line_split(&line, table, NULL))
		return 0;
	for (i = 0; i < chain->nr && !ret; i++) {
		const struct layer *layer = &chain->layer[i];

		device_number(layer->raw ? &layer->data : &layer->meta, devno);
		for (n = 0; n < line.nr_layers && !ret; n++)
			if (line_uses(&line, n, devno))
				ret = check_use(&line, n, other, jobs, layer,
						why);
	}
	line_free(&line);
	return ret;
}

/*
 * Layers below the active one may be shared, but not with a device that writes
 * them. A device that goes away meanwhile is no hindrance; what comes meanwhile
 * the target sees.
 */
static int check_sharing(const struct chain *chain, struct dm_chain_why *why)
{
	struct live_names names;
	unsigned int i;
	int ret;

	ret = live_list(&names, why);
	for (i = 0; i < names.nr && !ret; i++) {
		const char *other = names.name[i];
		struct reply jobs;
		struct live live;
		char *inactive;

		if (live_query(other, "jobs", &jobs, NULL))
			continue;
		if (!live_open(&live, other, NULL))
			ret = check_table(live.table, other, &jobs, chain, why);
		live_close(&live);
		if (!ret && !live_inactive_table(other, &inactive, NULL)) {
			ret = check_table(inactive, other, &jobs, chain, why);
			free(inactive);
		}
		reply_free(&jobs);
	}
	live_list_free(&names);
	return ret;
}

/* The table line: names as the superblocks have them, devices by number. */
static char *chain_line(const struct open_options *options, struct chain *chain)
{
	char name[DM_CHAIN_MAX_LAYERS][DM_CHAIN_NAME_LEN];
	const char *taken[DM_CHAIN_MAX_LAYERS];
	char *text = xasprintf("%u", chain->nr), *next;
	unsigned int i, features;

	for (i = 0; i < chain->nr; i++) {
		const struct layer *layer = &chain->layer[i];
		char data[32], meta[32] = "-";

		snprintf(name[i], sizeof(name[i]), "%s",
			 layer->raw ? RAW_BASE_NAME : layer->sb.name);
		unique_name(taken, i, name[i]);
		taken[i] = name[i];
		device_number(&layer->data, data);
		if (!layer->raw)
			device_number(&layer->meta, meta);
		next = xasprintf("%s %s %s %s", text, name[i], data, meta);
		free(text);
		text = next;
	}
	features = options->read_only + 2 * options->jobs_paused;
	if (!features)
		return text;
	next = xasprintf("%s %u%s%s", text, features,
			 options->read_only ? " read_only" : "",
			 options->jobs_paused ? " jobs paused" : "");
	free(text);
	return next;
}

/* A job that was recorded is there again; nobody may expect that. */
static char *job_news(const struct reply_line *job, const char *device)
{
	return job_hint(job, device) ?:
	       xasprintf("job %s goes on", reply_get(job, "id"));
}

static void show_open(const struct open_options *options,
		      const struct dm_chain_sb *sb, const char *table)
{
	struct json_object *jobs = json_object_new_array(), *object;
	struct reply reply = { 0 };
	unsigned int i;
	char *text;

	if (!options->dry_run && live_query(options->name, "jobs", &reply, NULL))
		reply.nr = 0;
	for (i = 0; i < reply.nr; i++) {
		text = job_news(&reply.line[i], options->name);
		json_append(jobs, text);
		if (!options->json)
			say("%s", text);
		free(text);
	}
	reply_free(&reply);
	if (options->json) {
		object = json_object_new_object();
		if (options->array)
			json_flag(object, "opened", true);
		else
			json_flag(object, "dry-run", options->dry_run);
		json_text(object, "device", options->name);
		json_number(object, "size", sb->size);
		json_text(object, "table", table);
		json_object_object_add(object, "jobs", jobs);
		if (options->array)
			json_object_array_add(options->array, object);
		else
			print_json(object);
		return;
	}
	json_object_put(jobs);
	if (!options->dry_run)
		return;
	say("would create %s: 0 %llu %s %s", options->name, sb->size >> 9,
	    TARGET_NAME, table);
	if (sb->job.type)
		say("job %s would go on%s", sb->job.id,
		    options->jobs_paused ? ", paused" : "");
	puts("nothing was changed");
}

static int create_device(const struct open_options *options, const char *path,
			 struct chain *chain, struct dm_chain_why *why)
{
	const struct dm_chain_sb sb = chain_top(chain)->sb;
	char text[DM_CHAIN_UUID_TEXT];
	char *table, *uuid;
	int ret = 0;

	table = chain_line(options, chain);
	dm_chain_uuid_format(sb.uuid, text);
	uuid = xasprintf("CHAIN-%s-%s", text, options->name);
	/* The kernel's claims must not meet ours. */
	chain_close(chain);
	if (!options->dry_run)
		ret = live_create(options->name, uuid, sb.size >> 9, table,
				  options->read_only, why);
	if (!ret)
		show_open(options, &sb, table);
	if (!ret && sb.flags & DM_CHAIN_F_NEEDS_CHECK)
		complain("%s is read-only until \"chainsetup check %s\", while closed",
			 options->name, path);
	free(uuid);
	free(table);
	return ret;
}

/* The path of the device with the superblock; free() it. */
static int find_device(const char *device, char **path, struct dm_chain_why *why)
{
	u8 uuid[DM_CHAIN_UUID_LEN];

	if (chaintab_uuid(device, uuid))
		return find_layer(uuid, "", path, why);
	*path = xstrdup(device);
	return 0;
}

static int open_chain(const struct open_options *options, const char *path,
		      struct dm_chain_why *why)
{
	struct chain *chain = xalloc(1, sizeof(*chain));
	unsigned int i;
	int ret;

	ret = chain_open(chain, path, options->hints,
			 options->nr_hints, LAYER_EXCL, 0, why);
	if (ret)
		goto out;
	for (i = 0; i < chain->nr && !ret; i++) {
		const struct layer *layer = &chain->layer[i];

		ret = check_block_device(&layer->data, why);
		if (!ret && layer->sep_meta)
			ret = check_block_device(&layer->meta, why);
	}
	if (!ret)
		ret = check_overlay(options, &chain_top(chain)->sb, why);
	if (!ret)
		ret = check_sharing(chain, why);
	if (!ret)
		ret = create_device(options, path, chain, why);
	chain_close(chain);
out:
	free(chain);
	return ret;
}

/* At boot disks come one by one, and what lies on others later. */
static bool may_come(int err)
{
	return err == -ENOENT || err == -ENODEV || err == -ENXIO;
}

int open_chain_device(const struct open_options *options, struct dm_chain_why *why)
{
	struct timespec start, now;
	char *path;
	int ret;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (;;) {
		ret = find_device(options->path, &path, why);
		if (!ret) {
			ret = open_chain(options, path, why);
			free(path);
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (!may_come(ret) || (options->wait != UINT_MAX &&
				       now.tv_sec - start.tv_sec >= options->wait))
			return ret;
		usleep(LOOK_AGAIN);
	}
}

static int check_device_name(const char *name, struct dm_chain_why *why)
{
	int ret;

	if (!dm_chain_name_valid(name))
		return dm_chain_refuse(why, -EINVAL,
				       "\"%.64s\" is no name for a device: 1 to %d of A-Z a-z 0-9 _ . + -, beginning with a letter, digit or _",
				       name, DM_CHAIN_NAME_LEN - 1);
	ret = live_exists(name, why);
	if (ret > 0)
		ret = dm_chain_refuse(why, -EEXIST,
				      "there is a device %s already: choose another name, or close that",
				      name);
	return ret;
}

int cmd_open(int argc, char **argv)
{
	static const struct option words[] = {
		{ "read-only", no_argument, NULL, 'r' },
		{ "jobs-paused", no_argument, NULL, 'p' },
		{ "rollback", no_argument, NULL, 'b' },
		{ "layer", required_argument, NULL, 'l' },
		{ "dry-run", no_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	struct open_options options = { 0 };
	struct dm_chain_why why = { "" };
	int c, ret;

	while ((c = next_option(argc, argv, words)) != -1) {
		switch (c) {
		case 'r':
			options.read_only = true;
			break;
		case 'p':
			options.jobs_paused = true;
			break;
		case 'b':
			options.rollback = true;
			break;
		case 'd':
			options.dry_run = true;
			break;
		case 'j':
			options.json = true;
			break;
		case 'l':
			if (options.nr_hints == DM_CHAIN_MAX_LAYERS)
				return complain("open: --layer is given more than %u times",
						DM_CHAIN_MAX_LAYERS);
			if (parse_layer_hint(optarg,
					     &options.hints[options.nr_hints++],
					     &why))
				return complain_why(&why);
			break;
		default:
			return 1;
		}
	}
	if (!operands_ok(argc, argv, 2, 2))
		return 1;
	options.name = argv[optind];
	options.path = argv[optind + 1];

	ret = target_available(&why);
	if (!ret)
		ret = check_device_name(options.name, &why);
	if (!ret)
		ret = open_chain_device(&options, &why);
	return ret ? complain_why(&why) : 0;
}

int cmd_close(int argc, char **argv)
{
	static const struct option words[] = {
		{ "deferred", no_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 }
	};
	bool deferred = false, later = false;
	struct dm_chain_why why = { "" };
	struct live live;
	char *path;
	int c, ret;

	while ((c = next_option(argc, argv, words)) != -1) {
		if (c != 'd')
			return 1;
		deferred = true;
	}
	if (!operands_ok(argc, argv, 1, 1))
		return 1;
	ret = target_available(&why);
	if (ret)
		return complain_why(&why);
	ret = live_open(&live, argv[optind], &why);
	if (!ret)
		ret = live_remove(argv[optind], deferred ? &later : NULL, &why);
	if (later)
		say("%s is in use: it is removed as soon as it is not", argv[optind]);
	if (ret == -EBUSY) {
		struct device dev;

		/* Who has it open is worth more than the errno. */
		path = xasprintf("/dev/mapper/%s", argv[optind]);
		if (!device_open(&dev, path, DEVICE_EXCL, &why)) {
			device_close(&dev);
			dm_chain_refuse(&why, ret,
					"%s is open in some program: \"fuser -v /dev/mapper/%s\" shows which",
					argv[optind], argv[optind]);
		}
		free(path);
	}
	live_close(&live);
	return ret ? complain_why(&why) : 0;
}
