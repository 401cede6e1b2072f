// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup estimate, and what stream makes of an estimate: is there room?
 */
#include <errno.h>
#include <stdlib.h>

#include "job-words.h"
#include "live.h"
#include "room.h"

int estimate_check(const struct reply_line *estimate,
		   const struct reply_line *top, struct dm_chain_why *why)
{
	struct room_question question;
	struct rooms rooms;
	char *path;
	int ret;

	if (!top)
		return 0;
	path = devno_path(reply_get(top, "data"));
	rooms_find(&rooms, reply_get(top, "data"));
	question = (struct room_question) {
		.layer = reply_get(top, "name"),
		.device = path,
		.need = reply_number(estimate, "need"),
		.free = reply_number(estimate, "free"),
		.held = reply_number(top, "allocated"),
	};
	ret = room_check(&question, &rooms, why);
	free(path);
	return ret;
}

static void rooms_json(const struct rooms *rooms, struct json_object *object)
{
	struct json_object *array = json_object_new_array(), *room;
	unsigned int i;

	for (i = 0; i < rooms->nr; i++) {
		const struct room *r = &rooms->room[i];

		room = json_object_new_object();
		json_text(room, "kind", r->kind == ROOM_POOL ? "thin-pool" :
			  "file-system");
		json_text(room, "name", r->name);
		json_number(room, "free", r->free);
		json_text(room, "trouble", r->trouble[0] ? r->trouble : NULL);
		json_object_array_add(array, room);
	}
	json_object_object_add(object, "rests-on", array);
}

void estimate_text(const struct reply_line *estimate,
		   const struct reply_line *top)
{
	char data[32], zero[32], need[32], room[32], *text;
	struct rooms rooms = { .nr = 0 };
	unsigned int i;

	if (top)
		rooms_find(&rooms, reply_get(top, "data"));

	printf("data to copy %s, zeros to carry %s; needs %s, free %s\n",
	       line_size(estimate, "data", data),
	       line_size(estimate, "zero", zero),
	       line_size(estimate, "need", need),
	       line_size(estimate, "free", room));
	for (i = 0; i < rooms.nr; i++) {
		text = room_text(&rooms.room[i]);
		say("%s", text);
		free(text);
	}
}

static int show_estimate(const char *device, struct message *message,
			 const char *top_name, bool json,
			 struct dm_chain_why *why)
{
	const struct reply_line *top;
	struct reply estimate, layers;
	struct json_object *object;
	struct rooms rooms;
	int ret;

	ret = message_run(message, device, &estimate, why);
	if (ret)
		return ret;
	if (!estimate.nr) {
		reply_free(&estimate);
		return dm_chain_refuse(why, -EPROTO,
				       "%s: the target gave no estimate", device);
	}
	ret = live_query(device, "layers", &layers, why);
	if (ret) {
		reply_free(&estimate);
		return ret;
	}
	top = stream_top(&layers, top_name);
	if (json) {
		rooms.nr = 0;
		if (top)
			rooms_find(&rooms, reply_get(top, "data"));
		object = reply_json(&estimate.line[0], device);
		rooms_json(&rooms, object);
		print_json(object);
	} else {
		estimate_text(&estimate.line[0], top);
	}
	reply_free(&layers);
	reply_free(&estimate);
	return 0;
}

int cmd_estimate(int argc, char **argv)
{
	static const struct option options[] = {
		{ "top", required_argument, NULL, 't' },
		{ "base", required_argument, NULL, 'b' },
		{ "bottom", required_argument, NULL, 'o' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	struct dm_chain_why why = { "" };
	const char *top = NULL;
	struct message message;
	bool json = false;
	int c;

	message_init(&message, "estimate");
	while ((c = next_option(argc, argv, options)) != -1) {
		switch (c) {
		case 't':
			top = optarg;
			message_add(&message, "top", optarg);
			break;
		case 'b':
			message_add(&message, "base", optarg);
			break;
		case 'o':
			message_add(&message, "bottom", optarg);
			break;
		case 'j':
			json = true;
			break;
		default:
			return 1;
		}
	}
	if (!operands_ok(argc, argv, 1, 1))
		return 1;
	if (target_available(&why) ||
	    show_estimate(argv[optind], &message, top, json, &why))
		return complain_why(&why);
	return 0;
}
