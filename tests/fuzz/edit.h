/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A damaged page in a few bytes: a good one, and what was changed in it. So the
 * fuzzers begin where a parser of random bytes would never come to.
 */
#ifndef DM_CHAIN_FUZZ_EDIT_H
#define DM_CHAIN_FUZZ_EDIT_H

#include "dm-chain-format.h"
#include "fuzz.h"

/**
 * struct field - a place in a page where a change means something
 * @offset: bytes
 * @width: bytes; more than 8 for texts and UUIDs
 */
struct field {
	u16 offset;
	u16 width;
};

extern const struct field super_fields[];
extern const unsigned int nr_super_fields;
extern const struct field page_fields[];
extern const unsigned int nr_page_fields;

/**
 * edit_page() - change a 4 KiB page as the input says
 * @in: says which byte, bit, number or text, and what it becomes
 * @page: the page
 * @field: places to prefer
 * @nr: how many
 */
void edit_page(struct input *in, void *page, const struct field *field,
	       unsigned int nr);

/* Is the checksum of @page right? */
bool edit_crc_right(const void *page);

/*
 * Is it a map or directory page that the layer @uuid would have written as its
 * page @index? By the document, not by the code.
 */
bool edit_page_right(const struct dm_chain_disk_page *page, const char *magic,
		     const u8 *uuid, u32 index);

#endif
