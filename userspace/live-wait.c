// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: wait: the progress of jobs until they have ended.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "job-words.h"
#include "live.h"
#include "progress.h"

#define TICK_MS		250
#define FAILED_SHOWN	10	/* ranges of a job that are named one by one */

/**
 * struct waited_job - a job that is waited for
 * @id: its id
 * @top: its top, "" until it was seen
 * @hint: what the admin was told to do last, or NULL
 * @failed: ranges that were said to have failed
 * @end: how it ended
 * @dismiss: it has ended, and is listed until it is dismissed
 * @error: errno that it ended with
 * @offset: where it ended; of a failed job the first byte not copied
 * @result: of the one that ended
 */
struct waited_job {
	char id[DM_CHAIN_NAME_LEN];
	char top[DM_CHAIN_NAME_LEN];
	char *hint;
	u64 failed;
	enum job_end end;
	bool dismiss;
	int error;
	u64 offset;
	struct progress result;
};

/**
 * struct waiting - one run of "wait"
 * @name: of the device
 * @job: the jobs
 * @nr: how many
 * @progress: of all those that are live
 * @pace: of the plain lines
 * @columns: of the terminal, 0 if there is none
 * @drawn: there is a line on the terminal
 * @json: print no progress
 * @events: dm's
 * @signals: what interrupts
 */
struct waiting {
	const char *name;
	struct waited_job *job;
	unsigned int nr;
	struct progress progress;
	struct progress_pace pace;
	unsigned int columns;
	bool drawn;
	bool json;
	int events;
	int signals;
};

static u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static void erase_line(struct waiting *waiting)
{
	if (waiting->drawn)
		fputs("\r\033[K", stdout);
	waiting->drawn = false;
}

static void show_progress(struct waiting *waiting)
{
	char text[512];

	if (waiting->json)
		return;
	if (waiting->columns) {
		progress_line(&waiting->progress, waiting->columns, text,
			      sizeof(text));
		erase_line(waiting);
		fputs(text, stdout);
		waiting->drawn = true;
	} else if (progress_due(&waiting->pace, &waiting->progress, now_ms())) {
		puts(progress_line(&waiting->progress, 0, text, sizeof(text)));
	}
	fflush(stdout);
}

/* A line for the admin, above the progress. */
static void tell(struct waiting *waiting, const char *text)
{
	erase_line(waiting);
	complain("%s", text);
}

/* Say once what a job that does not get on waits for. */
static void tell_hint(struct waiting *waiting, struct waited_job *job,
		      const struct reply_line *line)
{
	char *hint = job_hint(line, waiting->name);

	if (hint && (!job->hint || strcmp(hint, job->hint)))
		tell(waiting, hint);
	free(job->hint);
	job->hint = hint;
}

/*
 * Name the ranges that a job leaves out, as they come. A job that ends or pauses
 * at the first says so itself.
 */
static void tell_failed(struct waiting *waiting, struct waited_job *job,
			const struct reply_line *line)
{
	u64 nr = reply_number(line, "failed");
	struct reply failed;
	char *query, *text;
	int ret;

	if (nr <= job->failed || job->failed > FAILED_SHOWN ||
	    strcmp(reply_get(line, "on-error"), "ignore"))
		return;
	query = xasprintf("job %s failed", job->id);
	ret = live_query(waiting->name, query, &failed, NULL);
	free(query);
	if (ret)
		return;
	for (; job->failed < failed.nr && job->failed < FAILED_SHOWN;
	     job->failed++) {
		const struct reply_line *range = &failed.line[job->failed];

		text = xasprintf("job %s: not copied: layer %s, %s bytes at %s: %s",
				 job->id, reply_get(range, "layer"),
				 reply_get(range, "length"),
				 reply_get(range, "offset"),
				 job_error_text(reply_number(range, "error")));
		tell(waiting, text);
		free(text);
	}
	if (failed.nr > FAILED_SHOWN) {
		text = xasprintf("job %s: and more: \"chainsetup job failed %s %s\" lists them",
				 job->id, waiting->name, job->id);
		tell(waiting, text);
		free(text);
		job->failed = FAILED_SHOWN + 1;
	}
	reply_free(&failed);
}

static void add_progress(struct progress *progress,
			 const struct reply_line *line)
{
	u64 left = reply_number(line, "seconds-left");

	progress->offset += reply_number(line, "offset");
	progress->len += reply_number(line, "len");
	progress->copied += reply_number(line, "copied");
	progress->zeroed += reply_number(line, "zeroed");
	progress->skipped += reply_number(line, "skipped");
	progress->remaining += reply_number(line, "remaining");
	progress->failed += reply_number(line, "failed");
	progress->rate += reply_number(line, "rate");
	if (progress->seconds_left < left)
		progress->seconds_left = left;
}

static void job_ended(struct waited_job *job, const struct reply_line *line)
{
	struct progress *result = &job->result;

	job->end = job_end_of(line);
	/* A result in words that this program does not know. */
	if (job->end == JOB_LIVE)
		job->end = JOB_FAILED;
	job->error = reply_number(line, "error");
	job->offset = reply_number(line, "offset");
	memcpy(result->id, job->id, sizeof(result->id));
	snprintf(result->note, sizeof(result->note), "completed");
	result->copied = reply_number(line, "copied");
	result->zeroed = reply_number(line, "zeroed");
	result->skipped = reply_number(line, "skipped");
}

/* The result of a job that is no longer live: of its top, else the latest. */
static const struct reply_line *find_result(const struct waited_job *job,
					    const struct reply *last)
{
	const struct reply_line *found = NULL;
	unsigned int i;

	for (i = 0; i < last->nr; i++) {
		const struct reply_line *line = &last->line[i];

		if (strcmp(reply_get(line, "id"), job->id))
			continue;
		if (!strcmp(reply_get(line, "layer"), job->top))
			return line;
		if (!found || reply_number(line, "finished") >
			      reply_number(found, "finished"))
			found = line;
	}
	return found;
}

static int look_up_result(struct waiting *waiting, struct waited_job *job,
			  struct dm_chain_why *why)
{
	const struct reply_line *line;
	struct reply last;
	int ret;

	ret = live_query(waiting->name, "jobs last", &last, why);
	if (ret)
		return ret;
	line = find_result(job, &last);
	if (line)
		job_ended(job, line);
	else
		ret = dm_chain_refuse(why, -ENOENT,
				      "%s has no job %s, and no result of one: \"chainsetup jobs\" shows the jobs, with --last the results",
				      waiting->name, job->id);
	reply_free(&last);
	return ret;
}

/**
 * look() - see where the jobs stand
 *
 * Return: how many are live, or a negative errno.
 */
static int look(struct waiting *waiting, struct dm_chain_why *why)
{
	struct progress *progress = &waiting->progress;
	unsigned int i, live = 0;
	struct reply jobs;
	int ret;

	ret = live_query(waiting->name, "jobs", &jobs, why);
	if (ret)
		return ret;
	memset(progress, 0, sizeof(*progress));
	for (i = 0; i < waiting->nr && !ret; i++) {
		struct waited_job *job = &waiting->job[i];
		const struct reply_line *line;

		if (job->end != JOB_LIVE)
			continue;
		line = reply_find(&jobs, "id", job->id);
		if (!line) {
			ret = look_up_result(waiting, job, why);
			continue;
		}
		snprintf(job->top, sizeof(job->top), "%s",
			 reply_get(line, "top"));
		tell_failed(waiting, job, line);
		if (job_end_of(line) != JOB_LIVE) {
			job_ended(job, line);
			job->dismiss = true;
			continue;
		}
		live++;
		tell_hint(waiting, job, line);
		add_progress(progress, line);
		memcpy(progress->id, job->id, sizeof(progress->id));
		job_note(line, progress->note, sizeof(progress->note));
	}
	reply_free(&jobs);
	if (live > 1) {
		snprintf(progress->id, sizeof(progress->id), "%u jobs", live);
		progress->note[0] = 0;
	}
	return ret ?: (int)live;
}

/* Which jobs are to be waited for? */
static int choose_jobs(struct waiting *waiting, const char *id,
		       struct dm_chain_why *why)
{
	struct reply jobs;
	int ret;

	if (id) {
		waiting->job = xalloc(1, sizeof(*waiting->job));
		snprintf(waiting->job[waiting->nr++].id, DM_CHAIN_NAME_LEN,
			 "%s", id);
		return 0;
	}
	ret = live_query(waiting->name, "jobs", &jobs, why);
	if (ret)
		return ret;
	waiting->job = xalloc(jobs.nr, sizeof(*waiting->job));
	for (; waiting->nr < jobs.nr; waiting->nr++)
		snprintf(waiting->job[waiting->nr].id, DM_CHAIN_NAME_LEN, "%s",
			 reply_get(&jobs.line[waiting->nr], "id"));
	reply_free(&jobs);
	return 0;
}

/* A failed or cancelled job has kept its layers, and what was copied. */
static int report_job(const struct waiting *waiting,
		      const struct waited_job *job)
{
	char text[512];

	switch (job->end) {
	case JOB_COMPLETED:
		if (waiting->json)
			return 0;
		puts(progress_line(&job->result, waiting->columns, text,
				   sizeof(text)));
		return 0;
	case JOB_CANCELLED:
		return complain("job %s was cancelled: a new stream copies the rest", job->id);
	default:
		return complain("job %s has failed at byte %llu: %s; a new stream copies the rest",
				job->id, job->offset,
				job_error_text(job->error));
	}
}

static int report(const struct waiting *waiting)
{
	unsigned int i;
	int status = 0;

	if (!waiting->nr && !waiting->json)
		say("%s: no job to wait for", waiting->name);
	for (i = 0; i < waiting->nr; i++) {
		const struct waited_job *job = &waiting->job[i];

		status |= report_job(waiting, job);
		if (job->dismiss && !waiting->json)
			say("job %s stays listed until \"chainsetup job dismiss %s %s\"",
			    job->id, waiting->name, job->id);
	}
	return status;
}

static void report_json(const struct waiting *waiting,
			struct json_object *array)
{
	static const char * const ends[] = {
		[JOB_COMPLETED] = "completed",
		[JOB_CANCELLED] = "cancelled",
		[JOB_FAILED] = "failed",
	};
	struct json_object *object;
	unsigned int i;

	for (i = 0; i < waiting->nr; i++) {
		const struct waited_job *job = &waiting->job[i];

		object = json_object_new_object();
		json_text(object, "id", job->id);
		json_text(object, "result", ends[job->end]);
		json_number(object, "error", job->error);
		json_number(object, "offset", job->offset);
		json_number(object, "copied", job->result.copied);
		json_number(object, "zeroed", job->result.zeroed);
		json_number(object, "skipped", job->result.skipped);
		json_flag(object, "listed", job->dismiss);
		json_object_array_add(array, object);
	}
}

static int report_interrupt(const struct waiting *waiting)
{
	return complain("interrupted, the job goes on; \"chainsetup wait %s\" waits again",
			waiting->name);
}

/* Return: 0 when every job has ended, -EINTR, or another error. */
static int wait_loop(struct waiting *waiting, struct dm_chain_why *why)
{
	struct pollfd fds[] = {
		{ .fd = waiting->events, .events = POLLIN },
		{ .fd = waiting->signals, .events = POLLIN },
	};
	int ret;

	for (;;) {
		ret = events_arm(waiting->events, why);
		if (!ret)
			ret = look(waiting, why);
		if (ret <= 0)
			return ret;
		show_progress(waiting);
		if (poll(fds, 2, TICK_MS) > 0 && fds[1].revents)
			return dm_chain_refuse(why, -EINTR, "a signal");
	}
}

int hold_interrupts(void)
{
	sigset_t interrupts;

	sigemptyset(&interrupts);
	sigaddset(&interrupts, SIGINT);
	sigaddset(&interrupts, SIGTERM);
	sigaddset(&interrupts, SIGHUP);
	sigprocmask(SIG_BLOCK, &interrupts, NULL);
	return signalfd(-1, &interrupts, SFD_CLOEXEC);
}

int wait_jobs(const char *name, const char *id, int signals, bool json)
{
	struct waiting waiting = {
		.name = name, .events = -1, .signals = signals, .json = json,
	};
	struct json_object *object = json_object_new_object();
	struct json_object *jobs = json_object_new_array();
	struct json_object *released = json_object_new_array();
	struct release_options release = {
		.quiet = true, .array = json ? released : NULL,
	};
	struct dm_chain_why why = { "" };
	int ret, status = 0;

	json_text(object, "device", name);
	json_object_object_add(object, "jobs", jobs);
	json_object_object_add(object, "released", released);
	waiting.columns = isatty(STDOUT_FILENO) ? terminal_width() : 0;

	ret = choose_jobs(&waiting, id, &why);
	if (!ret) {
		ret = events_open(&why);
		waiting.events = ret;
	}
	if (ret >= 0)
		ret = wait_loop(&waiting, &why);
	erase_line(&waiting);

	if (ret == -EINTR)
		status = report_interrupt(&waiting);
	else if (ret < 0)
		status = complain_why(&why);
	else
		status = report(&waiting);
	if (!ret && release_layers(name, &release, &why))
		status = complain_why(&why);
	if (!ret && json) {
		report_json(&waiting, jobs);
		print_json(json_object_get(object));
	}
	json_object_put(object);

	if (waiting.events >= 0)
		close(waiting.events);
	while (waiting.nr)
		free(waiting.job[--waiting.nr].hint);
	free(waiting.job);
	return status;
}

int cmd_wait(int argc, char **argv)
{
	static const struct option words[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	struct dm_chain_why why = { "" };
	bool json = false;
	int c;

	while ((c = next_option(argc, argv, words)) != -1) {
		if (c == '?')
			return 1;
		json = true;
	}
	if (!operands_ok(argc, argv, 1, 2))
		return 1;
	if (target_available(&why))
		return complain_why(&why);
	return wait_jobs(argv[optind],
			 optind + 1 < argc ? argv[optind + 1] : NULL,
			 hold_interrupts(), json);
}
