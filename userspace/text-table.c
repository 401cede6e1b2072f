// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: tables for people: columns as wide as they have to be.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "chainsetup.h"
#include "text-table.h"

static char **add_row(struct text_table *table)
{
	size_t cells = (size_t)(table->rows + 1) * table->columns;

	table->cell = realloc(table->cell, cells * sizeof(*table->cell));
	if (!table->cell)
		exit(complain("out of memory"));
	return &table->cell[table->rows++ * table->columns];
}

void text_table_init(struct text_table *table, const char *heading)
{
	char *word[TEXT_TABLE_COLUMNS], *copy = xstrdup(heading), *rest;
	unsigned int i;
	char **cell;

	memset(table, 0, sizeof(*table));
	for (word[0] = strtok_r(copy, " ", &rest); word[table->columns];
	     word[table->columns] = strtok_r(NULL, " ", &rest))
		if (++table->columns == TEXT_TABLE_COLUMNS)
			break;
	cell = add_row(table);
	for (i = 0; i < table->columns; i++)
		cell[i] = xstrdup(word[i]);
	free(copy);
}

void text_table_row(struct text_table *table, ...)
{
	char **cell = add_row(table);
	unsigned int i;
	va_list args;

	va_start(args, table);
	for (i = 0; i < table->columns; i++)
		cell[i] = xstrdup(va_arg(args, const char *));
	va_end(args);
}

void text_table_print(struct text_table *table)
{
	size_t width[TEXT_TABLE_COLUMNS] = { 0 }, n;
	unsigned int i, row;

	for (row = 0; row < table->rows; row++) {
		for (i = 0; i < table->columns; i++) {
			n = text_width(table->cell[row * table->columns + i]);
			if (n > width[i])
				width[i] = n;
		}
	}
	for (row = 0; row < table->rows && table->rows > 1; row++) {
		char **cell = &table->cell[row * table->columns];

		if (!row)
			fputs(tint_on(TINT_HEADING), stdout);
		/* No blanks behind the last column. */
		for (i = 0; i < table->columns - 1; i++)
			printf("%s%*s  ", cell[i],
			       (int)(width[i] - text_width(cell[i])), "");
		printf("%s%s\n", cell[i], row ? "" : tint_off());
	}
	text_table_free(table);
}

void text_table_free(struct text_table *table)
{
	unsigned int i;

	for (i = 0; i < table->rows * table->columns; i++)
		free(table->cell[i]);
	free(table->cell);
	memset(table, 0, sizeof(*table));
}
