// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: tables for people: columns as wide as they have to be.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chainsetup.h"
#include "text-table.h"

/* Between columns */
#define GAP	2
/* Texts are not cut to less. */
#define NARROW	8

static struct text_cell *add_row(struct text_table *table)
{
	size_t cells = (size_t)(table->rows + 1) * table->columns;

	table->cell = realloc(table->cell, cells * sizeof(*table->cell));
	if (!table->cell)
		exit(complain("out of memory"));
	return &table->cell[table->rows++ * table->columns];
}

static void set_cell(struct text_cell *cell, const char *text, enum tint tint)
{
	cell->text = text_shown(text, utf8_output());
	cell->tint = tint;
}

void text_table_init(struct text_table *table, const char *heading,
		     const char *spare)
{
	char *word[TEXT_TABLE_COLUMNS], *copy = xstrdup(heading), *rest;
	struct text_cell *cell;
	unsigned int i;

	memset(table, 0, sizeof(*table));
	table->spare = spare;
	for (word[0] = strtok_r(copy, " ", &rest); word[table->columns];
	     word[table->columns] = strtok_r(NULL, " ", &rest))
		if (++table->columns == TEXT_TABLE_COLUMNS)
			break;
	cell = add_row(table);
	for (i = 0; i < table->columns; i++)
		set_cell(&cell[i], word[i], TINT_HEADING);
	free(copy);
}

void text_table_row(struct text_table *table, ...)
{
	struct text_cell *cell = add_row(table);
	unsigned int i;
	va_list args;

	va_start(args, table);
	for (i = 0; i < table->columns; i++)
		set_cell(&cell[i], va_arg(args, const char *), TINT_NONE);
	va_end(args);
}

void text_table_tint(struct text_table *table, unsigned int column,
		     enum tint tint)
{
	table->cell[(table->rows - 1) * table->columns + column].tint = tint;
}

/* Columns of the terminal that a table takes; 0 are those that are left out. */
static size_t whole_width(const struct text_table *table, const size_t *width)
{
	size_t sum = 0;
	unsigned int i;

	for (i = 0; i < table->columns; i++)
		if (width[i])
			sum += width[i] + (sum ? GAP : 0);
	return sum;
}

static void leave_out(const struct text_table *table, size_t *width,
		      const char *heading, size_t len)
{
	unsigned int i;

	for (i = 0; i < table->columns; i++)
		if (strlen(table->cell[i].text) == len &&
		    !strncmp(table->cell[i].text, heading, len))
			width[i] = 0;
}

static bool has_nothing(const struct text_table *table, unsigned int column)
{
	unsigned int row;

	for (row = 1; row < table->rows; row++)
		if (strcmp(table->cell[row * table->columns + column].text, "-"))
			return false;
	return true;
}

static void fit(const struct text_table *table, size_t *width, size_t limit)
{
	const char *spare = table->spare;
	unsigned int i, widest;
	size_t len;

	for (i = 0; i < table->columns && whole_width(table, width) > limit; i++)
		if (has_nothing(table, i))
			width[i] = 0;
	for (; *spare && whole_width(table, width) > limit; spare += len) {
		spare += strspn(spare, " ");
		len = strcspn(spare, " ");
		leave_out(table, width, spare, len);
	}
	while (whole_width(table, width) > limit) {
		for (i = widest = 0; i < table->columns; i++)
			if (width[i] > width[widest])
				widest = i;
		if (width[widest] <= NARROW)
			break;
		width[widest]--;
	}
}

/* @pad: up to the width, and the gap to the next one */
static void print_cell(const struct text_cell *cell, size_t width, bool pad)
{
	char *text = text_cut(cell->text, width);

	printf("%s%s%s", tint_on(cell->tint), text,
	       cell->tint == TINT_NONE ? "" : tint_off());
	if (pad)
		printf("%*s", (int)(width - text_width(text) + GAP), "");
	free(text);
}

void text_table_print(struct text_table *table)
{
	size_t width[TEXT_TABLE_COLUMNS] = { 0 }, n;
	unsigned int i, row, last = 0;

	for (row = 0; row < table->rows; row++) {
		for (i = 0; i < table->columns; i++) {
			n = text_width(table->cell[row * table->columns + i].text);
			if (n > width[i])
				width[i] = n;
		}
	}
	if (isatty(STDOUT_FILENO))
		fit(table, width, terminal_width());
	for (i = 0; i < table->columns; i++)
		if (width[i])
			last = i;
	for (row = 0; row < table->rows && table->rows > 1; row++) {
		/* No blanks behind the last column. */
		for (i = 0; i <= last; i++)
			if (width[i])
				print_cell(&table->cell[row * table->columns + i],
					   width[i], i < last);
		putchar('\n');
	}
	text_table_free(table);
}

void text_table_free(struct text_table *table)
{
	unsigned int i;

	for (i = 0; i < table->rows * table->columns; i++)
		free(table->cell[i].text);
	free(table->cell);
	memset(table, 0, sizeof(*table));
}
