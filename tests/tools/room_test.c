// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: is there room for what a stream would copy?
 */
#include "tools_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "room.h"

#define MIB	(1024ULL * 1024)
#define USAGE	"1 200/4096 600/1000"
#define TABLE	"253:1 253:2 128 0 1 skip_block_zeroing"

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

/* Blocks of 64 KiB, 600 of 1000 used. */
static void test_pool(void **state)
{
	static const struct {
		const char *status;
		const char *trouble;
	} pools[] = {
		{ USAGE " - rw discard_passdown queue_if_no_space - 1024",
		  "" },
		{ USAGE " - rw no_discard_passdown error_if_no_space - 1024",
		  "" },
		{ USAGE " 12 out_of_data_space discard_passdown error_if_no_space - 1024",
		  "is full" },
		{ USAGE " - ro discard_passdown queue_if_no_space - 1024",
		  "read-only" },
		{ USAGE " - ro discard_passdown queue_if_no_space needs_check 1024",
		  "read-only" },
		{ USAGE " - rw discard_passdown queue_if_no_space needs_check 1024",
		  "needs a check" },
	};
	struct dm_chain_why why = { "" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pools); i++) {
		struct room room = { .name = "pool" };

		assert_int_equal(pool_room(&room, TABLE, pools[i].status, &why),
				 0);
		assert_int_equal(room.free, 400 * 65536);
		assert_has(room.trouble, pools[i].trouble);
		assert_int_equal(!room.trouble[0], !pools[i].trouble[0]);
	}
}

static void test_pool_failed(void **state)
{
	struct dm_chain_why why = { "" };
	struct room room = { .name = "pool" };

	assert_int_equal(pool_room(&room, TABLE, "Fail", &why), 0);
	assert_string_equal(room.trouble, "has failed");
	assert_int_equal(room.free, 0);
	room.trouble[0] = 0;
	assert_int_equal(thin_room(&room, "Fail", &why), 0);
	assert_has(room.trouble, "lost");
}

static void test_pool_bad(void **state)
{
	static const char * const bad[] = {
		"", "rw", "1 200/4096 600 - rw x y -",
		"1 200/4096 600/1000 - rw discard_passdown",
		"1 200/4096 1001/1000 - rw x y - 1",
		"1 200/4096 0/18446744073709551615 - rw x y - 1",
	};
	struct dm_chain_why why = { "" };
	struct room room = { .name = "pool" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(pool_room(&room, TABLE, bad[i], &why), -EPROTO);
		assert_has(why.text, "pool");
	}
	assert_int_equal(pool_room(&room, "253:1", "1 2/4 6/10 - rw x y - 1",
				   &why), -EPROTO);
	assert_int_equal(thin_room(&room, "-", &why), -EPROTO);
	assert_int_equal(thin_room(&room, "18446744073709551615 -", &why),
			 -EPROTO);
}

static void test_thin(void **state)
{
	struct room room = { .name = "pool" };

	assert_int_equal(thin_room(&room, "2048 4095", NULL), 0);
	assert_int_equal(room.held, MIB);
	assert_int_equal(thin_room(&room, "0 -", NULL), 0);
	assert_int_equal(room.held, 0);
}

static struct rooms pool_of(u64 free, u64 held)
{
	return (struct rooms) {
		.nr = 1,
		.room = { { .kind = ROOM_POOL, .id = 1, .name = "vg-pool",
			    .free = free, .held = held } },
	};
}

static const struct room_question question = {
	.layer = "E", .device = "/dev/vg/e", .need = 100 * MIB,
	.free = 500 * MIB, .held = 10 * MIB,
};

static void test_enough(void **state)
{
	struct dm_chain_why why = { "" };
	struct rooms rooms = pool_of(100 * MIB, 10 * MIB);

	assert_int_equal(room_check(&question, &rooms, &why), 0);
	/* What the volume has beyond the top's data counts. */
	rooms = pool_of(40 * MIB, 70 * MIB);
	assert_int_equal(room_check(&question, &rooms, &why), 0);
	/* A plain disk, or something of which nothing is known. */
	rooms = (struct rooms) { .nr = 0 };
	assert_int_equal(room_check(&question, &rooms, &why), 0);
	rooms = pool_of(0, 0);
	rooms.other = true;
	assert_int_equal(room_check(&question, &rooms, &why), 0);
}

static void test_too_little(void **state)
{
	struct dm_chain_why why = { "" };
	struct rooms rooms = pool_of(100 * MIB - 1, 10 * MIB);

	assert_int_equal(room_check(&question, &rooms, &why), -ENOSPC);
	assert_has(why.text, "100M are to be copied to layer E");
	assert_has(why.text, "thin pool vg-pool has room for 100.0M");
	assert_has(why.text, "extend the pool");
	assert_has(why.text, "--force");
	/* Less than the top's data: nothing is subtracted. */
	rooms = pool_of(100 * MIB, 0);
	assert_int_equal(room_check(&question, &rooms, &why), 0);
	rooms = pool_of(100 * MIB - 1, 0);
	assert_int_equal(room_check(&question, &rooms, &why), -ENOSPC);

	rooms.room[0].kind = ROOM_FILES;
	assert_int_equal(room_check(&question, &rooms, &why), -ENOSPC);
	assert_has(why.text, "the file system of vg-pool has room");
	assert_has(why.text, "make room there");
}

static void test_small_device(void **state)
{
	struct room_question small = question;
	struct rooms rooms = { .other = true };
	struct dm_chain_why why = { "" };

	small.free = 100 * MIB;
	assert_int_equal(room_check(&small, &rooms, &why), 0);
	small.free--;
	assert_int_equal(room_check(&small, &rooms, &why), -ENOSPC);
	assert_has(why.text, "/dev/vg/e is too small");
	small.need = 0;
	small.free = 0;
	assert_int_equal(room_check(&small, &rooms, &why), 0);
}

/* A pool in trouble takes nothing, however much it has free. */
static void test_trouble(void **state)
{
	struct rooms rooms = pool_of(1000 * MIB, 0);
	struct room_question nothing = question;
	struct dm_chain_why why = { "" };
	char *text;

	strcpy(rooms.room[0].trouble, "is full: extend it");
	assert_int_equal(room_check(&question, &rooms, &why), -ENOSPC);
	assert_has(why.text, "thin pool vg-pool, which is full: extend it");
	text = room_text(&rooms.room[0]);
	assert_string_equal(text,
			    "thin pool vg-pool: 1000M free, is full: extend it");
	free(text);
	nothing.need = 0;
	assert_int_equal(room_check(&nothing, &rooms, &why), 0);
}

/* Two volumes of one pool share what it has; two pools add up. */
static void test_add(void **state)
{
	struct room room = { .kind = ROOM_POOL, .id = 1, .free = 60, .held = 1 };
	struct rooms rooms = { .nr = 0 };
	unsigned int i;

	rooms_add(&rooms, &room);
	rooms_add(&rooms, &room);
	assert_int_equal(rooms.nr, 1);
	assert_int_equal(rooms_free(&rooms, 0), 62);
	assert_int_equal(rooms_free(&rooms, 5), 60);
	room.id = 2;
	rooms_add(&rooms, &room);
	assert_int_equal(rooms.nr, 2);
	assert_int_equal(rooms_free(&rooms, 3), 120);
	/* The number of a file system is none of a pool. */
	room.kind = ROOM_FILES;
	rooms_add(&rooms, &room);
	assert_int_equal(rooms.nr, 3);
	room.free = ~0ULL;
	room.id = 3;
	rooms_add(&rooms, &room);
	assert_true(rooms_free(&rooms, 0) == ~0ULL);

	for (i = 4; i < 4 + ROOMS_MAX; i++) {
		room.id = i;
		rooms_add(&rooms, &room);
	}
	assert_int_equal(rooms.nr, ROOMS_MAX);
	assert_true(rooms.other);
}

const struct CMUnitTest room_tests[] = {
	cmocka_unit_test(test_pool),
	cmocka_unit_test(test_pool_failed),
	cmocka_unit_test(test_pool_bad),
	cmocka_unit_test(test_thin),
	cmocka_unit_test(test_enough),
	cmocka_unit_test(test_too_little),
	cmocka_unit_test(test_small_device),
	cmocka_unit_test(test_trouble),
	cmocka_unit_test(test_add),
};

const unsigned int nr_room_tests = ARRAY_SIZE(room_tests);
