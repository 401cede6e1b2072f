// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: stream and job.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dm-chain-jobstate.h"
#include "job-words.h"
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
 * @force: also if it cannot end well
 * @wait: until it has ended
 */
struct stream_options {
	struct message message;
	const char *top;
	const char *base;
	const char *bottom;
	const char *job;
	bool force;
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
	case 'F':
		options->force = true;
		return 0;
	default:
		options->wait = true;
		return 0;
	}
}

/*
 * Refuse a stream that cannot end well. If the target gives no estimate, it
 * will refuse the stream as well, and say why.
 */
static int check_room(const struct stream_options *options, const char *device,
		      const struct reply *layers, struct dm_chain_why *why)
{
	struct dm_chain_why unused;
	struct reply estimate;
	struct message message;
	int ret = 0;

	message_init(&message, "estimate");
	if (options->top)
		message_add(&message, "top", options->top);
	if (options->base)
		message_add(&message, "base", options->base);
	if (options->bottom)
		message_add(&message, "bottom", options->bottom);
	if (message_run(&message, device, &estimate, &unused))
		return 0;
	if (estimate.nr)
		ret = estimate_check(&estimate.line[0],
				     stream_top(layers, options->top), why);
	reply_free(&estimate);
	return ret;
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
		{ "force", no_argument, NULL, 'F' },
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
	id = stream_id(&layers, options.top, options.base, options.bottom,
		       options.job, &nothing);
	if (!options.force && check_room(&options, device, &layers, &why)) {
		reply_free(&layers);
		return complain_why(&why);
	}
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

static int control_job(const char *verb, const char *device, const char *id,
		       const char *value, struct dm_chain_why *why)
{
	struct message message;
	char text[24];
	u64 speed;
	int ret;

	message_init(&message, "job");
	message_add(&message, id, verb);
	if (value) {
		if (parse_size(value, &speed, why))
			return -EINVAL;
		speed_text(speed, text, sizeof(text));
		message_add(&message, text, NULL);
	}
	ret = target_available(why);
	return ret ?: message_run(&message, device, NULL, why);
}

int cmd_job(int argc, char **argv)
{
	static const struct option words[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	struct dm_chain_why why = { "" };
	const char *verb, *value = NULL;
	bool json = false, failed;
	int c, ret;

	while ((c = next_option(argc, argv, words)) != -1) {
		if (c == '?')
			return 1;
		json = true;
	}
	if (!operands_ok(argc, argv, 3, 4))
		return 1;
	verb = argv[optind];
	failed = !strcmp(verb, "failed");
	if (!failed && !verb_known(verb))
		return complain("job: %s is no verb, try chainsetup --help", verb);
	if (json && !failed)
		return complain("job: --json is for \"failed\", not for %s", verb);
	if (argc - optind == 4)
		value = argv[optind + 3];
	if (!value && verb_has_value(verb))
		return complain("job: %s needs a value, in bytes per second",
				verb);
	if (value && !verb_has_value(verb))
		return complain("job: %s takes no value: %s", verb, value);

	if (failed)
		ret = show_failed(argv[optind + 1], argv[optind + 2], json, &why);
	else
		ret = control_job(verb, argv[optind + 1], argv[optind + 2],
				  value, &why);
	return ret ? complain_why(&why) : 0;
}
