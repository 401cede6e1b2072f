// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: /etc/chaintab.
 */
#include "tools_test.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "chaintab.h"

#define UUID	"UUID=01234567-89ab-cdef-0123-456789abcdef"

/* What was said of the last line that was refused. */
struct refusal {
	unsigned int line;
	char text[384];
};

static void remember(void *data, unsigned int line, const struct dm_chain_why *why)
{
	struct refusal *refusal = data;

	refusal->line = line;
	memcpy(refusal->text, why->text, sizeof(refusal->text));
}

static unsigned int parse(struct chaintab *tab, const char *text, struct refusal *refusal)
{
	return chaintab_parse(tab, text, strlen(text), remember, refusal);
}

static void test_entries(void **state)
{
	struct refusal refusal = { 0 };
	struct chaintab tab;
	const struct chaintab_entry *e;

	assert_int_equal(parse(&tab,
			       "# a comment\n\n \t# another\n"
			       "home\t/dev/vg/e\n"
			       " vm-1.x+y  " UUID "  -\n"
			       "ro /dev/disk/by-label/a\\x20b read-only,nofail,noauto,rollback\n"
			       "net /dev/nbd0 _netdev,jobs-paused,x-initrd.attach,x-systemd.device-timeout=2min",
			       &refusal), 0);
	assert_int_equal(tab.nr, 4);

	e = chaintab_find(&tab, "home");
	assert_int_equal(e->line, 4);
	assert_string_equal(e->device, "/dev/vg/e");
	assert_true(dm_chain_uuid_is_null(e->uuid));
	assert_int_equal(e->timeout, 90);
	assert_false(e->read_only || e->jobs_paused || e->rollback || e->noauto ||
		     e->nofail || e->netdev || e->initrd);

	e = chaintab_find(&tab, "vm-1.x+y");
	assert_int_equal(e->line, 5);
	assert_int_equal(e->uuid[1], 0x23);

	e = chaintab_find(&tab, "ro");
	assert_true(e->read_only && e->nofail && e->noauto && e->rollback);
	assert_false(e->jobs_paused || e->netdev || e->initrd);

	e = chaintab_find(&tab, "net");
	assert_true(e->netdev && e->jobs_paused && e->initrd);
	assert_false(e->read_only || e->noauto || e->nofail || e->rollback);
	assert_int_equal(e->timeout, 120);
	assert_null(chaintab_find(&tab, "other"));
	chaintab_free(&tab);
}

/* A line that is wrong, between two that are right, and what is said of it. */
static void test_refused(void **state)
{
	static const struct {
		const char *line;
		const char *why;
	} bad[] = {
		{ "x", "x has no device" },
		{ "-x /dev/x", "\"-x\" is no name" },
		{ "x/y /dev/x", "no name" },
		{ "zero /dev/x", "no name" },
		{ "before /dev/x", "before in line 1" },
		{ "x /etc/passwd", "neither a path below /dev" },
		{ "x dev/x", "neither" },
		{ "x /dev", "neither" },
		{ "x /dev/", "neither" },
		{ "x /dev/x/", "neither" },
		{ "x /dev//x", "neither" },
		{ "x /dev/./x", "neither" },
		{ "x /dev/../x", "neither" },
		{ "x /dev/x/..", "neither" },
		{ "x /dev/\"x\"", "character" },
		{ "x /dev/x%i", "character" },
		{ "x /dev/x\\y", "character" },
		{ "x /dev/x\r", "character" },
		{ "x /dev/\x7f", "character" },
		{ "x UUID=1", "not the UUID of a layer" },
		{ "x UUID=00000000-0000-0000-0000-000000000000", "not the UUID" },
		{ "x /dev/x ro", "unknown option ro:" },
		{ "x /dev/x read-only,", "empty option" },
		{ "x /dev/x ,", "empty option" },
		{ "x /dev/x nofail,nofail", "given twice" },
		{ "x /dev/x x-systemd.device-timeout=1,x-systemd.device-timeout=1", "twice" },
		{ "x /dev/x x-systemd.device-timeout=", "no time" },
		{ "x /dev/x x-systemd.device-timeout=-1", "no time" },
		{ "x /dev/x x-systemd.device-timeout=1d", "no time" },
		{ "x /dev/x x-systemd.device-timeout=99999999999999999999", "no time" },
		{ "x /dev/x x-systemd.device-timeout=4294967295", "no time" },
		{ "x /dev/x x-systemd.device-timeout=71582789min", "no time" },
		{ "x /dev/x nofail noauto", "a word too much: noauto" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		char *text = xasprintf("before /dev/b\n%s\nafter /dev/a\n", bad[i].line);
		struct refusal refusal = { 0 };
		struct chaintab tab;

		assert_int_equal(parse(&tab, text, &refusal), 1);
		assert_int_equal(refusal.line, 2);
		if (!strstr(refusal.text, bad[i].why))
			fail_msg("\"%s\": %s", bad[i].line, refusal.text);
		assert_int_equal(tab.nr, 2);
		assert_string_equal(tab.entry[0].device, "/dev/b");
		assert_int_equal(tab.entry[1].line, 3);
		chaintab_free(&tab);
		free(text);
	}
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		unsigned int seconds;
	} times[] = {
		{ "1", 1 }, { "30s", 30 }, { "5min", 300 }, { "2h", 7200 },
		{ "0", UINT_MAX }, { "infinity", UINT_MAX },
		{ "20000100", 20000100 }, { "333335min", 20000100 },
		{ "4294967294", UINT_MAX - 1 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(times); i++) {
		char *text = xasprintf("x /dev/x x-systemd.device-timeout=%s", times[i].text);
		struct refusal refusal = { 0 };
		struct chaintab tab;

		assert_int_equal(parse(&tab, text, &refusal), 0);
		assert_int_equal(tab.entry[0].timeout, times[i].seconds);
		chaintab_free(&tab);
		free(text);
	}
}

static void test_bytes(void **state)
{
	static const char zero[] = "x /dev/x\0 nofail\ny /dev/y";
	struct refusal refusal = { 0 };
	struct chaintab tab;
	char text[5000];

	assert_int_equal(chaintab_parse(&tab, zero, sizeof(zero) - 1, remember, &refusal), 1);
	assert_non_null(strstr(refusal.text, "zero byte"));
	assert_int_equal(tab.nr, 1);
	chaintab_free(&tab);

	memset(text, 'x', sizeof(text));
	memcpy(text, "x /dev/", 7);
	text[4096] = '\n';
	text[4999] = 0;
	/* Too long a path, and a line that is no entry */
	assert_int_equal(parse(&tab, text, &refusal), 2);
	assert_int_equal(tab.nr, 0);
	chaintab_free(&tab);

	text[4096] = 'x';
	assert_int_equal(parse(&tab, text, &refusal), 1);
	assert_non_null(strstr(refusal.text, "more than 4096"));
	chaintab_free(&tab);
}

static void test_escape(void **state)
{
	static const struct {
		const char *text;
		bool path;
		const char *escaped;
	} words[] = {
		{ "home", false, "home" },
		{ "my-vm.1+x", false, "my\\x2dvm.1\\x2bx" },
		{ "a_b:c", false, "a_b:c" },
		{ ".x", false, "\\x2ex" },
		{ "/dev/vg/e-1", true, "dev-vg-e\\x2d1" },
		{ "/dev/disk/by-label/a\\x20b", true, "dev-disk-by\\x2dlabel-a\\x5cx20b" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		char *escaped = unit_escape(words[i].text, words[i].path);

		assert_string_equal(escaped, words[i].escaped);
		free(escaped);
	}
}

const struct CMUnitTest chaintab_tests[] = {
	cmocka_unit_test(test_entries),
	cmocka_unit_test(test_refused),
	cmocka_unit_test(test_times),
	cmocka_unit_test(test_bytes),
	cmocka_unit_test(test_escape),
};

const unsigned int nr_chaintab_tests = ARRAY_SIZE(chaintab_tests);
