/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: is there room for what a stream would copy?
 *
 * A data device may promise more than what lies below it can hold: a volume of
 * a thin pool, a sparse file behind a loop device. What is refused here cannot
 * end well; what is not refused may still run out of space, because others
 * write there, too.
 */
#ifndef CHAINSETUP_ROOM_H
#define CHAINSETUP_ROOM_H

#include "chainsetup.h"

enum room_kind { ROOM_POOL, ROOM_FILES };

/**
 * struct room - a place that takes space only when it is written to
 * @kind: a thin pool, or a file system with a sparse file
 * @id: the same for two volumes of one pool, two files of one file system
 * @name: of the pool, or of the file
 * @free: bytes that nobody has yet
 * @held: bytes that the device has there already
 * @trouble: why it takes no more, for people; "" if it does
 */
struct room {
	enum room_kind kind;
	u64 id;
	char name[256];
	u64 free;
	u64 held;
	char trouble[128];
};

#define ROOMS_MAX	16

/**
 * struct rooms - everything that a data device lies on
 * @nr: how many in @room
 * @other: some of it lies elsewhere, or was not looked at: there is room
 */
struct rooms {
	unsigned int nr;
	bool other;
	struct room room[ROOMS_MAX];
};

/* Add a room; two of one id become one. */
void rooms_add(struct rooms *rooms, const struct room *room);

/**
 * pool_room() - what a thin pool has to say
 * @room: gets @free and @trouble
 * @table: parameters of its table line
 * @status: parameters of its status line
 *
 * Return: 0 or -EPROTO.
 */
int pool_room(struct room *room, const char *table, const char *status,
	      struct dm_chain_why *why);

/**
 * thin_room() - what a thin volume has in its pool
 * @room: gets @held; @trouble if the volume has failed
 * @status: parameters of its status line
 */
int thin_room(struct room *room, const char *status, struct dm_chain_why *why);

/**
 * struct room_question - what is to be written
 * @layer: name of the top
 * @device: path of its data device
 * @need: bytes to copy
 * @free: bytes that the data device has for them
 * @held: bytes of data that the top holds
 */
struct room_question {
	const char *layer;
	const char *device;
	u64 need;
	u64 free;
	u64 held;
};

/* Bytes that can be written at least; U64_MAX if nothing limits them. */
u64 rooms_free(const struct rooms *rooms, u64 held);

/**
 * room_check() - refuse what cannot end well
 * @why: numbers, and what to do
 *
 * Return: 0 or -ENOSPC.
 */
int room_check(const struct room_question *question, const struct rooms *rooms,
	       struct dm_chain_why *why);

/* "thin pool vg-pool: 96 MiB free", without a newline; free() it. */
char *room_text(const struct room *room);

/* ------------------------------------------------------------- room-find */

/**
 * rooms_find() - what a block device lies on
 * @devno: "major:minor"
 *
 * Looks through device mapper, md, partitions and loop devices. What cannot be
 * found out counts as room.
 */
void rooms_find(struct rooms *rooms, const char *devno);

#endif
