/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: the grammar of the table line and of the messages. Pure: words in,
 * structures out; strings in the results point into the words given.
 */
#ifndef DM_CHAIN_PARSE_H
#define DM_CHAIN_PARSE_H

#include <linux/types.h>

#include "dm-chain-format.h"
#include "dm-chain-jobstate.h"
#include "dm-chain-why.h"

struct dm_chain_line_layer {
	const char *name;
	const char *data;
	const char *meta;	/* NULL: raw. Equal text to data: inline */
};

/**
 * struct dm_chain_line - a parsed table line
 * @nr_layers: 1 to DM_CHAIN_MAX_LAYERS
 * @layer: base first
 * @format: format layers whose metadata area is zeroed
 * @block_size: sectors, 0 if not given
 * @read_only: nothing is written
 * @copy_on_read: guest reads populate the active layer
 * @copy_on_read_bottom: lowest layer for that, NULL if not given
 * @no_discard_passdown: discards stay in the map
 * @jobs_paused: recorded jobs are not resumed
 */
struct dm_chain_line {
	unsigned int nr_layers;
	struct dm_chain_line_layer layer[DM_CHAIN_MAX_LAYERS];
	bool format;
	u32 block_size;
	bool read_only;
	bool copy_on_read;
	const char *copy_on_read_bottom;
	bool no_discard_passdown;
	bool jobs_paused;
};

/**
 * dm_chain_parse_line() - parse "<#layers> {name data meta}... [<#words> word...]"
 * @argc: the number of words
 * @argv: the words, behind the target's name
 * @line: what they say; undefined after an error
 * @why: the reason of a refusal
 *
 * Return: 0 or -EINVAL, with the word at fault in @why. Names are checked
 * (form, unique, not "zero"), numbers and feature words too, a word given
 * twice is refused, copy_on_read_bottom must name a layer of the line. The
 * lowest layer alone may be raw, and the active layer may not.
 */
int dm_chain_parse_line(unsigned int argc, char **argv,
			struct dm_chain_line *line, struct dm_chain_why *why);

enum dm_chain_msg_kind {
	DM_CHAIN_MSG_STREAM,
	DM_CHAIN_MSG_JOB,		/* job <id> <verb> [value] */
	DM_CHAIN_MSG_JOB_FAILED,	/* job <id> failed */
	DM_CHAIN_MSG_ESTIMATE,
	DM_CHAIN_MSG_JOBS,
	DM_CHAIN_MSG_JOBS_LAST,
	DM_CHAIN_MSG_LAYERS,
	DM_CHAIN_MSG_MAP,
	DM_CHAIN_MSG_ERROR,
};

/**
 * struct dm_chain_msg - a parsed message
 * @kind: which one
 * @top: layer name, NULL = the active layer (stream, estimate)
 * @base: layer name or NULL
 * @bottom: layer name or NULL; never together with @base
 * @job: job id, NULL = the top's name (stream); the id (job)
 * @speed: bytes per second, 0 = unlimited (stream)
 * @on_error: policy (stream)
 * @auto_finalize: (stream)
 * @auto_dismiss: (stream)
 * @verify: (stream)
 * @verb: (job)
 * @value: bytes per second, of set-speed, set-floor, set-ceiling
 * @start: sectors (map)
 * @len: sectors (map)
 */
struct dm_chain_msg {
	enum dm_chain_msg_kind kind;
	const char *top;
	const char *base;
	const char *bottom;
	const char *job;
	u64 speed;
	enum dm_chain_on_error on_error;
	bool auto_finalize;
	bool auto_dismiss;
	bool verify;
	enum dm_chain_verb verb;
	u64 value;
	u64 start;
	u64 len;
};

/**
 * dm_chain_parse_message() - parse the words of a message
 * @argc: the number of words
 * @argv: the words
 * @msg: what they say; undefined after an error
 * @why: the reason of a refusal
 *
 * Return: 0 or -EINVAL with the word at fault named in @why: an unknown word
 * or value, a word given twice, a value missing or too much. Keywords are not
 * case-sensitive, layer names and job ids are. Layer names and job ids are
 * checked for their form only.
 */
int dm_chain_parse_message(unsigned int argc, char **argv,
			   struct dm_chain_msg *msg, struct dm_chain_why *why);

/* True for messages that change nothing: answered also while suspended. */
static inline bool dm_chain_msg_is_query(const struct dm_chain_msg *msg)
{
	return msg->kind != DM_CHAIN_MSG_STREAM && msg->kind != DM_CHAIN_MSG_JOB;
}

#endif
