// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: uevents of jobs.
 */
#include "tools_test.h"

#include <stdlib.h>
#include <string.h>

#include "uevent.h"

/* As kobject_uevent_env() sends them; the NUL of the literal ends the last. */
#define HEAD	"change@/devices/virtual/block/dm-0\0" \
		"ACTION=change\0DEVPATH=/devices/virtual/block/dm-0\0" \
		"SUBSYSTEM=block\0"
#define TAIL	"DISKSEQ=9\0SEQNUM=1042\0MAJOR=253\0MINOR=0\0DEVNAME=dm-0\0" \
		"DEVTYPE=disk"

static const char completed[] = HEAD
	"DM_CHAIN_EVENT=BLOCK_JOB_COMPLETED\0DM_CHAIN_JOB=7\0"
	"DM_CHAIN_TYPE=stream\0DM_CHAIN_STATUS=running\0DM_CHAIN_LEN=8388608\0"
	"DM_CHAIN_OFFSET=8388608\0DM_CHAIN_SPEED=0\0DM_CHAIN_ERROR=0\0" TAIL;

static const char failed[] = HEAD
	"DM_CHAIN_EVENT=BLOCK_JOB_ERROR\0DM_CHAIN_JOB=E\0"
	"DM_CHAIN_OFFSET=4096\0DM_CHAIN_OPERATION=write\0DM_CHAIN_LAYER=1\0"
	"DM_CHAIN_ACTION=stop\0DM_CHAIN_SECONDS_LEFT=3\0" TAIL;

static void assert_text(char *text, const char *expected)
{
	assert_string_equal(text, expected);
	free(text);
}

static void test_event(void **state)
{
	struct uevent event;

	uevent_parse(&event, completed, sizeof(completed));
	assert_int_equal(event.kind, UEVENT_JOB);
	assert_string_equal(event.devno, "253:0");
	assert_int_equal(event.line.nr, 8);
	assert_string_equal(reply_get(&event.line, "event"),
			    "BLOCK_JOB_COMPLETED");
	assert_string_equal(reply_get(&event.line, "status"), "running");
	assert_int_equal(reply_number(&event.line, "len"), 8388608);
	assert_text(uevent_text(&event, "T", "vm1"),
		    "T vm1 BLOCK_JOB_COMPLETED job=7 type=stream status=running len=8388608 offset=8388608 speed=0 error=0");
}

/* Numbers are numbers, but for names. A key in several words has dashes. */
static void test_json(void **state)
{
	struct uevent event;

	uevent_parse(&event, completed, sizeof(completed));
	assert_text(uevent_json(&event, "T", "1"),
		    "{\"time\":\"T\",\"device\":\"1\",\"event\":\"BLOCK_JOB_COMPLETED\",\"job\":\"7\",\"type\":\"stream\",\"status\":\"running\",\"len\":8388608,\"offset\":8388608,\"speed\":0,\"error\":0}");
	uevent_parse(&event, failed, sizeof(failed));
	assert_text(uevent_json(&event, "T", "vm1"),
		    "{\"time\":\"T\",\"device\":\"vm1\",\"event\":\"BLOCK_JOB_ERROR\",\"job\":\"E\",\"offset\":4096,\"operation\":\"write\",\"layer\":\"1\",\"action\":\"stop\",\"seconds-left\":3}");
}

static void test_removed(void **state)
{
	static const char disk[] = "remove@/devices/virtual/block/dm-0\0"
		"ACTION=remove\0SUBSYSTEM=block\0" TAIL;
	static const char bdi[] = "remove@/devices/virtual/bdi/253:0\0"
		"ACTION=remove\0SUBSYSTEM=bdi\0MAJOR=253\0MINOR=0\0DEVTYPE=disk";
	static const char partition[] = "remove@/x\0ACTION=remove\0"
		"SUBSYSTEM=block\0MAJOR=253\0MINOR=0\0DEVTYPE=partition";
	struct uevent event;

	uevent_parse(&event, disk, sizeof(disk));
	assert_int_equal(event.kind, UEVENT_REMOVED);
	assert_string_equal(event.devno, "253:0");
	uevent_parse(&event, bdi, sizeof(bdi));
	assert_int_equal(event.kind, UEVENT_OTHER);
	uevent_parse(&event, partition, sizeof(partition));
	assert_int_equal(event.kind, UEVENT_OTHER);
}

/* Uevents of others, those that a library sent, and what is no uevent. */
static void test_other(void **state)
{
	static const struct {
		const char *message;
		size_t len;
	} others[] = {
#define MESSAGE(text)	{ text, sizeof(text) }
		MESSAGE(""),
		MESSAGE("\0\0\0"),
		MESSAGE("=\0==\0DM_CHAIN_=\0DM_CHAIN_"),
		MESSAGE("libudev\0\xfe\xed\xca\xfe"),
		MESSAGE(HEAD TAIL),
		MESSAGE(HEAD "DM_COOKIE=123\0DM_CHAIN_JOB=E\0" TAIL),
		MESSAGE(HEAD "DM_CHAIN_EVENT=\0" TAIL),
		MESSAGE(HEAD "DM_CHAIN_JOB=E\0DM_CHAIN_EVENT=X\0" TAIL),
		MESSAGE(HEAD "DM_CHAIN_EVENT=X\0DM_CHAIN_JOB\0" TAIL),
		MESSAGE(HEAD "DM_CHAIN_EVENT=X"),
		MESSAGE("ACTION=change\0SUBSYSTEM=block\0MAJOR=253\0DM_CHAIN_EVENT=X"),
		MESSAGE("ACTION=change\0SUBSYSTEM=net\0DM_CHAIN_EVENT=X\0" TAIL),
		MESSAGE("ACTION=add\0SUBSYSTEM=block\0DM_CHAIN_EVENT=X\0" TAIL),
		MESSAGE("ACTION=change\0SUBSYSTEM=block\0DM_CHAIN_EVENT=X\0"
			"MAJOR=253\0MINOR=00000000000000000000000000000000"),
#undef MESSAGE
	};
	struct uevent event;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		uevent_parse(&event, others[i].message, others[i].len);
		assert_int_equal(event.kind, UEVENT_OTHER);
	}
	/* Without the last NUL it was cut off. */
	uevent_parse(&event, completed, sizeof(completed) - 1);
	assert_int_equal(event.kind, UEVENT_OTHER);
	uevent_parse(&event, completed, 0);
	assert_int_equal(event.kind, UEVENT_OTHER);
}

/* Whatever a key or a value holds, an event is one line of words. */
static void test_one_line(void **state)
{
	static const char odd[] = HEAD
		"DM_CHAIN_EVENT=X\0DM_CHAIN_JOB=a b\nc\x01=\0" TAIL;
	static const char odd_key[] = HEAD
		"DM_CHAIN_EVENT=X\0DM_CHAIN_J O\nB\x01_1=a\0" TAIL;
	struct uevent event;

	uevent_parse(&event, odd, sizeof(odd));
	assert_int_equal(event.kind, UEVENT_JOB);
	assert_text(uevent_text(&event, "T", "vm1"), "T vm1 X job=a?b?c?=");
	uevent_parse(&event, odd_key, sizeof(odd_key));
	assert_int_equal(event.kind, UEVENT_JOB);
	assert_text(uevent_text(&event, "T", "vm1"), "T vm1 X j?o?b?-1=a");
}

/* More than there is room for is not shown in part. */
static void test_long(void **state)
{
	char message[8192], word[1200];
	struct uevent event;
	unsigned int i;
	size_t len;

	memcpy(message, completed, sizeof(completed));
	len = sizeof(completed);
	for (i = 0; i < UEVENT_WORDS; i++)
		len += sprintf(message + len, "DM_CHAIN_K%u=v", i) + 1;
	uevent_parse(&event, message, len);
	assert_int_equal(event.kind, UEVENT_OTHER);

	len = sizeof(completed);
	for (i = 0; i < 2; i++) {
		memset(word, 'v', sizeof(word));
		word[sizeof(word) - 1] = 0;
		len += sprintf(message + len, "DM_CHAIN_L%u=%s", i, word) + 1;
	}
	uevent_parse(&event, message, len);
	assert_int_equal(event.kind, UEVENT_OTHER);
}

const struct CMUnitTest uevent_tests[] = {
	cmocka_unit_test(test_event),
	cmocka_unit_test(test_json),
	cmocka_unit_test(test_removed),
	cmocka_unit_test(test_other),
	cmocka_unit_test(test_one_line),
	cmocka_unit_test(test_long),
};

const unsigned int nr_uevent_tests = ARRAY_SIZE(uevent_tests);
