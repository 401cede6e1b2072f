// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: what rests on what.
 */
#include "tools_test.h"

#include <stdlib.h>
#include <string.h>
#include <linux/kernel.h>

#include "tree.h"

static struct tree_node *add(struct tree *tree, const char *key,
			     const char *below)
{
	struct tree_node *node = tree_add(tree, TREE_LAYER, key);

	node->name = xstrdup(key);
	node->below = below ? xstrdup(below) : NULL;
	tree_set_state(node, TINT_NONE, "fine");
	return node;
}

/* "A(B(C)D)": a node, and in parentheses what rests on it. */
static void shape(struct json_object *nodes, char *text)
{
	size_t i, n = json_object_array_length(nodes);

	for (i = 0; i < n; i++) {
		struct json_object *node = json_object_array_get_idx(nodes, i);
		struct json_object *children =
			json_object_object_get(node, "children");

		strcat(text, json_object_get_string(json_object_object_get(node, "name")));
		if (!json_object_array_length(children))
			continue;
		strcat(text, "(");
		shape(children, text);
		strcat(text, ")");
	}
}

static void assert_shape(const struct tree *tree, bool named, const char *want)
{
	struct json_object *roots = tree_json(tree, named);
	char text[256] = "";

	shape(roots, text);
	assert_string_equal(text, want);
	json_object_put(roots);
}

/* Found in any order; a shared base is there once. */
static void test_shared(void **state)
{
	struct tree tree = { 0 };

	add(&tree, "C", "B");
	add(&tree, "A", NULL);
	add(&tree, "D", "A");
	add(&tree, "B", "A");
	add(&tree, "X", NULL);
	tree_link(&tree);
	assert_shape(&tree, false, "A(DB(C))X");
	assert_shape(&tree, true, "");
	tree_find(&tree, "D")->named = true;
	assert_shape(&tree, true, "A(DB(C))");
	tree_find(&tree, "D")->named = false;
	tree_find(&tree, "X")->named = true;
	assert_shape(&tree, true, "X");
	tree_free(&tree);
}

static void test_missing(void **state)
{
	struct tree tree = { 0 };
	struct tree_node *node;

	add(&tree, "B", "gone")->hint = xstrdup("/dev/gone");
	add(&tree, "C", "gone");
	add(&tree, "D", "raw /dev/r");
	tree_link(&tree);
	assert_shape(&tree, false, "?(BC)?(D)");
	node = tree_find(&tree, "gone");
	assert_int_equal(node->kind, TREE_MISSING);
	assert_string_equal(node->uuid, "gone");
	assert_string_equal(node->device, "/dev/gone");
	assert_string_equal(node->state, "missing");
	assert_null(tree_find(&tree, "raw /dev/r")->uuid);
	tree_free(&tree);
}

static void test_changed(void **state)
{
	struct tree tree = { 0 };

	add(&tree, "A", NULL)->generation = 3;
	add(&tree, "old", "A")->bound = 2;
	add(&tree, "new", "A")->bound = 3;
	add(&tree, "any", "A")->bound = 0;
	tree_link(&tree);
	assert_string_equal(tree_find(&tree, "old")->state, "backing has changed");
	assert_string_equal(tree_find(&tree, "new")->state, "fine");
	assert_string_equal(tree_find(&tree, "any")->state, "fine");
	tree_free(&tree);
}

/* Superblocks may say anything. */
static void test_circle(void **state)
{
	struct tree tree = { 0 };

	add(&tree, "A", "C");
	add(&tree, "B", "A");
	add(&tree, "C", "B");
	add(&tree, "S", "S");
	tree_link(&tree);
	assert_shape(&tree, false, "C(A(B))S");
	assert_string_equal(tree_find(&tree, "C")->state, "rests on itself");
	assert_string_equal(tree_find(&tree, "S")->state, "rests on itself");
	tree_free(&tree);
}

const struct CMUnitTest tree_tests[] = {
	cmocka_unit_test(test_shared),
	cmocka_unit_test(test_missing),
	cmocka_unit_test(test_changed),
	cmocka_unit_test(test_circle),
};

const unsigned int nr_tree_tests = ARRAY_SIZE(tree_tests);
