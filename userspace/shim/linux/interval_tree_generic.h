/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space stand-in for the kernel's header: the "tree" is a list, sorted by
 * the start of the intervals, which is the order that the kernel's has as well.
 */
#ifndef SHIM_LINUX_INTERVAL_TREE_GENERIC_H
#define SHIM_LINUX_INTERVAL_TREE_GENERIC_H

#include <linux/build_bug.h>
#include <linux/rbtree.h>

#define INTERVAL_TREE_DEFINE(NODE, RB, NUMBER, SUBTREE, START, LAST, STATIC, PREFIX) \
static_assert(sizeof(((NODE *)NULL)->SUBTREE) == sizeof(NUMBER)); \
\
STATIC void PREFIX ## _insert(NODE *node, struct rb_root_cached *root) \
{ \
	struct rb_node **at = &root->first; \
	\
	while (*at && START(container_of(*at, NODE, RB)) <= START(node)) \
		at = &(*at)->next; \
	node->RB.next = *at; \
	*at = &node->RB; \
} \
\
STATIC void PREFIX ## _remove(NODE *node, struct rb_root_cached *root) \
{ \
	struct rb_node **at = &root->first; \
	\
	while (*at != &node->RB) \
		at = &(*at)->next; \
	*at = node->RB.next; \
} \
\
static NODE *PREFIX ## _from(struct rb_node *rb, NUMBER first, NUMBER last) \
{ \
	for (; rb; rb = rb->next) { \
		NODE *node = container_of(rb, NODE, RB); \
		\
		if (START(node) <= last && first <= LAST(node)) \
			return node; \
	} \
	return NULL; \
} \
\
STATIC NODE *PREFIX ## _iter_first(struct rb_root_cached *root, NUMBER first, \
				   NUMBER last) \
{ \
	return PREFIX ## _from(root->first, first, last); \
} \
\
STATIC NODE *PREFIX ## _iter_next(NODE *node, NUMBER first, NUMBER last) \
{ \
	return PREFIX ## _from(node->RB.next, first, last); \
}

#endif
