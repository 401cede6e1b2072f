// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: administration of dm-chain devices and their layers.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "chainsetup.h"

const struct command offline_commands[] = {
	{ "format",
	  "[--size S] [--max-size S] [--block-size N] [--metadata DEV] [--backing DEV] [--name N] [--force] [--dry-run] [--json] DEV",
	  "make a device a new, empty layer", cmd_format },
	{ "check",
	  "[--dry-run] [--json] DEV...",
	  "verify the metadata of layers that are not open", cmd_check },
	{ "repair",
	  "[--dry-run | --yes --undo FILE] [--choose PAGE=WHAT]... [--json] DEV | [--dry-run | --yes] --restore FILE [--json] DEV",
	  "put right what needs no guess in a layer that is not open", cmd_repair },
	{ "dump",
	  "[--json] DEV",
	  "print the metadata of a layer that is not open", cmd_dump },
	{ "rebase",
	  "[--unsafe] [--dry-run] [--json] DEV BACKING|none",
	  "record another backing, if nothing visible changes", cmd_rebase },
	{ "uuid",
	  "[--data DEV] [--dry-run] [--json] DEV",
	  "give a copied layer a UUID of its own", cmd_uuid },
	{ "plain",
	  "[--data DEV [--force]] [--dry-run] [--json] DEV",
	  "make a layer that stands alone a plain disk image", cmd_plain },
	{ "export",
	  "[--since LAYER | --all] [--layer UUID=DATA[,META]]... [--output FILE [--json]] DEV",
	  "write a layer's own blocks, or those changed since a layer, to stdout", cmd_export },
	{ "apply",
	  "[--metadata DEV] [--backing DEV] [--name N] [--max-size S] [--new-uuid] [--unsafe] [--force] [--json] DEV | --raw [--force | --unsafe] [--json] DEV | --dry-run [--json] [DEV]",
	  "make a new layer of what \"export\" wrote, read from stdin", cmd_apply },
	{ "convert",
	  "images [--format FMT] [--raw-base] [--block-size N] [--force] [--dry-run] [--json] IMAGE DEV[,META]... | snapshot [--block-size N] [--force] [--dry-run] [--json] ORIGIN COW DEV[,META]",
	  "make layers of a chain of disk images, or of a dm-snapshot", cmd_convert },
	{ NULL, NULL, NULL, NULL }
};

static const struct command * const tables[] = {
	offline_commands,
	live_commands,
};

static void common_usage(void)
{
	puts("Options of every command:\n"
	     "  --bytes                    print sizes as exact numbers of bytes\n"
	     "  --color auto|always|never  auto: on a terminal, unless NO_COLOR is set\n"
	     "  --help, -h                 what the command is for");
}

static void usage(void)
{
	const struct command *command;
	unsigned int i;

	puts("Usage: chainsetup COMMAND [ARGUMENT...] | --help | -h | --version\n");
	for (i = 0; i < 2; i++)
		for (command = tables[i]; command->name; command++)
			printf("  %s%s%s\n        %s\n", command->name,
			       *command->args ? " " : "", command->args,
			       command->help);
	puts("");
	common_usage();
	puts("\nSizes are bytes, or a number and K, M, G or T (powers of 1024).\n"
	     "DEV is the device with the superblock: the data device, or the\n"
	     "metadata device if there is one; where a layer is made, the data\n"
	     "device. NAME is the name of a chain device.");
}

static const struct command *find_command(const char *name)
{
	const struct command *command;
	unsigned int i;

	for (i = 0; i < 2; i++)
		for (command = tables[i]; command->name; command++)
			if (!strcmp(command->name, name))
				return command;
	return NULL;
}

static bool asks_for_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h");
}

/*
 * What was printed may be all that somebody has of it, a UUID or an undo: one who reads
 * half of it must not take it for all.
 */
static int finish(int status)
{
	bool bad = ferror(stdout);
	int err = 0;

	if (fflush(stdout))
		err = errno;
	/* Who closed it before has no use for it. */
	if (close(STDOUT_FILENO) && !err && errno != EBADF)
		err = errno;
	if (status || (!bad && !err))
		return status;
	/* The reason of what went wrong earlier is not known any more. */
	return complain("standard output could not be written%s%s; all else was done",
			err ? ": " : "", err ? strerror(err) : "");
}

static int run(int argc, char **argv)
{
	const struct command *command;
	int i;

	if (argc < 2)
		return complain("no command; try chainsetup --help");
	if (asks_for_help(argv[1]) || !strcmp(argv[1], "help")) {
		usage();
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("chainsetup " VERSION);
		return 0;
	}
	command = find_command(argv[1]);
	if (!command)
		return complain("unknown command %s; try chainsetup --help",
				argv[1]);
	for (i = 2; i < argc && strcmp(argv[i], "--"); i++) {
		if (!asks_for_help(argv[i]))
			continue;
		printf("Usage: chainsetup %s %s\n%s\n\n", command->name,
		       command->args, command->help);
		common_usage();
		return 0;
	}
	return command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	return finish(run(argc, argv));
}
