// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: jobs, jobs --last, job failed.
 */
#include <string.h>
#include <time.h>

#include "job-words.h"
#include "live.h"
#include "text-table.h"

static void jobs_text(const struct reply *jobs)
{
	struct text_table table;
	unsigned int i;

	text_table_init(&table,
			"ID TYPE STATUS TOP BASE OFFSET LEN COPIED ZEROED SKIPPED REMAINING RATE LEFT FAILED IO-STATUS ERROR",
			"TYPE SKIPPED ZEROED COPIED IO-STATUS REMAINING FAILED BASE RATE LEN");
	for (i = 0; i < jobs->nr; i++) {
		const struct reply_line *line = &jobs->line[i];
		char offset[32], len[32], copied[32], zeroed[32], skipped[32];
		char remaining[32], rate[32], left[32] = "-";
		int error = reply_number(line, "error");

		if (reply_number(line, "rate"))
			duration_text(reply_number(line, "seconds-left"), left,
				      sizeof(left));
		text_table_row(&table, reply_get(line, "id"),
			       reply_get(line, "type"),
			       reply_get(line, "status"),
			       reply_get(line, "top"), reply_get(line, "base"),
			       line_size(line, "offset", offset),
			       line_size(line, "len", len),
			       line_size(line, "copied", copied),
			       line_size(line, "zeroed", zeroed),
			       line_size(line, "skipped", skipped),
			       line_size(line, "remaining", remaining),
			       line_size(line, "rate", rate), left,
			       reply_get(line, "failed"),
			       reply_get(line, "io-status"),
			       error ? job_error_text(error) : "-");
	}
	text_table_print(&table);
}

static int show_jobs(const char *device, struct json_object *array,
		     struct dm_chain_why *why)
{
	struct reply jobs;
	int ret;

	ret = live_query(device, "jobs", &jobs, why);
	if (ret)
		return ret;
	if (array)
		lines_json(&jobs, device, array);
	else
		jobs_text(&jobs);
	reply_free(&jobs);
	return 0;
}

static const char *date_text(u64 seconds, char *text, size_t size)
{
	time_t when = seconds;
	struct tm tm;

	if (!seconds || !localtime_r(&when, &tm) ||
	    !strftime(text, size, "%Y-%m-%dT%H:%M:%S%z", &tm))
		snprintf(text, size, "-");
	return text;
}

static void last_text(const struct reply *last)
{
	struct text_table table;
	unsigned int i;

	text_table_init(&table,
			"LAYER ID TYPE STATUS BASE OFFSET LEN COPIED ZEROED SKIPPED STARTED FINISHED ERROR",
			"TYPE SKIPPED ZEROED OFFSET STARTED BASE LEN COPIED");
	for (i = 0; i < last->nr; i++) {
		const struct reply_line *line = &last->line[i];
		char offset[32], len[32], copied[32], zeroed[32], skipped[32];
		char started[48], finished[48];
		int error = reply_number(line, "error");

		text_table_row(&table, reply_get(line, "layer"),
			       reply_get(line, "id"), reply_get(line, "type"),
			       reply_get(line, "status"),
			       reply_get(line, "base"),
			       line_size(line, "offset", offset),
			       line_size(line, "len", len),
			       line_size(line, "copied", copied),
			       line_size(line, "zeroed", zeroed),
			       line_size(line, "skipped", skipped),
			       date_text(reply_number(line, "started"), started,
					 sizeof(started)),
			       date_text(reply_number(line, "finished"),
					 finished, sizeof(finished)),
			       error ? job_error_text(error) : "-");
	}
	text_table_print(&table);
}

static int show_last(const char *device, struct json_object *array,
		     struct dm_chain_why *why)
{
	struct reply last;
	int ret;

	ret = live_query(device, "jobs last", &last, why);
	if (ret)
		return ret;
	if (array)
		lines_json(&last, device, array);
	else
		last_text(&last);
	reply_free(&last);
	return 0;
}

int cmd_jobs(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "last", no_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 }
	};
	bool json = false, last = false;
	int c;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return 1;
		json |= c == 'j';
		last |= c == 'l';
	}
	if (!operands_ok(argc, argv, 0, 1))
		return 1;
	return show_devices(argv[optind], last ? show_last : show_jobs, json,
			    true);
}

static void failed_text(const struct reply *failed)
{
	struct text_table table;
	unsigned int i;

	text_table_init(&table, "LAYER OFFSET LENGTH ERROR", "");
	for (i = 0; i < failed->nr; i++) {
		const struct reply_line *line = &failed->line[i];
		char offset[32], length[32];

		text_table_row(&table, reply_get(line, "layer"),
			       place_text(reply_number(line, "offset"), offset),
			       place_text(reply_number(line, "length"), length),
			       job_error_text(reply_number(line, "error")));
	}
	text_table_print(&table);
}

int show_failed(const char *device, const char *id, bool json,
		struct dm_chain_why *why)
{
	struct json_object *array;
	struct message message;
	struct reply failed;
	int ret;

	ret = target_available(why);
	if (ret)
		return ret;
	message_init(&message, "job");
	message_add(&message, id, "failed");
	ret = message_run(&message, device, &failed, why);
	if (ret)
		return ret;
	if (json) {
		array = json_object_new_array();
		lines_json(&failed, device, array);
		print_json(array);
	} else {
		failed_text(&failed);
	}
	reply_free(&failed);
	return 0;
}
