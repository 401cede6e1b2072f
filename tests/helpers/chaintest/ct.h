/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chaintest: checks a running chain target against a model, block by block.
 *
 * A scenario runs in a process of its own. It cuts its devices out of one pool
 * device with dm-linear, so that each can be held (suspended), made to fail or
 * read behind the target's back; whatever it leaves is cleared by the parent.
 * Sizes and offsets are bytes unless a name says otherwise.
 */
#ifndef CHAINTEST_H
#define CHAINTEST_H

#include <pthread.h>
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/types.h>

#include "dm-chain-codec.h"

#ifndef __noreturn
#define __noreturn	__attribute__((__noreturn__))
#endif

#define SECTOR		512
#define KIB		1024ULL
#define MIB		(1024 * KIB)
#define PREFIX		"dmct-"		/* of every dm device made here */
#define GARBAGE		0xffffffffU	/* tag of what nobody ever wrote */

/* report.c: the end of a scenario, notes, waiting */
__noreturn __printf(1, 2) void ct_fail(const char *fmt, ...);
__noreturn __printf(1, 2) void ct_skip(const char *fmt, ...);
__printf(1, 2) void ct_note(const char *fmt, ...);
__printf(1, 2) char *ct_str(const char *fmt, ...);
void *ct_alloc(size_t size);
u64 ct_now_ms(void);
void ct_sleep_ms(unsigned int ms);
void ct_seed(u64 seed);
u64 ct_random(u64 below);
/* --plant KIND: the model is made wrong on purpose, to see a check fail. */
extern const char *ct_plant;
bool ct_plants(const char *kind);
/* --series N: other random numbers. */
extern unsigned int ct_series;
/* --step N: of many tries only every N-th. */
extern unsigned int ct_step;
/* The name of the scenario that runs. */
extern const char *ct_scenario;
/* main.c: the time limit begins anew */
void ct_part(pid_t pid);

#define ct_check(cond, ...) \
	do { \
		if (!(cond)) \
			ct_fail(__VA_ARGS__); \
	} while (0)

/* Wait for a condition that must come true; generous, for slow machines. */
#define ct_wait(cond, ...) \
	do { \
		u64 __end = ct_now_ms() + 60000; \
		while (!(cond)) { \
			if (ct_now_ms() > __end) \
				ct_fail(__VA_ARGS__); \
			ct_sleep_ms(2); \
		} \
	} while (0)

/* Time given to something that must not happen. */
#define CT_MUST_NOT_MS	300

/* The kernel's log, from the mark on. */
void kmsg_mark(void);
char *kmsg_read(void);

/* dmdev.c: dm devices through libdevmapper. Errors are negative errnos. */
struct dm_seg {
	u64 sectors;
	const char *target;
	const char *params;
};

#define DMD_NOFLUSH	1
#define DMD_NOLOCKFS	2

void dmd_init(void);
int dmd_try_create(const char *name, const struct dm_seg *seg, unsigned int nr,
		   bool read_only);
void dmd_create(const char *name, const struct dm_seg *seg, unsigned int nr);
int dmd_load(const char *name, const struct dm_seg *seg, unsigned int nr,
	     bool read_only);
int dmd_suspend(const char *name, unsigned int flags);
int dmd_resume(const char *name);
int dmd_clear(const char *name);
int dmd_remove(const char *name);
void dmd_swap(const char *name, const struct dm_seg *seg, unsigned int nr);
int dmd_message(const char *name, const char *message, char **reply);
char *dmd_status(const char *name);
char *dmd_table(const char *name);
u32 dmd_events(const char *name);
char *dmd_devno(const char *name);
bool dmd_has_target(const char *name);
unsigned int dmd_in_flight(const char *name);
int dmd_open(const char *name, int flags);
void dmd_cleanup_devices(bool only_release);
bool dmd_left_over(void);

/* pool.c: slices of the pool device */
struct slice {
	char name[64];
	u64 size;
	u64 start;		/* sector on the pool; of a plain slice */
	struct slice *sub[4];	/* of a composed slice */
	unsigned int nr_sub;
	char *moved;		/* path of a device of another kind, or NULL */
	int fd;			/* O_DIRECT */
	struct slice *next;
};

void pool_init(const char *path);
void pool_reset(void);
struct slice *slice_new(u64 zeroed, u64 garbage);
struct slice *slice_compose(unsigned int nr, struct slice **sub);
void slice_read(const struct slice *s, u64 offset, void *buf, size_t len);
void slice_write(const struct slice *s, u64 offset, const void *buf,
		 size_t len);
void slice_copy(const struct slice *from, const struct slice *to);
void slice_put(const struct slice *s, u64 from, u64 to, u32 tag);
bool slice_unused(const struct slice *s);
void slice_spoil(const struct slice *s);
bool slice_is_spoilt(const struct slice *s);
u64 slice_hash(const struct slice *s, u64 offset, u64 len);
void slice_hold(const struct slice *s);
void slice_release(const struct slice *s);
void slice_break(const struct slice *s);
void slice_mend(const struct slice *s);
void slice_writes_fail(const struct slice *s);
void slice_loses_writes(const struct slice *s);
void slice_slow(const struct slice *s, unsigned int ms);
void slice_bad_blocks(const struct slice *s, u64 offset, u64 len);
u64 slice_sectors_read(const struct slice *s);
void slice_sectors_fail(const struct slice *s, const u64 *offset,
			unsigned int nr);
void slice_flush_fails(const struct slice *s, bool fails);
void slice_drop(struct slice *s);
void slice_move(struct slice *s, char *path);
void slice_moved(struct slice *s, char *path);
void slice_set_ro(const struct slice *s, bool ro);
char *slice_path(const struct slice *s);
char *slice_devno(const struct slice *s);

/* scsi.c: a disk that can be taken out */
void scsi_remove(void);
char *scsi_insert(void);

/* inject.c: allocations of the module that fail */
enum inject { INJECT_SLAB, INJECT_PAGE, NR_INJECT };

void inject_init(void);
void inject_arm(enum inject kind, unsigned int n);
bool inject_disarm(enum inject kind);

/* pattern.c: what sectors hold */
void pattern_fill(void *buf, u32 tag, u64 lba, unsigned int sectors);
void pattern_fill_tags(void *buf, const u32 *tag, u64 lba,
		       unsigned int sectors);
bool pattern_is(const void *sector, u32 tag, u64 lba);
u32 pattern_tag(const void *sector, u64 lba);
char *pattern_describe(const void *sector);
u32 pattern_new_tag(void);
void *io_buf(size_t len);

/* A read, write or the like that may hang. */
enum io_op { IO_READ, IO_WRITE, IO_WRITE_FUA, IO_FLUSH, IO_DISCARD, IO_ZERO };
struct aio {
	pthread_t thread;
	enum io_op op;
	int fd;
	u64 offset;
	u64 len;
	void *buf;
	int err;
	int done;
};

int io_do(int fd, enum io_op op, u64 offset, u64 len, void *buf);
struct aio *aio_start(int fd, enum io_op op, u64 offset, u64 len, u32 tag);
bool aio_done(struct aio *io);
int aio_wait(struct aio *io);

/* model.c: what is expected */
#define MAY_UNALLOC	BIT(DM_CHAIN_UNALLOCATED)
#define MAY_DATA	BIT(DM_CHAIN_DATA)
#define MAY_ZERO	BIT(DM_CHAIN_ZERO)

/**
 * struct layer - a layer and what it must hold
 * @may: by block: the states that are right; NULL for a raw base
 * @tag: by sector: content, where a block's state is data
 * @data_offset: on the data slice
 */
struct layer {
	char name[DM_CHAIN_NAME_LEN];
	struct slice *data;
	struct slice *meta;
	u64 size;
	u32 block_size;
	u64 data_offset;
	u8 *may;
	u32 *tag;
};

/**
 * struct chain - a chain device and its model
 * @layer: base first; the effective chain
 * @view: by sector: what the device must show. The content of the active
 *	layer's data blocks is taken from here
 * @dropped: taken out by jobs, still in the table
 * @words: feature words of its tables, with their number first
 * @wz: write-zeroes reach the target
 */
struct chain {
	char dev[64];
	struct layer *layer[DM_CHAIN_MAX_LAYERS];
	unsigned int nr;
	struct layer *dropped[DM_CHAIN_MAX_LAYERS];
	unsigned int nr_dropped;
	const char *words;
	u32 block_size;
	u64 size;
	u32 *view;
	int fd;
	bool wz;
};

static inline bool layer_raw(const struct layer *l)
{
	return !l->may;
}

static inline u64 layer_blocks(const struct layer *l)
{
	return DIV_ROUND_UP(l->size, l->block_size);
}

static inline struct layer *chain_active(const struct chain *c)
{
	return c->layer[c->nr - 1];
}

void model_view(struct layer *const *layer, unsigned int nr, u32 *view);
void model_write(struct chain *c, u64 offset, u64 len, u32 tag);
void model_discard(struct chain *c, u64 offset, u64 len);
void model_zero(struct chain *c, u64 offset, u64 len);
void model_push(struct chain *c, struct layer *l);
void model_freeze(struct chain *c);
void model_stream(struct chain *c, unsigned int top, int base);
void model_grow(struct chain *c, u64 size);
void model_copied(struct chain *c, unsigned int top, int base);
u64 model_missing(struct chain *c, unsigned int top, int base);

/* disk.c: layers as they are on their devices */
struct on_disk {
	struct dm_chain_sb sb;
	unsigned int sb_slot;
	struct dm_chain_geometry geo;
	u8 *state;		/* by block */
};

struct on_disk *disk_load(const struct layer *l);
void disk_free(struct on_disk *d);
void disk_check(struct layer *l, const u32 *tag);
void disk_check_backing(const struct layer *l, const struct layer *below);
void disk_check_clean(const struct layer *l);
void disk_adopt(struct layer *l);
void disk_read_sb(const struct layer *l, struct dm_chain_sb *sb);
void disk_write_sb(const struct layer *l, const struct dm_chain_sb *sb);

/* chain.c: chains and their devices */
#define LAYER_INLINE	0
#define LAYER_SEPARATE	1

struct layer *layer_new(const char *name, u64 size, u32 block_size,
			unsigned int kind);
struct layer *layer_on(const char *name, u64 size, u32 block_size,
		       struct slice *data, struct slice *meta);
struct layer *layer_new_room(const char *name, u64 size, u64 room,
			     u32 block_size, unsigned int kind);
struct layer *layer_raw_on(const char *name, u32 block_size,
			   struct slice *data);
struct layer *layer_raw_new(const char *name, u64 size, u32 block_size);
struct chain *chain_new(const char *dev, u32 block_size);
char *chain_params(struct layer *const *layer, unsigned int nr,
		   const char *words);
char *chain_line(const struct chain *c);
int chain_load(struct chain *c, const char *params);
void chain_push(struct chain *c, struct layer *l);
void chain_open(struct chain *c);
void chain_close(struct chain *c);
void chain_reload(struct chain *c, unsigned int flags);
void chain_grow_device(struct chain *c, u64 size);
void chain_grow(struct chain *c, u64 size);
void chain_release(struct chain *c);
int chain_find(const struct chain *c, const char *name);

void chain_write(struct chain *c, u64 offset, u64 len);
void chain_discard(struct chain *c, u64 offset, u64 len);
void chain_zero(struct chain *c, u64 offset, u64 len);
void chain_flush(struct chain *c);
void chain_fill(struct chain *c, unsigned int percent);
void chain_random_op(struct chain *c);

/* job.c: messages and what they answer */
char *msg(const struct chain *c, const char *fmt, ...) __printf(2, 3);
int msg_try(const struct chain *c, const char *fmt, ...) __printf(2, 3);
char *field(const char *line, const char *key);
u64 field_num(const char *line, const char *key);
char *line_with(const char *text, const char *start);
char *must_refuse(const struct chain *c, int err, const char *names,
		  const char *fmt, ...) __printf(4, 5);
char *job_line(const struct chain *c, const char *id);
char *job_text(const struct chain *c, const char *id, const char *key);
bool job_is(const struct chain *c, const char *id, const char *key,
	    const char *value);
void job_wait_status(const struct chain *c, const char *id, const char *status);
void job_pause(const struct chain *c, const char *id);
char *last_line(const struct chain *c, const char *layer);
void last_check(const struct chain *c, const char *layer, const char *id,
		const char *status, int error);
bool job_live(const struct chain *c, const char *id);
u64 job_num(const struct chain *c, const char *id, const char *key);
void job_wait(const struct chain *c, const char *id);
void stream_start(struct chain *c, int top, int base, const char *more);
void stream_done(struct chain *c, int top, int base);
void chain_stream(struct chain *c, int top, int base);

/* dmdev.c, too */
pid_t aside_start(int (*what)(struct chain *c), struct chain *c);
void aside_hangs(pid_t pid);
bool aside_ended(pid_t pid);
int aside_end(pid_t pid);

/* verify.c */
void verify_view(struct chain *c);
void verify_disk(struct chain *c);
void verify_map(struct chain *c);
void verify_info(struct chain *c);
void verify_all(struct chain *c);
void verify_beside_jobs(struct chain *c);
void verify_disk_view(struct chain *c);
void verify_closed(struct chain *c);
void verify_tool(struct chain *c);
void verify_end(struct chain *c);
void verify_reopened(struct chain *c);
u64 *devices_hash(const struct chain *c);
void verify_untouched(const struct chain *c, const u64 *before);
void must_be_zero(struct chain *c, u64 from, u64 to);
void verify_settle(struct chain *c, u64 offset, u64 len, u32 tag);

/* writers.c */
struct writers *writers_start(struct chain *c);
void writers_more(struct writers *ws);
void writers_stop(struct writers *ws);

/* refuse.c */
bool load_refused(const char *params, u64 sectors, const char *text);

/* uevent.c */
int uevent_open(void);
char *uevent_next(int fd, const char *event, unsigned int ms);
void uevent_history(int fd, const char *id, const char *expected);

/* Scenarios */
struct scenario {
	const char *suite;
	const char *name;
	void (*run)(void);
};

extern const struct scenario instrument_scenarios[];
extern const struct scenario matrix_scenarios[];
extern const struct scenario guestio_scenarios[];
extern const struct scenario short_scenarios[];
extern const struct scenario durable_scenarios[];
extern const struct scenario fua_scenarios[];
extern const struct scenario race_scenarios[];
extern const struct scenario order_scenarios[];
extern const struct scenario moved_scenarios[];
extern const struct scenario doubt_scenarios[];
extern const struct scenario pace_scenarios[];
extern const struct scenario sharing_scenarios[];
extern const struct scenario readcopy_scenarios[];
extern const struct scenario readrace_scenarios[];
extern const struct scenario badline_scenarios[];
extern const struct scenario badmeta_scenarios[];
extern const struct scenario grow_scenarios[];
extern const struct scenario growfail_scenarios[];
extern const struct scenario lifecycle_scenarios[];
extern const struct scenario parallel_scenarios[];
extern const struct scenario onerror_scenarios[];
extern const struct scenario nospace_scenarios[];
extern const struct scenario revive_scenarios[];
extern const struct scenario record_scenarios[];
extern const struct scenario failnth_scenarios[];
extern const struct scenario faults_scenarios[];

#endif
