/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of KUnit's API that the unit tests use, for user space. cmocka runs
 * the cases, see ../kunit.c; the kernel's own KUnit runs the same files.
 */
#ifndef SHIM_KUNIT_TEST_H
#define SHIM_KUNIT_TEST_H

#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/types.h>

struct kunit {
	void *priv;
	const char *name;
	/* private: */
	bool failed;
	struct kunit_memory *memory;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
};

struct kunit_suite {
	const char name[256];
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
	/* private: */
	struct kunit_suite *next;
};

#define KUNIT_CASE(fn)		{ .run_case = fn, .name = #fn }

#define kunit_test_suite(suite) \
	static __attribute__((__constructor__)) void \
	__kunit_register_##suite(void) \
	{ \
		kunit_register(&(suite)); \
	} \
	struct kunit_suite

void kunit_register(struct kunit_suite *suite);

/* Memory that lives as long as the case. */
void *kunit_kmalloc_array(struct kunit *test, size_t n, size_t size, gfp_t gfp);
#define kunit_kmalloc(test, size, gfp) \
	kunit_kmalloc_array(test, 1, size, gfp)
#define kunit_kzalloc(test, size, gfp) \
	kunit_kmalloc_array(test, 1, size, (gfp) | __GFP_ZERO)
#define kunit_kcalloc(test, n, size, gfp) \
	kunit_kmalloc_array(test, n, size, (gfp) | __GFP_ZERO)

#define kunit_info(test, fmt, ...) \
	printf("    # %s: " fmt, (test)->name, ##__VA_ARGS__)

/* Say that a check failed; an assertion (@fatal) does not return. */
__printf(5, 6)
void kunit_failed(struct kunit *test, bool fatal, const char *file, int line,
		  const char *fmt, ...);

#define __kunit_check(test, fatal, ok, fmt, ...) \
	do { \
		if (!(ok)) \
			kunit_failed(test, fatal, __FILE__, __LINE__, fmt, \
				     ##__VA_ARGS__); \
	} while (0)

#define __kunit_binary(test, fatal, left, op, right, fmt, ...) \
	do { \
		typeof(left) __left = (left); \
		typeof(right) __right = (right); \
		__kunit_check(test, fatal, __left op __right, \
			      "%s " #op " %s: left is %lld, right is %lld " fmt, \
			      #left, #right, (long long)__left, \
			      (long long)__right, ##__VA_ARGS__); \
	} while (0)

#define __kunit_ptr(test, fatal, left, op, right, fmt, ...) \
	do { \
		const void *__left = (left); \
		const void *__right = (right); \
		__kunit_check(test, fatal, __left op __right, \
			      "%s " #op " %s: left is %p, right is %p " fmt, \
			      #left, #right, __left, __right, ##__VA_ARGS__); \
	} while (0)

#define __kunit_str(test, fatal, left, op, right, fmt, ...) \
	do { \
		const char *__left = (left); \
		const char *__right = (right); \
		__kunit_check(test, fatal, strcmp(__left, __right) op 0, \
			      "%s " #op " %s: left is \"%s\", right is \"%s\" " \
			      fmt, #left, #right, __left, __right, \
			      ##__VA_ARGS__); \
	} while (0)

#define __kunit_mem(test, fatal, left, op, right, size, fmt, ...) \
	__kunit_check(test, fatal, memcmp(left, right, size) op 0, \
		      "memory of %s " #op " %s " fmt, #left, #right, \
		      ##__VA_ARGS__)

#define __kunit_true(test, fatal, cond, fmt, ...) \
	__kunit_check(test, fatal, cond, "%s is false " fmt, #cond, \
		      ##__VA_ARGS__)
#define __kunit_false(test, fatal, cond, fmt, ...) \
	__kunit_check(test, fatal, !(cond), "%s is true " fmt, #cond, \
		      ##__VA_ARGS__)

#define KUNIT_EXPECT_TRUE(test, cond) \
	__kunit_true(test, false, cond, "")
#define KUNIT_EXPECT_TRUE_MSG(test, cond, fmt, ...) \
	__kunit_true(test, false, cond, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_FALSE(test, cond) \
	__kunit_false(test, false, cond, "")
#define KUNIT_EXPECT_FALSE_MSG(test, cond, fmt, ...) \
	__kunit_false(test, false, cond, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_EQ(test, left, right) \
	__kunit_binary(test, false, left, ==, right, "")
#define KUNIT_EXPECT_EQ_MSG(test, left, right, fmt, ...) \
	__kunit_binary(test, false, left, ==, right, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_NE(test, left, right) \
	__kunit_binary(test, false, left, !=, right, "")
#define KUNIT_EXPECT_NE_MSG(test, left, right, fmt, ...) \
	__kunit_binary(test, false, left, !=, right, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_LT(test, left, right) \
	__kunit_binary(test, false, left, <, right, "")
#define KUNIT_EXPECT_LT_MSG(test, left, right, fmt, ...) \
	__kunit_binary(test, false, left, <, right, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_LE(test, left, right) \
	__kunit_binary(test, false, left, <=, right, "")
#define KUNIT_EXPECT_LE_MSG(test, left, right, fmt, ...) \
	__kunit_binary(test, false, left, <=, right, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_GT(test, left, right) \
	__kunit_binary(test, false, left, >, right, "")
#define KUNIT_EXPECT_GT_MSG(test, left, right, fmt, ...) \
	__kunit_binary(test, false, left, >, right, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_GE(test, left, right) \
	__kunit_binary(test, false, left, >=, right, "")
#define KUNIT_EXPECT_GE_MSG(test, left, right, fmt, ...) \
	__kunit_binary(test, false, left, >=, right, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_PTR_EQ(test, left, right) \
	__kunit_ptr(test, false, left, ==, right, "")
#define KUNIT_EXPECT_PTR_EQ_MSG(test, left, right, fmt, ...) \
	__kunit_ptr(test, false, left, ==, right, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_PTR_NE(test, left, right) \
	__kunit_ptr(test, false, left, !=, right, "")
#define KUNIT_EXPECT_PTR_NE_MSG(test, left, right, fmt, ...) \
	__kunit_ptr(test, false, left, !=, right, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_NULL(test, ptr) \
	__kunit_ptr(test, false, ptr, ==, NULL, "")
#define KUNIT_EXPECT_NULL_MSG(test, ptr, fmt, ...) \
	__kunit_ptr(test, false, ptr, ==, NULL, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_NOT_NULL(test, ptr) \
	__kunit_ptr(test, false, ptr, !=, NULL, "")
#define KUNIT_EXPECT_NOT_NULL_MSG(test, ptr, fmt, ...) \
	__kunit_ptr(test, false, ptr, !=, NULL, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_NOT_ERR_OR_NULL(test, ptr) \
	__kunit_ptr(test, false, ptr, !=, NULL, "")
#define KUNIT_EXPECT_STREQ(test, left, right) \
	__kunit_str(test, false, left, ==, right, "")
#define KUNIT_EXPECT_STREQ_MSG(test, left, right, fmt, ...) \
	__kunit_str(test, false, left, ==, right, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_STRNEQ(test, left, right) \
	__kunit_str(test, false, left, !=, right, "")
#define KUNIT_EXPECT_STRNEQ_MSG(test, left, right, fmt, ...) \
	__kunit_str(test, false, left, !=, right, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_MEMEQ(test, left, right, size) \
	__kunit_mem(test, false, left, ==, right, size, "")
#define KUNIT_EXPECT_MEMEQ_MSG(test, left, right, size, fmt, ...) \
	__kunit_mem(test, false, left, ==, right, size, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_MEMNEQ(test, left, right, size) \
	__kunit_mem(test, false, left, !=, right, size, "")
#define KUNIT_EXPECT_MEMNEQ_MSG(test, left, right, size, fmt, ...) \
	__kunit_mem(test, false, left, !=, right, size, fmt, ##__VA_ARGS__)

#define KUNIT_ASSERT_TRUE(test, cond) \
	__kunit_true(test, true, cond, "")
#define KUNIT_ASSERT_TRUE_MSG(test, cond, fmt, ...) \
	__kunit_true(test, true, cond, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_FALSE(test, cond) \
	__kunit_false(test, true, cond, "")
#define KUNIT_ASSERT_FALSE_MSG(test, cond, fmt, ...) \
	__kunit_false(test, true, cond, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_EQ(test, left, right) \
	__kunit_binary(test, true, left, ==, right, "")
#define KUNIT_ASSERT_EQ_MSG(test, left, right, fmt, ...) \
	__kunit_binary(test, true, left, ==, right, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_NE(test, left, right) \
	__kunit_binary(test, true, left, !=, right, "")
#define KUNIT_ASSERT_NE_MSG(test, left, right, fmt, ...) \
	__kunit_binary(test, true, left, !=, right, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_LT(test, left, right) \
	__kunit_binary(test, true, left, <, right, "")
#define KUNIT_ASSERT_LT_MSG(test, left, right, fmt, ...) \
	__kunit_binary(test, true, left, <, right, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_LE(test, left, right) \
	__kunit_binary(test, true, left, <=, right, "")
#define KUNIT_ASSERT_LE_MSG(test, left, right, fmt, ...) \
	__kunit_binary(test, true, left, <=, right, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_GT(test, left, right) \
	__kunit_binary(test, true, left, >, right, "")
#define KUNIT_ASSERT_GT_MSG(test, left, right, fmt, ...) \
	__kunit_binary(test, true, left, >, right, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_GE(test, left, right) \
	__kunit_binary(test, true, left, >=, right, "")
#define KUNIT_ASSERT_GE_MSG(test, left, right, fmt, ...) \
	__kunit_binary(test, true, left, >=, right, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_PTR_EQ(test, left, right) \
	__kunit_ptr(test, true, left, ==, right, "")
#define KUNIT_ASSERT_PTR_EQ_MSG(test, left, right, fmt, ...) \
	__kunit_ptr(test, true, left, ==, right, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_PTR_NE(test, left, right) \
	__kunit_ptr(test, true, left, !=, right, "")
#define KUNIT_ASSERT_PTR_NE_MSG(test, left, right, fmt, ...) \
	__kunit_ptr(test, true, left, !=, right, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_NULL(test, ptr) \
	__kunit_ptr(test, true, ptr, ==, NULL, "")
#define KUNIT_ASSERT_NULL_MSG(test, ptr, fmt, ...) \
	__kunit_ptr(test, true, ptr, ==, NULL, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_NOT_NULL(test, ptr) \
	__kunit_ptr(test, true, ptr, !=, NULL, "")
#define KUNIT_ASSERT_NOT_NULL_MSG(test, ptr, fmt, ...) \
	__kunit_ptr(test, true, ptr, !=, NULL, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ptr) \
	__kunit_ptr(test, true, ptr, !=, NULL, "")
#define KUNIT_ASSERT_STREQ(test, left, right) \
	__kunit_str(test, true, left, ==, right, "")
#define KUNIT_ASSERT_STREQ_MSG(test, left, right, fmt, ...) \
	__kunit_str(test, true, left, ==, right, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_STRNEQ(test, left, right) \
	__kunit_str(test, true, left, !=, right, "")
#define KUNIT_ASSERT_STRNEQ_MSG(test, left, right, fmt, ...) \
	__kunit_str(test, true, left, !=, right, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_MEMEQ(test, left, right, size) \
	__kunit_mem(test, true, left, ==, right, size, "")
#define KUNIT_ASSERT_MEMEQ_MSG(test, left, right, size, fmt, ...) \
	__kunit_mem(test, true, left, ==, right, size, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_MEMNEQ(test, left, right, size) \
	__kunit_mem(test, true, left, !=, right, size, "")
#define KUNIT_ASSERT_MEMNEQ_MSG(test, left, right, size, fmt, ...) \
	__kunit_mem(test, true, left, !=, right, size, fmt, ##__VA_ARGS__)

#define KUNIT_FAIL(test, fmt, ...) \
	kunit_failed(test, false, __FILE__, __LINE__, fmt, ##__VA_ARGS__)
#define KUNIT_SUCCEED(test)	((void)(test))

#endif
