/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: the repair of one layer, rehearsed.
 */
#ifndef CHAINSETUP_REPAIR_H
#define CHAINSETUP_REPAIR_H

#include "inspect.h"

/**
 * enum choice - what the user said is to be taken
 * @CHOICE_A: what slot A holds
 * @CHOICE_B: what slot B holds
 * @CHOICE_SCAN: of a directory page: the map pages that are there
 * @CHOICE_BELOW: of a map page: no block is held
 * @CHOICE_DATA: of a map page: each block is on the data device
 * @CHOICE_ZERO: of a map page: each block is zeros
 */
enum choice {
	CHOICE_A,
	CHOICE_B,
	CHOICE_SCAN,
	CHOICE_BELOW,
	CHOICE_DATA,
	CHOICE_ZERO,
};

/**
 * struct chosen - one --choose
 * @text: as it was given
 * @magic: of the page
 * @index: of the page
 * @what: to take
 * @used: it was
 */
struct chosen {
	const char *text;
	const char *magic;
	u32 index;
	enum choice what;
	bool used;
};

int parse_chosen(const char *text, struct chosen *chosen,
		 struct dm_chain_why *why);

int write_slot(struct inspection *in, const char *magic, u32 index,
	       unsigned int slot, const void *page, struct dm_chain_why *why);

/* Do what was chosen about @f. */
int repair_chosen(struct inspection *in, const struct finding *f,
		  struct chosen *chosen, struct dm_chain_why *why);

/**
 * struct repair - under way
 * @in: the layer, whose metadata device has a rehearsal
 * @chosen: by the user
 * @nr_chosen: how many
 * @flags: of the superblock, before the first page was changed
 * @begun: they were replaced by needs-check
 */
struct repair {
	struct inspection in;
	struct chosen *chosen;
	unsigned int nr_chosen;
	u32 flags;
	bool begun;
};

/* Print what was found, and what can be, or was chosen to be, done about it. */
void repair_print(struct repair *repair);

/**
 * repair_rehearse() - write everything that needs no guess
 * @repair: inspected; @repair->in has what is left afterwards
 *
 * The writes go to the rehearsal. Each of them leaves a layer that is as
 * readable as before, or that another repair brings to the same end.
 */
int repair_rehearse(struct repair *repair, struct dm_chain_why *why);

#endif
