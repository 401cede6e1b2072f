// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's side: write to a chain, and say in the log of its disks what is
 * about to be written and what was acknowledged (the marks of model.h).
 *
 *	powercut mark DEVICE MARK...
 *	powercut load -m DEVICE -d VIEW -o OWNER -b BLOCK -w OFFSET:LENGTH...
 *		      -q SEQFILE [-f DISK] [-s SEED] [-t THREADS] [-n OPS]
 *		      [-u FILE] [-p OPS] [-c [-a]] [-e]
 *
 * -p: letters, of which each thread takes one by chance, again and again:
 *	w a write of one to four whole blocks, s a smaller one, u one with FUA,
 *	f a flush, d a discard, z a write-zeroes, r a read
 * -c: take the letters in turn instead, all for one block, then for the next
 * -a: with -c, all threads take the same blocks, each a sector of its own
 * -n: how many, each thread; -u: and go on, slower, until FILE exists
 * -f: the view as a SCSI disk; FUA writes go there, because a block device
 *	follows what it was written with RWF_DSYNC by a flush
 * -e: operations may fail
 * The numbers of the writes go on where SEQFILE says.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <scsi/sg.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "powercut.h"
#include "sector.h"

#define MAX_WINDOWS	4
#define MAX_THREADS	16
#define MAX_BYTES	(1024 * 1024)
#define MAX_FUA_BYTES	(256 * 1024)
#define MAX_OPS		50000

struct window {
	unsigned long long sector;
	unsigned long long count;
};

static struct {
	const char *marks;
	const char *view;
	const char *disk;
	const char *seqfile;
	const char *until;
	const char *letters;
	unsigned int owner;
	unsigned int block;		/* sectors */
	unsigned int threads;
	unsigned int ops;
	unsigned long long seed;
	bool in_turn;
	bool same_blocks;
	bool may_fail;
	struct window window[MAX_WINDOWS];
	unsigned int windows;
} opt;

static unsigned long long next_seq = 1;

/* Sectors that an operation under way touches. */
static pthread_mutex_t busy_lock = PTHREAD_MUTEX_INITIALIZER;
static bool *busy;

static unsigned long operations, failures;

struct thread {
	pthread_t id;
	unsigned int n;
	unsigned long long random;
	int marks;
	int view;
	int disk;
	char *mark;			/* aligned, a sector */
	char *data;			/* aligned, MAX_BYTES */
	unsigned long turn;
};

static void *aligned(size_t bytes)
{
	void *p;

	if (posix_memalign(&p, 4096, bytes))
		err(1, "memory");
	return p;
}

static int open_direct(const char *path)
{
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

/* Slots lie apart, so that the block layer does not make one request of two. */
static void write_mark(int fd, char *buf, unsigned int slot, const char *text)
{
	memset(buf, 0, POWERCUT_SECTOR);
	snprintf(buf, POWERCUT_SECTOR, "%s", text);
	if (pwrite(fd, buf, POWERCUT_SECTOR, slot * 16 * POWERCUT_SECTOR) !=
	    POWERCUT_SECTOR)
		err(1, "mark %s", text);
}

__attribute__((format(printf, 2, 3)))
static void mark(struct thread *t, const char *fmt, ...)
{
	char text[POWERCUT_SECTOR];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	write_mark(t->marks, t->mark, t->n + 1, text);
}

static unsigned int chance(struct thread *t, unsigned int n)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return (t->random >> 16) % n;
}

/* Return: false if an operation under way touches any of these sectors. */
static bool claim(unsigned long long sector, unsigned int count)
{
	bool ok = true;
	unsigned int i;

	pthread_mutex_lock(&busy_lock);
	for (i = 0; i < count && ok; i++)
		ok = !busy[sector + i];
	if (ok)
		memset(busy + sector, true, count);
	pthread_mutex_unlock(&busy_lock);
	return ok;
}

static void release(unsigned long long sector, unsigned int count)
{
	pthread_mutex_lock(&busy_lock);
	memset(busy + sector, false, count);
	pthread_mutex_unlock(&busy_lock);
}

/* WRITE(10) with the FUA bit. Return: 0 or -1 with errno. */
static int write_fua(struct thread *t, unsigned long long sector,
		     unsigned int count)
{
	unsigned char cdb[10] = {
		0x2a, 0x08, sector >> 24, sector >> 16, sector >> 8, sector,
		0, count >> 8, count,
	};
	unsigned char sense[64];
	struct sg_io_hdr hdr = {
		.interface_id = 'S',
		.dxfer_direction = SG_DXFER_TO_DEV,
		.cmd_len = sizeof(cdb),
		.mx_sb_len = sizeof(sense),
		.dxfer_len = count * POWERCUT_SECTOR,
		.dxferp = t->data,
		.cmdp = cdb,
		.sbp = sense,
		.timeout = 600000,
	};

	if (ioctl(t->disk, SG_IO, &hdr))
		return -1;
	if (hdr.status || hdr.host_status || hdr.driver_status) {
		errno = EIO;
		return -1;
	}
	return 0;
}

static int write_sectors(struct thread *t, char letter,
			 unsigned long long seq, unsigned long long sector,
			 unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		powercut_sector_make((struct powercut_sector *)t->data + i,
				     POWERCUT_TAG, opt.owner, sector + i, seq);
	if (letter == 'u')
		return write_fua(t, sector, count);
	i = count * POWERCUT_SECTOR;
	return pwrite(t->view, t->data, i, sector * POWERCUT_SECTOR) == i ?
	       0 : -1;
}

static void done(struct thread *t, char letter, unsigned long long seq, int r)
{
	__atomic_add_fetch(&operations, 1, __ATOMIC_RELAXED);
	if (!r) {
		mark(t, "%c %llu", letter, seq);
		return;
	}
	if (!opt.may_fail)
		err(1, "operation %llu", seq);
	__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
	mark(t, "x %llu", seq);
}

static void do_flush(struct thread *t)
{
	unsigned long long seq = __atomic_fetch_add(&next_seq, 1,
						    __ATOMIC_RELAXED);

	mark(t, "f %llu", seq);
	done(t, 'F', seq, fsync(t->view));
}

/* Sectors claimed by the caller. */
static void change(struct thread *t, char letter, unsigned long long sector,
		   unsigned int count)
{
	unsigned long long seq = __atomic_fetch_add(&next_seq, 1,
						    __ATOMIC_RELAXED);
	unsigned long long range[2];
	int r;

	range[0] = sector * POWERCUT_SECTOR;
	range[1] = count * POWERCUT_SECTOR;

	mark(t, "%c %llu %llu %u", letter == 's' ? 'w' : letter, seq, sector,
	     count);
	switch (letter) {
	case 'd':
		r = ioctl(t->view, BLKDISCARD, range);
		break;
	case 'z':
		r = ioctl(t->view, BLKZEROOUT, range);
		break;
	default:
		r = write_sectors(t, letter, seq, sector, count);
	}
	done(t, 'a', seq, r);
}

/* Each sector was written here, as a whole, or holds zeros. */
static void look(struct thread *t, unsigned long long sector,
		 unsigned int count)
{
	const struct powercut_sector *s = (const void *)t->data;
	unsigned int bytes = count * POWERCUT_SECTOR, i;

	if (pread(t->view, t->data, bytes, sector * POWERCUT_SECTOR) != bytes)
		err(1, "read of sector %llu", sector);
	for (i = 0; i < count; i++) {
		if (powercut_sector_zero(s + i))
			continue;
		if (!powercut_sector_whole(s + i) ||
		    s[i].number != sector + i || s[i].kind == POWERCUT_TRIM ||
		    (s[i].kind == POWERCUT_TAG && s[i].owner != opt.owner))
			errx(1, "sector %llu reads as something else",
			     sector + i);
	}
	__atomic_add_fetch(&operations, 1, __ATOMIC_RELAXED);
}

/* Where an operation goes, and how long it is, by chance. */
static void choose(struct thread *t, char letter, unsigned long long *sector,
		   unsigned int *count)
{
	const struct window *w = &opt.window[chance(t, opt.windows)];
	unsigned int blocks = w->count / opt.block;
	unsigned int most = MAX_BYTES / POWERCUT_SECTOR / opt.block;
	unsigned int n = 1 + chance(t, most < 4 ? most : 4);
	unsigned int first = chance(t, blocks);

	if (n > blocks - first)
		n = blocks - first;
	*sector = w->sector + (unsigned long long)first * opt.block;
	*count = n * opt.block;
	/* small writes, and some of the others: not of whole blocks */
	if (letter == 's' || (letter != 'w' && chance(t, 2))) {
		unsigned int skip = chance(t, opt.block);

		*sector += skip;
		*count = 1 + chance(t, letter == 'd' ? *count - skip :
				       opt.block - skip);
	}
	if (letter == 'u' && *count > MAX_FUA_BYTES / POWERCUT_SECTOR)
		*count = MAX_FUA_BYTES / POWERCUT_SECTOR;
}

/* The next block that is this thread's turn. */
static void in_turn(struct thread *t, char letter, unsigned long long *sector,
		    unsigned int *count)
{
	unsigned long n = t->turn / strlen(opt.letters);
	unsigned long blocks = 0;
	unsigned int i;

	for (i = 0; i < opt.windows; i++)
		blocks += opt.window[i].count / opt.block;
	if (!opt.same_blocks)
		n = n * opt.threads + t->n;
	n %= blocks;
	for (i = 0; n >= opt.window[i].count / opt.block; i++)
		n -= opt.window[i].count / opt.block;
	*sector = opt.window[i].sector + n * opt.block;
	*count = letter == 's' ? 1 : opt.block;
	if (opt.same_blocks) {
		*sector += t->n;
		*count = 1;
	}
}

static void step(struct thread *t)
{
	unsigned int nr = strlen(opt.letters);
	char letter = opt.letters[opt.in_turn ? t->turn % nr : chance(t, nr)];
	unsigned long long sector;
	unsigned int count;

	if (letter == 'f') {
		do_flush(t);
	} else {
		do {
			if (opt.in_turn)
				in_turn(t, letter, &sector, &count);
			else
				choose(t, letter, &sector, &count);
		} while (!claim(sector, count));
		if (letter == 'r')
			look(t, sector, count);
		else
			change(t, letter, sector, count);
		release(sector, count);
	}
	t->turn++;
}

static void *run(void *arg)
{
	struct thread *t = arg;
	unsigned int n;

	for (n = 0; n < MAX_OPS; n++) {
		if (n >= opt.ops) {
			if (!opt.until || !access(opt.until, F_OK))
				return NULL;
			usleep(20000);
		}
		step(t);
	}
	errx(1, "%s does not appear", opt.until);
}

static void read_seq(void)
{
	FILE *f = fopen(opt.seqfile, "re");

	if (!f)
		return;
	if (fscanf(f, "%llu", &next_seq) != 1)
		errx(1, "%s: no number", opt.seqfile);
	fclose(f);
}

static void write_seq(void)
{
	FILE *f = fopen(opt.seqfile, "we");

	if (!f || fprintf(f, "%llu\n", next_seq) < 0 || fclose(f))
		err(1, "%s", opt.seqfile);
}

static void add_window(const char *text)
{
	struct window *w = &opt.window[opt.windows];
	unsigned long long offset, length;

	if (opt.windows == MAX_WINDOWS ||
	    sscanf(text, "%llu:%llu", &offset, &length) != 2)
		errx(2, "-w %s", text);
	w->sector = offset / POWERCUT_SECTOR;
	w->count = length / POWERCUT_SECTOR;
	opt.windows++;
}

static void parse(int argc, char **argv)
{
	int c;

	opt.threads = 1;
	opt.letters = "";
	while ((c = getopt(argc, argv, "m:d:f:o:b:w:q:s:t:n:u:p:cae")) != -1) {
		switch (c) {
		case 'm':
			opt.marks = optarg;
			break;
		case 'd':
			opt.view = optarg;
			break;
		case 'f':
			opt.disk = optarg;
			break;
		case 'q':
			opt.seqfile = optarg;
			break;
		case 'u':
			opt.until = optarg;
			break;
		case 'p':
			opt.letters = optarg;
			break;
		case 'o':
			opt.owner = strtoul(optarg, NULL, 0);
			break;
		case 'b':
			opt.block = strtoul(optarg, NULL, 0) / POWERCUT_SECTOR;
			break;
		case 's':
			opt.seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			opt.threads = strtoul(optarg, NULL, 0);
			break;
		case 'n':
			opt.ops = strtoul(optarg, NULL, 0);
			break;
		case 'w':
			add_window(optarg);
			break;
		case 'c':
			opt.in_turn = true;
			break;
		case 'a':
			opt.same_blocks = true;
			break;
		case 'e':
			opt.may_fail = true;
			break;
		default:
			exit(2);
		}
	}
	if (!opt.marks || !opt.view || !opt.seqfile || !opt.block ||
	    !opt.windows || !opt.letters[0] || optind != argc ||
	    !opt.threads || opt.threads > MAX_THREADS)
		errx(2, "usage: powercut load: see load.c");
	if (strchr(opt.letters, 'u') && !opt.disk)
		errx(2, "FUA writes need -f");
}

int load_main(int argc, char **argv)
{
	struct thread thread[MAX_THREADS] = {};
	unsigned long long end = 0;
	unsigned int i;

	parse(argc, argv);
	read_seq();
	for (i = 0; i < opt.windows; i++)
		if (opt.window[i].sector + opt.window[i].count > end)
			end = opt.window[i].sector + opt.window[i].count;
	busy = calloc(end, sizeof(*busy));
	if (!busy)
		err(1, "memory");

	for (i = 0; i < opt.threads; i++) {
		struct thread *t = &thread[i];

		t->n = i;
		t->random = (opt.seed + 1) * 0x9e3779b97f4a7c15ULL + i + 1;
		t->marks = open_direct(opt.marks);
		t->view = open_direct(opt.view);
		t->disk = opt.disk ? open(opt.disk, O_RDWR | O_CLOEXEC) : -1;
		if (opt.disk && t->disk < 0)
			err(1, "%s", opt.disk);
		t->mark = aligned(4096);
		t->data = aligned(MAX_BYTES);
	}
	mark(&thread[0], "seed %llu", opt.seed);
	for (i = 0; i < opt.threads; i++)
		if (pthread_create(&thread[i].id, NULL, run, &thread[i]))
			errx(1, "thread");
	for (i = 0; i < opt.threads; i++)
		pthread_join(thread[i].id, NULL);
	write_seq();
	printf("seed %llu: %lu operations, %lu failed\n", opt.seed, operations,
	       failures);
	return 0;
}

void powercut_mark(int fd, void *buf, const char *text)
{
	write_mark(fd, buf, 0, text);
}

int mark_main(int argc, char **argv)
{
	char *buf = aligned(4096);
	int fd, i;

	if (argc < 3)
		errx(2, "usage: powercut mark DEVICE MARK...");
	fd = open_direct(argv[1]);
	for (i = 2; i < argc; i++)
		powercut_mark(fd, buf, argv[i]);
	return 0;
}
