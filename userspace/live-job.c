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
#include "stream-check.h"

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
 * @dry_run: change nothing
 * @json: print an object
 */
struct stream_options {
	struct message message;
	const char *top;
	const char *base;
	const char *bottom;
	const char *job;
	bool force;
	bool wait;
	bool dry_run;
	bool json;
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
	case 'D':
		options->dry_run = true;
		return 0;
	case 'j':
		options->json = true;
		return 0;
	default:
		options->wait = true;
		return 0;
	}
}

static int estimate(const struct stream_options *options, const char *device,
		    struct reply *reply, struct dm_chain_why *why)
{
	struct message message;
	int ret;

	message_init(&message, "estimate");
	if (options->top)
		message_add(&message, "top", options->top);
	if (options->base)
		message_add(&message, "base", options->base);
	if (options->bottom)
		message_add(&message, "bottom", options->bottom);
	ret = message_run(&message, device, reply, why);
	if (!ret && !reply->nr) {
		reply_free(reply);
		ret = dm_chain_refuse(why, -EPROTO,
				      "%s: the target gave no estimate", device);
	}
	return ret;
}

/*
 * Refuse a stream that cannot end well. If the target gives no estimate, it
 * will refuse the stream as well, and say why.
 */
static int check_room(const struct stream_options *options, const char *device,
		      const struct reply *layers, struct dm_chain_why *why)
{
	struct dm_chain_why unused;
	struct reply reply;
	int ret;

	if (options->force || estimate(options, device, &reply, &unused))
		return 0;
	ret = estimate_check(&reply.line[0], stream_top(layers, options->top),
			     why);
	reply_free(&reply);
	return ret;
}

/* The layers that the stream drops, and those that are left. */
static void chain_after(const struct stream_options *options,
			const struct reply *layers, struct json_object *dropped,
			struct json_object *chain)
{
	const struct reply_line *top = stream_top(layers, options->top);
	bool below = options->base || options->bottom, above = false;
	unsigned int i;

	for (i = 0; i < layers->nr; i++) {
		const struct reply_line *line = &layers->line[i];
		const char *name = reply_get(line, "name");

		if (!strcmp(reply_get(line, "state"), "releasable"))
			continue;
		if (options->bottom && !strcmp(name, options->bottom))
			below = false;
		above |= line == top;
		json_append(below || above ? chain : dropped, name);
		if (options->base && !strcmp(name, options->base))
			below = false;
	}
}

/* "[A] <- [B]" */
static void print_chain(struct json_object *chain)
{
	size_t i, n = json_object_array_length(chain);

	for (i = 0; i < n; i++)
		printf("%s[%s]", i ? " <- " : "",
		       json_object_get_string(json_object_array_get_idx(chain, i)));
	puts("");
}

/* @reply: an estimate if it is a dry run, else NULL */
static void show_stream(const struct stream_options *options,
			const char *device, const char *id,
			const struct reply *layers, const struct reply *reply)
{
	struct json_object *object = json_object_new_object();
	struct json_object *dropped = json_object_new_array();
	struct json_object *chain = json_object_new_array();

	chain_after(options, layers, dropped, chain);
	json_flag(object, "dry-run", options->dry_run);
	json_text(object, "device", device);
	json_text(object, "job", id);
	json_object_object_add(object, "drops", dropped);
	json_object_object_add(object, "chain", chain);
	if (options->json) {
		json_object_object_add(object, "estimate", reply ?
				       reply_json(&reply->line[0], NULL) : NULL);
		print_json(object);
		return;
	}
	if (!id) {
		puts("nothing to copy");
	} else if (!reply) {
		printf("job %s has started\n", id);
	} else {
		estimate_text(&reply->line[0],
			      stream_top(layers, options->top));
		printf("job %s would make it ", id);
		print_chain(chain);
	}
	if (options->dry_run)
		puts("nothing was changed");
	json_object_put(object);
}

static int check_suspended(const char *device, struct dm_chain_why *why)
{
	struct live live;
	int ret;

	ret = live_open(&live, device, why);
	if (!ret && live.suspended)
		ret = dm_chain_refuse(why, -EAGAIN,
				      "%s is suspended: \"dmsetup resume %s\", if nobody else does",
				      device, device);
	live_close(&live);
	return ret;
}

/* What the target would refuse is refused here, as far as it can be asked. */
static int stream_dry(struct stream_options *options, const char *device,
		      const char *id, const struct reply *layers, bool nothing,
		      struct dm_chain_why *why)
{
	const struct stream_scope scope = {
		.top = options->top,
		.base = options->base,
		.bottom = options->bottom,
		.id = id,
	};
	struct reply reply, jobs;
	int ret;

	ret = message_check(&options->message, why);
	if (!ret)
		ret = check_suspended(device, why);
	if (!ret)
		ret = estimate(options, device, &reply, why);
	if (ret)
		return ret;
	ret = live_query(device, "jobs", &jobs, why);
	if (!ret) {
		ret = stream_check(&scope, layers, &jobs, why);
		reply_free(&jobs);
	}
	if (!ret)
		show_stream(options, device, nothing ? NULL : id, layers, &reply);
	reply_free(&reply);
	return ret;
}

/* Return: exit status; whatever went wrong has been printed. */
static int stream(struct stream_options *options, const char *device,
		  const char *id, const struct reply *layers, bool nothing)
{
	struct dm_chain_why why = { "" };
	int signals = -1;

	if (check_room(options, device, layers, &why))
		return complain_why(&why);
	if (options->dry_run)
		return stream_dry(options, device, id, layers, nothing, &why) ?
		       complain_why(&why) : 0;
	if (options->wait)
		signals = hold_interrupts();
	if (message_run(&options->message, device, NULL, &why))
		return complain_why(&why);
	if (options->wait && !nothing)
		return wait_jobs(device, id, signals, options->json);
	show_stream(options, device, nothing ? NULL : id, layers, NULL);
	return 0;
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
		{ "dry-run", no_argument, NULL, 'D' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	struct stream_options options = { .wait = false };
	struct dm_chain_why why = { "" };
	const char *device, *id;
	struct reply layers;
	int c, status;
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
	status = stream(&options, device, id, &layers, nothing);
	message_free(&options.message);
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
		return complain("job: %s needs a value, in bytes per second, as 50M",
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
