// SPDX-License-Identifier: GPL-2.0
/*
 * biogen: submits bios to a block device from kernel threads and says what one
 * costs. For measuring what device mapper targets add, without system calls,
 * user pages or a device that takes time.
 *
 * Writing to biogen/run in debugfs is a run: the path of a block device and up
 * to four submitters, separated by blanks. The write returns when all are done.
 * A submitter is a list of key=value, separated by commas:
 *
 *	op=read|write		what to submit (read)
 *	flush=N			every N-th is a flush instead (0: none)
 *	count=N			how many bios; 0: until the submitters with a
 *				count are done (0)
 *	size=N			bytes in a bio, a multiple of 512 (4096)
 *	start=N span=N		bytes: where (0, 0: the span is count * size)
 *	order=seq|random	one after the other, or each place of the span
 *				once in a scattered order; both begin anew at its
 *				end. The span is the size times a power of 2 (seq)
 *	seed=N			another scattered order (0)
 *	depth=N			bios in flight, 1 to 64 (1)
 *	cpu=N			where the thread runs (0)
 *
 * Reading biogen/run gives a line for each submitter of the last run:
 *
 *	bios=20000 ns=9876543 errors=0
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#define BIOGEN_SUBMITTERS	4
#define BIOGEN_DEPTH		64
#define BIOGEN_LINE		1024
#define BIOGEN_SIZE		SZ_1M

/*
 * A bio of the window. The end of its I/O and the submitter that wants it again
 * meet in @state: whoever is second acts. Mostly the end is first, and then
 * neither takes a lock.
 */
enum biogen_state { BIOGEN_IDLE, BIOGEN_BUSY, BIOGEN_AWAITED };

struct biogen_slot {
	struct bio bio;
	struct bio_vec bvec;
	atomic_t state;
	struct completion done;
} ____cacheline_aligned_in_smp;

struct biogen_submitter {
	struct biogen_run *run;
	struct completion ended;
	struct biogen_slot *slot;
	struct page *page;
	bool write;
	bool random;
	/* As given by the keys of these names */
	u64 flush;
	u64 count;
	u64 size;
	u64 start;
	u64 span;
	u64 seed;
	u64 depth;
	u64 cpu;
	/* The number of places in the span is 1 << @bits. */
	unsigned int bits;
	/* What came of it */
	u64 bios;
	u64 ns;
	atomic_t errors;
} ____cacheline_aligned_in_smp;

struct biogen_run {
	struct file *file;
	struct block_device *bdev;
	unsigned int nr;
	/* Threads not yet there: all begin at once. */
	atomic_t missing;
	/* Submitters with a count that have not reached it */
	atomic_t counting;
	struct biogen_submitter submitter[BIOGEN_SUBMITTERS];
};

/* Protects biogen_last; one run at a time. */
static DEFINE_MUTEX(biogen_lock);
static struct biogen_run *biogen_last;
static struct dentry *biogen_dir;

/* The @n-th place of the span: each step permutes the places. */
static u64 biogen_place(struct biogen_submitter *s, u64 n)
{
	unsigned int half = s->bits - s->bits / 2;
	u64 mask = (1ULL << s->bits) - 1;

	n &= mask;
	if (!s->random || !s->bits)
		return n;
	n = ((n + s->seed) * 0x9e3779b97f4a7c15ULL) & mask;
	n ^= n >> half;
	n = (n * 0xbf58476d1ce4e5b9ULL) & mask;
	return n ^ n >> half;
}

static void biogen_end_io(struct bio *bio)
{
	struct biogen_slot *slot = container_of(bio, struct biogen_slot, bio);
	struct biogen_submitter *s = bio->bi_private;

	if (bio->bi_status)
		atomic_inc(&s->errors);
	if (atomic_xchg(&slot->state, BIOGEN_IDLE) == BIOGEN_AWAITED)
		complete(&slot->done);
}

static void biogen_wait(struct biogen_slot *slot)
{
	if (atomic_read_acquire(&slot->state) == BIOGEN_IDLE)
		return;
	reinit_completion(&slot->done);
	if (atomic_cmpxchg(&slot->state, BIOGEN_BUSY, BIOGEN_AWAITED) ==
	    BIOGEN_BUSY)
		wait_for_completion_io(&slot->done);
}

static void biogen_submit(struct biogen_submitter *s, struct biogen_slot *slot,
			  u64 n)
{
	struct bio *bio = &slot->bio;
	bool flush = s->flush && n % s->flush == s->flush - 1;

	bio_init(bio, s->run->bdev, &slot->bvec, 1,
		 flush ? REQ_OP_WRITE | REQ_SYNC | REQ_PREFLUSH :
		 s->write ? REQ_OP_WRITE | REQ_SYNC | REQ_IDLE : REQ_OP_READ);
	bio->bi_end_io = biogen_end_io;
	bio->bi_private = s;
	if (!flush) {
		bio->bi_iter.bi_sector =
			(s->start + biogen_place(s, n) * s->size) >> SECTOR_SHIFT;
		__bio_add_page(bio, s->page, s->size, 0);
	}
	atomic_set(&slot->state, BIOGEN_BUSY);
	submit_bio(bio);
}

static bool biogen_goes_on(struct biogen_submitter *s, u64 n)
{
	return s->count ? n < s->count : atomic_read(&s->run->counting);
}

static int biogen_thread(void *data)
{
	struct biogen_submitter *s = data;
	unsigned int i = 0;
	u64 begin, n;

	atomic_dec(&s->run->missing);
	while (atomic_read(&s->run->missing))
		cond_resched();

	begin = ktime_get_ns();
	for (n = 0; biogen_goes_on(s, n); n++) {
		biogen_wait(&s->slot[i]);
		biogen_submit(s, &s->slot[i], n);
		if (++i == s->depth)
			i = 0;
		if (!(n & 63))
			cond_resched();
	}
	for (i = 0; i < s->depth; i++)
		biogen_wait(&s->slot[i]);
	s->ns = ktime_get_ns() - begin;
	s->bios = n;
	if (s->count)
		atomic_dec(&s->run->counting);

	complete(&s->ended);
	return 0;
}

static int biogen_word(struct biogen_submitter *s, char *word)
{
	const struct {
		const char *key;
		u64 *value;
	} numbers[] = {
		{ "flush", &s->flush }, { "count", &s->count },
		{ "size", &s->size }, { "start", &s->start },
		{ "span", &s->span }, { "seed", &s->seed },
		{ "depth", &s->depth }, { "cpu", &s->cpu },
	};
	const char *key = strsep(&word, "=");
	unsigned int i;

	if (!word)
		return -EINVAL;
	if (!strcmp(key, "op")) {
		s->write = !strcmp(word, "write");
		return s->write || !strcmp(word, "read") ? 0 : -EINVAL;
	}
	if (!strcmp(key, "order")) {
		s->random = !strcmp(word, "random");
		return s->random || !strcmp(word, "seq") ? 0 : -EINVAL;
	}
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!strcmp(key, numbers[i].key))
			return kstrtou64(word, 0, numbers[i].value);
	return -EINVAL;
}

static int biogen_check(struct biogen_submitter *s)
{
	if (!s->size || s->size > BIOGEN_SIZE || s->size % SECTOR_SIZE ||
	    s->start % SECTOR_SIZE) {
		pr_err("size=%llu or start=%llu: not sectors, or above %u\n",
		       s->size, s->start, BIOGEN_SIZE);
		return -EINVAL;
	}
	if (!s->span)
		s->span = s->count * s->size;
	s->bits = ilog2(max(div64_u64(s->span, s->size), 1ULL));
	if (s->span != s->size << s->bits) {
		pr_err("span=%llu: not a power of 2 times size=%llu\n",
		       s->span, s->size);
		return -EINVAL;
	}
	if (!s->depth || s->depth > BIOGEN_DEPTH) {
		pr_err("depth=%llu: 1 to %u\n", s->depth, BIOGEN_DEPTH);
		return -EINVAL;
	}
	if (s->cpu >= nr_cpu_ids || !cpu_online(s->cpu)) {
		pr_err("cpu=%llu: not there\n", s->cpu);
		return -EINVAL;
	}
	return 0;
}

static int biogen_parse_submitter(struct biogen_submitter *s, char *words)
{
	char *word;

	s->size = PAGE_SIZE;
	s->depth = 1;
	while ((word = strsep(&words, ","))) {
		/* It is cut at the = when it is looked at. */
		size_t len = strlen(word);

		if (biogen_word(s, word)) {
			if (strlen(word) != len)
				word[strlen(word)] = '=';
			pr_err("%s: no such key or value\n", word);
			return -EINVAL;
		}
	}
	return biogen_check(s);
}

static int biogen_parse(struct biogen_run *run, char *line)
{
	const char *path;
	char *words;
	int r;

	line = strim(line);
	path = strsep(&line, " ");
	while ((words = strsep(&line, " "))) {
		if (run->nr == BIOGEN_SUBMITTERS) {
			pr_err("more than %u submitters\n", BIOGEN_SUBMITTERS);
			return -EINVAL;
		}
		r = biogen_parse_submitter(&run->submitter[run->nr], words);
		if (r)
			return r;
		if (run->submitter[run->nr++].count)
			atomic_inc(&run->counting);
	}
	if (!atomic_read(&run->counting)) {
		pr_err("no submitter has a count\n");
		return -EINVAL;
	}

	run->file = filp_open(path, O_RDWR | O_LARGEFILE, 0);
	if (IS_ERR(run->file)) {
		r = PTR_ERR(run->file);
		run->file = NULL;
		pr_err("%s: cannot be opened: %d\n", path, r);
		return r;
	}
	if (!S_ISBLK(file_inode(run->file)->i_mode)) {
		pr_err("%s: not a block device\n", path);
		return -ENOTBLK;
	}
	run->bdev = I_BDEV(run->file->f_mapping->host);
	return 0;
}

static int biogen_prepare(struct biogen_submitter *s)
{
	unsigned int i;

	s->page = alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_ZERO,
			      get_order(s->size));
	s->slot = kcalloc(s->depth, sizeof(*s->slot), GFP_KERNEL);
	if (!s->page || !s->slot)
		return -ENOMEM;
	for (i = 0; i < s->depth; i++)
		init_completion(&s->slot[i].done);
	init_completion(&s->ended);
	return 0;
}

/* Keeps nothing but the results. */
static void biogen_release(struct biogen_run *run)
{
	unsigned int i;

	for (i = 0; i < run->nr; i++) {
		struct biogen_submitter *s = &run->submitter[i];

		if (s->page)
			__free_pages(s->page, get_order(s->size));
		kfree(s->slot);
	}
	if (run->file)
		fput(run->file);
}

/* All threads are there before one is started: none waits for another in vain. */
static int biogen_threads(struct biogen_run *run)
{
	struct task_struct *task[BIOGEN_SUBMITTERS];
	unsigned int i;

	for (i = 0; i < run->nr; i++) {
		struct biogen_submitter *s = &run->submitter[i];

		s->run = run;
		task[i] = kthread_create_on_cpu(biogen_thread, s, s->cpu,
						"biogen/%u");
		if (IS_ERR(task[i])) {
			int r = PTR_ERR(task[i]);

			while (i--)
				kthread_stop(task[i]);
			return r;
		}
	}
	atomic_set(&run->missing, run->nr);
	for (i = 0; i < run->nr; i++)
		wake_up_process(task[i]);
	for (i = 0; i < run->nr; i++)
		wait_for_completion(&run->submitter[i].ended);
	return 0;
}

static int biogen_do(struct biogen_run *run, char *line)
{
	unsigned int i;
	int r;

	r = biogen_parse(run, line);
	for (i = 0; !r && i < run->nr; i++)
		r = biogen_prepare(&run->submitter[i]);
	return r ? r : biogen_threads(run);
}

static ssize_t biogen_write(struct file *file, const char __user *buf,
			    size_t len, loff_t *pos)
{
	struct biogen_run *run;
	char *line;
	int r;

	if (len > BIOGEN_LINE)
		return -E2BIG;
	line = memdup_user_nul(buf, len);
	if (IS_ERR(line))
		return PTR_ERR(line);
	run = kzalloc(sizeof(*run), GFP_KERNEL);
	if (!run) {
		kfree(line);
		return -ENOMEM;
	}

	mutex_lock(&biogen_lock);
	r = biogen_do(run, line);
	biogen_release(run);
	if (!r)
		swap(run, biogen_last);
	mutex_unlock(&biogen_lock);

	kfree(run);
	kfree(line);
	return r ? r : len;
}

static int biogen_show(struct seq_file *m, void *v)
{
	unsigned int i;

	mutex_lock(&biogen_lock);
	for (i = 0; biogen_last && i < biogen_last->nr; i++) {
		struct biogen_submitter *s = &biogen_last->submitter[i];

		seq_printf(m, "bios=%llu ns=%llu errors=%d\n", s->bios, s->ns,
			   atomic_read(&s->errors));
	}
	mutex_unlock(&biogen_lock);
	return 0;
}

static int biogen_open(struct inode *inode, struct file *file)
{
	return single_open(file, biogen_show, NULL);
}

static const struct file_operations biogen_fops = {
	.owner = THIS_MODULE,
	.open = biogen_open,
	.read = seq_read,
	.write = biogen_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int __init biogen_init(void)
{
	biogen_dir = debugfs_create_dir("biogen", NULL);
	debugfs_create_file("run", 0600, biogen_dir, NULL, &biogen_fops);
	return 0;
}

static void __exit biogen_exit(void)
{
	debugfs_remove(biogen_dir);
	kfree(biogen_last);
}

module_init(biogen_init);
module_exit(biogen_exit);

MODULE_DESCRIPTION("Generator of bios for measuring block devices");
MODULE_LICENSE("GPL");
