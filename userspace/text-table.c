// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: tables for people: columns as wide as they have to be.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chainsetup.h"
#include "text-table.h"

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

void text_table_init(struct text_table *table, const char *heading)
{
	char *word[TEXT_TABLE_COLUMNS], *copy = xstrdup(heading), *rest;
	struct text_cell *cell;
	unsigned int i;

	memset(table, 0, sizeof(*table));
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

static void print_cell(const struct text_cell *cell)
{
	const bool tint = cell->tint != TINT_NONE;

	printf("%s%s%s", tint_on(cell->tint), cell->text, tint ? tint_off() : "");
}

void text_table_print(struct text_table *table)
{
	size_t width[TEXT_TABLE_COLUMNS] = { 0 }, n;
	unsigned int i, row;

	for (row = 0; row < table->rows; row++) {
		for (i = 0; i < table->columns; i++) {
			n = text_width(table->cell[row * table->columns + i].text);
			if (n > width[i])
				width[i] = n;
		}
	}
	for (row = 0; row < table->rows && table->rows > 1; row++) {
		const struct text_cell *cell = &table->cell[row * table->columns];

		/* No blanks behind the last column. */
		for (i = 0; i < table->columns; i++) {
			print_cell(&cell[i]);
			n = i < table->columns - 1 ?
			    width[i] - text_width(cell[i].text) + 2 : 0;
			printf("%*s", (int)n, "");
		}
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
