// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: is there room for what a stream would copy?
 */
#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>

#include "room.h"

#define SECTOR	512ULL

void rooms_add(struct rooms *rooms, const struct room *room)
{
	unsigned int i;

	for (i = 0; i < rooms->nr; i++) {
		struct room *old = &rooms->room[i];

		if (old->kind != room->kind || old->id != room->id)
			continue;
		old->held += room->held;
		if (!old->trouble[0])
			memcpy(old->trouble, room->trouble,
			       sizeof(old->trouble));
		return;
	}
	if (rooms->nr == ROOMS_MAX)
		rooms->other = true;
	else
		rooms->room[rooms->nr++] = *room;
}

static void set_trouble(struct room *room, const char *text)
{
	snprintf(room->trouble, sizeof(room->trouble), "%s", text);
}

/*
 * Status: <transaction> <used>/<total of metadata> <used>/<total data blocks>
 * <held root> <mode> <discards> <when full> <needs_check|-> <low water mark>,
 * or one word if the pool has failed. Table: <metadata> <data> <block size>...
 */
int pool_room(struct room *room, const char *table, const char *status,
	      struct dm_chain_why *why)
{
	unsigned long long block, used, total;
	char mode[32], check[32];

	room->free = 0;
	if (!strcmp(status, "Fail") || !strcmp(status, "Error")) {
		set_trouble(room, "has failed");
		return 0;
	}
	if (sscanf(table, "%*s %*s %llu", &block) != 1 ||
	    sscanf(status, "%*u %*u/%*u %llu/%llu %*s %31s %*s %*s %31s", &used,
		   &total, mode, check) != 4 ||
	    used > total || total > ULLONG_MAX / SECTOR / (block ?: 1))
		return dm_chain_refuse(why, -EPROTO,
				       "the status of thin pool %.80s is not understood: %.200s",
				       room->name, status);
	room->free = (total - used) * block * SECTOR;
	if (!strcmp(mode, "ro"))
		set_trouble(room, "is read-only: it has to be checked and repaired");
	else if (!strcmp(check, "needs_check"))
		set_trouble(room, "needs a check");
	else if (!strcmp(mode, "out_of_data_space"))
		set_trouble(room, "is full: extend it");
	return 0;
}

/* Status: <mapped sectors> <highest mapped sector|->, or one word. */
int thin_room(struct room *room, const char *status, struct dm_chain_why *why)
{
	unsigned long long mapped;
	char *end;

	room->held = 0;
	if (!strcmp(status, "Fail") || !strcmp(status, "Error")) {
		set_trouble(room, "has lost the volume");
		return 0;
	}
	mapped = strtoull(status, &end, 10);
	if (end == status || mapped > ULLONG_MAX / SECTOR)
		return dm_chain_refuse(why, -EPROTO,
				       "the status of a volume of thin pool %.80s is not understood: %.200s",
				       room->name, status);
	room->held = mapped * SECTOR;
	return 0;
}

static u64 add_up(u64 a, u64 b)
{
	return a + b < a ? ULLONG_MAX : a + b;
}

u64 rooms_free(const struct rooms *rooms, u64 held)
{
	u64 there = 0, sum = 0;
	unsigned int i;

	if (rooms->other || !rooms->nr)
		return ULLONG_MAX;
	for (i = 0; i < rooms->nr; i++) {
		there = add_up(there, rooms->room[i].held);
		sum = add_up(sum, rooms->room[i].free);
	}
	/* What the device has there beyond the top's data can be used again. */
	return add_up(sum, there > held ? there - held : 0);
}

static const char *kind_text(const struct room *room)
{
	return room->kind == ROOM_POOL ? "thin pool" : "the file system of";
}

char *room_text(const struct room *room)
{
	char free_text[32];

	return xasprintf("%s %s: %s free%s%s", kind_text(room), room->name,
			 human_size(room->free, free_text),
			 room->trouble[0] ? ", " : "", room->trouble);
}

static int refuse_trouble(const struct room_question *question,
			  const struct room *room, struct dm_chain_why *why)
{
	return dm_chain_refuse(why, -ENOSPC,
			       "layer %s lies on %s %.160s, which %s; --force goes on",
			       question->layer, kind_text(room), room->name,
			       room->trouble);
}

int room_check(const struct room_question *question, const struct rooms *rooms,
	       struct dm_chain_why *why)
{
	char need[32], free_text[32];
	unsigned int i;
	u64 room;

	if (!question->need)
		return 0;
	human_size(question->need, need);
	if (question->free < question->need)
		return dm_chain_refuse(why, -ENOSPC,
				       "%.160s is too small: up to %s are to be copied to layer %s, and it has room for %s; enlarge it, or --force",
				       question->device, need, question->layer,
				       human_size(question->free, free_text));
	for (i = 0; i < rooms->nr; i++)
		if (rooms->room[i].trouble[0])
			return refuse_trouble(question, &rooms->room[i], why);
	room = rooms_free(rooms, question->held);
	if (room >= question->need)
		return 0;
	return dm_chain_refuse(why, -ENOSPC,
			       "up to %s are to be copied to layer %s, but %s %.120s%s has room for %s: %s, or give --force (and --on-error enospc, to pause when it is full)",
			       need, question->layer, kind_text(&rooms->room[0]),
			       rooms->room[0].name,
			       rooms->nr > 1 ? " and what else it lies on" : "",
			       human_size(room, free_text),
			       rooms->room[0].kind == ROOM_POOL ?
			       "extend the pool" : "make room there");
}
