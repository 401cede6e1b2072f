// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: Prometheus' text format.
 */
#include "tools_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "metrics.h"

enum { SIZE, NEVER, USERS };

static const struct metric_kind kinds[] = {
	[SIZE] = { "size_bytes", "How large" },
	[NEVER] = { "never", "Nobody has this" },
	[USERS] = { "users", "How many" },
	{ NULL, NULL }
};

static char *printed(struct metrics *m)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	assert_int_equal(metrics_print(m, file), 0);
	fclose(file);
	return text;
}

/* Samples of one kind stand together, in whatever order they came. */
static void test_together(void **state)
{
	static const char * const a[] = { "device", "a", NULL };
	static const char * const b[] = { "device", "b", "layer", "x", NULL };
	static const char * const none[] = { NULL };
	struct metrics m;
	char *text;

	metrics_init(&m, "t_", kinds);
	metrics_add(&m, USERS, "1", a);
	metrics_add(&m, SIZE, "4096", a);
	metrics_add(&m, USERS, "2", b);
	metrics_add(&m, SIZE, "0.500", none);
	text = printed(&m);
	assert_string_equal(text,
			    "# HELP t_size_bytes How large.\n"
			    "# TYPE t_size_bytes gauge\n"
			    "t_size_bytes{device=\"a\"} 4096\n"
			    "t_size_bytes 0.500\n"
			    "# HELP t_users How many.\n"
			    "# TYPE t_users gauge\n"
			    "t_users{device=\"a\"} 1\n"
			    "t_users{device=\"b\",layer=\"x\"} 2\n");
	free(text);
	metrics_free(&m);
}

static void test_escapes(void **state)
{
	static const char * const odd[] = {
		"device", "a\\b\"c\nd, {e}=\xc3\xa4\xff", NULL
	};
	struct metrics m;
	char *text;

	metrics_init(&m, "t_", kinds);
	metrics_add(&m, USERS, "1", odd);
	text = printed(&m);
	assert_non_null(strstr(text, "\nt_users{device=\"a\\\\b\\\"c\\\\x0ad, {e}"));
	assert_non_null(strstr(text, "=\xc3\xa4\\\\xff\"} 1\n"));
	free(text);
	metrics_free(&m);
}

static void test_nothing(void **state)
{
	struct metrics m;
	char *text;

	metrics_init(&m, "t_", kinds);
	text = printed(&m);
	assert_string_equal(text, "");
	free(text);
	metrics_free(&m);
}

/* Nothing but the file is left in the directory; what was open stays as it was. */
static void test_save(void **state)
{
	static const char * const none[] = { NULL };
	char dir[] = "/tmp/dm-chain-metrics.XXXXXX", text[128] = "";
	struct dm_chain_why why = { "" };
	struct metrics m;
	struct stat st;
	char *path;
	FILE *old;

	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/x.prom", dir);
	old = fopen(path, "w+");
	assert_non_null(old);
	fputs("old", old);
	fflush(old);

	metrics_init(&m, "t_", kinds);
	metrics_add(&m, USERS, "1", none);
	assert_int_equal(metrics_save(&m, path, &why), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	rewind(old);
	assert_non_null(fgets(text, sizeof(text), old));
	assert_string_equal(text, "old");
	fclose(old);

	old = fopen(path, "r");
	assert_non_null(fgets(text, sizeof(text), old));
	assert_string_equal(text, "# HELP t_users How many.\n");
	fclose(old);
	metrics_free(&m);

	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	free(path);
}

/* A directory cannot be replaced, and nothing can be made in none. */
static void test_save_fails(void **state)
{
	char dir[] = "/tmp/dm-chain-metrics.XXXXXX";
	struct dm_chain_why why = { "" };
	struct metrics m;
	char *path;

	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/none/x.prom", dir);
	metrics_init(&m, "t_", kinds);
	assert_int_equal(metrics_save(&m, path, &why), -ENOENT);
	assert_non_null(strstr(why.text, path));
	free(path);

	path = xasprintf("%s/dir", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(metrics_save(&m, path, &why), -EISDIR);
	assert_int_equal(rmdir(path), 0);
	metrics_free(&m);
	free(path);
	/* It is empty. */
	assert_int_equal(rmdir(dir), 0);
}

const struct CMUnitTest metrics_tests[] = {
	cmocka_unit_test(test_together),
	cmocka_unit_test(test_escapes),
	cmocka_unit_test(test_nothing),
	cmocka_unit_test(test_save),
	cmocka_unit_test(test_save_fails),
};

const unsigned int nr_metrics_tests = ARRAY_SIZE(metrics_tests);
