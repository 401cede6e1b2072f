/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup convert: other kinds of chains become layers.
 *
 * Nothing is written before all has been checked, and no layer has a superblock, and no
 * device shows what it begins with, before all of them are durable: a convert that was
 * interrupted leaves no chain but marks that say so, and is done again.
 */
#ifndef CHAINSETUP_CONVERT_H
#define CHAINSETUP_CONVERT_H

#include "blocks.h"
#include "disk-image.h"
#include "raw-target.h"

/**
 * struct convert_json - what is printed in the end
 * @layers: an array, base first
 * @notes: an array of texts
 */
struct convert_json {
	struct json_object *layers;
	struct json_object *notes;
};

/**
 * struct convert_options - what the user wants
 * @format: of the uppermost image, NULL: QEMU guesses
 * @json: NULL: print lines
 * @block_size: 0 = the smallest
 * @raw_base: the lowest one becomes a raw device
 * @force: overwrite what is there
 * @dry_run: only look
 */
struct convert_options {
	const char *format;
	struct convert_json *json;
	u64 block_size;
	bool raw_base;
	bool force;
	bool dry_run;
};

/**
 * convert_open() - look whether a layer can be made
 * @fill: fill_close() it, also after an error
 * @target: "DATA" or "DATA,META"
 * @name: of the layer
 * @size: of the layer
 */
int convert_open(struct fill *fill, const char *target, const char *name,
		 u64 size, const struct convert_options *options,
		 struct dm_chain_why *why);

/*
 * Let @fill rest on @below, which is open and bound from the beginning: what is written
 * to it behind its overlay's back is found.
 */
int convert_rest_on(struct fill *fill, struct fill *below,
		    struct dm_chain_why *why);
int convert_rest_on_raw(struct fill *fill, const struct device *raw,
			struct dm_chain_why *why);

/* Print a line about a layer, or a raw base. @image: what it was, or NULL. */
void convert_show_layer(const struct convert_options *options,
			const struct fill *fill, const struct image_info *image);
void convert_show_raw(const struct convert_options *options,
		      const struct device *raw, const struct image_info *image);

/* Print what there is to be known. */
__printf(2, 3) void convert_note(const struct convert_options *options,
				 const char *fmt, ...);

/* The kinds of chains. @words: operands; nobody wrote anything yet. */
int convert_images(int nr, char **words, const struct convert_options *options,
		   struct dm_chain_why *why);
int convert_snapshot(int nr, char **words,
		     const struct convert_options *options,
		     struct dm_chain_why *why);

#endif
