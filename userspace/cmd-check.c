// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup check: is the metadata of a layer what the format asks for?
 */
#include <errno.h>

#include "inspect.h"

static int clear_needs_check(const char *path)
{
	struct dm_chain_why why = { "" };
	struct layer layer;
	int ret;

	ret = layer_open(&layer, path, NULL,
			 LAYER_META_ONLY | LAYER_WRITE | LAYER_EXCL, &why);
	if (!ret) {
		layer.sb.flags &= ~DM_CHAIN_F_NEEDS_CHECK;
		ret = super_write(&layer, &why);
		layer_close(&layer);
	}
	if (ret)
		printf("%s: needs-check cannot be cleared: %s\n", path, why.text);
	else
		printf("%s: note: needs-check was set; it is cleared now\n",
		       path);
	return ret;
}

/* Return: number of findings, or -1 after a complaint. */
static int check_one(const char *path)
{
	struct dm_chain_why why = { "" };
	struct inspection in;
	bool needs_check;
	int findings;

	if (inspect_open(&in, path, DEVICE_EXCL, &why)) {
		complain_why(&why);
		return -1;
	}
	inspect(&in);
	inspect_print(&in, false);
	findings = in.nr;
	needs_check = in.known &&
		      in.layer.sb.flags & DM_CHAIN_F_NEEDS_CHECK;
	inspect_close(&in);

	if (needs_check && findings) {
		printf("%s: needs-check stays set\n", path);
		findings++;
	} else if (needs_check && clear_needs_check(path)) {
		findings++;
	}
	if (!findings)
		printf("%s: clean\n", path);
	return findings;
}

int cmd_check(int argc, char **argv)
{
	static const struct option options[] = { { } };
	unsigned int findings = 0;
	const char *first = NULL;
	int i, ret;

	if (next_option(argc, argv, options) != -1 ||
	    !operands_ok(argc, argv, 1, argc))
		return 1;
	for (i = optind; i < argc; i++) {
		ret = check_one(argv[i]);
		if (ret < 0)
			return 1;
		if (ret && !first)
			first = argv[i];
		findings += ret;
	}
	if (!findings)
		return 0;
	return complain("check: %u finding%s, the first on %s; \"chainsetup repair\" says more",
			findings, findings == 1 ? "" : "s", first);
}
