// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: what the commands have in common that rewrite one layer.
 */
#include "chainsetup.h"

int layer_command(int argc, char **argv, struct layer_command *command,
		  struct layer *layer)
{
	static const struct option all[] = {
		{ "force", no_argument, NULL, 'f' },
		{ "data", required_argument, NULL, 'd' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ }
	};
	const struct option *options = all + !command->may_force;
	struct dm_chain_why why = { "" };
	int c;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return 1;
		if (c == 'd')
			command->data = optarg;
		command->force |= c == 'f';
		command->dry_run |= c == 'n';
		command->json |= c == 'j';
	}
	if (!operands_ok(argc, argv, 1, 1))
		return 1;
	command->flags = LAYER_WRITE | LAYER_EXCL |
			 (command->dry_run ? LAYER_DRY : 0);
	if (layer_open(layer, argv[optind], NULL,
		       LAYER_META_ONLY | command->flags, &why))
		return complain_why(&why);
	return 0;
}
