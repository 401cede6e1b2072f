// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the table line, for the target's parser and for chainsetup, which
 * takes the lines apart that the target prints. As with messages the input is a
 * text, or a line whose text has to be accepted.
 */
#include <linux/errno.h>
#include <stdlib.h>
#include <string.h>

#include "dm-chain-codec.h"
#include "dm-chain-parse.h"
#include "fuzz.h"
#include "live.h"

static void write_features(struct words *w, const struct dm_chain_line *l,
			   bool upper)
{
	if (l->jobs_paused) {
		words_key(w, "jobs", upper);
		words_key(w, "paused", upper);
	}
	if (l->no_discard_passdown)
		words_key(w, "no_discard_passdown", upper);
	if (l->copy_on_read_bottom) {
		words_key(w, "copy_on_read_bottom", upper);
		words_add(w, "%s", l->copy_on_read_bottom);
	}
	if (l->copy_on_read && (!l->copy_on_read_bottom || upper))
		words_key(w, "copy_on_read", upper);
	if (l->read_only)
		words_key(w, "read_only", upper);
	if (l->block_size) {
		words_key(w, "block_size", upper);
		words_add(w, "%u", l->block_size);
	}
	if (l->format)
		words_key(w, "format", upper);
}

static void write_line(struct words *w, const struct dm_chain_line *l,
		       bool upper)
{
	struct words features = { 0 };
	unsigned int i;

	w->argc = 0;
	words_add(w, "%u", l->nr_layers);
	for (i = 0; i < l->nr_layers; i++) {
		words_add(w, "%s", l->layer[i].name);
		words_add(w, "%s", l->layer[i].data);
		words_add(w, "%s", l->layer[i].meta ?: "-");
	}
	write_features(&features, l, upper);
	/* No features: the number may be left out. */
	if (features.argc || upper)
		words_add(w, "%u", features.argc);
	for (i = 0; i < features.argc; i++)
		words_add(w, "%s", features.argv[i]);
	words_free(&features);
}

static bool has_layer(const struct dm_chain_line *l, unsigned int nr,
		      const char *name)
{
	while (nr--)
		if (!strcmp(l->layer[nr].name, name))
			return true;
	return false;
}

/* What the parser promises of whatever it has accepted. */
static void check_promises(const struct words *w, const struct dm_chain_line *l)
{
	unsigned int i;

	must(l->nr_layers && l->nr_layers <= DM_CHAIN_MAX_LAYERS, "%u layers",
	     l->nr_layers);
	for (i = 0; i < l->nr_layers; i++) {
		const struct dm_chain_line_layer *layer = &l->layer[i];

		must(layer->name && words_own(w, layer->name), "layer %u: a name", i);
		must(layer->data && words_own(w, layer->data), "layer %u: data", i);
		must(words_own(w, layer->meta), "layer %u: metadata", i);
		must(dm_chain_name_valid(layer->name), "layer %u: '%s'", i, layer->name);
		must(!has_layer(l, i, layer->name), "'%s' twice", layer->name);
		must(*layer->data && strcmp(layer->data, "-"), "data of layer %u", i);
		must(layer->meta || (!i && l->nr_layers > 1), "layer %u is raw", i);
		must(!layer->meta || strcmp(layer->meta, "-"), "layer %u is raw", i);
	}
	must(!l->block_size || dm_chain_block_size_valid((u64)l->block_size << 9),
	     "block size %u", l->block_size);
	must(words_own(w, l->copy_on_read_bottom), "the bottom");
	must(!l->copy_on_read_bottom ||
	     has_layer(l, l->nr_layers, l->copy_on_read_bottom), "the bottom '%s'",
	     l->copy_on_read_bottom);
	must(!l->copy_on_read_bottom || l->copy_on_read, "a bottom alone");
}

static void must_be_text(const char *a, const char *b)
{
	must(!a == !b && (!a || !strcmp(a, b)), "'%s' and '%s'", a, b);
}

static void must_be_same(const struct dm_chain_line *a,
			 const struct dm_chain_line *b)
{
	unsigned int i;

	must(a->nr_layers == b->nr_layers, "%u and %u", a->nr_layers, b->nr_layers);
	for (i = 0; i < a->nr_layers; i++) {
		must_be_text(a->layer[i].name, b->layer[i].name);
		must_be_text(a->layer[i].data, b->layer[i].data);
		must_be_text(a->layer[i].meta, b->layer[i].meta);
	}
	must(a->format == b->format, "format");
	must(a->block_size == b->block_size, "%u and %u", a->block_size, b->block_size);
	must(a->read_only == b->read_only, "read_only");
	must(a->copy_on_read == b->copy_on_read, "copy_on_read");
	must_be_text(a->copy_on_read_bottom, b->copy_on_read_bottom);
	must(a->no_discard_passdown == b->no_discard_passdown, "no_discard_passdown");
	must(a->jobs_paused == b->jobs_paused, "jobs paused");
}

/* chainsetup finds the same layers in it. */
static void check_split(const struct words *w, const struct dm_chain_line *l)
{
	char *text = words_join(w);
	struct line_words split;
	struct dm_chain_why why;
	unsigned int i;

	fuzz_why(&why);
	must(!line_split(&split, text, &why), "%.384s", why.text);
	must(split.nr_layers == l->nr_layers, "%u and %u", split.nr_layers,
	     l->nr_layers);
	for (i = 0; i < l->nr_layers; i++) {
		must_be_text(split.layer[i].name, l->layer[i].name);
		must_be_text(split.layer[i].data, l->layer[i].data);
		must_be_text(split.layer[i].meta, l->layer[i].meta ?: "-");
		must(line_uses(&split, i, l->layer[i].data), "layer %u", i);
	}
	line_free(&split);
	free(text);
}

/* Written down in two ways, it is the same line. */
static void check_written(const struct dm_chain_line *l)
{
	struct dm_chain_line again;
	struct dm_chain_why why;
	struct words w;
	int upper, err;

	for (upper = 0; upper < 2; upper++) {
		write_line(&w, l, upper);
		fuzz_why(&why);
		err = dm_chain_parse_line(w.argc, w.argv, &again, &why);
		must(!err, "error %d: %.384s", err, why.text);
		must_be_same(l, &again);
		check_split(&w, l);
		words_free(&w);
	}
}

/* One word more or less is another number of words than was announced. */
static void check_counted(struct words *w, const struct dm_chain_line *l)
{
	bool features = w->argc > 1 + 3 * l->nr_layers;
	struct dm_chain_line other;

	if (features && w->argc > 2 + 3 * l->nr_layers)
		must(dm_chain_parse_line(w->argc - 1, w->argv, &other, NULL),
		     "a word too few is accepted");
	if (w->argc < MAX_WORDS) {
		words_add(w, features ? "format" : "1");
		must(dm_chain_parse_line(w->argc, w->argv, &other, NULL),
		     "a word too many is accepted");
	}
}

/* One more than there may be is refused, however right the rest is. */
static void check_too_many(const struct dm_chain_line *l)
{
	struct dm_chain_line *other = malloc(sizeof(*other));
	struct words w, longer = { 0 };
	unsigned int i;

	must(other, "no memory");
	write_line(&w, l, false);
	words_add(&longer, "%u", DM_CHAIN_MAX_LAYERS + 1);
	for (i = 1; i < w.argc; i++) {
		/* Below the active layer. */
		if (i == 3 * (l->nr_layers - 1) + 1) {
			words_add(&longer, "more");
			words_add(&longer, "253:1");
			words_add(&longer, "253:2");
		}
		words_add(&longer, "%s", w.argv[i]);
	}
	must(dm_chain_parse_line(longer.argc, longer.argv, other, NULL) == -EINVAL,
	     "%u layers are accepted", DM_CHAIN_MAX_LAYERS + 1);
	words_free(&w);
	words_free(&longer);
	free(other);
}

/* Of whatever text: what is refused says why, what is not has all its layers. */
static void split_text(const char *text)
{
	struct line_words split;
	struct dm_chain_why why;
	unsigned int i;

	fuzz_why(&why);
	if (line_split(&split, text, &why)) {
		must(!split.text, "left behind");
		return;
	}
	must(split.nr_layers && split.nr_layers <= DM_CHAIN_MAX_LAYERS, "%u layers",
	     split.nr_layers);
	for (i = 0; i < split.nr_layers; i++)
		must(split.layer[i].name && *split.layer[i].name &&
		     split.layer[i].data && *split.layer[i].data &&
		     split.layer[i].meta && *split.layer[i].meta, "layer %u", i);
	must(split.features, "no features");
	line_free(&split);
}

static void fuzz_text(struct input *in)
{
	char *text = take_text(in), *before, *after;
	struct dm_chain_line l, other;
	struct dm_chain_why why;
	struct words w;
	int err;

	split_text(text);
	words_cut(&w, text);
	before = words_join(&w);
	fuzz_why(&why);
	err = dm_chain_parse_line(w.argc, w.argv, &l, &why);
	after = words_join(&w);
	must(!strcmp(before, after), "the words were changed");
	must(dm_chain_parse_line(w.argc, w.argv, &other, NULL) == err,
	     "another verdict when nobody asks for the reason");
	if (err) {
		must(err == -EINVAL, "error %d", err);
		must_say_why(&why);
	} else {
		check_promises(&w, &l);
		check_split(&w, &l);
		check_written(&l);
		check_counted(&w, &l);
	}
	words_free(&w);
	free(before);
	free(after);
	free(text);
}

static void fuzz_line(struct input *in)
{
	struct dm_chain_line l = {
		.nr_layers = 1 + take_below(in, DM_CHAIN_MAX_LAYERS),
		.block_size = 8U << take_below(in, 9),
	};
	char name[DM_CHAIN_MAX_LAYERS][8], data[DM_CHAIN_MAX_LAYERS][8];
	u8 flags = take(in, 1);
	unsigned int i;

	for (i = 0; i < l.nr_layers; i++) {
		snprintf(name[i], sizeof(name[i]), "%u_%x", i, take_below(in, 256));
		snprintf(data[i], sizeof(data[i]), "253:%u", take_below(in, 256));
		l.layer[i].name = name[i];
		l.layer[i].data = data[i];
		l.layer[i].meta = take_below(in, 2) ? data[i] : "/dev/x";
	}
	if (l.nr_layers > 1 && flags & 1)
		l.layer[0].meta = NULL;
	l.format = flags & 2;
	l.read_only = flags & 4;
	l.copy_on_read = flags & 8;
	if (l.copy_on_read && flags & 16)
		l.copy_on_read_bottom = name[take_below(in, l.nr_layers)];
	l.no_discard_passdown = flags & 32;
	l.jobs_paused = flags & 64;
	if (flags & 128)
		l.block_size = 0;
	check_written(&l);
	if (l.nr_layers == DM_CHAIN_MAX_LAYERS)
		check_too_many(&l);
}

void fuzz_one(struct input *in)
{
	/* A line is a text that begins with a byte that no text begins with. */
	if (in->left && *in->at == 1) {
		take(in, 1);
		fuzz_line(in);
	} else {
		fuzz_text(in);
	}
}
