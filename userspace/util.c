// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: words, numbers and memory.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "chainsetup.h"

int complain(const char *fmt, ...)
{
	char *text, *shown;
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	shown = text_shown(text, utf8_output());
	fprintf(stderr, "chainsetup: %s\n", shown);
	free(shown);
	free(text);
	return 1;
}

int complain_why(const struct dm_chain_why *why)
{
	return complain("%s", why->text);
}

void *xalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		exit(complain("out of memory"));
	return p;
}

char *xstrdup(const char *text)
{
	char *p = strdup(text);

	if (!p)
		exit(complain("out of memory"));
	return p;
}

char *xvasprintf(const char *fmt, va_list ap)
{
	char *p;

	if (vasprintf(&p, fmt, ap) < 0)
		exit(complain("out of memory"));
	return p;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	p = xvasprintf(fmt, ap);
	va_end(ap);
	return p;
}

int parse_size(const char *text, u64 *size, struct dm_chain_why *why)
{
	static const char units[] = "KMGT";
	unsigned int shift = 0;
	const char *unit;
	char *end;
	u64 value;

	if (!isdigit((unsigned char)*text))
		return dm_chain_refuse(why, -EINVAL,
				       "%s is not a size: write bytes, or a number and K, M, G or T",
				       *text ? text : "an empty word");
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return dm_chain_refuse(why, -ERANGE, "%s is too large for a size", text);
	if (*end) {
		unit = strchr(units, toupper((unsigned char)*end));
		if (!unit || end[1])
			return dm_chain_refuse(why, -EINVAL,
					       "%s is not a size: write bytes, or a number and K, M, G or T",
					       text);
		shift = 10 * (unit - units + 1);
	}
	if (value > (~0ULL >> 1) >> shift)
		return dm_chain_refuse(why, -ERANGE, "%s is too large for a size", text);
	*size = value << shift;
	return 0;
}

int parse_device_size(const char *text, u64 *size, struct dm_chain_why *why)
{
	int ret = parse_size(text, size, why);

	if (ret)
		return ret;
	if (!*size || *size % 512)
		return dm_chain_refuse(why, -EINVAL,
				       "%s is not a device's size: it has to be a multiple of 512 bytes, and not 0",
				       text);
	return 0;
}

bool read_line(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fgets(text, size, f);
	fclose(f);
	if (ok)
		text[strcspn(text, "\n")] = 0;
	return ok;
}

int next_option(int argc, char **argv, const struct option *options)
{
	unsigned int nr = 0;
	struct option *all;
	const char *word;
	int c;

	while (options[nr].name)
		nr++;
	all = xalloc(nr + nr_common_options + 1, sizeof(*all));
	memcpy(all, options, nr * sizeof(*all));
	memcpy(all + nr, common_options, nr_common_options * sizeof(*all));
	opterr = 0;
	do {
		c = getopt_long(argc, argv, ":", all, NULL);
		if ((c == OPTION_BYTES || c == OPTION_COLOR) &&
		    !common_option(c, optarg)) {
			complain("%s: --color %s: it is auto, always or never",
				 argv[0], optarg);
			free(all);
			return '?';
		}
	} while (c == OPTION_BYTES || c == OPTION_COLOR);
	free(all);
	/* In a cluster of short options the word is not passed yet. */
	word = argv[optind - 1][0] == '-' ? argv[optind - 1] : argv[optind];
	if (c == ':')
		complain("%s: %s needs a value; see --help", argv[0], word);
	else if (c == '?')
		complain("%s: unknown or ambiguous option %s, or one without a value; see --help",
			 argv[0], word);
	return c == ':' ? '?' : c;
}

bool operands_ok(int argc, char **argv, int min, int max)
{
	int n = argc - optind;

	if (n < min)
		complain("%s: %s is missing; see --help", argv[0],
			 n ? "an operand" : "the device");
	else if (n > max)
		complain("%s: there is a word too much: %s; see --help",
			 argv[0], argv[optind + max]);
	return n >= min && n <= max;
}
