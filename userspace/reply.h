/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: what the target says: replies to messages, and its status line.
 */
#ifndef CHAINSETUP_REPLY_H
#define CHAINSETUP_REPLY_H

#include <json-c/json.h>

#include "chainsetup.h"

struct reply_pair {
	const char *key;
	const char *value;
};

/**
 * struct reply_line - one line of "key=value" pairs
 */
struct reply_line {
	unsigned int nr;
	struct reply_pair *pair;
};

/**
 * struct reply - the lines of an answer
 * @text: what the keys and values point into
 */
struct reply {
	unsigned int nr;
	struct reply_line *line;
	char *text;
};

/**
 * reply_parse() - take an answer apart
 * @text: lines of pairs; "" has no lines
 * @why: names a word that is no pair
 *
 * Return: 0 or -EPROTO.
 */
int reply_parse(struct reply *reply, const char *text,
		struct dm_chain_why *why);
void reply_free(struct reply *reply);

/* Value of @key, "" if there is none: keys are only ever added. */
const char *reply_get(const struct reply_line *line, const char *key);

/* The same as a number; 0 if there is none or it is no number. */
u64 reply_number(const struct reply_line *line, const char *key);

/* The first line in which @key is @value, or NULL. */
const struct reply_line *reply_find(const struct reply *reply, const char *key,
				    const char *value);

/**
 * reply_json() - a line as an object
 * @device: dm name, for the member "device", which comes first
 *
 * What consists of digits is a number, but for names and ids; else a string.
 */
struct json_object *reply_json(const struct reply_line *line,
			       const char *device);

/**
 * struct map_run - a line of the answer to "map"
 * @start: sectors
 * @length: sectors
 * @zero: reads as zeros
 * @layer: who holds it; "" if nobody does
 */
struct map_run {
	u64 start;
	u64 length;
	bool zero;
	char layer[DM_CHAIN_NAME_LEN];
};

/**
 * map_parse() - take an answer to "map" apart
 * @run: gets the runs; free() it
 * @nr: gets their number
 * @next: gets the sector where the next question starts, 0 if that was all
 *
 * Return: 0 or -EPROTO.
 */
int map_parse(const char *text, struct map_run **run, unsigned int *nr,
	      u64 *next, struct dm_chain_why *why);

struct status_layer {
	char name[DM_CHAIN_NAME_LEN];
	u64 allocated;
	u64 total;
};

struct status_job {
	char id[DM_CHAIN_NAME_LEN];
	char type[16];
	char status[16];
	char top[DM_CHAIN_NAME_LEN];
	char base[DM_CHAIN_NAME_LEN];
	u64 offset;
	u64 len;
};

/**
 * struct status - the status line
 * @allocated: blocks of the active layer that are data
 * @total: blocks of the active layer
 * @mode: rw, ro or fail
 * @needs_check: metadata may be damaged
 * @block_size: bytes
 * @layer: base first
 * @job: what is live
 */
struct status {
	u64 allocated;
	u64 total;
	char mode[8];
	bool needs_check;
	u32 block_size;
	unsigned int nr_layers;
	struct status_layer layer[DM_CHAIN_MAX_LAYERS];
	unsigned int nr_jobs;
	struct status_job *job;
};

/* Return: 0 or -EPROTO, with the line in @why. */
int status_parse(struct status *status, const char *params,
		 struct dm_chain_why *why);
void status_free(struct status *status);

#endif
