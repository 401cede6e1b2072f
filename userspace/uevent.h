/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: events of jobs, as the kernel's uevents carry them.
 */
#ifndef CHAINSETUP_UEVENT_H
#define CHAINSETUP_UEVENT_H

#include "reply.h"

enum uevent_kind {
	UEVENT_OTHER,	/* nothing to do with chains */
	UEVENT_JOB,	/* an event of a job */
	UEVENT_REMOVED,	/* a disk is gone */
};

#define UEVENT_WORDS	32

/**
 * struct uevent - a uevent, taken apart
 * @kind: if UEVENT_OTHER, nothing else is set
 * @devno: of the device, "major:minor"
 * @line: of UEVENT_JOB: what the variables DM_CHAIN_... say, "event" first.
 *	The keys are those of replies: DM_CHAIN_STATUS is "status"
 * @pair: of @line
 * @text: what keys and values point into
 */
struct uevent {
	enum uevent_kind kind;
	char devno[32];
	struct reply_line line;
	struct reply_pair pair[UEVENT_WORDS];
	char text[2048];
};

/**
 * uevent_parse() - take apart what the kernel has sent
 * @message: "action@path" and "KEY=value", a NUL behind each
 * @len: bytes
 *
 * Whatever is not understood is UEVENT_OTHER: other subsystems' uevents arrive
 * on the same socket.
 */
void uevent_parse(struct uevent *event, const char *message, size_t len);

/**
 * uevent_text() - an event for people: "TIME DEVICE EVENT key=value..."
 * @time: when it arrived
 * @device: dm name
 *
 * Return: the line, without a newline; free() it.
 */
char *uevent_text(const struct uevent *event, const char *time,
		  const char *device);

/* The same as a JSON object with "time" and "device", in one line; free() it. */
char *uevent_json(const struct uevent *event, const char *time,
		  const char *device);

#endif
