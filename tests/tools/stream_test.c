// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests of the stream that "export" writes: a small one is read back as it was
 * written, and refused with any bit of it wrong, with any byte of it missing, with
 * records that are left out, doubled or in another order.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"
#include "tools_test.h"

#define BLOCK		4096
#define RECORDS		5

struct part {
	enum stream_type type;
	u64 count;
};

/* The last block has 512 bytes. */
static const struct part parts[RECORDS] = {
	{ STREAM_UNOWNED, 3 }, { STREAM_DATA, 1 }, { STREAM_ZERO, 2 },
	{ STREAM_ZERO, 1 }, { STREAM_DATA, 1 },
};

static const struct stream_header header = {
	.block_size = BLOCK,
	.size = 7 * BLOCK + 512,
	.uuid = { 1, 2, 3 },
	.generation = 5,
	.name = "E",
	.base = { .kind = DM_CHAIN_BACKING_LAYER, .uuid = { 4 }, .size = BLOCK,
		  .generation = 2 },
	.created = 1700000000,
};

/* A stream, and where its records begin; the last one is the end. */
struct sample {
	u8 *bytes;
	size_t len;
	size_t at[RECORDS + 2];
};

static void sample_make(struct sample *s, const struct stream_header *head, u8 fill)
{
	u8 data[BLOCK];
	struct stream stream;
	unsigned int i;
	FILE *file;

	s->bytes = NULL;
	file = open_memstream((char **)&s->bytes, &s->len);
	assert_int_equal(stream_create(&stream, file, head, NULL), 0);
	for (i = 0; i < RECORDS; i++) {
		s->at[i] = stream.at;
		memset(data, fill + i, sizeof(data));
		assert_int_equal(stream_put(&stream, parts[i].type,
					    parts[i].count, data, NULL), 0);
	}
	s->at[RECORDS] = stream.at;
	assert_int_equal(stream_end(&stream, NULL), 0);
	s->at[RECORDS + 1] = stream.at;
	fclose(file);
	assert_int_equal(s->len, stream.at);
}

/* Read it to the end. Return: 0 or the first error, which says why. */
static int read_all(const u8 *bytes, size_t len, unsigned int *records)
{
	static struct stream_record record;
	struct dm_chain_why why = { "" };
	FILE *file = fmemopen((void *)bytes, len, "r");
	struct stream stream;
	unsigned int n = 0;
	int ret;

	ret = stream_open(&stream, file, &why);
	while (!ret) {
		ret = stream_get(&stream, &record, &why);
		if (ret || record.type == STREAM_END)
			break;
		if (!records)
			continue;
		assert_true(n < RECORDS);
		assert_int_equal(record.type, parts[n].type);
		assert_int_equal(record.count, parts[n].count);
		if (record.type == STREAM_DATA)
			assert_int_equal(record.data[record.length - 1], 'a' + n);
		n++;
	}
	if (records)
		*records = n;
	assert_int_equal(!!*why.text, !!ret);
	fclose(file);
	return ret;
}

static void test_read_back(void **state)
{
	struct stream stream;
	struct sample s;
	unsigned int n;
	FILE *file;

	sample_make(&s, &header, 'a');
	assert_int_equal(read_all(s.bytes, s.len, &n), 0);
	assert_int_equal(n, RECORDS);
	file = fmemopen(s.bytes, s.len, "r");
	assert_int_equal(stream_open(&stream, file, NULL), 0);
	assert_memory_equal(&stream.header, &header, sizeof(header));
	fclose(file);
	free(s.bytes);
}

static void test_every_bit(void **state)
{
	struct sample s;
	size_t at;
	u8 bit;

	sample_make(&s, &header, 'a');
	for (at = 0; at < s.len; at++) {
		/* All bits of what is not content. */
		for (bit = 1; bit; bit <<= at % 512 < 64 ? 1 : 3) {
			s.bytes[at] ^= bit;
			if (!read_all(s.bytes, s.len, NULL))
				fail_msg("bit %#x of byte %zu may be wrong", bit, at);
			s.bytes[at] ^= bit;
		}
	}
	free(s.bytes);
}

static void test_every_length(void **state)
{
	struct sample s;
	size_t len;
	u8 *more;

	sample_make(&s, &header, 'a');
	for (len = 1; len < s.len; len++)
		if (!read_all(s.bytes, len, NULL))
			fail_msg("%zu bytes are enough", len);
	more = calloc(1, s.len + 1);
	memcpy(more, s.bytes, s.len);
	assert_int_equal(read_all(more, s.len + 1, NULL), -EBADMSG);
	free(more);
	free(s.bytes);
}

/* Records that are right by themselves, in any other choice of six. */
static void test_every_order(void **state)
{
	unsigned int choice, rest, i, n;
	struct sample s;
	size_t len;
	u8 *bytes;

	sample_make(&s, &header, 'a');
	bytes = malloc(sizeof(struct stream_disk_header) + 6 * (BLOCK + 64));
	for (choice = 0; choice < 6 * 6 * 6 * 6 * 6; choice++) {
		bool right = true;

		len = s.at[0];
		memcpy(bytes, s.bytes, len);
		for (i = 0, rest = choice; i < RECORDS; i++, rest /= 6) {
			n = rest % 6;
			right &= n == i;
			memcpy(bytes + len, s.bytes + s.at[n], s.at[n + 1] - s.at[n]);
			len += s.at[n + 1] - s.at[n];
		}
		memcpy(bytes + len, s.bytes + s.at[RECORDS], s.len - s.at[RECORDS]);
		len += s.len - s.at[RECORDS];
		assert_int_equal(!read_all(bytes, len, NULL), right);
	}
	free(bytes);
	free(s.bytes);
}

/* Each part is right by itself: only the end's checksum tells that one is another's. */
static void test_parts_of_two(void **state)
{
	struct stream_header other = header;
	struct sample a, b;
	unsigned int i;
	size_t start, len;
	u8 *mixed;

	sample_make(&a, &header, 'a');
	other.generation++;
	sample_make(&b, &other, 'A');
	mixed = malloc(a.len);
	for (i = 0; i <= RECORDS; i++) {
		start = i ? a.at[i - 1] : 0;
		len = a.at[i] - start;
		memcpy(mixed, a.bytes, a.len);
		memcpy(mixed + start, b.bytes + start, len);
		/* Records without content are the same. */
		if (memcmp(mixed, a.bytes, a.len))
			assert_int_equal(read_all(mixed, a.len, NULL), -EBADMSG);
	}
	free(mixed);
	free(a.bytes);
	free(b.bytes);
}

const struct CMUnitTest stream_tests[] = {
	cmocka_unit_test(test_read_back),
	cmocka_unit_test(test_every_bit),
	cmocka_unit_test(test_every_length),
	cmocka_unit_test(test_every_order),
	cmocka_unit_test(test_parts_of_two),
};

const unsigned int nr_stream_tests = ARRAY_SIZE(stream_tests);
