// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the suites of the unit tests in user space: each KUnit suite is a group
 * of cmocka tests. The last line says how many passed and failed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <kunit/test.h>

struct kunit_memory {
	struct kunit_memory *next;
	char data[] __aligned(16);
};

/* What the wrapper around a case needs to know of it. */
struct run {
	struct kunit test;
	struct kunit_suite *suite;
	struct kunit_case *kcase;
};

static struct kunit_suite *suites;
static unsigned int nr_passed;

void kunit_register(struct kunit_suite *suite)
{
	suite->next = suites;
	suites = suite;
}

void *kunit_kmalloc_array(struct kunit *test, size_t n, size_t size, gfp_t gfp)
{
	struct kunit_memory *memory;
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;

	memory = kmalloc(sizeof(*memory) + bytes, gfp);
	if (!memory)
		return NULL;
	memory->next = test->memory;
	test->memory = memory;
	return memory->data;
}

void kunit_failed(struct kunit *test, bool fatal, const char *file, int line,
		  const char *fmt, ...)
{
	va_list args;

	printf("    # %s: %s failed at %s:%d\n    ", test->name,
	       fatal ? "ASSERTION" : "EXPECTATION", file, line);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);

	test->failed = true;
	if (fatal)
		_fail(file, line);
}

static int setup(void **state)
{
	struct run *run = *state;

	return run->suite->init ? run->suite->init(&run->test) : 0;
}

static void run_case(void **state)
{
	struct run *run = *state;

	run->kcase->run_case(&run->test);
	if (run->test.failed)
		_fail(run->kcase->name, 0);
	nr_passed++;
}

static int teardown(void **state)
{
	struct run *run = *state;
	struct kunit_memory *memory;

	if (run->suite->exit)
		run->suite->exit(&run->test);
	while ((memory = run->test.memory)) {
		run->test.memory = memory->next;
		kfree(memory);
	}
	return 0;
}

static unsigned int run_suite(struct kunit_suite *suite)
{
	struct CMUnitTest *tests;
	struct run *runs;
	unsigned int i, n = 0;

	while (suite->test_cases[n].run_case)
		n++;

	tests = calloc(n, sizeof(*tests));
	runs = calloc(n, sizeof(*runs));
	if (!tests || !runs)
		abort();
	for (i = 0; i < n; i++) {
		runs[i].suite = suite;
		runs[i].kcase = &suite->test_cases[i];
		runs[i].test.name = runs[i].kcase->name;
		tests[i].name = runs[i].kcase->name;
		tests[i].test_func = run_case;
		tests[i].setup_func = setup;
		tests[i].teardown_func = teardown;
		tests[i].initial_state = &runs[i];
	}

	/* What it returns is not used: it leaves out tests that crashed. */
	_cmocka_run_group_tests(suite->name, tests, n, NULL, NULL);

	free(runs);
	free(tests);
	return n;
}

int main(void)
{
	struct kunit_suite *suite;
	unsigned int nr = 0;

	for (suite = suites; suite; suite = suite->next)
		nr += run_suite(suite);

	fflush(stderr);
	printf("%u passed, %u failed\n", nr_passed, nr - nr_passed);
	return nr_passed == nr && nr ? 0 : 1;
}
