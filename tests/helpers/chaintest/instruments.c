// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: that the instruments measure: a held request waits, a broken
 * device fails, a flush fails alone, a wrong sector is seen. No chain is
 * needed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ct.h"

static void hold(void)
{
	struct slice *sub[2] = { slice_new(0, 64 * KIB), slice_new(0, 64 * KIB) };
	struct slice *s = slice_compose(2, sub);
	struct aio *held, *free_one;

	slice_hold(sub[0]);
	held = aio_start(s->fd, IO_READ, 0, 4096, 0);
	free_one = aio_start(s->fd, IO_READ, 64 * KIB, 4096, 0);
	ct_check(!aio_wait(free_one), "a read of the other part fails");
	ct_sleep_ms(CT_MUST_NOT_MS);
	ct_check(!aio_done(held), "a held read ends");
	slice_release(sub[0]);
	ct_check(!aio_wait(held), "a held read fails");
	ct_check(pattern_is(held->buf, GARBAGE, 0), "a held read reads %s",
		 pattern_describe(held->buf));
}

static void break_and_mend(void)
{
	struct slice *s = slice_new(64 * KIB, 0);
	void *buf = io_buf(4096);

	slice_break(s);
	ct_check(io_do(s->fd, IO_WRITE, 0, 4096, buf) == -EIO,
		 "a write to a broken device does not fail");
	slice_mend(s);
	slice_write(s, 0, buf, 4096);
	slice_read(s, 0, buf, 4096);
}

static void flush_fails(void)
{
	struct slice *s = slice_new(64 * KIB, 0);
	void *buf = io_buf(4096);
	struct slice *c;

	ct_check(!io_do(s->fd, IO_FLUSH, 0, 0, NULL), "a flush fails");
	slice_flush_fails(s, true);
	slice_write(s, 0, buf, 4096);
	c = slice_compose(1, &s);
	ct_check(io_do(c->fd, IO_FLUSH, 0, 0, NULL) == -EIO ||
		 io_do(s->fd, IO_FLUSH, 0, 0, NULL) == -EIO,
		 "a flush does not fail");
	slice_read(s, 0, buf, 4096);
	slice_flush_fails(s, false);
	ct_check(!io_do(s->fd, IO_FLUSH, 0, 0, NULL), "a flush fails again");
}

static void patterns(void)
{
	u8 *buf = io_buf(4096);

	pattern_fill(buf, 7, 100, 8);
	ct_check(pattern_is(buf + 512, 7, 101), "a pattern is not known again");
	ct_check(!pattern_is(buf + 512, 7, 100), "a moved sector is not seen");
	ct_check(!pattern_is(buf + 512, 8, 101), "an older sector is not seen");
	buf[1023] ^= 1;
	ct_check(!pattern_is(buf + 512, 7, 101), "a wrong byte is not seen");
	ct_check(pattern_tag(buf, 100) == 7, "a tag is not found");
	ct_check(pattern_tag(buf + 512, 101) == GARBAGE, "a wrong byte is not seen");
	memset(buf, 0, 512);
	ct_check(pattern_is(buf, 0, 100) && !pattern_tag(buf, 100), "zeros");
}

const struct scenario instrument_scenarios[] = {
	{ "instruments", "held-requests-wait", hold },
	{ "instruments", "broken-devices-fail", break_and_mend },
	{ "instruments", "flushes-fail-alone", flush_fails },
	{ "instruments", "wrong-sectors-are-seen", patterns },
	{ }
};
