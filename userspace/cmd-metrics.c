// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: "status --prometheus". Documentation/observability.rst lists the
 * metrics. All are gauges: what they count can begin anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"
#include "metrics.h"

enum {
	DEVICE_INFO, DEVICE_SIZE, DEVICE_BLOCK_SIZE, DEVICE_MODE,
	DEVICE_NEEDS_CHECK, DEVICE_SUSPENDED,
	LAYER_INFO, LAYER_STATE, LAYER_SIZE, LAYER_DATA, LAYER_ZERO,
	LAYER_MEMORY, LAYER_MAP_MEMORY, LAYER_GENERATION, LAYER_USERS,
	LAYER_READ_ONLY,
	JOB_INFO, JOB_STATUS, JOB_IO_STATUS, JOB_OFFSET, JOB_LEN, JOB_COPIED,
	JOB_ZEROED, JOB_SKIPPED, JOB_REMAINING, JOB_SPEED, JOB_FLOOR,
	JOB_CEILING, JOB_RATE, JOB_LEFT, JOB_ELAPSED, JOB_FAILED, JOB_ERROR,
	LAST_STATUS, LAST_COPIED, LAST_ZEROED, LAST_STARTED, LAST_FINISHED,
	LAST_ERROR,
	NR_KINDS
};

static const struct metric_kind kinds[NR_KINDS + 1] = {
	[DEVICE_INFO] = { "info", "The device and its active layer, always 1" },
	[DEVICE_SIZE] = { "size_bytes", "Size of the device" },
	[DEVICE_BLOCK_SIZE] = { "block_size_bytes", "Unit of allocation" },
	[DEVICE_MODE] = { "mode", "1 for the mode that the device is in" },
	[DEVICE_NEEDS_CHECK] = { "needs_check", "1 if its metadata needs a check" },
	[DEVICE_SUSPENDED] = { "suspended", "1 if the device is suspended" },
	[LAYER_INFO] = { "layer_info", "Where the layer lies, always 1" },
	[LAYER_STATE] = { "layer_state", "1 for the state that the layer is in" },
	[LAYER_SIZE] = { "layer_size_bytes", "Size of the layer" },
	[LAYER_DATA] = { "layer_data_bytes", "What the layer holds as data" },
	[LAYER_ZERO] = { "layer_zero_bytes", "What the layer holds as zeros" },
	[LAYER_MEMORY] = { "layer_memory_bytes", "Kernel memory of the layer" },
	[LAYER_MAP_MEMORY] = { "layer_map_memory_bytes",
			       "Of that, the owner map of the view" },
	[LAYER_GENERATION] = { "layer_generation", "Content generation" },
	[LAYER_USERS] = { "layer_users", "Devices of this host that use the layer" },
	[LAYER_READ_ONLY] = { "layer_read_only", "1 if nothing is written to it" },
	[JOB_INFO] = { "job_info", "What the job does, always 1" },
	[JOB_STATUS] = { "job_status", "1 for the status that the job is in" },
	[JOB_IO_STATUS] = { "job_io_status", "1 for the kind of I/O error it met" },
	[JOB_OFFSET] = { "job_offset_bytes", "How far it has come" },
	[JOB_LEN] = { "job_length_bytes", "How far it has to come" },
	[JOB_COPIED] = { "job_copied_bytes", "What it has copied" },
	[JOB_ZEROED] = { "job_zeroed_bytes", "What it has made zero" },
	[JOB_SKIPPED] = { "job_skipped_bytes", "What there was nothing to do with" },
	[JOB_REMAINING] = { "job_remaining_bytes", "What it has to copy yet at most" },
	[JOB_SPEED] = { "job_speed_limit_bytes_per_second",
			"The speed that it was given, 0 if none" },
	[JOB_FLOOR] = { "job_floor_bytes_per_second",
			"The least it copies beside a busy guest" },
	[JOB_CEILING] = { "job_ceiling_bytes_per_second",
			  "The most it copies beside a busy guest, 0 if not limited" },
	[JOB_RATE] = { "job_rate_bytes_per_second", "How fast it copies, of late" },
	[JOB_LEFT] = { "job_remaining_seconds",
		       "How long that would take at this rate" },
	[JOB_ELAPSED] = { "job_elapsed_seconds",
			  "Time since it started, or came back" },
	[JOB_FAILED] = { "job_failed_ranges", "Ranges that it could not copy" },
	[JOB_ERROR] = { "job_error", "The errno that it stopped with, 0 if none" },
	[LAST_STATUS] = { "last_job_status", "1 for how the layer's last job ended" },
	[LAST_COPIED] = { "last_job_copied_bytes", "What the last job has copied" },
	[LAST_ZEROED] = { "last_job_zeroed_bytes", "What the last job has made zero" },
	[LAST_STARTED] = { "last_job_started_timestamp_seconds",
			   "When the last job began" },
	[LAST_FINISHED] = { "last_job_finished_timestamp_seconds",
			    "When the last job ended" },
	[LAST_ERROR] = { "last_job_error", "The errno that it ended with, 0 if none" },
};

static const char * const modes[] = { "rw", "ro", "fail", NULL };

static const char * const layer_states[] = {
	"active", "backing", "releasable", NULL
};

static const char * const job_states[] = {
	"created", "running", "paused", "pending", "aborting", "concluded", NULL
};

static const char * const io_states[] = { "ok", "failed", "nospace", NULL };

static const char * const results[] = {
	"completed", "cancelled", "failed", NULL
};

struct from_line {
	unsigned int kind;
	const char *key;
};

static void add_number(struct metrics *m, unsigned int kind, u64 number,
		       const char * const *labels)
{
	char value[32];

	snprintf(value, sizeof(value), "%llu", number);
	metrics_add(m, kind, value, labels);
}

/* What a line says in numbers; @table ends with one without a key. */
static void add_numbers(struct metrics *m, const struct from_line *table,
			const struct reply_line *line,
			const char * const *labels)
{
	for (; table->key; table++)
		add_number(m, table->kind, reply_number(line, table->key),
			   labels);
}

/* One of several: a sample for each. */
static void add_state(struct metrics *m, unsigned int kind, const char *label,
		      const char * const *names, const char *is,
		      const char * const *labels)
{
	const char *all[8] = { NULL };
	unsigned int n = 0;

	while (labels[n]) {
		all[n] = labels[n];
		n++;
	}
	all[n] = label;
	for (; *names; names++) {
		all[n + 1] = *names;
		metrics_add(m, kind, strcmp(*names, is) ? "0" : "1", all);
	}
}

static void add_status(struct metrics *m, const struct live *live,
		       const struct status *status)
{
	const char * const labels[] = { "device", live->name, NULL };
	const char * const info[] = {
		"device", live->name, "uuid", live->uuid, "active",
		status->layer[status->nr_layers - 1].name, NULL
	};

	metrics_add(m, DEVICE_INFO, "1", info);
	add_number(m, DEVICE_SIZE, live->sectors << 9, labels);
	add_number(m, DEVICE_BLOCK_SIZE, status->block_size, labels);
	add_state(m, DEVICE_MODE, "mode", modes, status->mode, labels);
	add_number(m, DEVICE_NEEDS_CHECK, status->needs_check, labels);
	add_number(m, DEVICE_SUSPENDED, live->suspended, labels);
}

static void add_layer(struct metrics *m, const char *device,
		      const struct reply_line *line)
{
	static const struct from_line numbers[] = {
		{ LAYER_SIZE, "size" },
		{ LAYER_DATA, "allocated" },
		{ LAYER_ZERO, "zero" },
		{ LAYER_MEMORY, "memory" },
		{ LAYER_MAP_MEMORY, "map-memory" },
		{ LAYER_GENERATION, "generation" },
		{ LAYER_USERS, "users" },
		{ LAYER_READ_ONLY, "read-only" },
		{ 0, NULL }
	};
	char *data = devno_path(reply_get(line, "data"));
	char *meta = devno_path(reply_get(line, "metadata"));
	const char * const labels[] = {
		"device", device, "layer", reply_get(line, "name"), NULL
	};
	const char * const info[] = {
		"device", device, "layer", reply_get(line, "name"),
		"uuid", reply_get(line, "uuid"),
		"backing", reply_get(line, "backing"),
		"data", data, "metadata", meta, NULL
	};

	metrics_add(m, LAYER_INFO, "1", info);
	add_state(m, LAYER_STATE, "state", layer_states,
		  reply_get(line, "state"), labels);
	add_numbers(m, numbers, line, labels);
	free(data);
	free(meta);
}

static void add_job(struct metrics *m, const char *device,
		    const struct reply_line *line)
{
	static const struct from_line numbers[] = {
		{ JOB_OFFSET, "offset" },
		{ JOB_LEN, "len" },
		{ JOB_COPIED, "copied" },
		{ JOB_ZEROED, "zeroed" },
		{ JOB_SKIPPED, "skipped" },
		{ JOB_REMAINING, "remaining" },
		{ JOB_SPEED, "speed" },
		{ JOB_FLOOR, "floor" },
		{ JOB_CEILING, "ceiling" },
		{ JOB_RATE, "rate" },
		{ JOB_FAILED, "failed" },
		{ JOB_ERROR, "error" },
		{ 0, NULL }
	};
	u64 ms = reply_number(line, "elapsed-ms");
	const char * const labels[] = {
		"device", device, "job", reply_get(line, "id"), NULL
	};
	const char * const info[] = {
		"device", device, "job", reply_get(line, "id"),
		"type", reply_get(line, "type"), "top", reply_get(line, "top"),
		"base", reply_get(line, "base"), NULL
	};
	char seconds[32];

	metrics_add(m, JOB_INFO, "1", info);
	add_state(m, JOB_STATUS, "status", job_states,
		  reply_get(line, "status"), labels);
	add_state(m, JOB_IO_STATUS, "io_status", io_states,
		  reply_get(line, "io-status"), labels);
	add_numbers(m, numbers, line, labels);
	/* Without a rate nobody knows. */
	if (reply_number(line, "rate"))
		add_number(m, JOB_LEFT, reply_number(line, "seconds-left"),
			   labels);
	snprintf(seconds, sizeof(seconds), "%llu.%03llu", ms / 1000, ms % 1000);
	metrics_add(m, JOB_ELAPSED, seconds, labels);
}

static void add_last(struct metrics *m, const char *device,
		     const struct reply_line *line)
{
	static const struct from_line numbers[] = {
		{ LAST_COPIED, "copied" },
		{ LAST_ZEROED, "zeroed" },
		{ LAST_STARTED, "started" },
		{ LAST_FINISHED, "finished" },
		{ LAST_ERROR, "error" },
		{ 0, NULL }
	};
	const char * const labels[] = {
		"device", device, "layer", reply_get(line, "layer"), NULL
	};

	add_state(m, LAST_STATUS, "status", results, reply_get(line, "status"),
		  labels);
	add_numbers(m, numbers, line, labels);
}

/* A line each for what the message is answered with. */
static int add_lines(struct metrics *m, const char *device, const char *message,
		     void (*add)(struct metrics *m, const char *device,
				 const struct reply_line *line),
		     struct dm_chain_why *why)
{
	struct reply reply;
	unsigned int i;
	int ret;

	ret = live_query(device, message, &reply, why);
	if (ret)
		return ret;
	for (i = 0; i < reply.nr; i++)
		add(m, device, &reply.line[i]);
	reply_free(&reply);
	return 0;
}

static int add_device(void *data, const char *device, struct dm_chain_why *why)
{
	struct metrics *m = data;
	struct status status;
	struct live live;
	int ret;

	ret = live_look(&live, &status, device, why);
	if (ret)
		return ret;
	add_status(m, &live, &status);
	status_free(&status);
	live_close(&live);
	ret = add_lines(m, device, "layers", add_layer, why);
	if (!ret)
		ret = add_lines(m, device, "jobs", add_job, why);
	if (!ret)
		ret = add_lines(m, device, "jobs last", add_last, why);
	return ret;
}

int show_metrics(const char *device, const char *path)
{
	struct dm_chain_why why = { "" };
	struct metrics m;
	int ret;

	metrics_init(&m, "dm_chain_", kinds);
	ret = target_available(&why);
	if (!ret)
		ret = device ? add_device(&m, device, &why) :
			       live_for_each(add_device, &m, &why);
	if (!ret && path)
		ret = metrics_save(&m, path, &why);
	else if (!ret && metrics_print(&m, stdout))
		ret = dm_chain_refuse(&why, -EIO, "it cannot be written");
	metrics_free(&m);
	return ret ? complain_why(&why) : 0;
}
