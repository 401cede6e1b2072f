// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the words that users give chainsetup, and of names that are made of
 * what they gave: sizes, --layer, UUIDs, names.
 */
#include <ctype.h>
#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "live.h"

/* Digits, and a unit at most. */
static bool is_size(const char *text, u64 *size)
{
	unsigned __int128 value = 0;
	static const char units[] = "KMGT";
	size_t digits = strspn(text, "0123456789"), i;
	const char *unit;

	for (i = 0; i < digits; i++) {
		value = value * 10 + text[i] - '0';
		if (value >> 64)
			return false;
	}
	if (!digits || (text[digits] && text[digits + 1]))
		return false;
	if (text[digits]) {
		unit = strchr(units, text[digits] & ~0x20);
		if (!unit || !(text[digits] & 0x40))
			return false;
		value <<= 10 * (1 + unit - units);
	}
	*size = value;
	return value <= (u64)S64_MAX;
}

static void fuzz_size(const char *text)
{
	u64 size = 0, expected = 0, device = 0;
	bool ok = is_size(text, &expected);
	struct dm_chain_why why;
	char human[32];
	int err;

	fuzz_why(&why);
	err = parse_size(text, &size, &why);
	must(!err == ok, "error %d for '%s'", err, text);
	must(!err || *why.text, "no reason");
	must(err || size == expected, "%llu, not %llu", size, expected);
	err = parse_device_size(text, &device, NULL);
	must(!err == (ok && expected && !(expected % 512)), "error %d for '%s'", err, text);
	must(strlen(human_size(size, human)) < sizeof(human), "too long");
}

static void fuzz_hint(const char *text)
{
	char uuid[DM_CHAIN_UUID_TEXT], *again;
	struct layer_hint hint, other;
	struct dm_chain_why why;
	int err;

	fuzz_why(&why);
	err = parse_layer_hint(text, &hint, &why);
	if (err) {
		must(err == -EINVAL, "error %d", err);
		must(*why.text, "no reason");
		return;
	}
	must(*hint.data, "no device");
	must(!hint.meta || *hint.meta, "no metadata device");
	must(!strchr(hint.data, ','), "'%s'", hint.data);
	dm_chain_uuid_format(hint.uuid, uuid);
	again = xasprintf("%s=%s%s%s",
			  dm_chain_uuid_is_null(hint.uuid) ? "raw" : uuid, hint.data,
			  hint.meta ? "," : "", hint.meta ?: "");
	must(!parse_layer_hint(again, &other, &why), "%.384s", why.text);
	must(!memcmp(hint.uuid, other.uuid, DM_CHAIN_UUID_LEN) &&
	     !strcmp(hint.data, other.data) && !hint.meta == !other.meta &&
	     (!hint.meta || !strcmp(hint.meta, other.meta)), "%s and %s", text, again);
	free(again);
	free(hint.data);
	free(hint.meta);
	free(other.data);
	free(other.meta);
}

static void fuzz_uuid(const char *text)
{
	u8 uuid[DM_CHAIN_UUID_LEN];
	char again[DM_CHAIN_UUID_TEXT];

	if (!dm_chain_uuid_parse(text, uuid))
		return;
	dm_chain_uuid_format(uuid, again);
	must(!strcasecmp(text, again), "%s and %s", text, again);
}

/* By the document: 1 to 63 of [A-Za-z0-9_.+-], a sign not first, not "zero". */
static bool is_name(const char *text)
{
	size_t len = strlen(text), i;

	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '_' &&
		    (!i || !strchr(".+-", text[i])))
			return false;
	return len && len < DM_CHAIN_NAME_LEN && strcmp(text, "zero");
}

static void fuzz_name(const char *text)
{
	char name[DM_CHAIN_NAME_LEN], other[3][DM_CHAIN_NAME_LEN];
	const char *const taken[] = { other[0], other[1], other[2] };
	bool valid = dm_chain_name_valid(text);
	unsigned int i;

	must(valid == is_name(text), "%u: '%s'", valid, text);
	must(dm_chain_name_valid(name_from_path(text, name)), "'%s' of '%s'", name, text);
	if (valid)
		must(!strcmp(name, text), "'%s' of '%s'", name, text);

	snprintf(other[0], sizeof(other[0]), "%s", name);
	for (i = 1; i < 3; i++) {
		snprintf(other[i], sizeof(other[i]), "%s", name);
		unique_name(taken, i, other[i]);
		must(dm_chain_name_valid(other[i]), "'%s' of '%s'", other[i], name);
	}
	must(strcmp(other[0], other[1]) && strcmp(other[0], other[2]) &&
	     strcmp(other[1], other[2]), "'%s' is taken", other[2]);
}

void fuzz_one(struct input *in)
{
	u8 which = take(in, 1);
	char *text = take_text(in);

	/* The first letter tells, so that the corpora can be read. */
	if (which == 's')
		fuzz_size(text);
	else if (which == 'h')
		fuzz_hint(text);
	else if (which == 'u')
		fuzz_uuid(text);
	else
		fuzz_name(text);
	free(text);
}
