// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: the trees of the command tree, see tree.h.
 */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "text-table.h"
#include "tree.h"

struct tree_node *tree_find(const struct tree *tree, const char *key)
{
	unsigned int i;

	for (i = 0; i < tree->nr; i++)
		if (!strcmp(tree->node[i]->key, key))
			return tree->node[i];
	return NULL;
}

struct tree_node *tree_add(struct tree *tree, enum tree_kind kind,
			   const char *key)
{
	struct tree_node *node = xalloc(1, sizeof(*node));

	node->kind = kind;
	node->key = xstrdup(key);
	node->parent = -1;
	tree->node = realloc(tree->node,
			     (tree->nr + 1) * sizeof(*tree->node));
	if (!tree->node)
		exit(complain("out of memory"));
	tree->node[tree->nr++] = node;
	return node;
}

void tree_set_state(struct tree_node *node, enum tint tint, const char *state)
{
	free(node->state);
	node->state = xstrdup(state);
	node->tint = tint;
}

static int index_of(const struct tree *tree, const char *key)
{
	unsigned int i;

	for (i = 0; i < tree->nr; i++)
		if (!strcmp(tree->node[i]->key, key))
			return i;
	return -1;
}

static int add_missing(struct tree *tree, const struct tree_node *above)
{
	struct tree_node *node = tree_add(tree, TREE_MISSING, above->below);

	node->name = xstrdup("?");
	if (strncmp(above->below, "raw ", 4))
		node->uuid = xstrdup(above->below);
	if (above->hint)
		node->device = xstrdup(above->hint);
	tree_set_state(node, TINT_BAD, "missing");
	return tree->nr - 1;
}

/* Is @below the node @n, or does it rest on it? */
static bool rests_on(const struct tree *tree, int below, int n)
{
	for (; below >= 0; below = tree->node[below]->parent)
		if (below == n)
			return true;
	return false;
}

void tree_link(struct tree *tree)
{
	unsigned int i, nr = tree->nr;
	int parent;

	for (i = 0; i < nr; i++) {
		struct tree_node *node = tree->node[i];

		if (!node->below)
			continue;
		parent = index_of(tree, node->below);
		if (parent < 0)
			parent = add_missing(tree, node);
		if (rests_on(tree, parent, i)) {
			tree_set_state(node, TINT_BAD, "rests on itself");
			continue;
		}
		node->parent = parent;
		if (node->bound && tree->node[parent]->generation &&
		    node->bound != tree->node[parent]->generation)
			tree_set_state(node, TINT_BAD, "backing has changed");
	}
}

/* Is a node of the tree that @n is the root of named? */
static bool has_named(const struct tree *tree, int n)
{
	unsigned int i;

	for (i = 0; i < tree->nr; i++)
		if (tree->node[i]->named && rests_on(tree, i, n))
			return true;
	return false;
}

/* The next node behind @n that rests on @parent, -1 if there is none. */
static int next_child(const struct tree *tree, int parent, int n)
{
	while (++n < (int)tree->nr)
		if (tree->node[n]->parent == parent)
			return n;
	return -1;
}

#define STATE_COLUMN	4

static void add_row(struct text_table *table, const struct tree_node *node,
		    const char *prefix, const char *branch)
{
	char *name = xasprintf("%s%s%s", prefix, branch, node->name);
	char *device = node->metadata ?
		       xasprintf("%s,%s", node->device ?: "?", node->metadata) :
		       xstrdup(node->device ?: "-");
	char size[32] = "-";

	if (node->size)
		human_size(node->size, size);
	text_table_row(table, name, node->uuid ?: "-", size, device,
		       node->state, node->job ?: "-");
	text_table_tint(table, STATE_COLUMN, node->tint);
	free(name);
	free(device);
}

static void print_children(const struct tree *tree, struct text_table *table,
			   int parent, const char *prefix)
{
	const bool utf8 = utf8_output();
	int n = next_child(tree, parent, -1), next;
	const char *branch, *line;
	char *deeper;

	for (; n >= 0; n = next) {
		next = next_child(tree, parent, n);
		if (next >= 0) {
			branch = utf8 ? "\u251c\u2500" : "|-";
			line = utf8 ? "\u2502 " : "| ";
		} else {
			branch = utf8 ? "\u2514\u2500" : "`-";
			line = "  ";
		}
		add_row(table, tree->node[n], prefix, branch);
		deeper = xasprintf("%s%s", prefix, line);
		print_children(tree, table, n, deeper);
		free(deeper);
	}
}

void tree_print(const struct tree *tree, bool named)
{
	struct text_table table;
	int n = -1;

	text_table_init(&table, "NAME UUID SIZE DEVICE STATE JOB", "UUID");
	while ((n = next_child(tree, -1, n)) >= 0) {
		if (named && !has_named(tree, n))
			continue;
		add_row(&table, tree->node[n], "", "");
		print_children(tree, &table, n, "");
	}
	text_table_print(&table);
}

static struct json_object *node_json(const struct tree *tree, int n)
{
	static const char * const kinds[] = {
		[TREE_LAYER] = "layer",
		[TREE_RAW] = "raw",
		[TREE_VIEW] = "device",
		[TREE_MISSING] = "missing",
	};
	const struct tree_node *node = tree->node[n];
	struct json_object *object = json_object_new_object();
	struct json_object *children = json_object_new_array();
	int child = -1;

	json_text(object, "kind", kinds[node->kind]);
	json_text(object, "name", node->name);
	json_text(object, "uuid", node->uuid);
	json_object_object_add(object, "size", node->size ?
			       json_object_new_uint64(node->size) : NULL);
	json_text(object, "device", node->device);
	json_text(object, "metadata", node->metadata);
	json_text(object, "state", node->state);
	json_text(object, "job", node->job);
	while ((child = next_child(tree, n, child)) >= 0)
		json_object_array_add(children, node_json(tree, child));
	json_object_object_add(object, "children", children);
	return object;
}

struct json_object *tree_json(const struct tree *tree, bool named)
{
	struct json_object *roots = json_object_new_array();
	int n = -1;

	while ((n = next_child(tree, -1, n)) >= 0)
		if (!named || has_named(tree, n))
			json_object_array_add(roots, node_json(tree, n));
	return roots;
}

void tree_free(struct tree *tree)
{
	while (tree->nr) {
		struct tree_node *node = tree->node[--tree->nr];

		free(node->key);
		free(node->below);
		free(node->hint);
		free(node->name);
		free(node->uuid);
		free(node->device);
		free(node->metadata);
		free(node->state);
		free(node->job);
		free(node);
	}
	free(tree->node);
	tree->node = NULL;
}
