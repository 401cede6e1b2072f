/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: what the live commands share.
 */
#ifndef CHAINSETUP_LIVE_H
#define CHAINSETUP_LIVE_H

#include "dm.h"
#include "json.h"
#include "reply.h"

int cmd_open(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_close(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_layers(int argc, char **argv);
int cmd_jobs(int argc, char **argv);
int cmd_map(int argc, char **argv);
int cmd_estimate(int argc, char **argv);
int cmd_snapshot(int argc, char **argv);
int cmd_release(int argc, char **argv);
int cmd_probe(int argc, char **argv);
int cmd_stream(int argc, char **argv);
int cmd_job(int argc, char **argv);
int cmd_wait(int argc, char **argv);
int cmd_monitor(int argc, char **argv);
int cmd_resize(int argc, char **argv);
int cmd_tree(int argc, char **argv);

#define NO_CHAINS	"no chain is open: \"chainsetup tree --scan\" looks for layers at rest"

/**
 * live_look() - look at a chain device and its status
 *
 * live_close() and status_free() what it gets. Return: as live_open(); on failure
 * there is nothing to close or free.
 */
int live_look(struct live *live, struct status *status, const char *name,
	      struct dm_chain_why *why);

/* Send a query and take its answer apart; reply_free() it. */
int live_query(const char *name, const char *message, struct reply *reply,
	       struct dm_chain_why *why);

/**
 * typedef show_fn - show one device
 * @array: gets objects; NULL = print text
 */
typedef int (*show_fn)(const char *device, struct json_object *array,
		       struct dm_chain_why *why);

/**
 * show_devices() - show one device or all of them
 * @device: NULL = all
 * @json: print one array
 * @headings: as text, the name above each of several devices
 *
 * Return: exit status; whatever went wrong has been printed.
 */
int show_devices(const char *device, show_fn show, bool json, bool headings);

/*
 * "status --prometheus": print, or save in @path if that is not NULL. @device NULL =
 * all of them. Return: exit status; whatever went wrong has been printed.
 */
int show_metrics(const char *device, const char *path);

/* Add the lines of an answer to @array, as objects. */
void lines_json(const struct reply *reply, const char *device,
		struct json_object *array);

/* A number of bytes of a line, for people. @text has room for 32 bytes. */
const char *line_size(const struct reply_line *line, const char *key,
		      char *text);

/**
 * estimate_check() - refuse a stream that cannot end well
 * @estimate: line of the answer to "estimate"
 * @top: line of the answer to "layers"
 */
int estimate_check(const struct reply_line *estimate,
		   const struct reply_line *top, struct dm_chain_why *why);

/* Print an estimate, and what there is room on for @top. */
void estimate_text(const struct reply_line *estimate,
		   const struct reply_line *top);

/* Print the ranges that a job could not copy. */
int show_failed(const char *device, const char *id, bool json,
		struct dm_chain_why *why);

#define MESSAGE_WORDS	32

/**
 * struct message - a message in the making
 */
struct message {
	unsigned int nr;
	char *word[MESSAGE_WORDS];
};

/* Begin with @word. */
void message_init(struct message *message, const char *word);

/* Add a word, and another one if @value is not NULL. */
void message_add(struct message *message, const char *word, const char *value);

/* Does the target's own parser take it? */
int message_check(const struct message *message, struct dm_chain_why *why);
void message_free(struct message *message);

/**
 * message_run() - check a message with the target's own parser and send it
 * @message: freed in any case
 * @name: of the device
 * @reply: gets the answer, reply_free() it; NULL if there is none
 */
int message_run(struct message *message, const char *name, struct reply *reply,
		struct dm_chain_why *why);

/**
 * live_changeable() - may chainsetup load another table?
 *
 * Return: 0, or -EBUSY if somebody else has suspended the device or loaded a
 * table.
 */
int live_changeable(const struct live *live, struct dm_chain_why *why);

/**
 * live_open_to_change() - live_open() for a command that loads another table
 *
 * Waits for other such commands; live_close() lets the next one go on. Refuses as
 * live_changeable() does, and with -EAGAIN if the name has become another device.
 * Return: 0; on failure nothing is open.
 */
int live_open_to_change(struct live *live, const char *name,
			struct dm_chain_why *why);

/* The same, but if @dry_run without the lock: nothing is going to be changed. */
int live_open_for(struct live *live, const char *name, bool dry_run,
		  struct dm_chain_why *why);

/**
 * live_unchanged() - may the table that was loaded become live?
 * @live: what it was made from; the device is suspended now
 * @table: what was loaded
 *
 * Jobs may have dropped layers, but nobody may have put one on top, taken one off
 * or loaded another table. Return: 0 or -EAGAIN.
 */
int live_unchanged(const struct live *live, const char *table,
		   struct dm_chain_why *why);

/**
 * struct release_options - how to release
 * @quiet: say nothing if there is nothing to release
 * @dry_run: only say what would be let go
 * @array: gets an object for each device that is free now; NULL = print
 */
struct release_options {
	bool quiet;
	bool dry_run;
	struct json_object *array;
};

/**
 * release_layers() - drop what finished jobs have made superfluous
 * @name: of the device
 *
 * Prints the devices that are free now. Return: 0 or a negative errno.
 */
int release_layers(const char *name, const struct release_options *options,
		   struct dm_chain_why *why);

/**
 * hold_interrupts() - let SIGINT and the like wait for wait_jobs()
 *
 * For the rest of the program. Return: a signalfd.
 */
int hold_interrupts(void);

/**
 * wait_jobs() - show the progress of jobs until they have ended, then release
 * @name: of the device
 * @id: of the job; NULL = every job that is live now
 * @signals: of hold_interrupts()
 * @json: print no progress, and the results as an object
 *
 * Return: exit status; whatever went wrong has been printed.
 */
int wait_jobs(const char *name, const char *id, int signals, bool json);

/**
 * chaintab_outdated() - say so if /etc/chaintab names another active layer
 * @name: of the device
 * @uuid: of its new active layer
 */
void chaintab_outdated(const char *name, const u8 *uuid);

/**
 * struct line_words - a chain's table parameters, word by word
 * @nr_layers: base first
 * @layer: name, data device, metadata device or "-"
 * @features: the rest, "" or with a space in front
 * @text: what the words point into
 */
struct line_words {
	unsigned int nr_layers;
	struct {
		const char *name;
		const char *data;
		const char *meta;
	} layer[DM_CHAIN_MAX_LAYERS];
	const char *features;
	char *text;
};

int line_split(struct line_words *line, const char *table,
	       struct dm_chain_why *why);
void line_free(struct line_words *line);

/* Does layer @n of the line use the device "major:minor"? */
bool line_uses(const struct line_words *line, unsigned int n,
	       const char *devno);

/**
 * unique_name() - a layer name that no other has
 * @taken: the others
 * @nr: how many
 * @name: the name wanted; changed by a suffix if it is taken
 */
void unique_name(const char *const *taken, unsigned int nr,
		 char name[DM_CHAIN_NAME_LEN]);

#endif
