// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: pictures of maps, see picture.h.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <linux/kernel.h>
#include <linux/minmax.h>

#include "picture.h"
#include "text-table.h"

#define ZEROS	DM_CHAIN_MAX_LAYERS	/* index of what reads as zeros */

u64 picture_column(const struct picture *picture, unsigned int n)
{
	/* Without overflow. */
	return picture->size / picture->columns * n +
	       picture->size % picture->columns * n / picture->columns;
}

static u64 *new_columns(const struct picture *picture)
{
	return xalloc(picture->columns, sizeof(u64));
}

void picture_init(struct picture *picture, u64 size, unsigned int columns)
{
	memset(picture, 0, sizeof(*picture));
	picture->size = size;
	picture->columns = columns;
	picture->layer[ZEROS].key = '.';
	picture->layer[ZEROS].column = new_columns(picture);
	snprintf(picture->layer[ZEROS].name,
		 sizeof(picture->layer[ZEROS].name), "(zeros)");
}

static bool key_taken(const struct picture *picture, char key)
{
	unsigned int i;

	for (i = 0; i < picture->nr; i++)
		if (picture->layer[i].key == key)
			return true;
	return false;
}

/* The first letter of the name, or the first that is free. */
static char choose_key(const struct picture *picture, const char *name)
{
	static const char keys[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%";
	const char *key;

	if (isalnum((unsigned char)*name) && !key_taken(picture, *name))
		return *name;
	for (key = keys; key[1] && key_taken(picture, *key); key++)
		;
	return *key;
}

void picture_add_layer(struct picture *picture, const char *name)
{
	struct picture_layer *layer = &picture->layer[picture->nr];

	layer->key = choose_key(picture, name);
	layer->column = new_columns(picture);
	snprintf(layer->name, sizeof(layer->name), "%s", name);
	picture->nr++;
}

static struct picture_layer *find_layer_named(struct picture *picture,
					      const char *name)
{
	unsigned int i;

	if (!name)
		return &picture->layer[ZEROS];
	for (i = 0; i < picture->nr; i++)
		if (!strcmp(picture->layer[i].name, name))
			return &picture->layer[i];
	/* Another one came on top while the map was being read. */
	if (picture->nr == DM_CHAIN_MAX_LAYERS)
		return &picture->layer[picture->nr - 1];
	picture_add_layer(picture, name);
	return &picture->layer[picture->nr - 1];
}

void picture_add(struct picture *picture, u64 start, u64 length,
		 const char *name)
{
	struct picture_layer *layer = find_layer_named(picture, name);
	unsigned int n;
	u64 end, part;

	if (start >= picture->size)
		return;
	end = start + min(length, picture->size - start);
	layer->data += end - start;
	n = (double)start / picture->size * picture->columns;
	/* What floating point says may be one too many. */
	if (n && picture_column(picture, n) > start)
		n--;
	for (; start < end; n++) {
		part = min(end, picture_column(picture, n + 1));
		if (part <= start)
			continue;
		layer->column[n] += part - start;
		start = part;
	}
}

/* Who shows in most of a column; of several that do the upper one. */
static unsigned int column_owner(const struct picture *picture, unsigned int n)
{
	unsigned int i, owner = ZEROS;

	for (i = 0; i < picture->nr; i++)
		if (picture->layer[i].column[n] &&
		    picture->layer[i].column[n] >=
		    picture->layer[owner].column[n])
			owner = i;
	return owner;
}

/* How much of column @n is the layer's, in eighths, rounded up. */
static unsigned int eighths(const struct picture *picture,
			    const struct picture_layer *layer, unsigned int n)
{
	u64 width = picture_column(picture, n + 1) - picture_column(picture, n);
	unsigned int full;
	double part;

	if (!width)
		return 0;
	part = (double)layer->column[n] / width * 8;
	full = part;
	return min(full + (part > full), 8u);
}

static enum tint layer_tint(unsigned int i)
{
	return i == ZEROS ? TINT_FAINT : TINT_FIRST_OF_SIX + i % 6;
}

static void print_strip(const struct picture *picture)
{
	unsigned int n, i, owner = ZEROS + 1;

	fputs("  ", stdout);
	for (n = 0; n < picture->columns; n++) {
		i = column_owner(picture, n);
		if (i != owner)
			printf("%s%s", n ? tint_off() : "",
			       tint_on(layer_tint(i)));
		owner = i;
		putchar(picture->layer[i].key);
	}
	puts(tint_off());
}

/* One layer by itself, darker where more of a column is its. */
static void print_lane(const struct picture *picture, unsigned int i)
{
	static const char * const blocks[] = {
		" ", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586",
		"\u2587", "\u2588",
	};
	static const char * const ascii[] = {
		" ", ".", ".", ":", ":", "+", "+", "+", "#",
	};
	const char * const *level = utf8_output() ? blocks : ascii;
	const struct picture_layer *layer = &picture->layer[i];
	unsigned int n, last = picture->columns;

	/* No blanks at the end of a line. */
	while (last && !layer->column[last - 1])
		last--;
	printf("%s%c ", tint_on(layer_tint(i)), layer->key);
	for (n = 0; n < last; n++)
		fputs(level[eighths(picture, layer, n)], stdout);
	puts(tint_off());
}

static void share_text(const struct picture *picture,
		       const struct picture_layer *layer, char *text,
		       size_t size)
{
	snprintf(text, size, "%.1f%%",
		 (double)layer->data / picture->size * 100);
}

static void legend_row(const struct picture *picture, struct text_table *table,
		       unsigned int i)
{
	const struct picture_layer *layer = &picture->layer[i];
	char share[16], data[32], key[2] = { layer->key };

	share_text(picture, layer, share, sizeof(share));
	text_table_row(table, key, layer->name, share,
		       human_size(layer->data, data));
	text_table_tint(table, 0, layer_tint(i));
}

void picture_print(const struct picture *picture, const char *title)
{
	struct text_table legend;
	char size[32], column[32];
	unsigned int i;

	say("%s: %s, a column is %s", title,
	    human_size(picture->size, size),
	    human_size(picture->size / picture->columns, column));
	print_strip(picture);
	for (i = picture->nr; i-- > 0; )
		if (picture->layer[i].data)
			print_lane(picture, i);
	text_table_init(&legend, "KEY LAYER SHARE SIZE", "");
	for (i = picture->nr; i-- > 0; )
		legend_row(picture, &legend, i);
	if (picture->layer[ZEROS].data)
		legend_row(picture, &legend, ZEROS);
	text_table_print(&legend);
}

/* Of a page 840 wide */
#define SVG_LEFT	20
#define SVG_LANE	18
#define SVG_TOP		70

static const char *svg_color(unsigned int i)
{
	static const char * const colors[] = {
		"#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2",
		"#b07aa1", "#edc948", "#9c755f", "#ff9da7", "#79706e",
	};

	return i == ZEROS ? "#e4e4e4" : colors[i % ARRAY_SIZE(colors)];
}

static void svg_text(FILE *file, const char *text)
{
	char *shown = text_shown(text, true), *c;

	for (c = shown; *c; c++) {
		if (strchr("<>&\"'", *c))
			fprintf(file, "&#%d;", *c);
		else
			fputc(*c, file);
	}
	free(shown);
}

static void svg_strip(const struct picture *picture, FILE *file)
{
	unsigned int n, end, i;

	for (n = 0; n < picture->columns; n = end) {
		i = column_owner(picture, n);
		for (end = n + 1; end < picture->columns; end++)
			if (column_owner(picture, end) != i)
				break;
		fprintf(file, "<rect x=\"%u\" y=\"36\" width=\"%u\" height=\"24\" fill=\"%s\"/>\n",
			SVG_LEFT + n, end - n, svg_color(i));
	}
}

static void svg_lane(const struct picture *picture, unsigned int i,
		     unsigned int y, FILE *file)
{
	const struct picture_layer *layer = &picture->layer[i];
	unsigned int n, end, level;
	char share[16], data[32];

	fprintf(file, "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"10\" fill=\"#f6f6f6\"/>\n",
		SVG_LEFT, y, picture->columns);
	for (n = 0; n < picture->columns; n = end) {
		level = eighths(picture, layer, n);
		for (end = n + 1; end < picture->columns; end++)
			if (eighths(picture, layer, end) != level)
				break;
		if (!level)
			continue;
		fprintf(file,
			"<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"10\" fill=\"%s\" fill-opacity=\"%.3f\"/>\n",
			SVG_LEFT + n, y, end - n, svg_color(i), 0.2 + 0.1 * level);
	}
	share_text(picture, layer, share, sizeof(share));
	fprintf(file, "<text x=\"%u\" y=\"%u\">", SVG_LEFT + picture->columns + 10,
		y + 9);
	svg_text(file, layer->name);
	fprintf(file, "  %s  %s</text>\n", share, human_size(layer->data, data));
}

void picture_svg(const struct picture *picture, const char *title, FILE *file)
{
	unsigned int lanes = picture->nr + !!picture->layer[ZEROS].data;
	unsigned int y = SVG_TOP, i;
	char size[32];

	fprintf(file, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" font-family=\"sans-serif\" font-size=\"11\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
		"<text x=\"%u\" y=\"24\" font-size=\"15\">",
		SVG_LEFT + picture->columns + 220, SVG_TOP + SVG_LANE * lanes + 10,
		SVG_LEFT);
	svg_text(file, title);
	fprintf(file, ", %s</text>\n", human_size(picture->size, size));
	svg_strip(picture, file);
	for (i = picture->nr; i-- > 0; y += SVG_LANE)
		svg_lane(picture, i, y, file);
	if (picture->layer[ZEROS].data)
		svg_lane(picture, ZEROS, y, file);
	fputs("</svg>\n", file);
}

void picture_free(struct picture *picture)
{
	unsigned int i;

	for (i = 0; i <= ZEROS; i++)
		free(picture->layer[i].column);
	memset(picture, 0, sizeof(*picture));
}
