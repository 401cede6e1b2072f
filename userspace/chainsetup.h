/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: what its files share.
 *
 * Functions that can fail return 0 or a negative errno and leave the reason in
 * a struct dm_chain_why, as the pure core does; they print nothing. A command
 * prints the one line that a user sees, with complain_why() or complain().
 *
 * Sizes and offsets are bytes unless a name says otherwise.
 */
#ifndef CHAINSETUP_H
#define CHAINSETUP_H

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "dm-chain-codec.h"
#include "dm-chain-resolve.h"
#include "dm-chain-why.h"
#include "output.h"

/* -------------------------------------------------------------- commands */

/**
 * struct command - one word after "chainsetup"
 * @name: the word; NULL ends a table
 * @args: its arguments, for the usage text
 * @help: one line for the usage text
 * @run: gets @name as argv[0]; returns the exit status, 0 or 1, and has
 *	printed one line to stderr, by complain(), if it is 1
 */
struct command {
	const char *name;
	const char *args;
	const char *help;
	int (*run)(int argc, char **argv);
};

struct layer;

extern const struct command offline_commands[];	/* chainsetup.c */
extern const struct command live_commands[];	/* live-commands.c */

/**
 * next_option() - getopt_long() that complains by itself
 * @options: long options; @val of each is what is returned for it. Those that
 *	all commands have are taken here and need not be among them
 *
 * Return: the option's @val; -1 after the last one (operands begin at
 * argv[optind]); '?' if it complained: the command returns 1 then.
 */
int next_option(int argc, char **argv, const struct option *options);

/*
 * Complain unless between @min and @max operands follow the options. True if
 * all is well.
 */
bool operands_ok(int argc, char **argv, int min, int max);

/**
 * struct layer_command - "COMMAND [--data DEV] [--dry-run] [--json] DEV"
 * @may_force: set by the command: it has --force as well
 * @data: where the user says that the data is, or NULL
 * @force: the user says --force
 * @dry_run: change nothing
 * @json: print an object
 * @flags: LAYER_*, for what is opened besides
 */
struct layer_command {
	bool may_force;
	const char *data;
	bool force;
	bool dry_run;
	bool json;
	unsigned int flags;
};

/**
 * layer_command() - take the words of such a command apart
 * @command: zeros, but for @may_force
 * @layer: gets the layer, opened to be written, but not a separate data device
 *
 * Return: 0, or 1 if it complained: the command returns that then.
 */
int layer_command(int argc, char **argv, struct layer_command *command,
		  struct layer *layer);

/* ------------------------------------------------------------------ util */

/* Print "chainsetup: ..." and a newline to stderr. Return: 1. */
__printf(1, 2) int complain(const char *fmt, ...);
int complain_why(const struct dm_chain_why *why);

/**
 * parse_size() - a number of bytes, or with K, M, G or T (powers of 1024)
 * @text: what the user wrote
 * @size: gets the bytes
 * @why: names @text if it is no such thing
 */
int parse_size(const char *text, u64 *size, struct dm_chain_why *why);

/* Like parse_size(), and a multiple of 512 that is not 0. */
int parse_device_size(const char *text, u64 *size, struct dm_chain_why *why);

/* Memory that is zeroed; exits with a message when there is none. */
void *xalloc(size_t n, size_t size);
char *xstrdup(const char *text);
__printf(1, 2) char *xasprintf(const char *fmt, ...);
__printf(1, 0) char *xvasprintf(const char *fmt, va_list ap);

/*
 * Read the first line of a small (sysfs) file, without the newline. False if
 * there is none.
 */
bool read_line(const char *path, char *text, size_t size);

/* ---------------------------------------------------------------- device */

#define DEVICE_WRITE	(1 << 0)	/* else read-only */
#define DEVICE_EXCL	(1 << 1)	/* refuse one that anybody else uses */
#define DEVICE_DRY	(1 << 2)	/* refuse what DEVICE_WRITE would, but write nothing */

/**
 * struct device - an open block device or regular file
 * @path: as the user or a hint named it, made absolute; symbolic links kept
 * @devno: of a block device, 0 for a regular file
 * @size: bytes
 * @fd: O_DIRECT if a block device
 * @align: unit of I/O, bytes
 * @excl: opened with DEVICE_EXCL
 * @rehearsal: of writes that are not made yet, see rehearsal.h; else NULL
 */
struct device {
	char *path;
	dev_t devno;
	u64 size;
	int fd;
	unsigned int align;
	bool excl;
	struct rehearsal *rehearsal;
};

/**
 * device_open() - open a block device or a regular file
 * @flags: DEVICE_*
 *
 * Return: 0; -EBUSY, with the user of the device in @why, if DEVICE_EXCL and
 * it is mounted, part of another device, a swap area or attached to a loop
 * device; -EINVAL, naming both, if the command has it open with DEVICE_EXCL
 * already; another errno otherwise.
 */
int device_open(struct device *dev, const char *path, unsigned int flags,
		struct dm_chain_why *why);
void device_close(struct device *dev);

static inline bool device_is_block(const struct device *dev)
{
	return dev->devno;
}

/* Do both name the same device or file? */
bool device_same(const struct device *a, const struct device *b);

/* Does @path name it as well? */
bool device_is(const struct device *dev, const char *path);

/* "major:minor" of a block device. @text has room for 32 bytes. */
const char *device_number(const struct device *dev, char *text);

/**
 * device_read() - read exactly @len bytes
 * @buf: any memory
 *
 * @offset and @len are multiples of 512. Return: 0, -ENXIO past the device's
 * end, or the error of the read.
 */
int device_read(const struct device *dev, void *buf, size_t len, u64 offset,
		struct dm_chain_why *why);
int device_write(const struct device *dev, const void *buf, size_t len,
		 u64 offset, struct dm_chain_why *why);
int device_write_zeroes(const struct device *dev, u64 offset, u64 len,
			struct dm_chain_why *why);
int device_sync(const struct device *dev, struct dm_chain_why *why);

/**
 * device_signature() - look for what libblkid knows: file systems, RAID, LVM,
 *	partition tables
 * @text: gets its name
 *
 * Return: 1 if there is one, 0 if not, a negative errno.
 */
int device_signature(const struct device *dev, char *text, size_t size,
		     struct dm_chain_why *why);

/*
 * Who has a block device: "vm1 (253:0)", "a file system mounted at /mnt"...
 * Empty if nobody is known. Return: @text.
 */
const char *device_user(const struct device *dev, char *text, size_t size);

/*
 * May somebody write to a device now? A chain in which it lies below the
 * active layer does not. (writer.c)
 */
bool device_may_change(const struct device *dev);

/**
 * struct device_mark - what tells whether a device was written to
 * @size: bytes
 * @written: of a block device, sectors
 * @discarded: of a block device, sectors
 * @modified: of a file, seconds
 * @nanoseconds: behind them
 */
struct device_mark {
	u64 size;
	u64 written;
	u64 discarded;
	u64 modified;
	u64 nanoseconds;
};

/**
 * device_mark() - begin to watch for writes
 *
 * Seen are all those that went through this device or file, by whomever, as far as the
 * kernel counts them (not with 0 in /sys/block/.../queue/iostats); not those
 * of other hosts, and not those past it, to what the device is made of.
 *
 * Return: 0, or -EIO if nothing can be known.
 */
int device_mark(const struct device *dev, struct device_mark *mark,
		struct dm_chain_why *why);
bool device_changed(const struct device *dev, const struct device_mark *mark);

/* -------------------------------------------------------------- metadata */

/**
 * struct layer - one layer of a chain and its metadata
 * @raw: no metadata: only @data is set
 * @sep_meta: @meta is a device of its own; else it is the same as @data, opened
 *	once, and @meta.fd == @data.fd
 * @data: its fd is -1 if only the metadata was opened
 * @meta: the device with the superblock
 * @sb: decoded superblock, the newer slot
 * @slot: the slot of @sb
 * @geo: where the map lies
 * @page: payload of every map page, NULL if never written; NULL until
 *	layer_load_map()
 * @pick: for every map page ever written, the slot it was taken from
 * @fell_back: a map or directory page had a torn slot
 */
struct layer {
	bool raw;
	bool sep_meta;
	struct device data;
	struct device meta;
	struct dm_chain_sb sb;
	unsigned int slot;
	struct dm_chain_geometry geo;
	u8 **page;
	u8 *pick;
	bool fell_back;
};

#define LAYER_WRITE	DEVICE_WRITE
#define LAYER_EXCL	DEVICE_EXCL
#define LAYER_DRY	DEVICE_DRY
#define LAYER_META_ONLY	(1 << 8)	/* do not open a separate data device */
#define LAYER_ANY	(1 << 9)	/* one without a superblock is raw */
#define LAYER_KNOWN_RAW	(1 << 10)	/* and so is one that cannot be read */

/**
 * layer_open() - open a layer by the device that holds its superblock
 * @path: the data device if the metadata is inline, else the metadata device
 * @data: path of a separate data device that wins over the hint in the
 *	superblock, or NULL
 * @flags: LAYER_*. LAYER_EXCL is what every command that needs an offline
 *	layer gives: it fails while a dm device has the layer open
 *
 * Return: 0; -ENODATA if there is no superblock (and not LAYER_ANY); else as
 * device_open() and dm_chain_sb_pick().
 */
int layer_open(struct layer *layer, const char *path, const char *data,
	       unsigned int flags, struct dm_chain_why *why);

/* Open the raw base that @ref names. Return: also -ENOENT if it names none. */
int layer_open_raw(struct layer *layer, const struct dm_chain_backing *ref,
		   unsigned int flags, struct dm_chain_why *why);
void layer_close(struct layer *layer);

/* Size that a layer shows, bytes. */
static inline u64 layer_size(const struct layer *layer)
{
	return layer->raw ? layer->data.size : layer->sb.size;
}

/**
 * layer_name() - what to call a layer
 *
 * The superblock's name, or for a raw base one made of its path.
 * @text has room for DM_CHAIN_NAME_LEN. Return: @text.
 */
const char *layer_name(const struct layer *layer, char *text);

/* A valid layer name made of the last part of a path; @text as above. */
const char *name_from_path(const char *path, char *text);

/**
 * layer_data_named() - is the data device named, if there is one of its own?
 * @layer: @meta and @sb are set
 * @data: path that the user gave, or NULL
 * @which: what it is, for the reason
 *
 * For commands that would do harm with the wrong device: the path in the
 * superblock is a hint.
 */
int layer_data_named(const struct layer *layer, const char *data,
		     const char *which, struct dm_chain_why *why);

/**
 * layer_open_data() - open the data device of a layer whose superblock is known
 * @layer: @meta and @sb are set
 * @data: path that wins over the hint in the superblock, or NULL
 * @flags: LAYER_*
 *
 * A superblock whose data begins at 0 has its data on another device. Refused
 * if the device is too small for the layer.
 */
int layer_open_data(struct layer *layer, const char *data, unsigned int flags,
		    struct dm_chain_why *why);

/* Read both superblock slots into two 4 KiB pages. */
int super_read_slots(const struct device *dev, void *page[2],
		     struct dm_chain_why *why);

/* -ENODATA if @dev carries no superblock of ours, in neither slot. */
int super_read(const struct device *dev, struct dm_chain_sb *sb,
	       unsigned int *slot, struct dm_chain_why *why);

/**
 * super_set_path() - record a path in a superblock
 * @hint: has room for DM_CHAIN_PATH_LEN bytes
 *
 * Return: 0, or a refusal if a superblock cannot hold the path.
 */
int super_set_path(char *hint, const char *path, struct dm_chain_why *why);

/**
 * super_write() - make @layer->sb the superblock
 *
 * Writes the slot that is not the durable one, with the next sequence number,
 * and syncs. On failure the old superblock stands.
 */
int super_write(struct layer *layer, struct dm_chain_why *why);

/* Where a slot of a map or directory page lies on the metadata device. */
u64 page_offset(const struct layer *layer, const char *magic, u32 index,
		unsigned int slot);

/**
 * cancel_job() - replace a job that is not finished by its result: cancelled
 * @sb: with a job
 */
void cancel_job(struct dm_chain_sb *sb);

/* Read both slots of a map or directory page. */
int page_read_slots(const struct layer *layer, const char *magic, u32 index,
		    struct dm_chain_disk_page *page[2],
		    struct dm_chain_why *why);

/* Read the directory and every map page that it names. */
int layer_load_map(struct layer *layer, struct dm_chain_why *why);

/**
 * layer_readable() - whether the metadata on a device is enough to open its layer
 * @meta: what is rehearsed for it counts as written
 */
bool layer_readable(const struct device *meta);

/* Blocks within the layer's size, the last of which may be partial. */
u64 layer_blocks(const struct layer *layer);

/**
 * layer_state() - state of a block and how far it goes
 * @block: below the layer's number of blocks
 * @max: blocks to look at, at least 1
 * @run: gets the length of the run, at most @max
 *
 * The map is loaded. A raw layer is all data.
 */
enum dm_chain_state layer_state(const struct layer *layer, u64 block, u64 max,
				u64 *run);

/**
 * struct format_options - what to format
 * @data: path of the data device
 * @meta: path of the metadata device, NULL = inline
 * @backing: path of the device with the backing's superblock, or of a raw
 *	device; NULL = unset. It may be in use
 * @name: NULL = made from the data device's path
 * @size: 0 = default
 * @max_size: 0 = four times the size
 * @block_size: 0 = the backing's, else 4096
 * @force: ignore signatures of other software
 * @dry_run: write nothing
 * @overwrites: if not NULL, gets what only @force lets it overwrite, "" if that
 *	is nothing
 */
struct format_options {
	const char *data;
	const char *meta;
	const char *backing;
	const char *name;
	u64 size;
	u64 max_size;
	u64 block_size;
	bool force;
	bool dry_run;
	struct dm_chain_why *overwrites;
};

/**
 * format_layer() - write a new layer
 * @sb: gets the superblock that was written, or would be
 *
 * Refuses a device that anybody uses. A backing layer is recorded as not yet
 * bound (generation 0): the first activation binds it.
 */
int format_layer(const struct format_options *options, struct dm_chain_sb *sb,
		 struct dm_chain_why *why);

/**
 * backing_reference() - what an overlay records about the layer below it
 *
 * With the layer's current generation. Refused if its path is too long.
 */
int backing_reference(struct dm_chain_backing *ref, const struct layer *layer,
		      struct dm_chain_why *why);

/* ------------------------------------------------------------------ scan */

/**
 * device_is_component() - does a device show what belongs to another one?
 * @dev: any; a file belongs to nothing
 * @own: bytes, from its start, that are content whatever they look like
 * @text: gets what it is, to stand behind "is"
 *
 * A member of a RAID, a path of a multipath device, a volume that LVM hides, or a
 * partition of one of them. What it belongs to need not be there.
 */
bool device_is_component(const struct device *dev, u64 own, char *text, size_t size);

/**
 * struct layer_hint - the user's word for where a layer is (--layer)
 * @uuid: of the layer
 * @data: path
 * @meta: path of its metadata device, NULL = inline
 */
struct layer_hint {
	u8 uuid[DM_CHAIN_UUID_LEN];
	char *data;
	char *meta;
};

/* "UUID=DATA[,META]"; the UUID is the word "raw" for the raw base */
int parse_layer_hint(const char *text, struct layer_hint *hint,
		     struct dm_chain_why *why);

/**
 * find_layer() - the device with the superblock of a layer
 * @uuid: of the layer
 * @path_hint: tried first, may be empty
 * @path: gets its path; free() it
 * @why: names both devices if there are two
 *
 * Looks at every block device; chain devices themselves, empty devices,
 * components of others (device_is_component()) and those that another one with
 * the same superblock is made of do not count. Regular files are found by hint
 * only. Return: 0, -ENODEV, or -ENOTUNIQ.
 */
int find_layer(const u8 *uuid, const char *path_hint, char **path,
	       struct dm_chain_why *why);

/* layer_open(), of a layer that may be among those of the user's hints. */
int layer_open_hinted(struct layer *layer, const char *path,
		      const struct layer_hint *hints, unsigned int nr_hints,
		      unsigned int flags, struct dm_chain_why *why);

/**
 * scan_layers() - look for layers on every block device
 * @found: called for each device with a superblock that can be used, those with
 *	one UUID one after the other
 * @context: for @found
 *
 * The same devices count as in find_layer().
 */
void scan_layers(void (*found)(const char *path, const struct dm_chain_sb *sb,
			       void *context),
		 void *context);

/**
 * struct chain - layers that were found, base first
 */
struct chain {
	unsigned int nr;
	struct layer layer[DM_CHAIN_MAX_LAYERS];
	u64 limit[DM_CHAIN_MAX_LAYERS];	/* where each ends, dm_chain_limits() */
};

static inline struct layer *chain_top(struct chain *chain)
{
	return &chain->layer[chain->nr - 1];
}

/**
 * chain_open() - find and open a chain from its active layer down
 * @path: device with the superblock of the active layer
 * @hints: of the user
 * @nr_hints: how many
 * @top_flags: LAYER_*, for the active layer
 * @flags: LAYER_*, for the others
 * @why: a refusal for a UUID or generation ends with the command that
 *	resolves it
 *
 * Runs the same checks as the kernel's constructor, dm_chain_resolve().
 */
int chain_open(struct chain *chain, const char *path,
	       const struct layer_hint *hints, unsigned int nr_hints,
	       unsigned int top_flags, unsigned int flags,
	       struct dm_chain_why *why);
void chain_close(struct chain *chain);

/* chain_open() without the checks. */
int chain_collect(struct chain *chain, const char *path,
		  const struct layer_hint *hints, unsigned int nr_hints,
		  unsigned int top_flags, unsigned int flags,
		  struct dm_chain_why *why);

/* The checks, for a chain that was put together otherwise. Sets @limit. */
int chain_check(struct chain *chain, struct dm_chain_why *why);

/* layer_load_map() for all of them. */
int chain_load_maps(struct chain *chain, struct dm_chain_why *why);

/**
 * chain_view_run() - who answers a read of the view
 * @offset: bytes, below the active layer's size
 * @max: bytes to look at, at least 1
 * @owner: gets the index of the layer whose data is seen, or -1: zeros
 * @run: gets how far that holds, bytes, at most @max
 *
 * The maps are loaded.
 */
void chain_view_run(const struct chain *chain, u64 offset, u64 max, int *owner,
		    u64 *run);

/* Read the view; @offset and @len are multiples of 512. */
int chain_view_read(const struct chain *chain, void *buf, size_t len,
		    u64 offset, struct dm_chain_why *why);

/* ------------------------------------------------- the offline commands */

int cmd_format(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_repair(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_rebase(int argc, char **argv);
int cmd_uuid(int argc, char **argv);
int cmd_plain(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_apply(int argc, char **argv);
int cmd_convert(int argc, char **argv);

#endif
