/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: Prometheus' text format.
 */
#ifndef CHAINSETUP_METRICS_H
#define CHAINSETUP_METRICS_H

#include <stdio.h>

#include "chainsetup.h"

/**
 * struct metric_kind - what a metric is
 * @name: without prefix; with its unit at the end, if it has one
 * @help: a sentence without a full stop; no backslash and no line feed
 */
struct metric_kind {
	const char *name;
	const char *help;
};

struct metric_samples {
	FILE *file;
	char *text;
	size_t size;
};

/**
 * struct metrics - samples by kind: all of one stand together in the end
 * @prefix: of all names
 * @nr: how many kinds
 * @kind: what they are
 * @samples: of each
 */
struct metrics {
	const char *prefix;
	unsigned int nr;
	const struct metric_kind *kind;
	struct metric_samples *samples;
};

/* @kind ends with one without a name. */
void metrics_init(struct metrics *m, const char *prefix,
		  const struct metric_kind *kind);
void metrics_free(struct metrics *m);

/**
 * metrics_add() - one sample
 * @kind: index of its kind
 * @value: a number, as it is to be printed
 * @labels: name, value, name, value, ..., NULL. Values are any text
 */
void metrics_add(struct metrics *m, unsigned int kind, const char *value,
		 const char * const *labels);

/* Print the kinds of which there are samples. Return: 0 or -EIO. */
int metrics_print(struct metrics *m, FILE *file);

/**
 * metrics_save() - the same into a file that is complete whenever it is read
 * @path: replaced by rename(), or left as it was
 *
 * Return: 0 or a negative errno, with the reason in @why.
 */
int metrics_save(struct metrics *m, const char *path, struct dm_chain_why *why);

#endif
