/* SPDX-License-Identifier: GPL-2.0 */
/* User-space stand-in for the kernel's header: the "tree" is a plain list. */
#ifndef SHIM_LINUX_RBTREE_H
#define SHIM_LINUX_RBTREE_H

#include <linux/kernel.h>

struct rb_node {
	struct rb_node *next;
};

struct rb_root_cached {
	struct rb_node *first;
};

#define RB_ROOT_CACHED		((struct rb_root_cached) { NULL })
#define RB_CLEAR_NODE(node)	((node)->next = NULL)

#endif
