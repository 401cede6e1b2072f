// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup check: is the metadata of a layer what the format asks for?
 */
#include <errno.h>
#include <stdlib.h>

#include "inspect.h"

/* Say something about a layer that is no finding. */
static void tell(const char *path, struct json_object *object, const char *text)
{
	if (object)
		json_append(json_object_object_get(object, "messages"), text);
	else
		say("%s: %s", path, text);
}

static int clear_needs_check(const char *path, struct json_object *object)
{
	struct dm_chain_why why = { "" };
	struct layer layer;
	char *text;
	int ret;

	ret = layer_open(&layer, path, NULL,
			 LAYER_META_ONLY | LAYER_WRITE | LAYER_EXCL, &why);
	if (!ret) {
		layer.sb.flags &= ~DM_CHAIN_F_NEEDS_CHECK;
		ret = super_write(&layer, &why);
		layer_close(&layer);
	}
	text = ret ? xasprintf("needs-check cannot be cleared: %s", why.text) :
	       xstrdup("note: needs-check was set; it is cleared now");
	tell(path, object, text);
	free(text);
	return ret;
}

static int settle_needs_check(const char *path, int findings, bool dry_run,
			      struct json_object *object)
{
	if (findings) {
		tell(path, object, "needs-check stays set");
		return findings + 1;
	}
	if (dry_run) {
		tell(path, object, "note: needs-check is set; it would be cleared");
		return 0;
	}
	return clear_needs_check(path, object) ? 1 : 0;
}

/*
 * @array: gets an object; NULL = print. Return: number of findings, or -1 after
 * a complaint.
 */
static int check_one(const char *path, bool dry_run, struct json_object *array)
{
	struct json_object *object = NULL;

	struct dm_chain_why why = { "" };
	struct inspection in;
	bool needs_check;
	int findings;

	if (inspect_open(&in, path, DEVICE_EXCL, &why)) {
		complain_why(&why);
		return -1;
	}
	inspect(&in);
	if (array) {
		object = json_object_new_object();
		json_object_array_add(array, object);
		json_text(object, "device", path);
		in.array = json_object_new_array();
		json_object_object_add(object, "findings", in.array);
		json_object_object_add(object, "messages",
				       json_object_new_array());
	}
	inspect_print(&in, array);
	findings = in.nr;
	needs_check = in.known &&
		      in.layer.sb.flags & DM_CHAIN_F_NEEDS_CHECK;
	inspect_close(&in);

	if (needs_check)
		findings = settle_needs_check(path, findings, dry_run, object);
	if (object)
		json_flag(object, "clean", !findings);
	else if (!findings)
		say("%s: clean", path);
	return findings;
}

int cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ }
	};
	struct json_object *array = NULL;
	unsigned int findings = 0;
	const char *first = NULL;
	bool dry_run = false;
	int c, i, ret = 0;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return 1;
		dry_run |= c == 'n';
		if (c == 'j' && !array)
			array = json_object_new_array();
	}
	if (!operands_ok(argc, argv, 1, argc))
		return 1;
	for (i = optind; i < argc && ret >= 0; i++) {
		ret = check_one(argv[i], dry_run, array);
		if (ret < 0)
			break;
		if (ret && !first)
			first = argv[i];
		findings += ret;
	}
	if (array)
		print_json(array);
	if (ret < 0)
		return 1;
	if (!findings)
		return 0;
	return complain("check: %u finding%s, the first on %s; \"chainsetup repair\" says more",
			findings, findings == 1 ? "" : "s", first);
}
