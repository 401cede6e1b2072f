// SPDX-License-Identifier: GPL-2.0
/*
 * chainload: a fixed amount of direct I/O at offsets that are the same in every
 * run, and what it took.
 *
 *	chainload read|write|flush [OPTION...] DEVICE
 *
 *	--bs SIZE	of an I/O (4K)
 *	--ios N		I/Os that count, of each thread (1000)
 *	--warmup N	I/Os before those (0)
 *	--first N	begin with the Nth offset of the pattern (0)
 *	--qd N		so many in flight, by Linux AIO; 1 is pread and pwrite (1)
 *	--pattern P	seq, random or stride (seq)
 *	--stride SIZE	distance of consecutive offsets
 *	--offset SIZE	where the part of the device begins that is used (0)
 *	--span SIZE	how long it is (to the end)
 *	--seed N	of the random order (1)
 *	--flush HOW	after each write: none, fdatasync or dsync (none)
 *	--threads N	each with a part of the span (1)
 *
 * A pattern is an order of all slots of SIZE in the span: none comes twice until
 * all have come. The warm-up uses up its slots. "flush" does no I/O but flushes.
 * Prints one line, times in ns:
 *
 *	ios= ns_total= ns= p50= p99= max= mbs=
 *
 * ns is ns_total / ios, mbs are 10^6 bytes a second; p50, p99 and max are of the
 * time from submission to completion of single I/Os.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define MAX_QD		1024
#define MAX_THREADS	256
#define MAX_IOS		(1U << 28)
#define MAX_BS		(64U << 20)
#define MEM_ALIGN	4096

enum op { OP_READ, OP_WRITE, OP_FLUSH };
enum pattern { SEQ, RANDOM, STRIDE };
enum flush { FLUSH_NONE, FLUSH_FDATASYNC, FLUSH_DSYNC };

struct load {
	const char *device;
	enum op op;
	enum pattern pattern;
	enum flush flush;
	uint64_t bs;
	uint64_t stride;
	uint64_t offset;
	uint64_t span;
	uint64_t seed;
	uint64_t first;
	unsigned int ios;
	unsigned int warmup;
	unsigned int qd;
	unsigned int threads;
};

struct worker {
	const struct load *load;
	pthread_t thread;
	pthread_barrier_t *barrier;
	uint64_t base;		/* of its part, bytes */
	uint64_t slots;		/* in its part */
	uint32_t *order;	/* only if the pattern is random */
	uint32_t *latency;	/* ns, one per I/O that counts */
	char *buf;		/* qd times bs */
	uint64_t begin;		/* ns */
	uint64_t end;
	int fd;
};

static uint64_t random64(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static void *need(void *p)
{
	if (!p)
		die("no memory");
	return p;
}

/* A decimal number, with K, M or G behind it if @units. */
static uint64_t number(const char *name, const char *text, uint64_t min,
		       uint64_t max, bool units)
{
	unsigned int shift = 0;
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || errno)
		die("--%s %s: not a number", name, text);
	if (units && *end) {
		const char *unit = strchr("KMG", *end);

		if (!unit)
			die("--%s %s: not a size; units are K, M and G", name, text);
		shift = 10 * (unit - "KMG" + 1);
		end++;
	}
	if (*end)
		die("--%s %s: not a number", name, text);
	if (value > (UINT64_MAX >> shift) || value << shift < min ||
	    value << shift > max)
		die("--%s %s: not from %llu to %llu", name, text,
		    (unsigned long long)min, (unsigned long long)max);
	return value << shift;
}

static int word(const char *what, const char *text, const char *const *words)
{
	int i;

	for (i = 0; words[i]; i++) {
		if (!strcmp(text, words[i]))
			return i;
	}
	die("%s %s: not known", what, text);
}

/* Byte offset of the Nth I/O of the worker's pattern. */
static uint64_t nth_offset(const struct worker *w, uint64_t n)
{
	const struct load *l = w->load;
	uint64_t per, rounds;

	n %= w->slots;
	switch (l->pattern) {
	case SEQ:
		break;
	case RANDOM:
		n = w->order[n];
		break;
	case STRIDE:
		/* every stride/bs'th slot, then the ones behind those */
		per = w->slots * l->bs / l->stride;
		rounds = l->stride / l->bs;
		n = n % per * rounds + n / per;
		break;
	}
	return w->base + n * l->bs;
}

static void check(const struct load *l, ssize_t got, uint64_t offset)
{
	static const char *const verbs[] = { "read", "write", "flush" };

	if (got < 0)
		die("%s: %s at byte %llu: %s", l->device, verbs[l->op],
		    (unsigned long long)offset, strerror(errno));
	if ((uint64_t)got != l->bs)
		die("%s: short %s at byte %llu", l->device, verbs[l->op],
		    (unsigned long long)offset);
}

static void one_sync(struct worker *w, uint64_t n)
{
	const struct load *l = w->load;
	uint64_t offset = nth_offset(w, n);
	struct iovec iov = { .iov_base = w->buf, .iov_len = l->bs };

	if (l->op == OP_READ)
		check(l, pread(w->fd, w->buf, l->bs, offset), offset);
	else if (l->op == OP_WRITE && l->flush == FLUSH_DSYNC)
		check(l, pwritev2(w->fd, &iov, 1, offset, RWF_DSYNC), offset);
	else if (l->op == OP_WRITE)
		check(l, pwrite(w->fd, w->buf, l->bs, offset), offset);
	if (l->flush == FLUSH_FDATASYNC && fdatasync(w->fd))
		die("%s: flush: %s", l->device, strerror(errno));
}

static void run_sync(struct worker *w)
{
	const struct load *l = w->load;
	uint64_t then, t;
	unsigned int i;

	for (i = 0; i < l->warmup; i++)
		one_sync(w, l->first + i);
	pthread_barrier_wait(w->barrier);
	then = now();
	w->begin = then;
	for (i = 0; i < l->ios; i++) {
		one_sync(w, l->first + l->warmup + i);
		t = now();
		w->latency[i] = t - then < UINT32_MAX ? t - then : UINT32_MAX;
		then = t;
	}
	w->end = then;
}

/*
 * I/Os @start to @start + @count of the pattern, @qd in flight: what has come
 * back is sent again with the next offsets, all of it in one call. @latency is
 * NULL for those that do not count.
 */
static void run_batch(struct worker *w, aio_context_t ctx, uint64_t start,
		      unsigned int count, uint32_t *latency)
{
	const struct load *l = w->load;
	struct iocb cbs[MAX_QD], *ptr[MAX_QD];
	struct io_event events[MAX_QD];
	uint64_t sent[MAX_QD];
	unsigned int free[MAX_QD], nr_free = l->qd;
	unsigned int issued = 0, done = 0, i, nr, slot;
	int got;

	for (i = 0; i < l->qd; i++)
		free[i] = i;
	while (done < count) {
		uint64_t t = now();

		for (nr = 0; nr_free && issued < count; nr++, issued++) {
			slot = free[--nr_free];
			cbs[slot] = (struct iocb){
				.aio_data = slot,
				.aio_lio_opcode = l->op == OP_READ ?
					IOCB_CMD_PREAD : IOCB_CMD_PWRITE,
				.aio_rw_flags = l->flush == FLUSH_DSYNC ?
					RWF_DSYNC : 0,
				.aio_fildes = w->fd,
				.aio_buf = (uintptr_t)(w->buf + slot * l->bs),
				.aio_nbytes = l->bs,
				.aio_offset = nth_offset(w, start + issued),
			};
			sent[slot] = t;
			ptr[nr] = &cbs[slot];
		}
		for (i = 0; i < nr; i += got) {
			got = syscall(SYS_io_submit, ctx, nr - i, ptr + i);
			if (got <= 0)
				die("%s: io_submit: %s", l->device, strerror(errno));
		}
		got = syscall(SYS_io_getevents, ctx, 1, l->qd, events, NULL);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			die("%s: io_getevents: %s", l->device, strerror(errno));
		t = now();
		for (i = 0; i < (unsigned int)got; i++, done++) {
			int64_t res = events[i].res;

			slot = events[i].data;
			if (res < 0)
				errno = -res;
			check(l, res < 0 ? -1 : res, cbs[slot].aio_offset);
			free[nr_free++] = slot;
			if (latency)
				latency[done] = t - sent[slot] < UINT32_MAX ?
					t - sent[slot] : UINT32_MAX;
		}
	}
}

static void run_aio(struct worker *w)
{
	const struct load *l = w->load;
	aio_context_t ctx = 0;

	if (syscall(SYS_io_setup, l->qd, &ctx))
		die("io_setup: %s", strerror(errno));
	run_batch(w, ctx, l->first, l->warmup, NULL);
	pthread_barrier_wait(w->barrier);
	w->begin = now();
	run_batch(w, ctx, l->first + l->warmup, l->ios, w->latency);
	w->end = now();
	syscall(SYS_io_destroy, ctx);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	if (w->load->qd == 1)
		run_sync(w);
	else
		run_aio(w);
	return NULL;
}

/* Everything that takes memory, and all page faults, come before the I/O. */
static void prepare(struct worker *w, const struct load *l, unsigned int nr,
		    pthread_barrier_t *barrier)
{
	uint64_t part = l->span / l->threads;
	uint64_t state = l->seed, i, j;
	uint64_t *words;
	uint32_t swap;
	int flags = l->op == OP_READ ? O_RDONLY : O_RDWR;

	w->load = l;
	w->barrier = barrier;
	w->slots = part / l->bs;
	w->base = l->offset + nr * part;
	w->fd = open(l->device, flags | O_DIRECT | O_CLOEXEC);
	if (w->fd < 0)
		die("%s: %s", l->device, strerror(errno));
	w->latency = need(malloc(l->ios * sizeof(*w->latency)));
	memset(w->latency, 0xff, l->ios * sizeof(*w->latency));
	w->buf = need(aligned_alloc(MEM_ALIGN, (l->qd * l->bs + MEM_ALIGN - 1) &
				    -MEM_ALIGN));
	words = (uint64_t *)w->buf;
	for (i = 0; i < l->qd * l->bs / sizeof(*words); i++)
		words[i] = random64(&state) | 1;

	if (l->pattern != RANDOM)
		return;
	if (w->slots > UINT32_MAX)
		die("a random order of more than %u slots", UINT32_MAX);
	w->order = need(malloc(w->slots * sizeof(*w->order)));
	for (i = 0; i < w->slots; i++)
		w->order[i] = i;
	state = l->seed;
	for (i = w->slots - 1; i > 0; i--) {
		j = random64(&state) % (i + 1);
		swap = w->order[i];
		w->order[i] = w->order[j];
		w->order[j] = swap;
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void report(const struct load *l, const struct worker *w)
{
	uint64_t total = (uint64_t)l->ios * l->threads;
	uint64_t begin = UINT64_MAX, end = 0, ns;
	uint32_t *all = need(malloc(total * sizeof(*all)));
	unsigned int i;

	for (i = 0; i < l->threads; i++) {
		memcpy(all + (uint64_t)i * l->ios, w[i].latency,
		       l->ios * sizeof(*all));
		if (w[i].begin < begin)
			begin = w[i].begin;
		if (w[i].end > end)
			end = w[i].end;
	}
	qsort(all, total, sizeof(*all), compare);
	ns = end > begin ? end - begin : 1;
	printf("ios=%llu ns_total=%llu ns=%llu p50=%u p99=%u max=%u mbs=%.1f\n",
	       (unsigned long long)total, (unsigned long long)ns,
	       (unsigned long long)((ns + total / 2) / total),
	       all[total / 2], all[total - 1 - total / 100], all[total - 1],
	       l->op == OP_FLUSH ? 0 : (double)total * l->bs * 1000 / ns);
	free(all);
}

static void limits(struct load *l)
{
	uint64_t part;
	off_t size;
	int fd;

	fd = open(l->device, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("%s: %s", l->device, strerror(errno));
	size = lseek(fd, 0, SEEK_END);
	if (size < 0)
		die("%s: %s", l->device, strerror(errno));
	close(fd);

	if (l->offset >= (uint64_t)size)
		die("%s: ends before --offset", l->device);
	if (!l->span)
		l->span = size - l->offset;
	if (l->span > size - l->offset)
		die("%s: ends within --span", l->device);
	part = l->span / l->threads;
	if (part < l->bs)
		die("%s: the span has no room for an I/O of each thread", l->device);
	if (part % l->bs || l->offset % l->bs)
		die("a thread's part of the span, and the offset, have to be multiples of %llu",
		    (unsigned long long)l->bs);
	if (l->pattern == STRIDE && (!l->stride || l->stride % l->bs ||
				     part % l->stride))
		die("--stride has to be a multiple of the block size that divides a thread's part");
	if (l->pattern != STRIDE && l->stride)
		die("--stride is for --pattern stride");
	if (l->op == OP_READ && l->flush != FLUSH_NONE)
		die("--flush is for writing");
	if (l->qd > 1 && l->flush == FLUSH_FDATASYNC)
		die("fdatasync and --qd do not go together");
}

static void parse(struct load *l, int argc, char **argv)
{
	static const char *const ops[] = { "read", "write", "flush", NULL };
	static const char *const patterns[] = { "seq", "random", "stride", NULL };
	static const char *const flushes[] = { "none", "fdatasync", "dsync", NULL };
	static const struct option options[] = {
		{ "bs", 1, NULL, 'b' },		{ "ios", 1, NULL, 'n' },
		{ "warmup", 1, NULL, 'w' },	{ "first", 1, NULL, '1' },
		{ "qd", 1, NULL, 'q' },		{ "pattern", 1, NULL, 'p' },
		{ "stride", 1, NULL, 's' },	{ "offset", 1, NULL, 'o' },
		{ "span", 1, NULL, 'l' },	{ "seed", 1, NULL, 'r' },
		{ "flush", 1, NULL, 'f' },	{ "threads", 1, NULL, 't' },
		{ }
	};
	int opt, index;

	if (argc < 2)
		die("usage: chainload read|write|flush [OPTION...] DEVICE");
	l->op = word("operation", argv[1], ops);
	optind = 2;
	while ((opt = getopt_long(argc, argv, "", options, &index)) != -1) {
		const char *name = opt == '?' ? "" : options[index].name;

		switch (opt) {
		case 'b':
			l->bs = number(name, optarg, 512, MAX_BS, true);
			break;
		case 'n':
			l->ios = number(name, optarg, 1, MAX_IOS, false);
			break;
		case 'w':
			l->warmup = number(name, optarg, 0, MAX_IOS, false);
			break;
		case '1':
			l->first = number(name, optarg, 0, MAX_IOS, false);
			break;
		case 'q':
			l->qd = number(name, optarg, 1, MAX_QD, false);
			break;
		case 'p':
			l->pattern = word("--pattern", optarg, patterns);
			break;
		case 's':
			l->stride = number(name, optarg, 512, INT64_MAX, true);
			break;
		case 'o':
			l->offset = number(name, optarg, 0, INT64_MAX, true);
			break;
		case 'l':
			l->span = number(name, optarg, 512, INT64_MAX, true);
			break;
		case 'r':
			l->seed = number(name, optarg, 0, UINT64_MAX, false);
			break;
		case 'f':
			l->flush = word("--flush", optarg, flushes);
			break;
		case 't':
			l->threads = number(name, optarg, 1, MAX_THREADS, false);
			break;
		default:
			exit(2);
		}
	}
	if (optind != argc - 1)
		die("one device is needed");
	l->device = argv[optind];
	if (l->bs % 512)
		die("--bs: not a multiple of 512");
	if (l->op == OP_FLUSH) {
		if (l->flush != FLUSH_NONE || l->qd > 1)
			die("flush takes neither --flush nor --qd");
		l->flush = FLUSH_FDATASYNC;
	}
	limits(l);
}

int main(int argc, char **argv)
{
	struct load load = { .bs = 4096, .ios = 1000, .qd = 1, .threads = 1,
			     .seed = 1 };
	pthread_barrier_t barrier;
	struct worker *w;
	unsigned int i;

	parse(&load, argc, argv);
	w = need(calloc(load.threads, sizeof(*w)));
	pthread_barrier_init(&barrier, NULL, load.threads);
	for (i = 0; i < load.threads; i++)
		prepare(&w[i], &load, i, &barrier);
	for (i = 1; i < load.threads; i++) {
		if (pthread_create(&w[i].thread, NULL, work, &w[i]))
			die("no thread");
	}
	work(&w[0]);
	for (i = 1; i < load.threads; i++)
		pthread_join(w[i].thread, NULL);
	report(&load, w);
	return 0;
}
