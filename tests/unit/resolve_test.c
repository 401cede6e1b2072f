// SPDX-License-Identifier: GPL-2.0
/* Which of the layers of a line make up the chain, and where each one ends. */
#include <kunit/test.h>

#include "dm-chain-resolve.h"
#include "random.h"
#include "sample.h"

#define MANY	DM_CHAIN_MAX_LAYERS

/* A table line, base first. Layers are A, B, C...; their UUIDs repeat 1, 2... */
struct line {
	struct dm_chain_candidate c[MANY];
	struct dm_chain_sb sb[MANY];
	char name[MANY][DM_CHAIN_NAME_LEN];
	unsigned int n;
	unsigned int chain[MANY];
	unsigned int nr;
	struct dm_chain_why why;
};

static struct line *line_new(struct kunit *test)
{
	struct line *l = kunit_kzalloc(test, sizeof(*l), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, l);
	return l;
}

static struct dm_chain_candidate *add(struct line *l)
{
	struct dm_chain_candidate *c = &l->c[l->n];

	if (l->n < 26)
		snprintf(l->name[l->n], DM_CHAIN_NAME_LEN, "%c", 'A' + l->n);
	else
		snprintf(l->name[l->n], DM_CHAIN_NAME_LEN, "L%u", l->n);
	c->name = l->name[l->n];
	l->n++;
	return c;
}

static void add_raw(struct line *l, u64 size)
{
	struct dm_chain_candidate *c = add(l);

	c->raw = true;
	c->size = size;
}

static void add_absent(struct line *l, const char *absent_why)
{
	struct dm_chain_candidate *c = add(l);

	c->absent = true;
	c->absent_why = absent_why;
}

/* A layer that stands alone. */
static void add_layer(struct line *l)
{
	struct dm_chain_sb *sb = &l->sb[l->n];

	sample_minimal(sb);
	sample_uuid(sb->uuid, l->n + 1);
	sb->generation = 100 + l->n;
	add(l)->sb = sb;
}

/* Bind one entry to another as it is now. */
static void rest(struct line *l, unsigned int overlay, unsigned int on)
{
	struct dm_chain_backing *b = &l->sb[overlay].backing;

	memset(b, 0, sizeof(*b));
	if (l->c[on].raw) {
		b->kind = DM_CHAIN_BACKING_RAW;
		b->size = l->c[on].size;
		return;
	}
	b->kind = DM_CHAIN_BACKING_LAYER;
	memcpy(b->uuid, l->sb[on].uuid, DM_CHAIN_UUID_LEN);
	b->size = l->sb[on].size;
	b->generation = l->sb[on].generation;
}

/* A raw base A and the layers B to E, each on the one below. */
static struct line *line_a_to_e(struct kunit *test)
{
	struct line *l = line_new(test);
	unsigned int i;

	add_raw(l, GIB);
	for (i = 1; i < 5; i++) {
		add_layer(l);
		rest(l, i, i - 1);
	}
	return l;
}

static int resolve(struct line *l)
{
	l->nr = 99;
	l->why.text[0] = '\0';
	return dm_chain_resolve(l->c, l->n, l->chain, &l->nr, &l->why);
}

/* @want: the names of the chain, a letter each. */
static void expect_chain(struct kunit *test, struct line *l, const char *want)
{
	unsigned int i;

	KUNIT_ASSERT_EQ_MSG(test, resolve(l), 0, "%s: %s", want, l->why.text);
	KUNIT_ASSERT_EQ(test, l->nr, strlen(want));
	for (i = 0; i < l->nr; i++)
		KUNIT_EXPECT_EQ_MSG(test, l->name[l->chain[i]][0], want[i],
				    "%s at %u", want, i);
}

static void expect_refused(struct kunit *test, struct line *l, int err,
			   const char *text)
{
	KUNIT_EXPECT_EQ(test, resolve(l), err);
	KUNIT_EXPECT_STREQ(test, l->why.text, text);
}

static void whole_lines(struct kunit *test)
{
	struct line *l = line_a_to_e(test);

	for (; l->n > 1; l->n--) {
		static const char * const want[] = {
			"", "", "AB", "ABC", "ABCD", "ABCDE"
		};

		expect_chain(test, l, want[l->n]);
	}

	/* One layer on nothing. */
	l = line_new(test);
	add_layer(l);
	expect_chain(test, l, "A");
	/* Layers all the way down. */
	add_layer(l);
	rest(l, 1, 0);
	expect_chain(test, l, "AB");
}

/* What a finished job leaves: the line still names what was dropped. */
static void dropped_layers(struct kunit *test)
{
	struct line *l = line_a_to_e(test);

	rest(l, 4, 0);
	expect_chain(test, l, "AE");
	l->sb[4].backing.kind = DM_CHAIN_BACKING_NONE;
	expect_chain(test, l, "E");

	l = line_a_to_e(test);
	rest(l, 3, 1);
	expect_chain(test, l, "ABDE");
	rest(l, 3, 0);
	expect_chain(test, l, "ADE");
}

/* A dropped device may be gone, or hold anything. */
static void dropped_devices(struct kunit *test)
{
	struct line *l = line_a_to_e(test);

	rest(l, 4, 1);
	l->c[2].absent = true;
	l->c[2].sb = NULL;
	l->c[2].absent_why = "no such device";
	l->c[3].absent = true;
	l->c[3].sb = NULL;
	expect_chain(test, l, "ABE");

	/* Another layer, one that refers to nothing in the line. */
	l = line_a_to_e(test);
	rest(l, 4, 1);
	sample_uuid(l->sb[2].uuid, 0x99);
	sample_uuid(l->sb[3].backing.uuid, 0x98);
	expect_chain(test, l, "ABE");

	/* Other blocks, a size that changed: nobody asks. */
	l->sb[2].block_size = 65536;
	l->sb[3].generation = 7;
	l->sb[3].size = 512;
	expect_chain(test, l, "ABE");

	/* The base as well. */
	l = line_a_to_e(test);
	l->sb[4].backing.kind = DM_CHAIN_BACKING_NONE;
	l->c[0].absent = true;
	expect_chain(test, l, "E");
}

static void missing_layer(struct kunit *test)
{
	struct line *l = line_a_to_e(test);

	sample_uuid(l->sb[3].backing.uuid, 0xab);
	expect_refused(test, l, -ENODEV,
		       "D rests on layer abababab-abab-abab-abab-abababababab, which is missing; right below it the line has C (layer 03030303-0303-0303-0303-030303030303)");
	strscpy(l->sb[3].backing.path, "/dev/vg/x", DM_CHAIN_PATH_LEN);
	l->c[2].absent = true;
	l->c[2].sb = NULL;
	expect_refused(test, l, -ENODEV,
		       "D rests on layer abababab-abab-abab-abab-abababababab, last seen at /dev/vg/x, which is missing; right below it the line has C (cannot be used)");
	l->c[2].absent_why = "no superblock: nothing but zeros";
	expect_refused(test, l, -ENODEV,
		       "D rests on layer abababab-abab-abab-abab-abababababab, last seen at /dev/vg/x, which is missing; right below it the line has C (no superblock: nothing but zeros)");

	/* A layer sought, a raw device found; nothing at all found. */
	l = line_a_to_e(test);
	l->sb[1].backing.kind = DM_CHAIN_BACKING_LAYER;
	sample_uuid(l->sb[1].backing.uuid, 0xab);
	expect_refused(test, l, -ENODEV,
		       "B rests on layer abababab-abab-abab-abab-abababababab, which is missing; right below it the line has A (a raw device)");
	l = line_new(test);
	add_layer(l);
	sample_full(&l->sb[0]);
	l->sb[0].backing.path[0] = '\0';
	expect_refused(test, l, -ENODEV,
		       "A rests on layer 33333333-3333-3333-3333-333333333333, which is missing; right below it the line has nothing");

	/* It is there, but above the overlay: that is no backing. */
	l = line_a_to_e(test);
	rest(l, 2, 3);
	KUNIT_EXPECT_EQ(test, resolve(l), -ENODEV);
}

static void missing_raw_base(struct kunit *test)
{
	struct line *l = line_a_to_e(test);

	l->c[0].absent = true;
	l->c[0].absent_why = "carries a superblock";
	expect_refused(test, l, -ENODEV,
		       "B rests on a raw device, which is missing; right below it the line has A (carries a superblock)");

	/* A raw base in the superblock, a layer in the line. */
	l = line_new(test);
	add_layer(l);
	add_layer(l);
	l->sb[1].backing.kind = DM_CHAIN_BACKING_RAW;
	l->sb[1].backing.size = GIB;
	expect_refused(test, l, -ENODEV,
		       "B rests on a raw device, which is missing; right below it the line has A (layer 01010101-0101-0101-0101-010101010101)");

	/* Left out altogether. */
	l = line_new(test);
	add_layer(l);
	l->sb[0].backing.kind = DM_CHAIN_BACKING_RAW;
	l->sb[0].backing.size = GIB;
	strscpy(l->sb[0].backing.path, "/dev/vg/gold", DM_CHAIN_PATH_LEN);
	expect_refused(test, l, -ENODEV,
		       "A rests on a raw device, last seen at /dev/vg/gold, which is missing; right below it the line has nothing");
}

static void changed_layer(struct kunit *test)
{
	struct line *l = line_a_to_e(test);

	l->sb[2].generation++;
	expect_refused(test, l, -ESTALE,
		       "C (layer 03030303-0303-0303-0303-030303030303) was changed behind the back of D (layer 04040404-0404-0404-0404-040404040404): generation 102 was recorded, it has 103; restore it, or rebase the overlay");
	/* A restored backup is a change as well. */
	l->sb[2].generation -= 2;
	KUNIT_EXPECT_EQ(test, resolve(l), -ESTALE);
	l->sb[2].generation++;
	expect_chain(test, l, "ABCDE");

	/*
	 * The first that carries the UUID is the one, though the right one is
	 * further down: a stale copy is not passed over.
	 */
	l = line_a_to_e(test);
	rest(l, 4, 2);
	memcpy(l->sb[3].uuid, l->sb[2].uuid, DM_CHAIN_UUID_LEN);
	KUNIT_EXPECT_EQ(test, resolve(l), -ESTALE);
	l->sb[3].generation = l->sb[2].generation;
	rest(l, 3, 0);
	expect_chain(test, l, "ADE");
}

/* A reference that the first activation binds takes any content. */
static void not_bound_yet(struct kunit *test)
{
	struct line *l = line_a_to_e(test);

	l->sb[4].backing.generation = 0;
	expect_chain(test, l, "ABCDE");
	l->sb[3].generation = 12345;
	expect_chain(test, l, "ABCDE");
	/* But only the layer it names, and as large as it was. */
	l->sb[3].size -= 512;
	KUNIT_EXPECT_EQ(test, resolve(l), -ESTALE);
	sample_uuid(l->sb[3].uuid, 0x99);
	KUNIT_EXPECT_EQ(test, resolve(l), -ENODEV);
}

static void sizes_of_backings(struct kunit *test)
{
	struct line *l = line_a_to_e(test);

	l->c[0].size = 2 * GIB;
	expect_chain(test, l, "ABCDE");
	l->c[0].size = GIB - 512;
	expect_refused(test, l, -ESTALE,
		       "A has shrunk: it has 1073741312 bytes, but B was made on 1073741824 of them; give it its size back, or name the right device");
	l->c[0].size = GIB;
	expect_chain(test, l, "ABCDE");

	l->sb[3].size = 2 * GIB;
	expect_chain(test, l, "ABCDE");
	l->sb[3].size = GIB - 512;
	expect_refused(test, l, -ESTALE,
		       "D has shrunk: it has 1073741312 bytes, but E was made on 1073741824 of them; give it its size back, or name the right device");
}

static void unset_backings(struct kunit *test)
{
	struct line *l = line_a_to_e(test);
	unsigned int i;

	for (i = 1; i < 5; i++)
		memset(&l->sb[i].backing, 0, sizeof(l->sb[i].backing));
	expect_chain(test, l, "ABCDE");

	/* Nothing below: it stands alone. */
	l = line_new(test);
	add_layer(l);
	l->sb[0].backing.kind = DM_CHAIN_BACKING_UNSET;
	expect_chain(test, l, "A");

	/* In the middle of a chain, below one that skips. */
	l = line_a_to_e(test);
	rest(l, 4, 2);
	memset(&l->sb[2].backing, 0, sizeof(l->sb[2].backing));
	expect_chain(test, l, "ABCE");

	/* The entry right below, no other. */
	l = line_a_to_e(test);
	memset(&l->sb[4].backing, 0, sizeof(l->sb[4].backing));
	l->c[3].absent = true;
	l->c[3].sb = NULL;
	l->c[3].absent_why = "no such device";
	expect_refused(test, l, -ENODEV,
		       "E has not been given a backing yet, and what the line has below it cannot be one: D (no such device)");
}

static void one_block_size(struct kunit *test)
{
	struct line *l = line_a_to_e(test);

	l->sb[2].block_size = 65536;
	expect_refused(test, l, -EINVAL,
		       "the blocks of C have 65536 bytes, those of the active layer, E, 4096: a chain has one block size");
	memset(&l->sb[3].backing, 0, sizeof(l->sb[3].backing));
	KUNIT_EXPECT_EQ(test, resolve(l), -EINVAL);
}

static void active_layer(struct kunit *test)
{
	struct line *l = line_new(test);

	add_raw(l, GIB);
	expect_refused(test, l, -EINVAL,
		       "the active layer, A, has no metadata: only the base may be raw");
	add_absent(l, "no superblock: nothing but zeros");
	expect_refused(test, l, -ENODEV,
		       "the active layer, B: no superblock: nothing but zeros");
	l->c[1].absent_why = NULL;
	expect_refused(test, l, -ENODEV, "the active layer, B: cannot be used");
}

/* Nothing is cut off, however long the names, the paths and the reasons. */
static void longest_texts(struct kunit *test)
{
	struct line *l = line_a_to_e(test);
	char *reason = kunit_kzalloc(test, 1000, GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, reason);
	memset(reason, 'r', 999);
	for (i = 0; i < l->n; i++)
		memset(l->name[i], 'A' + i, DM_CHAIN_NAME_LEN - 1);
	memset(l->sb[3].backing.path, 'p', DM_CHAIN_PATH_LEN - 1);

	l->sb[2].generation = U64_MAX;
	l->sb[3].backing.generation = U64_MAX - 1;
	KUNIT_EXPECT_EQ(test, resolve(l), -ESTALE);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(l->why.text, "rebase the overlay"),
				  "%s", l->why.text);

	sample_uuid(l->sb[3].backing.uuid, 0xab);
	KUNIT_EXPECT_EQ(test, resolve(l), -ENODEV);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(l->why.text, "030303030303)"),
				  "%s", l->why.text);
	l->c[2].absent = true;
	l->c[2].absent_why = reason;
	KUNIT_EXPECT_EQ(test, resolve(l), -ENODEV);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(l->why.text, "rrr)"), "%s", l->why.text);
	KUNIT_EXPECT_LT(test, strlen(l->why.text), sizeof(l->why.text) - 1);

	l->sb[3].backing.kind = DM_CHAIN_BACKING_UNSET;
	KUNIT_EXPECT_EQ(test, resolve(l), -ENODEV);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(l->why.text, "rrr)"), "%s", l->why.text);
	/* And nobody has to ask. */
	KUNIT_EXPECT_EQ(test, dm_chain_resolve(l->c, l->n, l->chain, &l->nr, NULL), -ENODEV);
}

static void many_layers(struct kunit *test)
{
	struct line *l = line_new(test);
	unsigned int i;

	add_raw(l, GIB);
	for (i = 1; i < MANY; i++) {
		add_layer(l);
		rest(l, i, i - 1);
	}
	KUNIT_EXPECT_EQ(test, l->n, 64);
	KUNIT_EXPECT_EQ(test, resolve(l), 0);
	KUNIT_EXPECT_EQ(test, l->nr, 64);
	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_EQ(test, l->chain[i], i);

	rest(l, 63, 0);
	KUNIT_EXPECT_EQ(test, resolve(l), 0);
	KUNIT_EXPECT_EQ(test, l->nr, 2);
	KUNIT_EXPECT_EQ(test, l->chain[0], 0);
	KUNIT_EXPECT_EQ(test, l->chain[1], 63);
}

/* Some layers are kept, each on the one kept below it; the rest is whatever. */
static void any_subset(struct kunit *test)
{
	struct line *l = line_new(test);
	unsigned int want[MANY], nr, round, n;
	u64 seed = 7;

	for (round = 0; round < 2000; round++) {
		memset(l, 0, sizeof(*l));
		nr = 0;
		n = 2 + round % (MANY - 1);
		while (l->n < n) {
			bool last = l->n + 1 == n;

			if (!l->n && random_below(&seed, 2))
				add_raw(l, GIB);
			else if (last || random_below(&seed, 3))
				add_layer(l);
			else
				add_absent(l, "gone");

			if (l->c[l->n - 1].absent || (!last && random_below(&seed, 2)))
				continue;
			if (nr)
				rest(l, l->n - 1, want[nr - 1]);
			want[nr++] = l->n - 1;
		}
		KUNIT_ASSERT_EQ_MSG(test, resolve(l), 0, "round %u: %s", round, l->why.text);
		KUNIT_ASSERT_EQ_MSG(test, l->nr, nr, "round %u", round);
		KUNIT_ASSERT_MEMEQ(test, l->chain, want, nr * sizeof(*want));
	}
}

static void limits_by_hand(struct kunit *test)
{
	static const struct {
		unsigned int n;
		u64 size[6];
		u64 limit[6];
	} row[] = {
		{ 1, { 4 }, { 4 } },
		{ 2, { 4, 4 }, { 4, 4 } },
		/* A backing that is larger or smaller than the active layer. */
		{ 2, { 8, 4 }, { 8, 4 } },
		{ 2, { 2, 4 }, { 2, 4 } },
		/* A 4M <- B 2M <- C 4M: nothing of A shows behind B's end. */
		{ 3, { 4, 2, 4 }, { 2, 2, 4 } },
		/* The active layer's own size cuts nothing below it. */
		{ 3, { 4, 4, 2 }, { 4, 4, 2 } },
		{ 3, { 2, 4, 4 }, { 2, 4, 4 } },
		{ 5, { 9, 3, 7, 5, 8 }, { 3, 3, 5, 5, 8 } },
		{ 5, { 1, 2, 3, 4, 5 }, { 1, 2, 3, 4, 5 } },
		{ 5, { 5, 4, 3, 2, 1 }, { 2, 2, 2, 2, 1 } },
		{ 6, { 6, 6, 1, 6, 6, 6 }, { 1, 1, 1, 6, 6, 6 } },
		{ 2, { U64_MAX, U64_MAX }, { U64_MAX, U64_MAX } },
	};
	unsigned int i, j;
	u64 limit[6];

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		dm_chain_limits(row[i].size, row[i].n, limit);
		for (j = 0; j < row[i].n; j++)
			KUNIT_EXPECT_EQ_MSG(test, limit[j], row[i].limit[j],
					    "row %u, layer %u", i, j);
	}
}

static void limits_by_definition(struct kunit *test)
{
	u64 size[12], limit[12], seed = 3;
	unsigned int round, n, i, j;

	for (round = 0; round < 2000; round++) {
		n = 1 + round % ARRAY_SIZE(size);
		for (i = 0; i < n; i++)
			size[i] = 1 + random_below(&seed, 20);
		dm_chain_limits(size, n, limit);
		for (i = 0; i < n; i++) {
			u64 want = size[i];

			for (j = i; j + 1 < n; j++)
				want = min(want, size[j]);
			KUNIT_ASSERT_EQ(test, limit[i], want);
		}
	}
}

static struct kunit_case resolve_cases[] = {
	KUNIT_CASE(whole_lines),
	KUNIT_CASE(dropped_layers),
	KUNIT_CASE(dropped_devices),
	KUNIT_CASE(missing_layer),
	KUNIT_CASE(missing_raw_base),
	KUNIT_CASE(changed_layer),
	KUNIT_CASE(not_bound_yet),
	KUNIT_CASE(sizes_of_backings),
	KUNIT_CASE(unset_backings),
	KUNIT_CASE(one_block_size),
	KUNIT_CASE(active_layer),
	KUNIT_CASE(longest_texts),
	KUNIT_CASE(many_layers),
	KUNIT_CASE(any_subset),
	KUNIT_CASE(limits_by_hand),
	KUNIT_CASE(limits_by_definition),
	{}
};

static struct kunit_suite resolve_suite = {
	.name = "dm-chain-resolve",
	.test_cases = resolve_cases,
};

kunit_test_suite(resolve_suite);
