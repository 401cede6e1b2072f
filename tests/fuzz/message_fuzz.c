// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the messages. Either the input is a text, and what the parser makes
 * of it must say the same when it is written down and parsed again; or it is a
 * message, and what is written down for it must be accepted.
 */
#include <linux/errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>

#include "dm-chain-codec.h"
#include "dm-chain-parse.h"
#include "fuzz.h"

static void add_name(struct words *w, const char *key, const char *name,
		     bool upper)
{
	if (!name)
		return;
	words_key(w, key, upper);
	words_add(w, "%s", name);
}

static void add_switch(struct words *w, const char *key, bool on, bool upper)
{
	words_key(w, key, upper);
	words_key(w, on ? "on" : "off", upper);
}

/* All options, those that have their defaults included. */
static void write_stream(struct words *w, const struct dm_chain_msg *m,
			 bool upper)
{
	add_name(w, "top", m->top, upper);
	add_name(w, "job", m->job, upper);
	add_name(w, "base", m->base, upper);
	add_name(w, "bottom", m->bottom, upper);
	words_key(w, "speed", upper);
	words_add(w, "%llu", m->speed);
	words_key(w, "on-error", upper);
	words_key(w, dm_chain_on_error_name(m->on_error), upper);
	add_switch(w, "verify", m->verify, upper);
	add_switch(w, "auto-finalize", m->auto_finalize, upper);
	add_switch(w, "auto-dismiss", m->auto_dismiss, upper);
}

static void write_message(struct words *w, const struct dm_chain_msg *m,
			  bool upper)
{
	static const char *const first[] = {
		[DM_CHAIN_MSG_STREAM] = "stream",
		[DM_CHAIN_MSG_JOB] = "job",
		[DM_CHAIN_MSG_JOB_FAILED] = "job",
		[DM_CHAIN_MSG_ESTIMATE] = "estimate",
		[DM_CHAIN_MSG_JOBS] = "jobs",
		[DM_CHAIN_MSG_JOBS_LAST] = "jobs",
		[DM_CHAIN_MSG_LAYERS] = "layers",
		[DM_CHAIN_MSG_MAP] = "map",
		[DM_CHAIN_MSG_ERROR] = "error",
	};

	w->argc = 0;
	must(m->kind < ARRAY_SIZE(first), "kind %u", m->kind);
	words_key(w, first[m->kind], upper);
	switch (m->kind) {
	case DM_CHAIN_MSG_STREAM:
		write_stream(w, m, upper);
		break;
	case DM_CHAIN_MSG_JOB:
		words_add(w, "%s", m->job);
		words_key(w, dm_chain_verb_name(m->verb), upper);
		if (m->verb >= DM_CHAIN_VERB_SET_SPEED)
			words_add(w, "%llu", m->value);
		break;
	case DM_CHAIN_MSG_JOB_FAILED:
		words_add(w, "%s", m->job);
		words_key(w, "failed", upper);
		break;
	case DM_CHAIN_MSG_ESTIMATE:
		add_name(w, "bottom", m->bottom, upper);
		add_name(w, "top", m->top, upper);
		add_name(w, "base", m->base, upper);
		break;
	case DM_CHAIN_MSG_JOBS_LAST:
		words_key(w, "last", upper);
		break;
	case DM_CHAIN_MSG_MAP:
		words_add(w, "%llu", m->start);
		words_add(w, "%llu", m->len);
		break;
	default:
		break;
	}
}

static void must_be_name(const struct words *w, const char *name)
{
	must(words_own(w, name), "a name that is no word of the message");
	must(!name || dm_chain_name_valid(name), "the name '%s'", name);
}

/* A number is one of the words, and not what is left of a larger one. */
static void must_be_word(const struct words *w, u64 number)
{
	char text[24];
	unsigned int i;

	snprintf(text, sizeof(text), "%llu", number);
	for (i = 0; i < w->argc; i++)
		if (!strcmp(w->argv[i] + strspn(w->argv[i], "0"), number ? text : ""))
			return;
	must(false, "no word is %s", text);
}

static void check_numbers(const struct words *w, const struct dm_chain_msg *m)
{
	if (m->kind == DM_CHAIN_MSG_MAP) {
		must_be_word(w, m->start);
		must_be_word(w, m->len);
	}
	if (m->kind == DM_CHAIN_MSG_JOB && m->verb >= DM_CHAIN_VERB_SET_SPEED)
		must_be_word(w, m->value);
	/* Unlimited is what it is when nothing is said. */
	if (m->speed)
		must_be_word(w, m->speed);
}

/* What the parser promises of whatever it has accepted. */
static void check_promises(const struct words *w, const struct dm_chain_msg *m)
{
	bool stream = m->kind == DM_CHAIN_MSG_STREAM;
	bool job = m->kind == DM_CHAIN_MSG_JOB ||
		   m->kind == DM_CHAIN_MSG_JOB_FAILED;
	bool range = stream || m->kind == DM_CHAIN_MSG_ESTIMATE;

	must_be_name(w, m->top);
	must_be_name(w, m->base);
	must_be_name(w, m->bottom);
	must_be_name(w, m->job);
	must(!m->base || !m->bottom, "both a base and a bottom");
	must(range || (!m->top && !m->base && !m->bottom), "layers");
	must(!job || m->job, "a verb without a job");
	must(stream || job || !m->job, "a job");
	must((unsigned int)m->on_error < DM_CHAIN_NR_ON_ERROR, "policy %u", m->on_error);
	must((unsigned int)m->verb < DM_CHAIN_NR_VERBS, "verb %u", m->verb);
	must(m->len <= U64_MAX - m->start, "%llu + %llu", m->start, m->len);
	must(dm_chain_msg_is_query(m) == !(stream || m->kind == DM_CHAIN_MSG_JOB),
	     "kind %u", m->kind);
}

static void must_be_text(const char *a, const char *b)
{
	must(!a == !b && (!a || !strcmp(a, b)), "'%s' and '%s'", a, b);
}

static void must_be_same(const struct dm_chain_msg *a,
			 const struct dm_chain_msg *b)
{
	must(a->kind == b->kind, "%u and %u", a->kind, b->kind);
	must_be_text(a->top, b->top);
	must_be_text(a->base, b->base);
	must_be_text(a->bottom, b->bottom);
	must_be_text(a->job, b->job);
	must(a->speed == b->speed, "%llu and %llu", a->speed, b->speed);
	must(a->value == b->value, "%llu and %llu", a->value, b->value);
	must(a->start == b->start && a->len == b->len, "%llu", a->start);
	must(a->on_error == b->on_error, "%u and %u", a->on_error, b->on_error);
	must(a->verb == b->verb, "%u and %u", a->verb, b->verb);
	must(a->auto_finalize == b->auto_finalize, "auto-finalize");
	must(a->auto_dismiss == b->auto_dismiss, "auto-dismiss");
	must(a->verify == b->verify, "verify");
}

/* Written down, in small letters and in capitals, it is the same message. */
static void check_written(const struct dm_chain_msg *m)
{
	struct dm_chain_why why;
	struct dm_chain_msg again;
	struct words w;
	int upper, err;

	for (upper = 0; upper < 2; upper++) {
		write_message(&w, m, upper);
		fuzz_why(&why);
		err = dm_chain_parse_message(w.argc, w.argv, &again, &why);
		must(!err, "error %d: %.384s", err, why.text);
		must_be_same(m, &again);
		words_free(&w);
	}
}

static void fuzz_text(struct input *in)
{
	struct dm_chain_msg m, other;
	char *text = take_text(in), *before, *after;
	struct dm_chain_why why;
	struct words w;
	int err;

	words_cut(&w, text);
	before = words_join(&w);
	fuzz_why(&why);
	err = dm_chain_parse_message(w.argc, w.argv, &m, &why);
	after = words_join(&w);
	must(!strcmp(before, after), "the words were changed");
	must(dm_chain_parse_message(w.argc, w.argv, &other, NULL) == err,
	     "another verdict when nobody asks for the reason");
	if (err) {
		must(err == -EINVAL, "error %d", err);
		must_say_why(&why);
	} else {
		check_promises(&w, &m);
		check_numbers(&w, &m);
		check_written(&m);
		/* There is no word that could follow. */
		if (w.argc < MAX_WORDS) {
			words_add(&w, "\"");
			err = dm_chain_parse_message(w.argc, w.argv, &other, NULL);
			must(err == -EINVAL, "a word too many is accepted");
		}
	}
	words_free(&w);
	free(before);
	free(after);
	free(text);
}

static const char *take_name(struct input *in)
{
	static const char *const names[] = {
		NULL, "E", "0", "_", "top", "job", "failed", "a.b+c-d",
		"63456789012345678901234567890123456789012345678901234567890_63.",
	};

	return names[take_below(in, ARRAY_SIZE(names))];
}

static void fuzz_message(struct input *in)
{
	struct dm_chain_msg m = { .kind = take_below(in, DM_CHAIN_MSG_ERROR + 1) };
	bool stream = m.kind == DM_CHAIN_MSG_STREAM;
	u8 flags = take(in, 1);

	if (stream || m.kind == DM_CHAIN_MSG_ESTIMATE) {
		m.top = take_name(in);
		m.base = take_name(in);
		m.bottom = m.base ? NULL : take_name(in);
	}
	if (stream) {
		m.job = take_name(in);
		m.speed = take(in, 8);
		m.on_error = take_below(in, DM_CHAIN_NR_ON_ERROR);
		m.auto_finalize = flags & 1;
		m.auto_dismiss = flags & 2;
		m.verify = flags & 4;
	}
	if (m.kind == DM_CHAIN_MSG_JOB || m.kind == DM_CHAIN_MSG_JOB_FAILED)
		m.job = take_name(in) ?: "E";
	if (m.kind == DM_CHAIN_MSG_JOB) {
		m.verb = take_below(in, DM_CHAIN_NR_VERBS);
		if (m.verb >= DM_CHAIN_VERB_SET_SPEED)
			m.value = take(in, 8);
	}
	if (m.kind == DM_CHAIN_MSG_MAP) {
		m.start = take(in, 8);
		m.len = min(take(in, 8), U64_MAX - m.start);
	}
	check_written(&m);
}

void fuzz_one(struct input *in)
{
	/* A message is a text that begins with a byte that no text begins with. */
	if (in->left && *in->at == 1) {
		take(in, 1);
		fuzz_message(in);
	} else {
		fuzz_text(in);
	}
}
