/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: a picture of which layer shows in which part of a device.
 */
#ifndef CHAINSETUP_PICTURE_H
#define CHAINSETUP_PICTURE_H

#include <stdio.h>

#include "chainsetup.h"

/* Columns of a picture in a file */
#define PICTURE_FILE_COLUMNS	800

/**
 * struct picture_layer - one that is in the picture
 * @name: of the layer
 * @key: the letter that stands for it
 * @data: bytes that it shows
 * @column: the same for each column
 */
struct picture_layer {
	char name[DM_CHAIN_NAME_LEN];
	char key;
	u64 data;
	u64 *column;
};

/**
 * struct picture - of one device
 * @size: of the device, bytes
 * @columns: how many parts of it are told apart
 * @nr: of layers
 * @layer: base first; behind them one for what reads as zeros
 */
struct picture {
	u64 size;
	unsigned int columns;
	unsigned int nr;
	struct picture_layer layer[DM_CHAIN_MAX_LAYERS + 1];
};

/* @size is not 0, @columns either. */
void picture_init(struct picture *picture, u64 size, unsigned int columns);

/* Add a layer on top. */
void picture_add_layer(struct picture *picture, const char *name);

/**
 * picture_add() - say who shows in a part
 * @start: bytes
 * @length: bytes; what is behind the end does not count
 * @layer: name; NULL for zeros. One that was not added is added on top
 */
void picture_add(struct picture *picture, u64 start, u64 length,
		 const char *layer);

/* Where column @n begins; that of @columns is the size. */
u64 picture_column(const struct picture *picture, unsigned int n);

/* Print it, as wide as its columns and two more. */
void picture_print(const struct picture *picture, const char *title);

/* Write it as SVG. Write errors are in @file. */
void picture_svg(const struct picture *picture, const char *title, FILE *file);
void picture_free(struct picture *picture);

#endif
