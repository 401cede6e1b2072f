/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: layers and the devices on them, as trees that grow from the bases.
 */
#ifndef CHAINSETUP_TREE_H
#define CHAINSETUP_TREE_H

#include <json-c/json.h>

#include "chainsetup.h"

enum tree_kind {
	TREE_LAYER,
	TREE_RAW,	/* a base without metadata */
	TREE_VIEW,	/* a chain device */
	TREE_MISSING,	/* something rests on it, but it was not found */
};

/**
 * struct tree_node - a layer, or a device that shows a chain
 * @kind: what it is
 * @key: no other node has it: the UUID of a layer
 * @below: key of what it rests on, NULL for nothing
 * @hint: where what is below was last seen, NULL if that is not known
 * @name: of the layer or device
 * @uuid: of a layer, else NULL
 * @size: bytes; 0 if it is not known
 * @device: path; NULL if it is not known
 * @metadata: path, if that is another device; else NULL
 * @state: a word or a few
 * @tint: of the state
 * @job: what copies into it, and how far; NULL if nothing does
 * @generation: of its content, 0 if it is not known
 * @bound: the generation that what is below has to have, 0 for any
 * @named: the user asked for it
 * @parent: index of what it rests on, -1 for a root
 */
struct tree_node {
	enum tree_kind kind;
	char *key;
	char *below;
	char *hint;
	char *name;
	char *uuid;
	u64 size;
	char *device;
	char *metadata;
	char *state;
	enum tint tint;
	char *job;
	u64 generation;
	u64 bound;
	bool named;
	int parent;
};

/**
 * struct tree - nodes as they were found
 * @nr: how many
 * @node: each allocated by itself: it stays where it is
 */
struct tree {
	unsigned int nr;
	struct tree_node **node;
};

struct tree_node *tree_find(const struct tree *tree, const char *key);

/* A new node, all but @kind and @key to be filled in. @key is not taken yet. */
struct tree_node *tree_add(struct tree *tree, enum tree_kind kind,
			   const char *key);

/* Replace the state; takes over nothing. */
void tree_set_state(struct tree_node *node, enum tint tint, const char *state);

/**
 * tree_link() - find out what rests on what
 *
 * For the last time of all: adds a node for everything that is missing, marks
 * layers whose backing has changed. References that go round in a circle are
 * cut.
 */
void tree_link(struct tree *tree);

/* Print a line for every node, or only trees in which a node is @named. */
void tree_print(const struct tree *tree, bool named);

/* The roots, in each the array "children" of what rests on it. */
struct json_object *tree_json(const struct tree *tree, bool named);

void tree_free(struct tree *tree);

#endif
