// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: layers that several devices share, and layers that changed while
 * they were not looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ct.h"

#define BS	4096

/* Another chain on the lower @nr layers of @c, with @l on top. */
static struct chain *clone_of(struct chain *c, unsigned int nr, const char *dev,
			      struct layer *l)
{
	struct chain *other = chain_new(dev, c->block_size);

	memcpy(other->layer, c->layer, nr * sizeof(*c->layer));
	other->nr = nr;
	/* Only what is on top is written and frozen. */
	other->size = other->layer[nr - 1]->size;
	other->view = ct_alloc(other->size / SECTOR * sizeof(u32));
	model_view(other->layer, nr, other->view);
	chain_push(other, l);
	return other;
}

/* A raw base A, B and E, and another chain on the lower @shared of them. */
static struct chain *golden(unsigned int shared, struct chain **other)
{
	struct chain *one = chain_new("one", BS);

	chain_push(one, layer_raw_new("A", MIB, BS));
	chain_push(one, layer_new("B", MIB, BS, LAYER_INLINE));
	chain_fill(one, 20);
	chain_push(one, layer_new("E", MIB, BS, LAYER_INLINE));
	*other = clone_of(one, shared, "two", layer_new("F", MIB, BS, LAYER_SEPARATE));
	chain_fill(one, 20);
	chain_fill(*other, 20);
	verify_all(one);
	verify_all(*other);
	return one;
}

static void golden_base(void)
{
	struct chain *two, *one = golden(1, &two);

	chain_stream(one, 2, 0);
	verify_all(one);
	verify_all(two);
	chain_stream(two, 1, -1);
	chain_fill(one, 20);
	verify_all(two);
	verify_end(one);
	verify_end(two);
	chain_open(one);
	verify_end(one);
	chain_open(two);
	verify_end(two);
}

/* A formatted layer below two devices: neither may write it. */
static void golden_layer(void)
{
	struct chain *two, *one = golden(2, &two);
	char *why, *devno;

	/* Into it: refused, naming the other user. */
	ct_check(msg_try(one, "stream top B") == -EBUSY,
		 "a stream into a shared layer: %s",
		 strerror(-msg_try(one, "stream top B")));
	why = msg(one, "error");
	devno = dmd_devno(two->dev);
	ct_check(strstr(why, two->dev) || strstr(why, devno),
		 "the reason does not name %s (%s): \"%s\"", two->dev, devno, why);
	/* Out of it: allowed, and of no concern to the other. */
	chain_stream(one, 2, 0);
	verify_all(one);
	verify_all(two);
	/* B's device is the other's now. */
	chain_reload(one, 0);
	one->nr_dropped = 0;
	verify_all(one);
	chain_fill(one, 20);
	chain_fill(two, 20);
	verify_end(one);
	verify_all(two);
	chain_stream(two, 2, -1);
	verify_end(two);
}

/* Whoever writes a layer has it to himself. */
static void active_elsewhere(void)
{
	struct chain *one = chain_new("one", BS);
	struct layer *all[3], *f;
	bool ok;
	char *line, *devno;
	u64 n = MIB / SECTOR;

	chain_push(one, layer_raw_new("A", MIB, BS));
	chain_push(one, layer_new("B", MIB, BS, LAYER_INLINE));
	chain_push(one, layer_new("E", MIB, BS, LAYER_SEPARATE));
	chain_fill(one, 20);
	verify_all(one);
	f = layer_new("F", MIB, BS, LAYER_INLINE);
	memcpy(all, one->layer, sizeof(all));

	devno = ct_str("device %s", dmd_devno(one->dev));
	line = chain_params(all, 3, "");
	ok = load_refused(line, n, devno);
	line = chain_params(all, 3, "1 read_only");
	ok &= load_refused(line, n, devno);
	/* Below the active layer of another. */
	line = ct_str("4 %s F %s %s 1 format", chain_params(all, 3, "") + 2,
		      dmd_devno(f->data->name), dmd_devno(f->data->name));
	ok &= load_refused(line, n, devno);
	/* Used by the other, and wanted to be written here. */
	line = chain_params(all, 2, "");
	ok &= load_refused(line, n, devno);
	ct_check(ok, "not all was refused as it should be");
	verify_all(one);
	verify_end(one);
}

/* An inactive table counts as well. */
static void inactive_elsewhere(void)
{
	struct chain *one = chain_new("one", BS);
	struct dm_seg seg = { MIB / SECTOR, "chain", NULL };
	bool ok;
	char *line;

	chain_push(one, layer_raw_new("A", MIB, BS));
	chain_push(one, layer_new("E", MIB, BS, LAYER_SEPARATE));
	chain_fill(one, 20);
	chain_close(one);
	line = chain_line(one);
	seg.params = line;
	ct_check(!dmd_try_create(PREFIX "loaded", NULL, 0, false), "create");
	ct_check(!dmd_load(PREFIX "loaded", &seg, 1, false), "load");
	ok = load_refused(line, MIB / SECTOR,
			  ct_str("device %s", dmd_devno(PREFIX "loaded")));
	ct_check(ok, "a layer of an inactive table was taken");
	ct_check(!dmd_remove(PREFIX "loaded"), "remove");
	chain_open(one);
	verify_end(one);
}

/* B was written by itself after E was put on it. */
static void changed_alone(void)
{
	struct chain *c = chain_new("chain", BS);
	struct chain *b;
	struct layer *e, *all[3];
	char *line, *old, *new;
	struct dm_chain_sb sb;
	bool ok;

	chain_push(c, layer_raw_new("A", MIB, BS));
	chain_push(c, layer_new("B", MIB, BS, LAYER_INLINE));
	chain_fill(c, 20);
	chain_push(c, layer_new("E", MIB, BS, LAYER_SEPARATE));
	chain_fill(c, 20);
	verify_end(c);
	memcpy(all, c->layer, sizeof(all));
	e = all[2];
	line = chain_line(c);
	disk_read_sb(all[1], &sb);
	ct_check(sb.flags & DM_CHAIN_F_HAS_OVERLAY, "B does not know its overlay");
	old = ct_str("%llu", sb.generation);

	/* Only read: nothing is lost. */
	b = chain_new("alone", BS);
	memcpy(b->layer, all, 2 * sizeof(*all));
	b->nr = 2;
	b->size = MIB;
	b->view = ct_alloc(MIB / SECTOR * sizeof(u32));
	model_view(b->layer, 2, b->view);
	kmsg_mark();
	chain_open(b);
	ct_check(strstr(kmsg_read(), "overlay"),
		 "a rollback to B is not logged");
	verify_view(b);
	chain_close(b);
	chain_open(c);
	verify_end(c);

	/* Written: E no longer fits. */
	chain_open(b);
	chain_write(b, 5 * BS, 512);
	verify_end(b);
	disk_read_sb(all[1], &sb);
	ct_check(!(sb.flags & DM_CHAIN_F_HAS_OVERLAY),
		 "B was written and still has an overlay");
	new = ct_str("%llu", sb.generation);
	ok = load_refused(line, MIB / SECTOR, old);
	ok &= load_refused(line, MIB / SECTOR, new);
	ok &= load_refused(line, MIB / SECTOR, "generation");
	ct_check(ok, "E on a changed B is not refused as it should be");
	disk_check(e, e->tag);
	chain_open(b);
	verify_end(b);
}

/* A table from before a stream, when the devices of dropped layers are gone. */
static void old_table(void)
{
	struct chain *c = chain_new("chain", BS);
	struct dm_seg seg = { MIB / SECTOR, "chain", NULL };
	struct layer *b;
	char *line;
	int r;

	chain_push(c, layer_raw_new("A", MIB, BS));
	chain_push(c, layer_new("B", MIB, BS, LAYER_INLINE));
	chain_fill(c, 20);
	chain_push(c, layer_new("C", MIB, BS, LAYER_SEPARATE));
	chain_fill(c, 20);
	chain_push(c, layer_new("E", MIB, BS, LAYER_SEPARATE));
	b = c->layer[1];
	line = chain_line(c);
	chain_stream(c, 3, 0);
	/* A reload of the old table, while the dropped devices are there. */
	ct_check(!chain_load(c, line), "load of the old table");
	ct_check(!dmd_suspend(c->dev, 0) && !dmd_resume(c->dev), "swap");
	c->nr_dropped = 0;
	verify_end(c);
	slice_drop(b->data);
	seg.params = line;
	r = dmd_try_create(c->dev, &seg, 1, false);
	ct_check(!r, "the old table is refused: %s", strerror(-r));
	c->fd = dmd_open(c->dev, O_RDWR | O_DIRECT);
	verify_view(c);
	chain_close(c);
}

/* A raw base has nothing but its size. */
static void raw_base_sizes(void)
{
	struct chain *c = chain_new("chain", BS);
	struct layer *a = layer_raw_new("A", MIB, BS);
	struct dm_seg seg[2];
	char *devno, *line;
	struct slice *more = slice_new(0, 64 * KIB);
	bool ok;

	chain_push(c, a);
	chain_push(c, layer_new("E", 2 * MIB, BS, LAYER_SEPARATE));
	chain_fill(c, 10);
	verify_end(c);
	devno = ct_str("%s 0", dmd_devno(a->data->name));
	line = chain_line(c);

	/* Grown: what is new does not show. */
	seg[0].sectors = MIB / SECTOR;
	seg[0].target = "linear";
	seg[0].params = devno;
	seg[1].sectors = 64 * KIB / SECTOR;
	seg[1].target = "linear";
	seg[1].params = ct_str("%s 0", dmd_devno(more->name));
	dmd_create(PREFIX "grown", seg, 2);
	dmd_create(PREFIX "shrunk", seg, 1);
	seg[0].sectors -= 8;
	dmd_swap(PREFIX "shrunk", seg, 1);
	free(line);
	line = ct_str("2 A %s - E %s %s", dmd_devno(PREFIX "shrunk"),
		      dmd_devno(c->layer[1]->data->name),
		      dmd_devno(c->layer[1]->meta->name));
	ok = load_refused(line, 2 * MIB / SECTOR, "A");
	ct_check(ok, "a raw base that shrank is not refused as it should be");
	seg[0].target = "chain";
	seg[0].sectors = 2 * MIB / SECTOR;
	seg[0].params = ct_str("2 A %s - E %s %s", dmd_devno(PREFIX "grown"),
			       dmd_devno(c->layer[1]->data->name),
			       dmd_devno(c->layer[1]->meta->name));
	dmd_create(c->dev, seg, 1);
	c->fd = dmd_open(c->dev, O_RDWR | O_DIRECT);
	verify_view(c);
	chain_close(c);
}

/* A layer on a device that cannot be written is no job's top. */
static void read_only_layer(void)
{
	struct chain *c = chain_new("chain", BS);
	struct dm_seg seg = { 0, "linear", NULL };
	struct layer *b;
	char *line;

	chain_push(c, layer_raw_new("A", MIB, BS));
	chain_push(c, layer_new("B", MIB, BS, LAYER_INLINE));
	chain_fill(c, 20);
	chain_push(c, layer_new("E", MIB, BS, LAYER_SEPARATE));
	chain_fill(c, 20);
	verify_end(c);
	b = c->layer[1];
	seg.sectors = b->data->size / SECTOR;
	seg.params = ct_str("%s 0", dmd_devno(b->data->name));
	ct_check(!dmd_try_create(PREFIX "ro", &seg, 1, true), "read-only device");
	line = ct_str("3 A %s - B %s %s E %s %s",
		      dmd_devno(c->layer[0]->data->name), dmd_devno(PREFIX "ro"),
		      dmd_devno(PREFIX "ro"), dmd_devno(c->layer[2]->data->name),
		      dmd_devno(c->layer[2]->meta->name));
	seg.sectors = MIB / SECTOR;
	seg.target = "chain";
	seg.params = line;
	dmd_create(c->dev, &seg, 1);
	c->fd = dmd_open(c->dev, O_RDWR | O_DIRECT);
	chain_fill(c, 10);
	verify_view(c);
	ct_check(msg_try(c, "stream top B") == -EROFS,
		 "a stream into a layer that cannot be written: %s",
		 strerror(-msg_try(c, "stream top B")));
	ct_check(strstr(msg(c, "error"), "B"), "the reason does not name B: %s",
		 msg(c, "error"));
	verify_disk(c);
	stream_start(c, 2, 0, "");
	stream_done(c, 2, 0);
	verify_view(c);
	chain_close(c);
	verify_closed(c);
}

/* A job b into B that has begun waits in a chain that was opened anew. */
static void job_recorded(struct chain *c)
{
	free(msg(c, "stream top B job b speed 8"));
	chain_close(c);
	disk_adopt(c->layer[1]);
	c->words = "2 jobs paused";
	chain_open(c);
	ct_check(job_is(c, "b", "status=", "paused"), "jobs: %s", msg(c, "jobs"));
}

/* The job b into B that another device has left is here, and ends. */
static void job_taken_over(struct chain *c)
{
	ct_check(job_is(c, "b", "status=", "paused"), "jobs: %s", msg(c, "jobs"));
	free(msg(c, "job b set-speed 0"));
	free(msg(c, "job b resume"));
	job_wait(c, "b");
	last_check(c, "B", "b", "completed", 0);
	model_stream(c, 1, -1);
}

/*
 * B has a job that waits in a chain, which then goes on without B. Who still has
 * B has the job, too, if it can write B.
 */
static void job_left_behind(void)
{
	struct chain *one = chain_new("one", BS), *two;
	struct layer *rest[2];
	char *line;

	chain_push(one, layer_raw_new("A", MIB, BS));
	chain_push(one, layer_new("B", MIB, BS, LAYER_INLINE));
	chain_fill(one, 20);
	chain_push(one, layer_new("E", MIB, BS, LAYER_SEPARATE));
	chain_fill(one, 20);
	verify_all(one);
	job_recorded(one);
	two = clone_of(one, 2, "two", layer_new("F", MIB, BS, LAYER_SEPARATE));
	ct_check(!*msg(two, "jobs"), "the job of another device: %s",
		 msg(two, "jobs"));
	free(must_refuse(two, EBUSY, "B", "stream top B job c"));
	chain_fill(two, 10);
	verify_view(one);
	rest[0] = one->layer[0];
	rest[1] = layer_new("Z", MIB, BS, LAYER_SEPARATE);
	line = chain_params(rest, 2, "1 format");
	ct_check(!chain_load(one, line), "load %s", line);
	ct_check(!dmd_suspend(one->dev, 0) && !dmd_resume(one->dev), "resume");
	ct_check(!*msg(one, "jobs"), "the job has come along: %s",
		 msg(one, "jobs"));
	job_taken_over(two);
	close(one->fd);
	ct_check(!dmd_remove(one->dev), "remove");
	verify_end(two);
	free(line);
}

/*
 * The same, but what the device goes on with is refused at its resume: with the old
 * table D is gone, of which a copy is loaded, and the device has no view any more.
 */
static void job_of_refused_table(void)
{
	struct chain *one = chain_new("one", BS), *two;
	struct slice *copy;
	struct layer *d;
	char *line;

	chain_push(one, layer_raw_new("A", MIB, BS));
	chain_push(one, layer_new("B", MIB, BS, LAYER_INLINE));
	chain_push(one, layer_new("C", MIB, BS, LAYER_INLINE));
	chain_fill(one, 20);
	d = layer_new("D", MIB, BS, LAYER_INLINE);
	chain_push(one, d);
	chain_push(one, layer_new("E", MIB, BS, LAYER_SEPARATE));
	verify_all(one);
	job_recorded(one);
	two = clone_of(one, 2, "two", layer_new("F", MIB, BS, LAYER_SEPARATE));

	copy = slice_new(0, d->data->size);
	slice_copy(d->data, copy);
	d->data = copy;
	d->meta = copy;
	line = chain_line(one);
	ct_check(!chain_load(one, line), "load %s", line);
	free(msg(one, "stream top D base B speed 8"));
	ct_check(!dmd_suspend(one->dev, 0), "suspend");
	ct_check(dmd_resume(one->dev) == -ESTALE, "the device resumes");
	close(one->fd);
	ct_check(!dmd_remove(one->dev), "remove");
	job_taken_over(two);
	verify_end(two);
	free(line);
}

/* A device of a layer in use, in another part. */
static void other_part(void)
{
	struct chain *c = chain_new("chain", BS);
	struct layer *b, *x;
	char *line;

	chain_push(c, layer_raw_new("A", MIB, BS));
	b = layer_new("B", MIB, BS, LAYER_SEPARATE);
	chain_push(c, b);
	chain_fill(c, 20);
	x = layer_on("X", 64 * KIB, BS, b->meta, slice_new(MIB, 0));
	line = chain_params(&x, 1, "1 format");
	ct_check(load_refused(line, 64 * KIB / SECTOR, "in use as part of another"),
		 "the metadata device of B is taken for data");
	free(line);
	chain_fill(c, 20);
	verify_end(c);
}

/* Sectors of a device in use cannot become larger. */
static void larger_sectors(void)
{
	const char *path = getenv("CHAINTEST_4K_DEVICE");
	struct chain *c = chain_new("chain", BS);
	char *line, *log;
	struct stat st;

	if (!path || stat(path, &st))
		ct_skip("no device with sectors of 4 KiB");
	chain_push(c, layer_raw_new("A", MIB, BS));
	chain_push(c, layer_new("E", MIB, BS, LAYER_INLINE));
	line = ct_str("3 %s F %u:%u %u:%u 1 format", chain_line(c) + 2,
		      major(st.st_rdev), minor(st.st_rdev), major(st.st_rdev),
		      minor(st.st_rdev));
	kmsg_mark();
	ct_check(chain_load(c, line), "a layer with larger sectors is taken");
	log = kmsg_read();
	ct_check(strstr(log, "block size") || strstr(log, "sector"),
		 "the reason does not name the block size: %s", log);
	free(line);

	/* Nor can the end of a base or of a view lie in one. */
	line = ct_str("2 A %s - F %u:%u %u:%u 1 format",
		      dmd_devno(slice_new(0, MIB / 2 + SECTOR)->name),
		      major(st.st_rdev), minor(st.st_rdev), major(st.st_rdev),
		      minor(st.st_rdev));
	ct_check(load_refused(line, MIB / SECTOR, "layer A: "),
		 "a base that ends in a sector of the layer above is taken");
	free(line);
	line = ct_str("1 F %u:%u %u:%u", major(st.st_rdev), minor(st.st_rdev),
		      major(st.st_rdev), minor(st.st_rdev));
	dmd_create(PREFIX "four", &(struct dm_seg){
			MIB / SECTOR, "chain", ct_str("%s 1 format", line) }, 1);
	ct_check(!dmd_remove(PREFIX "four"), "remove");
	ct_check(load_refused(line, MIB / SECTOR + 1, "logical blocks"),
		 "half a sector of the device is taken");
	free(line);
	chain_write(c, 512, 512);
	verify_end(c);
}

static void swap_table(struct chain *c, const struct chain *as)
{
	char *line = chain_line(as);
	int r;

	kmsg_mark();
	r = chain_load(c, line);
	ct_check(!r, "load %s: %s: %s", line, strerror(-r), kmsg_read());
	r = dmd_suspend(c->dev, DMD_NOLOCKFS);
	ct_check(!r, "suspend: %s", strerror(-r));
	r = dmd_resume(c->dev);
	ct_check(!r, "resume: %s: %s", strerror(-r), kmsg_read());
	free(line);
}

/*
 * The top layer is taken off the live device and put on again, as full as it was.
 * A job that has concluded waits on the device, whatever it shows.
 */
static void off_and_on_again(void)
{
	struct chain *c = chain_new("one", BS);
	struct chain lower;

	chain_push(c, layer_raw_new("A", MIB, BS));
	chain_push(c, layer_new("B", MIB, BS, LAYER_INLINE));
	chain_fill(c, 20);
	chain_push(c, layer_new("C", MIB, BS, LAYER_SEPARATE));
	chain_fill(c, 20);
	chain_push(c, layer_new("D", MIB, BS, LAYER_INLINE));
	chain_fill(c, 40);
	verify_all(c);
	verify_disk(c);
	stream_start(c, 2, 0, "auto-dismiss off");
	job_wait_status(c, "C", "concluded");
	model_stream(c, 2, 0);

	lower = *c;
	lower.nr--;
	lower.view = ct_alloc(c->size / SECTOR * sizeof(u32));
	model_view(lower.layer, lower.nr, lower.view);

	chain_flush(c);
	swap_table(c, &lower);
	verify_view(&lower);
	ct_check(job_is(&lower, "C", "status=", "concluded"),
		 "the concluded job has gone: %s", msg(&lower, "jobs"));
	swap_table(c, c);
	c->nr_dropped = 0;
	verify_view(c);
	free(msg(c, "job C dismiss"));
	verify_all(c);
	chain_fill(c, 20);
	verify_end(c);

	/* Of a device that has not seen it before. */
	lower.fd = -1;
	chain_open(&lower);
	verify_view(&lower);
	c->fd = lower.fd;
	swap_table(c, c);
	verify_all(c);
	verify_end(c);
}

const struct scenario sharing_scenarios[] = {
	{ "sharing", "golden-raw-base", golden_base },
	{ "sharing", "golden-layer", golden_layer },
	{ "sharing", "active-elsewhere", active_elsewhere },
	{ "sharing", "inactive-table-elsewhere", inactive_elsewhere },
	{ "sharing", "changed-alone", changed_alone },
	{ "sharing", "old-table", old_table },
	{ "sharing", "raw-base-grown-and-shrunk", raw_base_sizes },
	{ "sharing", "layer-that-cannot-be-written", read_only_layer },
	{ "sharing", "job-left-behind", job_left_behind },
	{ "sharing", "job-left-by-a-refused-table", job_of_refused_table },
	{ "sharing", "device-in-another-part", other_part },
	{ "sharing", "layer-with-larger-sectors", larger_sectors },
	{ "sharing", "off-and-on-again", off_and_on_again },
	{ }
};
