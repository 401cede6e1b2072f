/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The log of everything that a group of disks was asked to do, in one order.
 * A request is in it twice: when it arrived and when it was answered. What was
 * answered before a flush arrived is on the medium when that flush is answered;
 * nothing else is sure to be there, except the data of an answered FUA write.
 *
 * The file: struct log_header, struct log_device for each device, then records,
 * each submission of a write followed by its data.
 */
#ifndef POWERCUT_LOG_H
#define POWERCUT_LOG_H

#include <linux/types.h>

#define LOG_MAGIC	0x50435431
#define LOG_NAME_LEN	48

/* The first device takes no data: what is written there are marks, text. */
#define LOG_MARK_DEVICE	0

enum log_type {
	LOG_SUBMIT,
	LOG_DONE,
};

enum log_op {
	LOG_WRITE,
	LOG_ZERO,
	LOG_TRIM,
	LOG_FLUSH,
};

#define LOG_F_FUA	(1 << 0)

struct log_header {
	u32 magic;
	u32 devices;
};

struct log_device {
	char name[LOG_NAME_LEN];
	u64 size;
	u64 zeros;
};

/**
 * struct log_record - a request arrived or was answered
 * @type: enum log_type
 * @op: enum log_op
 * @flags: LOG_F_*
 * @device: index
 * @id: of the request, the same in both records, counted from 0
 * @error: errno it was answered with
 * @length: bytes
 * @offset: bytes
 */
struct log_record {
	u8 type;
	u8 op;
	u8 flags;
	u8 pad;
	u32 device;
	u32 id;
	u32 error;
	u32 pad2;
	u32 length;
	u64 offset;
};

/**
 * struct log_entry - a record in memory
 * @rec: the record
 * @data: of the submission of a write, else NULL
 * @peer: index of the other record of the same request, -1 if there is none
 */
struct log_entry {
	struct log_record rec;
	const u8 *data;
	long peer;
};

/**
 * struct log - a whole log in memory
 * @device: the devices
 * @devices: how many
 * @entry: the records
 * @entries: how many
 */
struct log {
	const struct log_device *device;
	unsigned int devices;
	struct log_entry *entry;
	unsigned long entries;
};

/* Map a log file. Ends the program if it is none. */
void log_open(struct log *log, const char *path);

#endif
