// SPDX-License-Identifier: GPL-2.0
/*
 * activate: damaged layers for the kernel, one chain after the other.
 *
 *	activate SEED FIRST COUNT SECONDS
 *
 * Input n of a seed is a few random bytes, which mean what they mean to the
 * fuzzers of images. The chain is activated, read and compared with what user
 * space reads of the same devices, written, discarded, streamed, asked everything,
 * removed, and read by user space once more. What user space refuses must be
 * refused by the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "dm.h"
#include "images.h"
#include "random.h"
#include "reply.h"
#include "sample.h"

#define NAME	"fuzzed"
#define MOST	(6 * MIB)	/* that a view is compared of */

static struct {
	unsigned int accepted;
	unsigned int refused;
	unsigned int stricter;	/* refused, though user space reads it */
	unsigned int streamed;
} count;

static char loop[NR_IMAGES][2][32];	/* "major:minor": data, metadata */
static u8 expected[MOST] __aligned(4096), seen[MOST] __aligned(4096);

static void attach(const char *file, char *number)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), n, dev;
	struct loop_config config = { .fd = open(file, O_RDWR | O_CLOEXEC), .block_size = 512 };
	struct stat st;
	char path[32];

	n = ioctl(control, LOOP_CTL_GET_FREE);
	snprintf(path, sizeof(path), "/dev/loop%d", n);
	dev = open(path, O_RDWR | O_CLOEXEC);
	must(n >= 0 && dev >= 0 && !ioctl(dev, LOOP_CONFIGURE, &config) && !fstat(dev, &st),
	     "%s: %s", path, strerror(errno));
	snprintf(number, 32, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	/* Stays open, so that the loop device stays. */
	close(control);
}

static void attach_all(void)
{
	unsigned int i;

	images_reset();
	for (i = 0; i < NR_IMAGES; i++) {
		attach(image_data_path(i), loop[i][0]);
		if (i == IMAGE_E)
			attach(image_path(i), loop[i][1]);
		else
			strcpy(loop[i][1], i == IMAGE_A ? "-" : loop[i][0]);
	}
}

/* The line names all four, whatever the superblocks do. */
static void make_table(struct input *in, char *table, size_t size)
{
	static const char *const features[] = {
		"", "", " 1 read_only", " 1 copy_on_read", " 2 jobs paused",
		" 1 no_discard_passdown", " 2 copy_on_read_bottom B",
	};

	snprintf(table, size, "4 A %s %s B %s %s C %s %s E %s %s%s", loop[0][0], loop[0][1],
		 loop[1][0], loop[1][1], loop[2][0], loop[2][1], loop[3][0], loop[3][1],
		 features[take_below(in, ARRAY_SIZE(features))]);
}

/* As the line names them: where a superblock says its data is does not matter. */
static int open_layer(struct layer *layer, enum image_layer image,
		      struct dm_chain_why *why)
{
	int err = layer_open(layer, image_path(image), NULL,
			     LAYER_META_ONLY | (image == IMAGE_A ? LAYER_ANY : 0), why);

	if (err || layer->raw)
		return err;
	layer->sep_meta = image == IMAGE_E;
	layer->data = layer->meta;
	if (layer->sep_meta)
		err = device_open(&layer->data, image_data_path(image), 0, why);
	return err;
}

/* Layers that are not part of the chain are closed at once, the others with it. */
static int open_chain(struct chain *chain, struct dm_chain_why *why)
{
	static const char *const names[] = { "A", "B", "C", "E" };
	struct dm_chain_candidate c[NR_IMAGES] = { };
	struct dm_chain_why reason[NR_IMAGES];
	static struct layer layer[NR_IMAGES];
	unsigned int order[NR_IMAGES], i;
	u64 size[NR_IMAGES];
	int err;

	for (i = 0; i < NR_IMAGES; i++) {
		c[i].name = names[i];
		c[i].absent = open_layer(&layer[i], i, &reason[i]);
		c[i].absent_why = reason[i].text;
		if (c[i].absent)
			continue;
		c[i].raw = layer[i].raw;
		c[i].sb = layer[i].raw ? NULL : &layer[i].sb;
		c[i].size = layer_size(&layer[i]);
	}
	memset(chain, 0, sizeof(*chain));
	err = dm_chain_resolve(c, NR_IMAGES, order, &chain->nr, why);
	if (err)
		chain->nr = 0;
	for (i = 0; i < chain->nr; i++) {
		chain->layer[i] = layer[order[i]];
		size[i] = layer_size(&chain->layer[i]);
		c[order[i]].absent = true;
	}
	for (i = 0; i < NR_IMAGES; i++)
		if (!c[i].absent)
			layer_close(&layer[i]);
	if (!err)
		err = chain_load_maps(chain, why);
	if (!err && chain->nr > 1 && chain->layer[0].raw)
		size[0] = dm_chain_raw_shown(size[0], &chain->layer[1].sb.backing);
	if (!err)
		dm_chain_limits(size, chain->nr, chain->limit);
	return err;
}

static u64 view_size(const struct chain *chain)
{
	return layer_size(&chain->layer[chain->nr - 1]);
}

static void read_view(const struct chain *chain, u8 *buf)
{
	struct dm_chain_why why;

	must(!chain_view_read(chain, buf, min(view_size(chain), MOST), 0, &why), "%s", why.text);
}

static int open_device(void)
{
	int fd = open("/dev/mapper/" NAME, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		fd = open("/dev/mapper/" NAME, O_RDONLY | O_DIRECT | O_CLOEXEC);
	must(fd >= 0, "/dev/mapper/%s: %s", NAME, strerror(errno));
	return fd;
}

static void compare(int fd, u64 size, const char *when)
{
	u64 at = 0;

	size = min(size, MOST);
	must(pread(fd, seen, size, 0) == (ssize_t)size, "%s: read: %s", when, strerror(errno));
	if (!memcmp(seen, expected, size))
		return;
	while (seen[at] == expected[at])
		at++;
	must(false, "%s: byte %llu is %#x, not %#x", when, at, seen[at], expected[at]);
}

/* Writes and discards; both may be refused, by a device that is read-only. */
static void change(struct input *in, int fd, u64 size, u64 block)
{
	u64 sectors = min(size, MOST) / 512, first = take_below(in, sectors);
	u64 len = (1 + take_below(in, min(sectors - first, 256ULL))) * 512, range[2];
	bool discard = take_below(in, 4) == 0;

	first *= 512;
	if (discard) {
		range[0] = first;
		range[1] = len;
		if (ioctl(fd, BLKDISCARD, range))
			return;
		/* Whole blocks become zeros, parts of blocks are left alone. */
		range[0] = round_up(first, block);
		range[1] = round_down(first + len, block);
		if (range[0] < range[1])
			memset(expected + range[0], 0, range[1] - range[0]);
		return;
	}
	memset(seen, 0xe0 | take_below(in, 16), len);
	if (pwrite(fd, seen, len, first) == (ssize_t)len)
		memcpy(expected + first, seen, len);
}

static char *ask(const char *message)
{
	struct dm_chain_why why = { "" };
	char *answer = NULL;

	if (!live_message(NAME, message, &answer, &why))
		return answer;
	must(*why.text, "%s: no reason", message);
	free(answer);
	return NULL;
}

/* Every query is answered, and chainsetup understands the answer. */
static void ask_all(void)
{
	static const char *const queries[] = {
		"layers", "jobs", "jobs last", "estimate", "estimate base A",
	};
	struct status *status = malloc(sizeof(*status));
	struct dm_chain_why why;
	struct map_run *run;
	struct reply reply;
	unsigned int i, nr;
	char *answer;
	u64 next;

	for (i = 0; i < ARRAY_SIZE(queries); i++) {
		answer = ask(queries[i]);
		must(answer || !strncmp(queries[i], "estimate", 8), "%s", queries[i]);
		if (answer) {
			must(!reply_parse(&reply, answer, &why), "%s: %s", queries[i], why.text);
			reply_free(&reply);
		}
		free(answer);
	}
	answer = ask("map 0 18446744073709551615");
	must(answer && !map_parse(answer, &run, &nr, &next, &why), "map: %s", answer);
	free(run);
	free(answer);
	must(!live_status(NAME, &answer, &why), "%s", why.text);
	must(status && !status_parse(status, answer, &why), "%s", why.text);
	status_free(status);
	free(status);
	free(answer);
}

static void stream(struct input *in)
{
	static const char *const messages[] = {
		"stream", "stream base A", "stream base B", "stream top C base A", "stream top C",
		"stream bottom C auto-finalize off", "stream verify on", "job E cancel",
		"job j resume", "job job-1 cancel",
	};
	unsigned int ms;
	char *answer;
	bool idle;

	free(ask(messages[take_below(in, ARRAY_SIZE(messages))]));
	for (ms = 0; ms < 1000; ms++) {
		answer = ask("jobs");
		must(answer, "jobs");
		idle = !strstr(answer, "status=running") && !strstr(answer, "status=created");
		free(answer);
		if (idle)
			break;
		usleep(1000);
	}
	count.streamed++;
}

static void use(struct input *in, struct chain *chain)
{
	u64 size = view_size(chain), block = chain->layer[chain->nr - 1].sb.block_size;
	int fd = open_device();
	u32 n;

	compare(fd, size, "at first");
	for (n = take_below(in, 6); n; n--) {
		if (take_below(in, 3) == 0)
			stream(in);
		else
			change(in, fd, size, block);
	}
	ask_all();
	compare(fd, size, "in the end");
	close(fd);
}

/*
 * User space sees what was there last; but a sequence number that was the last
 * one to be accepted has risen, and waits for a repair.
 */
static void look_again(u64 size)
{
	static struct chain chain;
	struct dm_chain_why why = { "" };
	u64 at;

	if (open_chain(&chain, &why)) {
		must(strstr(why.text, "leaves no room for others"), "afterwards: %s", why.text);
		chain_close(&chain);
		return;
	}
	must(view_size(&chain) == size, "afterwards: %llu bytes", view_size(&chain));
	read_view(&chain, seen);
	for (at = 0; at < min(size, MOST); at++)
		must(seen[at] == expected[at], "afterwards: byte %llu is %#x, not %#x", at,
		     seen[at], expected[at]);
	chain_close(&chain);
}

/* So that the line is refused for nothing but the damage. */
static u64 line_size(void)
{
	u64 size = MIB + 256 * KIB;
	struct layer layer;

	if (!layer_open(&layer, image_path(IMAGE_E), NULL, LAYER_META_ONLY, NULL)) {
		size = layer.sb.size;
		layer_close(&layer);
	}
	return size;
}

void fuzz_one(struct input *in)
{
	struct dm_chain_why why = { "" }, kernel = { "" };
	static struct chain chain;
	char table[512];
	int err, ours;
	u64 size;

	images_reset();
	images_damage(in);
	images_heal();
	ours = open_chain(&chain, &why);
	size = line_size();
	if (!ours)
		read_view(&chain, expected);
	make_table(in, table, sizeof(table));
	err = live_create(NAME, "CHAIN-fuzzed", size / 512, table, false, &kernel);
	if (err) {
		must(*kernel.text, "refused without a reason");
		count.refused++;
		if (!ours) {
			count.stricter++;
			printf("  refused: %s\n", kernel.text);
		}
	} else {
		must(!ours, "the kernel takes what user space refuses: %s", why.text);
		count.accepted++;
		use(in, &chain);
		must(!live_remove(NAME, NULL, &kernel), "%s", kernel.text);
		look_again(size);
		images_reset_data();
	}
	chain_close(&chain);
}

static void run(u64 seed, unsigned int n)
{
	u64 state = (seed + n) * 0x9e3779b97f4a7c15ULL | 1;
	struct input in;
	u8 bytes[160];
	unsigned int i;

	for (i = 0; i < 8; i++)
		random_next(&state);
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = random_next(&state);
	in.at = bytes;
	in.left = sizeof(bytes);
	fuzz_one(&in);
}

int main(int argc, char **argv)
{
	unsigned int first, nr, n;
	time_t end;
	u64 seed;

	if (argc != 5) {
		fprintf(stderr, "usage: activate SEED FIRST COUNT SECONDS\n");
		return 2;
	}
	seed = strtoull(argv[1], NULL, 10);
	first = strtoul(argv[2], NULL, 10);
	nr = strtoul(argv[3], NULL, 10);
	end = time(NULL) + strtoul(argv[4], NULL, 10);
	setvbuf(stdout, NULL, _IOLBF, 0);
	attach_all();
	for (n = first; n < first + nr && time(NULL) < end; n++) {
		printf("%u\n", n);
		run(seed, n);
	}
	printf("%u accepted, %u refused (%u by the kernel alone), %u streamed\n", count.accepted,
	       count.refused, count.stricter, count.streamed);
	return 0;
}
