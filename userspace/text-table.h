/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: tables for people: columns as wide as they have to be.
 */
#ifndef CHAINSETUP_TEXT_TABLE_H
#define CHAINSETUP_TEXT_TABLE_H

#include "output.h"

#define TEXT_TABLE_COLUMNS	16

struct text_cell {
	char *text;
	enum tint tint;
};

/**
 * struct text_table - rows of text
 * @columns: how many
 * @rows: how many, the heading included
 * @cell: @rows * @columns of them
 * @spare: headings of columns that may be left out, separated by one space
 */
struct text_table {
	unsigned int columns;
	unsigned int rows;
	struct text_cell *cell;
	const char *spare;
};

/**
 * text_table_init() - begin a table
 * @heading: the first row, words separated by one space
 * @spare: of these, those that are left out where the terminal is too narrow for
 *	all, the first of them first
 */
void text_table_init(struct text_table *table, const char *heading,
		     const char *spare);

/* Add a row: as many texts as there are columns. They are shown by text_shown(). */
void text_table_row(struct text_table *table, ...);

/* Give a text of the last row a tint. */
void text_table_tint(struct text_table *table, unsigned int column,
		     enum tint tint);

/*
 * Print to stdout and forget the rows. A table of a heading only is not shown. On a
 * terminal that is too narrow, columns without anything in them and spare ones are
 * left out, and long texts cut.
 */
void text_table_print(struct text_table *table);

/* Forget the rows. */
void text_table_free(struct text_table *table);

#endif
