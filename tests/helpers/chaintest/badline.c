// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: table lines and messages that have to be refused, with a reason
 * that names what is wrong, and without a byte written anywhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "ct.h"

#define BS	4096

/*
 * What the lines below stand on: A raw <- B <- E, closed; N zeroed, G garbage, H
 * garbage but for the superblocks, S too small for anything, T for a map.
 */
struct stage {
	struct chain *c;
	char letter[16];
	struct slice *slice[16];
	u64 hash[16];
	unsigned int nr;
};

static void stage_add(struct stage *s, char letter, struct slice *slice)
{
	s->letter[s->nr] = letter;
	s->slice[s->nr] = slice;
	s->hash[s->nr] = slice_hash(slice, 0, slice->size);
	s->nr++;
}

static struct stage *stage_new(void)
{
	struct stage *s = ct_alloc(sizeof(*s));
	struct chain *c = chain_new("chain", BS);

	chain_push(c, layer_raw_new("A", MIB, BS));
	chain_push(c, layer_new("B", MIB, BS, LAYER_INLINE));
	chain_fill(c, 20);
	chain_push(c, layer_new("E", MIB, BS, LAYER_SEPARATE));
	chain_fill(c, 20);
	verify_all(c);
	chain_close(c);
	s->c = c;
	stage_add(s, 'A', c->layer[0]->data);
	stage_add(s, 'B', c->layer[1]->data);
	stage_add(s, 'E', c->layer[2]->data);
	stage_add(s, 'M', c->layer[2]->meta);
	stage_add(s, 'N', slice_new(2 * MIB, 0));
	stage_add(s, 'G', slice_new(0, 2 * MIB));
	stage_add(s, 'H', slice_new(192 * KIB, 2 * MIB - 192 * KIB));
	stage_add(s, 'S', slice_new(64 * KIB, 0));
	stage_add(s, 'T', slice_new(192 * KIB, 0));
	return s;
}

static void stage_check(const struct stage *s)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		ct_check(slice_hash(s->slice[i], 0, s->slice[i]->size) ==
			 s->hash[i], "device %c was written", s->letter[i]);
}

/* "@B" stands for B's data device. */
static char *expand(const struct stage *s, const char *text)
{
	char *line = ct_alloc(8192);
	size_t n = 0;
	unsigned int i;

	for (; *text; text++) {
		if (*text != '@') {
			line[n++] = *text;
			continue;
		}
		text++;
		for (i = 0; i < s->nr && s->letter[i] != *text; i++)
			;
		ct_check(i < s->nr, "no device %c", *text);
		n += scnprintf(line + n, 8192 - n, "%s",
			       dmd_devno(s->slice[i]->name));
	}
	return line;
}

#define LONG_NAME \
	"a123456789b123456789c123456789d123456789e123456789f123456789g123"
#define GOOD	"3 A @A - B @B @B E @E @M"

static const struct {
	const char *line;
	const char *names;	/* what the reason must name */
} lines[] = {
	{ "", NULL },
	{ "x E @E @M", "x" },
	{ "0", "0" },
	{ "-1 E @E @M", "-1" },
	{ "65 E @E @M", "65" },
	{ "99999999999999999999 E @E @M", "99999999999999999999" },
	{ "1.5 E @E @M", "1.5" },
	{ "2 A @A -", NULL },
	{ "3 A @A - B @B @B E @E", NULL },
	{ "3 A @A - B @B @B", NULL },
	{ GOOD " x", "x" },
	{ GOOD " 1", NULL },
	{ GOOD " 2 read_only", NULL },
	{ GOOD " 1 read_only no_discard_passdown", "no_discard_passdown" },
	{ GOOD " 1 bogus", "bogus" },
	{ GOOD " 1 readonly", "readonly" },
	{ GOOD " 2 read_only read_only", "read_only" },
	{ GOOD " 1 block_size", "block_size" },
	{ GOOD " 2 block_size x", "x" },
	{ GOOD " 2 block_size 0", "0" },
	{ GOOD " 2 block_size 7", "7" },
	{ GOOD " 2 block_size 4", "4" },
	{ GOOD " 2 block_size 24", "24" },
	{ GOOD " 2 block_size 4096", "4096" },
	{ GOOD " 2 block_size 16", "block_size 16" },
	{ GOOD " 1 jobs", "jobs" },
	{ GOOD " 2 jobs running", "running" },
	{ GOOD " 1 copy_on_read_bottom", "copy_on_read_bottom" },
	{ GOOD " 2 copy_on_read_bottom X", "X" },
	{ GOOD " 2 copy_on_read copy_on_read", "copy_on_read" },
	{ GOOD " 1 copy_on_reads", "copy_on_reads" },
	{ GOOD " 4 copy_on_read_bottom A copy_on_read_bottom B",
	  "copy_on_read_bottom" },
	{ "3 A @A - -B @B @B E @E @M", "-B" },
	{ "3 A @A - B/b @B @B E @E @M", "B/b" },
	{ "3 A @A - .B @B @B E @E @M", ".B" },
	{ "3 A @A - zero @B @B E @E @M", "zero" },
	{ "3 A @A - " LONG_NAME " @B @B E @E @M", LONG_NAME },
	{ "3 A @A - E @B @B E @E @M", "E" },
	{ "3 A @A - A @B @B E @E @M", "A" },
	{ "3 B @B @B A @A - E @E @M", "A" },
	{ "1 A @A -", "A" },
	{ "3 A @A - B @B @B E @E -", "E" },
	{ "3 A @A - B @B @B E 4095:1048575 @M", "E" },
	{ "3 A @A - B @B @B E @E 4095:1048575", "E" },
	{ "3 A @A - B @B @B E nonsense @M", "nonsense" },
	{ "3 A @A - B @B @B E /dev/no-such-device @M", "no-such-device" },
	{ "3 A @A - B @B @B E @B @B", NULL },
	{ "3 A @A - B @B @B E @B @M", NULL },
	{ "3 A @A - B @B @B E @E @B", NULL },
	{ "3 A @B - B @B @B E @E @M", NULL },
	{ "2 A @A - N @N @N", "format" },
	{ "2 A @A - G @G @G", "G" },
	{ "2 A @A - G @G @G 1 format", "G" },
	{ "3 A @A - N @N @N G @G @G 1 format", "G" },
	{ "4 A @A - B @B @B N @N @N E @E @M 1 format", "E" },
	{ "2 A @A - S @S @S 1 format", "S" },
	{ "2 A @A - N @S @N 1 format", "N" },
	{ "2 X @B - N @N @N 1 format", "X" },
	{ "2 A @A - N @N @N 2 format read_only", "under read_only" },
	{ "2 A @A - H @H @H 1 format", "not the whole metadata area" },
	{ "2 A @A - T @T @T 1 format", "has no room for" },
	{ "2 A @A - N @N @T 1 format", "has no room for" },
	{ "3 A @A - B 4095:1048575 @B N @N @N 1 format", "below it is missing" },
	{ "2 A @A - B @N @B", "the line names two devices" },
	{ "3 A @A - B @B @B E @M @M", "E" },
	{ "1 E @E @M", "E" },
	{ "2 A @A - E @E @M", "E" },
	{ "2 B @B @B E @E @M", "B" },
	{ "3 A @G - G @A @A E @E @M", "E" },
	{ "3 A @S - B @B @B E @E @M", "A" },
	{ "3 E @E @M A @A - B @B @B", NULL },
	{ "3 A 4095:1048575 - B @B @B E @E @M", NULL },
	{ "3 A @A - B 4095:1048575 @B E @E @M", "E" },
	{ "2 A @A - N @N @N 3 format block_size 4096", "4096" },
};

static void bad_lines(void)
{
	struct stage *s = stage_new();
	struct dm_chain_sb sb;
	char uuid[DM_CHAIN_UUID_TEXT];
	unsigned int i, bad = 0;
	char *line;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		line = expand(s, lines[i].line);
		if (!load_refused(line, MIB / SECTOR, lines[i].names)) {
			ct_note("this was line %u, \"%s\"", i, lines[i].line);
			bad++;
		}
		free(line);
	}
	/* Which layer is missing is said by its UUID. */
	disk_read_sb(s->c->layer[1], &sb);
	dm_chain_uuid_format(sb.uuid, uuid);
	line = expand(s, "2 A @A - E @E @M");
	bad += !load_refused(line, MIB / SECTOR, uuid);
	/* Lengths. */
	line = expand(s, GOOD);
	bad += !load_refused(line, MIB / SECTOR - 8, NULL);
	bad += !load_refused(line, 64 * MIB / SECTOR, NULL);
	ct_note("%zu lines", ARRAY_SIZE(lines) + 3);
	stage_check(s);
	ct_check(!bad, "%u lines were not refused as they should be", bad);
	chain_open(s->c);
	verify_all(s->c);
	chain_close(s->c);
}

static void empty_base(void)
{
	const char *path = getenv("CHAINTEST_EMPTY_DEVICE");
	struct stage *s = stage_new();
	char *line;

	if (!path)
		ct_skip("no device without a size");
	line = ct_str("2 A %s - %s", path, expand(s, "N @N @N 1 format"));
	ct_check(load_refused(line, MIB / SECTOR, "is empty"), "an empty base");
	stage_check(s);
}

/*
 * A device that is read-only is opened for that only, also where it is named twice: by
 * two names in one layer, or in two layers, which is refused. Device mapper says what
 * was not put, or put too often.
 */
static void read_only_twice(void)
{
	struct stage *s = stage_new();
	struct chain *c = s->c;
	struct slice *b = c->layer[1]->data;
	struct dm_seg seg = { MIB / SECTOR, "chain", NULL };
	char *log;
	int err;

	slice_set_ro(b, true);
	seg.params = ct_str("%s /dev/mapper/%s %s", expand(s, "3 A @A - B @B"),
			    b->name, expand(s, "E @E @M"));
	kmsg_mark();
	err = dmd_try_create(c->dev, &seg, 1, false);
	ct_check(!err, "\"%s\": %s: %s", seg.params, strerror(-err), kmsg_read());
	c->fd = dmd_open(c->dev, O_RDWR | O_DIRECT);
	ct_check(c->fd >= 0, "%s: %m", c->dev);
	verify_view(c);
	chain_close(c);
	log = kmsg_read();
	ct_check(!strstr(log, "devices list") && !strstr(log, "call missing"),
		 "two names: %s", log);

	seg.params = expand(s, "2 D @B @B E @B @B");
	kmsg_mark();
	err = dmd_try_create(c->dev, &seg, 1, false);
	log = kmsg_read();
	ct_check(err == -EINVAL && strstr(log, "on the same device") &&
		 !strstr(log, "devices list") && !strstr(log, "call missing"),
		 "two layers: %s: %s", strerror(-err), log);
	slice_set_ro(b, false);
	stage_check(s);
}

/* Tables that a live device must not get. */
static void bad_reloads(void)
{
	struct stage *s = stage_new();
	struct chain *c = s->c;
	struct dm_seg seg[2];
	bool ok = true;
	char *line, *log;

	chain_open(c);
	/* Itself as a layer. */
	line = ct_str("4 %s F %s %s 1 format", expand(s, GOOD) + 2,
		      dmd_devno(c->dev), dmd_devno(c->dev));
	kmsg_mark();
	if (!chain_load(c, line)) {
		ct_note("accepted with itself as a layer");
		dmd_clear(c->dev);
		ok = false;
	} else {
		log = kmsg_read();
		if (!strstr(log, "F")) {
			ct_note("the reason does not name F: %s", log);
			ok = false;
		}
	}
	/* Not alone in the table. */
	line = expand(s, GOOD);
	seg[0].sectors = MIB / SECTOR;
	seg[0].target = "chain";
	seg[0].params = line;
	seg[1].sectors = 8;
	seg[1].target = "zero";
	seg[1].params = "";
	if (!dmd_load(c->dev, seg, 2, false)) {
		ct_note("accepted beside another target");
		dmd_clear(c->dev);
		ok = false;
	}
	/* Shorter than the active layer. */
	seg[0].sectors -= 8;
	if (!dmd_load(c->dev, seg, 1, false)) {
		ct_note("accepted with less than its length");
		dmd_clear(c->dev);
		ok = false;
	}
	verify_all(c);
	chain_close(c);
	ct_check(ok, "not all was refused");
}

static const struct {
	const char *message;
	int err;		/* 0: any */
	const char *names;
} messages[] = {
	{ "bogus", EINVAL, "bogus" },
	{ "streams", EINVAL, "streams" },
	{ "stream bogus", EINVAL, "bogus" },
	{ "stream top", EINVAL, "top" },
	{ "stream base", EINVAL, "base" },
	{ "stream top X", ENOENT, "X" },
	{ "stream base X", ENOENT, "X" },
	{ "stream bottom X", ENOENT, "X" },
	{ "stream top e", ENOENT, "e" },
	{ "stream base E", EINVAL, "E" },
	{ "stream bottom E base A", EINVAL, NULL },
	{ "stream top B base C", EINVAL, "C" },
	{ "stream top B base B", EINVAL, "B" },
	{ "stream top B bottom C", EINVAL, "C" },
	{ "stream base A base A", EINVAL, "base" },
	{ "stream base A bottom B", EINVAL, NULL },
	{ "stream top A", 0, "A" },
	{ "stream speed x", EINVAL, "x" },
	{ "stream speed -1", EINVAL, "-1" },
	{ "stream speed 1k", EINVAL, "1k" },
	{ "stream speed 99999999999999999999", EINVAL, "99999999999999999999" },
	{ "stream speed", EINVAL, "speed" },
	{ "stream job -x", EINVAL, "-x" },
	{ "stream job a/b", EINVAL, "a/b" },
	{ "stream job zero", EINVAL, "zero" },
	{ "stream job " LONG_NAME, EINVAL, LONG_NAME },
	{ "stream job", EINVAL, "job" },
	{ "stream on-error bogus", EINVAL, "bogus" },
	{ "stream auto-finalize maybe", EINVAL, "maybe" },
	{ "stream auto-dismiss 1", EINVAL, "1" },
	{ "stream verify yes", EINVAL, "yes" },
	{ "job", EINVAL, "job" },
	{ "job E", EINVAL, NULL },
	{ "job E bogus", EINVAL, "bogus" },
	{ "job nosuch pause", ENOENT, "nosuch" },
	{ "job nosuch cancel", ENOENT, "nosuch" },
	{ "job nosuch set-speed 1", ENOENT, "nosuch" },
	{ "job E set-speed", EINVAL, "set-speed" },
	{ "job E set-speed x", EINVAL, "x" },
	{ "job E pause now", EINVAL, "now" },
	{ "job -x pause", EINVAL, "-x" },
};

/* Queries leave the reason of the last refusal alone, also when they fail. */
static const struct {
	const char *message;
	int err;
} queries[] = {
	{ "job nosuch failed", ENOENT },
	{ "jobs first", EINVAL },
	{ "jobs last one", EINVAL },
	{ "layers all", EINVAL },
	{ "map", EINVAL },
	{ "map 0", EINVAL },
	{ "map x 8", EINVAL },
	{ "map 0 y", EINVAL },
	{ "map 0 8 9", EINVAL },
	{ "error please", EINVAL },
	{ "estimate top X", ENOENT },
	{ "estimate base E", EINVAL },
	{ "estimate speed 1", EINVAL },
	{ "estimate base A bottom B", EINVAL },
};

static bool refused(struct chain *c, const char *message, int err,
		    const char *names)
{
	int r = msg_try(c, "%s", message);
	char *why = msg(c, "error");
	bool ok = true;

	if (!r || (err && r != -err)) {
		ct_note("\"%s\": %s, expected %s", message, strerror(-r),
			strerror(err));
		ok = false;
	} else if (!*why || (names && !strstr(why, names))) {
		ct_note("\"%s\": the reason does not name \"%s\": \"%s\"",
			message, names ? names : "anything", why);
		ok = false;
	}
	free(why);
	return ok;
}

static void bad_messages(void)
{
	struct chain *c = chain_new("chain", BS);
	unsigned int i, bad = 0;

	chain_push(c, layer_raw_new("A", MIB, BS));
	chain_push(c, layer_new("B", MIB, BS, LAYER_INLINE));
	chain_fill(c, 20);
	chain_push(c, layer_new("C", MIB, BS, LAYER_SEPARATE));
	chain_fill(c, 20);
	chain_push(c, layer_new("E", MIB, BS, LAYER_INLINE));
	chain_fill(c, 20);
	verify_all(c);
	for (i = 0; i < ARRAY_SIZE(messages); i++)
		bad += !refused(c, messages[i].message, messages[i].err,
				messages[i].names);
	for (i = 0; i < ARRAY_SIZE(queries); i++) {
		int r = msg_try(c, "%s", queries[i].message);

		if (r != -queries[i].err) {
			ct_note("\"%s\": %s", queries[i].message, strerror(-r));
			bad++;
		}
	}
	ct_note("%zu messages", ARRAY_SIZE(messages) + ARRAY_SIZE(queries));
	verify_all(c);
	ct_check(!bad, "%u messages were not refused as they should be", bad);

	/* The last reason stays until something is accepted. */
	ct_check(msg_try(c, "stream top nosuch") == -ENOENT, "no refusal");
	ct_check(strstr(msg(c, "error"), "nosuch") &&
		 strstr(msg(c, "error"), "nosuch"), "error clears itself");
	free(msg(c, "jobs"));
	free(msg(c, "layers"));
	ct_check(strstr(msg(c, "error"), "nosuch"), "a query clears the error");
	/* Words in capitals; the immediate backing: nothing to do. */
	free(msg(c, "STREAM TOP E BASE C"));
	job_wait(c, "E");
	ct_check(!*msg(c, "error"), "an accepted message leaves the error: %s",
		 msg(c, "error"));
	verify_all(c);
	chain_close(c);
}

/* What a job that runs makes impossible. */
static void bad_beside_a_job(void)
{
	struct chain *c = chain_new("chain", BS);
	struct slice *held = slice_new(0, MIB);
	unsigned int bad = 0;

	chain_push(c, layer_raw_new("A", MIB, BS));
	chain_push(c, layer_on("B", MIB, BS, held, slice_new(MIB, 0)));
	chain_write(c, 0, 64 * KIB);
	chain_push(c, layer_new("C", MIB, BS, LAYER_SEPARATE));
	chain_push(c, layer_new("E", MIB, BS, LAYER_INLINE));
	verify_all(c);
	slice_hold(held);
	free(msg(c, "stream top C base A job first"));
	bad += !refused(c, "stream", EBUSY, "first");
	bad += !refused(c, "stream base A", EBUSY, "first");
	bad += !refused(c, "stream top C base A job second", EBUSY, "first");
	bad += !refused(c, "stream base C job first", EEXIST, "first");
	bad += !refused(c, "job first resume", EINVAL, "resume");
	bad += !refused(c, "job first finalize", EINVAL, "finalize");
	bad += !refused(c, "job first dismiss", EINVAL, "dismiss");
	slice_release(held);
	job_wait(c, "first");
	model_stream(c, 2, 0);
	ct_check(!bad, "%u messages were not refused as they should be", bad);
	verify_end(c);
}

const struct scenario badline_scenarios[] = {
	{ "badinput", "table-lines", bad_lines },
	{ "badinput", "empty-base", empty_base },
	{ "badinput", "read-only-devices-named-twice", read_only_twice },
	{ "badinput", "reloads", bad_reloads },
	{ "badinput", "messages", bad_messages },
	{ "badinput", "messages-beside-a-job", bad_beside_a_job },
	{ }
};
