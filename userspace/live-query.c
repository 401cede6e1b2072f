// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: list, status, layers.
 *
 * With --json each of them prints one array, whatever number of devices was
 * asked for; its objects say in "device" where they belong.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"
#include "text-table.h"

int live_query(const char *name, const char *message, struct reply *reply,
	       struct dm_chain_why *why)
{
	char *text;
	int ret;

	ret = live_message(name, message, &text, why);
	if (ret)
		return ret;
	ret = reply_parse(reply, text, why);
	free(text);
	return ret;
}

int live_look(struct live *live, struct status *status, const char *name,
	      struct dm_chain_why *why)
{
	char *params;
	int ret;

	ret = live_open(live, name, why);
	if (!ret)
		ret = live_status(name, &params, why);
	if (!ret) {
		ret = status_parse(status, params, why);
		free(params);
	}
	if (ret)
		live_close(live);
	return ret;
}

static int show_all(show_fn show, struct json_object *array, bool headings,
		    struct dm_chain_why *why)
{
	struct live_names names;
	unsigned int i;
	int ret;

	ret = live_list(&names, why);
	for (i = 0; !ret && i < names.nr; i++) {
		if (headings && !array) {
			fputs(i ? "\n" : "", stdout);
			say("%s:", names.name[i]);
		}
		ret = show(names.name[i], array, why);
		if (ret == -ENODEV)
			ret = 0;
	}
	if (!names.nr && !ret && !array)
		say_nothing(NO_CHAINS);
	live_list_free(&names);
	return ret;
}

int show_devices(const char *device, show_fn show, bool json, bool headings)
{
	struct json_object *array = json ? json_object_new_array() : NULL;
	struct dm_chain_why why = { "" };
	int ret;

	ret = target_available(&why);
	if (ret)
		;
	else if (device)
		ret = show(device, array, &why);
	else
		ret = show_all(show, array, headings, &why);
	if (ret)
		return complain_why(&why);
	if (array)
		print_json(array);
	return 0;
}

/* The commands "<word> [NAME] [--json]". */
static int show_command(int argc, char **argv, show_fn show, bool headings)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	bool json = false;
	int c;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return 1;
		json = true;
	}
	if (!operands_ok(argc, argv, 0, 1))
		return 1;
	return show_devices(argv[optind], show, json, headings);
}

static struct json_object *status_layers_json(const struct status *status)
{
	struct json_object *array = json_object_new_array();
	unsigned int i;

	for (i = 0; i < status->nr_layers; i++) {
		struct json_object *object = json_object_new_object();

		json_text(object, "name", status->layer[i].name);
		json_number(object, "allocated-blocks",
			    status->layer[i].allocated);
		json_number(object, "total-blocks", status->layer[i].total);
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *status_jobs_json(const struct status *status)
{
	struct json_object *array = json_object_new_array();
	unsigned int i;

	for (i = 0; i < status->nr_jobs; i++) {
		const struct status_job *job = &status->job[i];
		struct json_object *object = json_object_new_object();

		json_text(object, "id", job->id);
		json_text(object, "type", job->type);
		json_text(object, "status", job->status);
		json_text(object, "top", job->top);
		json_text(object, "base", strcmp(job->base, "-") ? job->base :
			 NULL);
		json_number(object, "offset", job->offset);
		json_number(object, "len", job->len);
		json_object_array_add(array, object);
	}
	return array;
}

static void status_text(const struct live *live, const struct status *status)
{
	char size[32], block[32];
	unsigned int i;

	say("%s  %s  %s%s%s  blocks of %s", live->name,
	    human_size(live->sectors << 9, size), status->mode,
	    live->suspended ? "  suspended" : "",
	    status->needs_check ? "  NEEDS CHECK" : "",
	    human_size(status->block_size, block));
	fputs(" ", stdout);
	for (i = 0; i < status->nr_layers; i++)
		printf("%s [%s]", i ? " <-" : "", status->layer[i].name);
	puts("");
	for (i = 0; i < status->nr_layers; i++) {
		const struct status_layer *layer = &status->layer[i];

		say("  %s: %llu of %llu blocks", layer->name,
		    layer->allocated, layer->total);
	}
	for (i = 0; i < status->nr_jobs; i++) {
		const struct status_job *job = &status->job[i];
		char offset[32], len[32];

		say("  job %s: %s %s, top %s, base %s, %s of %s", job->id,
		    job->type, job->status, job->top, job->base,
		    human_size(job->offset, offset),
		    human_size(job->len, len));
	}
}

static int show_status(const char *device, struct json_object *array,
		       struct dm_chain_why *why)
{
	struct json_object *object;
	struct status status;
	struct live live;
	int ret;

	ret = live_look(&live, &status, device, why);
	if (ret)
		return ret;
	if (!array) {
		status_text(&live, &status);
	} else {
		object = json_object_new_object();
		json_text(object, "device", device);
		json_number(object, "size", live.sectors << 9);
		json_text(object, "mode", status.mode);
		json_flag(object, "needs-check", status.needs_check);
		json_flag(object, "suspended", live.suspended);
		json_number(object, "block-size", status.block_size);
		json_number(object, "allocated-blocks", status.allocated);
		json_number(object, "total-blocks", status.total);
		json_object_object_add(object, "layers",
				       status_layers_json(&status));
		json_object_object_add(object, "jobs",
				       status_jobs_json(&status));
		json_object_array_add(array, object);
	}
	status_free(&status);
	live_close(&live);
	return 0;
}

int cmd_status(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "prometheus", no_argument, NULL, 'p' },
		{ "output", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 }
	};
	bool json = false, prometheus = false;
	const char *path = NULL;
	int c;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return 1;
		json |= c == 'j';
		prometheus |= c == 'p';
		if (c == 'o')
			path = optarg;
	}
	if (!operands_ok(argc, argv, 0, 1))
		return 1;
	if (json && prometheus)
		return complain("status: --json and --prometheus do not go together");
	if (path && !prometheus)
		return complain("status: --output takes what --prometheus prints: add that");
	if (prometheus)
		return show_metrics(argv[optind], path);
	return show_devices(argv[optind], show_status, json, false);
}

/* "list" is a table over all devices, so show_list() fills it. */
static struct text_table list_table;

static int show_list(const char *device, struct json_object *array,
		     struct dm_chain_why *why)
{
	struct json_object *object;
	char layers[16], jobs[16], size[32];
	struct status status;
	struct live live;
	const char *active;
	int ret;

	ret = live_look(&live, &status, device, why);
	if (ret)
		return ret;
	active = status.layer[status.nr_layers - 1].name;
	if (array) {
		object = json_object_new_object();
		json_text(object, "device", device);
		json_text(object, "active", active);
		json_number(object, "size", live.sectors << 9);
		json_number(object, "layers", status.nr_layers);
		json_number(object, "jobs", status.nr_jobs);
		json_text(object, "uuid", live.uuid);
		json_object_array_add(array, object);
	} else {
		snprintf(layers, sizeof(layers), "%u", status.nr_layers);
		snprintf(jobs, sizeof(jobs), "%u", status.nr_jobs);
		text_table_row(&list_table, device, active,
			       human_size(live.sectors << 9, size), layers,
			       jobs);
	}
	status_free(&status);
	live_close(&live);
	return 0;
}

int cmd_list(int argc, char **argv)
{
	int status;

	text_table_init(&list_table, "NAME ACTIVE SIZE LAYERS JOBS", "");
	status = show_command(argc, argv, show_list, false);
	if (!status)
		text_table_print(&list_table);
	return status;
}

void lines_json(const struct reply *reply, const char *device,
		struct json_object *array)
{
	unsigned int i;

	for (i = 0; i < reply->nr; i++)
		json_object_array_add(array, reply_json(&reply->line[i],
							device));
}

const char *line_size(const struct reply_line *line, const char *key,
		      char *text)
{
	return human_size(reply_number(line, key), text);
}

static int show_layers(const char *device, struct json_object *array,
		       struct dm_chain_why *why)
{
	struct text_table table;
	struct reply reply;
	unsigned int i;
	int ret;

	ret = live_query(device, "layers", &reply, why);
	if (ret)
		return ret;
	if (array) {
		lines_json(&reply, device, array);
		goto out;
	}
	text_table_init(&table,
			"NAME STATE SIZE DATA ZERO BACKING DEVICE METADATA UUID",
			"UUID METADATA BACKING ZERO");
	for (i = 0; i < reply.nr; i++) {
		const struct reply_line *line = &reply.line[i];
		char size[32], held[32], zero[32];
		char *data = devno_path(reply_get(line, "data"));
		char *meta = devno_path(reply_get(line, "metadata"));

		text_table_row(&table, reply_get(line, "name"),
			       reply_get(line, "state"),
			       line_size(line, "size", size),
			       line_size(line, "allocated", held),
			       line_size(line, "zero", zero),
			       reply_get(line, "backing"), data,
			       strcmp(data, meta) ? meta : "inline",
			       reply_get(line, "uuid"));
		free(data);
		free(meta);
	}
	text_table_print(&table);
out:
	reply_free(&reply);
	return 0;
}

int cmd_layers(int argc, char **argv)
{
	return show_command(argc, argv, show_layers, true);
}
