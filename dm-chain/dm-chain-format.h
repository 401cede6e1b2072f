/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: what a layer looks like on disk.
 *
 * Shared by the module, the tools and the tests; the prose is in
 * Documentation/format.rst. All integers are little-endian, all offsets and
 * sizes are bytes unless a name says otherwise.
 *
 * The metadata area lies at the start of the metadata device:
 *
 *	0		superblock, slot A
 *	128 KiB		superblock, slot B
 *	192 KiB		area A: directory pages, then map pages, slot A of each
 *	area B		the same, slot B of each
 *
 * Area B begins at least 64 KiB behind the end of area A, on a 64 KiB
 * boundary. The number of pages follows from the maximal size and the block
 * size alone, see dm_chain_geometry_init().
 */
#ifndef DM_CHAIN_FORMAT_H
#define DM_CHAIN_FORMAT_H

#include <linux/types.h>
#include <linux/build_bug.h>

#define DM_CHAIN_PAGE_SIZE	4096
#define DM_CHAIN_UUID_LEN	16
#define DM_CHAIN_NAME_LEN	64	/* 63 characters and a NUL */
#define DM_CHAIN_PATH_LEN	256	/* 255 characters and a NUL */

#define DM_CHAIN_VERSION	1

#define DM_CHAIN_MIN_BLOCK	4096
#define DM_CHAIN_MAX_BLOCK	(1024 * 1024)
#define DM_CHAIN_MAX_LAYERS	64
#define DM_CHAIN_DATA_ALIGN	(1024 * 1024)

#define DM_CHAIN_SB_OFFSET_A	0
#define DM_CHAIN_SB_OFFSET_B	(128 * 1024)
#define DM_CHAIN_AREA_A		(192 * 1024)
#define DM_CHAIN_AREA_GAP	(64 * 1024)

#define DM_CHAIN_SB_MAGIC	"DM-CHAIN"
#define DM_CHAIN_DIR_MAGIC	"DMC-DIR_"
#define DM_CHAIN_MAP_MAGIC	"DMC-MAP_"
#define DM_CHAIN_MAGIC_LEN	8

/*
 * Every 4 KiB page, the superblock included, begins with this. The checksum
 * is CRC-32C (Castagnoli; initial value and final inversion all ones) over
 * everything behind the field itself: bytes 12 to 4095.
 */
struct dm_chain_disk_head {
	__u8	magic[DM_CHAIN_MAGIC_LEN];
	__le32	crc;
	__le32	version;
	__le64	seq;
} __packed;

/*
 * Feature words: unknown compat bits are ignored, and cleared by the first
 * superblock write, which carries none of what belongs to them; unknown
 * ro_compat bits make the layer read-only, unknown incompat bits make it
 * unusable. None is defined yet.
 */
#define DM_CHAIN_KNOWN_COMPAT		0
#define DM_CHAIN_KNOWN_RO_COMPAT	0
#define DM_CHAIN_KNOWN_INCOMPAT		0

/* Superblock flags. */
#define DM_CHAIN_F_CLEAN	(1 << 0) /* closed with every slot written out */
#define DM_CHAIN_F_NEEDS_CHECK	(1 << 1) /* a metadata write or data flush failed */
#define DM_CHAIN_F_HAS_OVERLAY	(1 << 2) /* overlay_uuid rests on this content */
#define DM_CHAIN_KNOWN_FLAGS	(DM_CHAIN_F_CLEAN | DM_CHAIN_F_NEEDS_CHECK | \
				 DM_CHAIN_F_HAS_OVERLAY)

enum dm_chain_backing_kind {
	DM_CHAIN_BACKING_UNSET	= 0,	/* bound by the first activation */
	DM_CHAIN_BACKING_NONE	= 1,	/* stands alone */
	DM_CHAIN_BACKING_RAW	= 2,	/* a device without metadata */
	DM_CHAIN_BACKING_LAYER	= 3,	/* the layer with this UUID */
};

struct dm_chain_disk_backing {
	__le32	kind;
	__le32	pad;
	__u8	uuid[DM_CHAIN_UUID_LEN];	/* LAYER only, else zeros */
	__le64	size;				/* of the backing, when bound */
	/*
	 * LAYER only: of the backing, when bound. Generations count from 1; 0
	 * is a reference that the first activation binds: the backing may be
	 * written to until then.
	 */
	__le64	generation;
	__u8	path[DM_CHAIN_PATH_LEN];	/* hint, may be empty */
} __packed;

enum dm_chain_job_type {
	DM_CHAIN_JOB_NONE	= 0,
	DM_CHAIN_JOB_STREAM	= 1,
};

/* Job record flags. */
#define DM_CHAIN_JOB_F_RAW_BOTTOM	(1 << 0) /* the bottom is a raw base */
#define DM_CHAIN_JOB_F_PAUSED		(1 << 1) /* by the user */
#define DM_CHAIN_JOB_F_PENDING		(1 << 2) /* all copied, waits for finalize */
#define DM_CHAIN_JOB_F_MANUAL_FINALIZE	(1 << 3)
#define DM_CHAIN_JOB_F_MANUAL_DISMISS	(1 << 4)
#define DM_CHAIN_JOB_F_VERIFY		(1 << 5)
#define DM_CHAIN_JOB_KNOWN_FLAGS	((1 << 6) - 1)

enum dm_chain_io_status {
	DM_CHAIN_IO_OK		= 0,
	DM_CHAIN_IO_FAILED	= 1,
	DM_CHAIN_IO_NOSPACE	= 2,
	DM_CHAIN_NR_IO_STATUS
};

struct dm_chain_disk_job {
	__le32	type;			/* enum dm_chain_job_type */
	__le32	flags;
	__u8	id[DM_CHAIN_NAME_LEN];
	__u8	top_uuid[DM_CHAIN_UUID_LEN];
	__u8	bottom_uuid[DM_CHAIN_UUID_LEN];	/* lowest layer that is copied */
	__le64	speed;			/* bytes per second, 0 = unlimited */
	__le64	floor;			/* bytes per second */
	__le64	ceiling;		/* bytes per second, 0 = unlimited */
	__le64	cursor;			/* bytes; all below it is committed */
	__le64	copied;			/* bytes, for progress only */
	__le64	zeroed;
	__le64	skipped;
	__le64	started;		/* seconds since the epoch */
	__le32	on_error;		/* enum dm_chain_on_error */
	__le32	error;			/* positive errno or 0 */
	__le32	io_status;		/* enum dm_chain_io_status */
	__u8	pad[60];
} __packed;

enum dm_chain_result_status {
	DM_CHAIN_RESULT_NONE		= 0,
	DM_CHAIN_RESULT_COMPLETED	= 1,
	DM_CHAIN_RESULT_CANCELLED	= 2,
	DM_CHAIN_RESULT_FAILED		= 3,
};

struct dm_chain_disk_result {
	__le32	type;			/* enum dm_chain_job_type */
	__le32	status;			/* enum dm_chain_result_status */
	__u8	id[DM_CHAIN_NAME_LEN];
	__u8	base[DM_CHAIN_NAME_LEN];	/* name of the base, empty = none */
	__le64	len;
	__le64	offset;
	__le64	copied;
	__le64	zeroed;
	__le64	skipped;
	__le64	speed;
	__le64	started;		/* seconds since the epoch */
	__le64	finished;		/* seconds since the epoch */
	__le32	error;			/* positive errno or 0 */
	__u8	pad[52];
} __packed;

struct dm_chain_disk_super {
	struct dm_chain_disk_head head;	/* 24 bytes */
	__le32	compat;
	__le32	ro_compat;
	__le32	incompat;
	__le32	flags;
	__u8	uuid[DM_CHAIN_UUID_LEN];
	__u8	name[DM_CHAIN_NAME_LEN];
	__le32	block_size;		/* power of two, 4 KiB to 1 MiB */
	__le32	pad0;
	__le64	size;			/* multiple of 512 */
	__le64	max_size;		/* multiple of 512, room for the map */
	__le64	data_offset;		/* of block 0 on the data device */
	__le64	generation;
	__u8	overlay_uuid[DM_CHAIN_UUID_LEN];
	__le64	data_size;		/* of the data device, when formatted */
	__u8	data_path[DM_CHAIN_PATH_LEN];	/* hint, may be empty; not used inline */
	struct dm_chain_disk_backing backing;
	struct dm_chain_disk_job job;
	struct dm_chain_disk_result result;
	__u8	reserved[2864];
} __packed;

/* Map and directory pages: a header of 64 bytes, then 4032 of payload. */
#define DM_CHAIN_PAYLOAD	4032

struct dm_chain_disk_page {
	struct dm_chain_disk_head head;	/* 24 bytes */
	__le64	index;			/* of this page among its kind */
	__u8	uuid[DM_CHAIN_UUID_LEN];	/* of the layer */
	__u8	pad[16];
	__u8	payload[DM_CHAIN_PAYLOAD];
} __packed;

/* Two bits a block; block n of a page is bits 2(n % 4) and up of byte n / 4. */
enum dm_chain_state {
	DM_CHAIN_UNALLOCATED	= 0,
	DM_CHAIN_DATA		= 1,
	DM_CHAIN_ZERO		= 2,
	DM_CHAIN_BAD_STATE	= 3,	/* never written: corruption */
};

#define DM_CHAIN_BLOCKS_PER_PAGE	(DM_CHAIN_PAYLOAD * 4)

/* One bit a map page; page n of a directory page is bit n % 8 of byte n / 8. */
#define DM_CHAIN_PAGES_PER_DIR		(DM_CHAIN_PAYLOAD * 8)

static_assert(sizeof(struct dm_chain_disk_head) == 24);
static_assert(sizeof(struct dm_chain_disk_backing) == 296);
static_assert(sizeof(struct dm_chain_disk_job) == 240);
static_assert(sizeof(struct dm_chain_disk_result) == 256);
static_assert(sizeof(struct dm_chain_disk_super) == DM_CHAIN_PAGE_SIZE);
static_assert(sizeof(struct dm_chain_disk_page) == DM_CHAIN_PAGE_SIZE);

#endif
