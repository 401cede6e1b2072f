// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: stream and job.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dm-chain-jobstate.h"
#include "live.h"

/* A speed in the target's words: bytes per second. */
static void speed_text(u64 speed, char *text, size_t size)
{
	snprintf(text, size, "%llu", speed);
}

/**
 * struct stream_options - what the user wants
 * @message: to the target
 * @top: NULL = the active layer
 * @base: NULL = none given
 * @bottom: NULL = none given
 * @job: NULL = the top's name
 * @wait: until it has ended
 */
struct stream_options {
	struct message message;
	const char *top;
	const char *base;
	const char *bottom;
	const char *job;
	bool wait;
};

static int stream_option(struct stream_options *options, int c,
			 struct dm_chain_why *why)
{
	struct message *message = &options->message;
	char text[24];
	u64 speed;

	switch (c) {
	case 't':
		options->top = optarg;
		message_add(message, "top", optarg);
		return 0;
	case 'b':
		options->base = optarg;
		message_add(message, "base", optarg);
		return 0;
	case 'o':
		options->bottom = optarg;
		message_add(message, "bottom", optarg);
		return 0;
	case 'i':
		options->job = optarg;
		message_add(message, "job", optarg);
		return 0;
	case 's':
		if (parse_size(optarg, &speed, why))
			return -EINVAL;
		speed_text(speed, text, sizeof(text));
		message_add(message, "speed", text);
		return 0;
	case 'e':
		message_add(message, "on-error", optarg);
		return 0;
	case 'f':
		message_add(message, "auto-finalize", optarg);
		return 0;
	case 'd':
		message_add(message, "auto-dismiss", optarg);
		return 0;
	case 'v':
		message_add(message, "verify", "on");
		return 0;
	default:
		options->wait = true;
		return 0;
	}
}

/**
 * stream_id() - the id that the job will have, and whether there will be one
 * @layers: answer to "layers", before the stream
 * @nothing: set if the stream has nothing to do: what it would copy is the top
 *	alone
 *
 * Return: the id.
 */
static const char *stream_id(const struct stream_options *options,
			     const struct reply *layers, bool *nothing)
{
	const struct reply_line *top;
	const char *backing;

	*nothing = false;
	if (options->top)
		top = reply_find(layers, "name", options->top);
	else
		top = reply_find(layers, "state", "active");
	if (!top)
		return "";
	backing = reply_get(top, "backing");
	if (options->base)
		*nothing = !strcmp(options->base, backing);
	else if (options->bottom)
		*nothing = !strcmp(options->bottom, reply_get(top, "name"));
	else
		*nothing = !strcmp(backing, "-");
	return options->job ? options->job : reply_get(top, "name");
}

int cmd_stream(int argc, char **argv)
{
	static const struct option words[] = {
		{ "top", required_argument, NULL, 't' },
		{ "base", required_argument, NULL, 'b' },
		{ "bottom", required_argument, NULL, 'o' },
		{ "job", required_argument, NULL, 'i' },
		{ "speed", required_argument, NULL, 's' },
		{ "on-error", required_argument, NULL, 'e' },
		{ "auto-finalize", required_argument, NULL, 'f' },
		{ "auto-dismiss", required_argument, NULL, 'd' },
		{ "verify", no_argument, NULL, 'v' },
		{ "wait", no_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 }
	};
	struct stream_options options = { .wait = false };
	struct dm_chain_why why = { "" };
	const char *device, *id;
	struct reply layers;
	int c, status, signals = -1;
	bool nothing;

	message_init(&options.message, "stream");
	while ((c = next_option(argc, argv, words)) != -1) {
		if (c == '?')
			return 1;
		if (stream_option(&options, c, &why))
			return complain_why(&why);
	}
	if (!operands_ok(argc, argv, 1, 1))
		return 1;
	device = argv[optind];

	if (target_available(&why) ||
	    live_query(device, "layers", &layers, &why))
		return complain_why(&why);
	id = stream_id(&options, &layers, &nothing);
	if (options.wait)
		signals = hold_interrupts();
	if (message_run(&options.message, device, NULL, &why)) {
		status = complain_why(&why);
	} else if (nothing) {
		puts("nothing to copy");
		status = 0;
	} else if (!options.wait) {
		printf("job %s has started\n", id);
		status = 0;
	} else {
		status = wait_jobs(device, id, signals);
	}
	reply_free(&layers);
	return status;
}

/* set-speed and the like take a number of bytes per second. */
static bool verb_has_value(const char *verb)
{
	return !strncmp(verb, "set-", 4);
}

static bool verb_known(const char *verb)
{
	unsigned int i;

	for (i = 0; i < DM_CHAIN_NR_VERBS; i++)
		if (!strcmp(verb, dm_chain_verb_name(i)))
			return true;
	return false;
}

int cmd_job(int argc, char **argv)
{
	static const struct option words[] = {
		{ NULL, 0, NULL, 0 }
	};
	struct dm_chain_why why = { "" };
	struct message message;
	const char *verb, *device, *id;
	char text[24];
	u64 speed;

	if (next_option(argc, argv, words) != -1 ||
	    !operands_ok(argc, argv, 3, 4))
		return 1;
	verb = argv[optind];
	device = argv[optind + 1];
	id = argv[optind + 2];
	if (!verb_known(verb))
		return complain("job: %s is no verb, try chainsetup --help", verb);
	if (argc - optind == 3 && verb_has_value(verb))
		return complain("job: %s needs a value, in bytes per second",
				verb);
	if (argc - optind == 4 && !verb_has_value(verb))
		return complain("job: %s takes no value: %s", verb,
				argv[optind + 3]);

	message_init(&message, "job");
	message_add(&message, id, verb);
	if (verb_has_value(verb)) {
		if (parse_size(argv[optind + 3], &speed, &why))
			return complain_why(&why);
		speed_text(speed, text, sizeof(text));
		message_add(&message, text, NULL);
	}
	if (target_available(&why) ||
	    message_run(&message, device, NULL, &why))
		return complain_why(&why);
	return 0;
}
