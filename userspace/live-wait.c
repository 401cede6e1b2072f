// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: wait: the progress of jobs until they have ended.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "live.h"
#include "progress.h"

#define TICK_MS		250

enum job_end { JOB_LIVE, JOB_COMPLETED, JOB_CANCELLED, JOB_FAILED };

/**
 * struct waited_job - a job that is waited for
 * @id: its id
 * @top: its top, "" until it was seen
 * @note: of the last look: "paused" and the like
 * @end: how it ended
 * @error: errno that it ended with
 * @offset: where it ended; of a failed job the first byte not copied
 * @copied: bytes
 */
struct waited_job {
	char id[DM_CHAIN_NAME_LEN];
	char top[DM_CHAIN_NAME_LEN];
	char note[64];
	enum job_end end;
	int error;
	u64 offset;
	u64 copied;
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
	int events;
	int signals;
};

static u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static unsigned int terminal_columns(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col < 20)
		return 80;
	return size.ws_col;
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

/* What keeps a live job from getting on, for people; "" if nothing does. */
static void job_note(const struct reply_line *line, char *note, size_t size)
{
	const char *status = reply_get(line, "status");

	if (!strcmp(reply_get(line, "io-status"), "nospace"))
		snprintf(note, size, "%s: no space", status);
	else if (!strcmp(reply_get(line, "io-status"), "failed"))
		snprintf(note, size, "%s: I/O error", status);
	else if (!strcmp(status, "pending"))
		snprintf(note, size, "pending: waits for \"job finalize\"");
	else if (!strcmp(status, "running") || !strcmp(status, "created"))
		note[0] = 0;
	else
		snprintf(note, size, "%.32s", status);
}

static void add_progress(struct progress *progress,
			 const struct reply_line *line)
{
	u64 left = reply_number(line, "seconds-left");

	progress->offset += reply_number(line, "offset");
	progress->len += reply_number(line, "len");
	progress->copied += reply_number(line, "copied");
	progress->rate += reply_number(line, "rate");
	if (progress->seconds_left < left)
		progress->seconds_left = left;
}

/* A concluded job that is still live has no other word than its error. */
static void job_ended(struct waited_job *job, const struct reply_line *line)
{
	const char *status = reply_get(line, "status");

	job->error = reply_number(line, "error");
	job->offset = reply_number(line, "offset");
	job->copied = reply_number(line, "copied");
	if (!strcmp(status, "cancelled") || job->error == ECANCELED)
		job->end = JOB_CANCELLED;
	else if (!job->error && (!strcmp(status, "completed") ||
				 !strcmp(status, "concluded")))
		job->end = JOB_COMPLETED;
	else
		job->end = JOB_FAILED;
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
				      "%s has no job %s, and no result of one",
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
		if (!strcmp(reply_get(line, "status"), "concluded")) {
			job_ended(job, line);
			continue;
		}
		live++;
		job_note(line, job->note, sizeof(job->note));
		add_progress(progress, line);
		memcpy(progress->id, job->id, sizeof(progress->id));
		memcpy(progress->note, job->note, sizeof(progress->note));
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

static void show_completed(const struct waiting *waiting,
			   const struct waited_job *job)
{
	struct progress done = { .note = "completed", .copied = job->copied };
	char text[512];

	memcpy(done.id, job->id, sizeof(done.id));
	puts(progress_line(&done, waiting->columns, text, sizeof(text)));
}

static int report(const struct waiting *waiting)
{
	unsigned int i;
	int status = 0;

	if (!waiting->nr)
		printf("%s: no job to wait for\n", waiting->name);
	for (i = 0; i < waiting->nr; i++) {
		const struct waited_job *job = &waiting->job[i];

		if (job->end == JOB_COMPLETED)
			show_completed(waiting, job);
		else if (job->end == JOB_CANCELLED)
			status = complain("job %s was cancelled", job->id);
		else
			status = complain("job %s has failed at byte %llu: %s",
					  job->id, job->offset,
					  strerror(job->error));
	}
	return status;
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

int wait_jobs(const char *name, const char *id, int signals)
{
	struct waiting waiting = {
		.name = name, .events = -1, .signals = signals
	};
	struct dm_chain_why why = { "" };
	int ret, status = 0;

	waiting.columns = terminal_columns();

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
	if (!ret && release_layers(name, true, &why))
		status = complain("%s", why.text);

	if (waiting.events >= 0)
		close(waiting.events);
	free(waiting.job);
	return status;
}

int cmd_wait(int argc, char **argv)
{
	static const struct option words[] = {
		{ NULL, 0, NULL, 0 }
	};
	struct dm_chain_why why = { "" };

	if (next_option(argc, argv, words) != -1 ||
	    !operands_ok(argc, argv, 1, 2))
		return 1;
	if (target_available(&why))
		return complain_why(&why);
	return wait_jobs(argv[optind],
			 optind + 1 < argc ? argv[optind + 1] : NULL,
			 hold_interrupts());
}
