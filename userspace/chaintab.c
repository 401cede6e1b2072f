// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: the parser of /etc/chaintab, and how units are named after what is in
 * it.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "chaintab.h"

#define MAX_LINE	4096
#define MAX_FILE	(1024 * 1024)

static const char blanks[] = " \t";

static bool is_path_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("#+-.:=@_~/", c));
}

/* What udev makes of a blank in a label: \x20 */
static bool is_hex_escape(const char *p)
{
	return p[0] == '\\' && p[1] == 'x' && isxdigit((unsigned char)p[2]) &&
	       isxdigit((unsigned char)p[3]);
}

/* Are the parts between slashes what the kernel resolves to themselves? */
static bool is_normalized(const char *path)
{
	size_t len;

	while (*path == '/') {
		len = strcspn(++path, "/");
		if (!len || !strncmp(path, ".", len) ||
		    (len == 2 && !strncmp(path, "..", 2)))
			return false;
		path += len;
	}
	return true;
}

static int check_path(const char *path, struct dm_chain_why *why)
{
	const char *p = path;

	while (*p && (is_path_char(*p) || is_hex_escape(p)))
		p++;
	if (*p)
		return dm_chain_refuse(why, -EINVAL,
				       "the device %.200s has a character that device nodes have not: %s",
				       path, p);
	if (strncmp(path, "/dev/", 5) || !is_normalized(path))
		return dm_chain_refuse(why, -EINVAL,
				       "the device %.200s is neither a path below /dev without //, . and .., nor UUID=...",
				       path);
	return 0;
}

bool chaintab_uuid(const char *device, u8 *uuid)
{
	return !strncmp(device, "UUID=", 5) && dm_chain_uuid_parse(device + 5, uuid) &&
	       !dm_chain_uuid_is_null(uuid);
}

static int parse_device(const char *word, struct chaintab_entry *entry,
			struct dm_chain_why *why)
{
	if (strlen(word) >= sizeof(entry->device))
		return dm_chain_refuse(why, -ENAMETOOLONG,
				       "the device %.32s... has more than %zu characters",
				       word, sizeof(entry->device) - 1);
	snprintf(entry->device, sizeof(entry->device), "%s", word);
	if (strncmp(word, "UUID=", 5))
		return check_path(word, why);
	if (chaintab_uuid(word, entry->uuid))
		return 0;
	return dm_chain_refuse(why, -EINVAL,
			       "%.80s is not the UUID of a layer: \"chainsetup dump\" prints it",
			       word);
}

static int parse_timeout(const char *value, struct chaintab_entry *entry,
			 struct dm_chain_why *why)
{
	static const struct {
		const char *name;
		unsigned int seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "min", 60 }, { "h", 3600 } };
	unsigned long long number;
	unsigned int i;
	char *end = NULL;

	if (!strcmp(value, "infinity")) {
		entry->timeout = UINT_MAX;
		return 0;
	}
	number = isdigit((unsigned char)*value) ? strtoull(value, &end, 10) : ULLONG_MAX;
	for (i = 0; i < ARRAY_SIZE(units); i++) {
		if (number > (UINT_MAX - 1) / units[i].seconds ||
		    strcmp(end, units[i].name))
			continue;
		/* As in systemd's own options, 0 sets no limit. */
		entry->timeout = number * units[i].seconds ?: UINT_MAX;
		return 0;
	}
	return dm_chain_refuse(why, -EINVAL,
			       "x-systemd.device-timeout=%.32s is no time: write seconds, or a number and s, min or h, or infinity",
			       value);
}

static bool *find_flag(struct chaintab_entry *entry, const char *word)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "read-only", &entry->read_only },
		{ "jobs-paused", &entry->jobs_paused },
		{ "rollback", &entry->rollback },
		{ "noauto", &entry->noauto },
		{ "nofail", &entry->nofail },
		{ "_netdev", &entry->netdev },
		{ "x-initrd.attach", &entry->initrd },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++)
		if (!strcmp(word, flags[i].name))
			return flags[i].flag;
	return NULL;
}

static int parse_option(const char *word, struct chaintab_entry *entry,
			bool *timeout_given, struct dm_chain_why *why)
{
	static const char timeout[] = "x-systemd.device-timeout=";
	bool *flag = find_flag(entry, word);

	if (!strncmp(word, timeout, strlen(timeout))) {
		flag = timeout_given;
		if (parse_timeout(word + strlen(timeout), entry, why))
			return -EINVAL;
	}
	if (!*word)
		return dm_chain_refuse(why, -EINVAL, "an empty option");
	if (!flag)
		return dm_chain_refuse(why, -EINVAL,
				       "unknown option %.80s: there are read-only, jobs-paused, rollback, noauto, nofail, _netdev, x-initrd.attach and x-systemd.device-timeout=",
				       word);
	if (*flag)
		return dm_chain_refuse(why, -EINVAL, "the option %.80s is given twice", word);
	*flag = true;
	return 0;
}

static int parse_options(char *words, struct chaintab_entry *entry,
			 struct dm_chain_why *why)
{
	bool timeout_given = false;
	char *word;
	int ret = 0;

	if (!strcmp(words, "-"))
		return 0;
	while (!ret && (word = strsep(&words, ",")))
		ret = parse_option(word, entry, &timeout_given, why);
	return ret;
}

/* The next word of a line, or NULL. */
static char *next_word(char **line)
{
	char *word = *line + strspn(*line, blanks);

	if (!*word)
		return NULL;
	*line = word + strcspn(word, blanks);
	if (**line)
		*(*line)++ = 0;
	return word;
}

/* Return: 1 if the line has an entry, 0 if it has none, or a negative errno. */
static int parse_line(char *line, struct chaintab_entry *entry, struct dm_chain_why *why)
{
	char *name = next_word(&line), *device, *options, *more;
	int ret;

	if (!name || *name == '#')
		return 0;
	device = next_word(&line);
	options = next_word(&line);
	more = next_word(&line);
	if (!dm_chain_name_valid(name))
		return dm_chain_refuse(why, -EINVAL,
				       "\"%.64s\" is no name for a device: 1 to %d of A-Z a-z 0-9 _ . + -, beginning with a letter, digit or _",
				       name, DM_CHAIN_NAME_LEN - 1);
	if (!device)
		return dm_chain_refuse(why, -EINVAL,
				       "%s has no device: write NAME DEVICE [OPTION,...]", name);
	if (more)
		return dm_chain_refuse(why, -EINVAL,
				       "there is a word too much: %.80s; options are separated by commas without blanks",
				       more);
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->timeout = CHAINTAB_TIMEOUT;
	ret = parse_device(device, entry, why);
	if (!ret && options)
		ret = parse_options(options, entry, why);
	return ret ?: 1;
}

const struct chaintab_entry *chaintab_find(const struct chaintab *tab, const char *name)
{
	unsigned int i;

	for (i = 0; i < tab->nr; i++)
		if (!strcmp(tab->entry[i].name, name))
			return &tab->entry[i];
	return NULL;
}

static int add_entry(struct chaintab *tab, const struct chaintab_entry *new,
		     struct dm_chain_why *why)
{
	const struct chaintab_entry *other = chaintab_find(tab, new->name);

	if (other)
		return dm_chain_refuse(why, -EEXIST, "there is %s in line %u already",
				       new->name, other->line);
	tab->entry = reallocarray(tab->entry, tab->nr + 1, sizeof(*new));
	if (!tab->entry)
		exit(complain("out of memory"));
	tab->entry[tab->nr++] = *new;
	return 0;
}

static int take_line(struct chaintab *tab, unsigned int number, const char *text,
		     size_t len, struct dm_chain_why *why)
{
	struct chaintab_entry entry = { .line = number };
	char line[MAX_LINE + 1];
	int ret;

	if (len > MAX_LINE)
		return dm_chain_refuse(why, -E2BIG, "the line has more than %d characters",
				       MAX_LINE);
	if (memchr(text, 0, len))
		return dm_chain_refuse(why, -EINVAL, "the line has a zero byte");
	memcpy(line, text, len);
	line[len] = 0;
	ret = parse_line(line, &entry, why);
	return ret > 0 ? add_entry(tab, &entry, why) : ret;
}

/* A reason has words of the file, and goes to logs and terminals. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (!isprint((unsigned char)*text))
			*text = '?';
}

unsigned int chaintab_parse(struct chaintab *tab, const char *text, size_t len,
			    chaintab_bad_fn bad, void *data)
{
	unsigned int number = 0, refused = 0;
	const char *end = text + len, *newline;
	struct dm_chain_why why;

	*tab = (struct chaintab) { 0 };
	while (text < end) {
		newline = memchr(text, '\n', end - text) ?: end;
		if (take_line(tab, ++number, text, newline - text, &why)) {
			make_printable(why.text);
			bad(data, number, &why);
			refused++;
		}
		text = newline + 1;
	}
	return refused;
}

int chaintab_read(struct chaintab *tab, const char *path, chaintab_bad_fn bad,
		  void *data, struct dm_chain_why *why)
{
	FILE *f = fopen(path, "re");
	size_t len;
	char *text;
	int ret;

	*tab = (struct chaintab) { 0 };
	if (!f && errno == ENOENT)
		return 0;
	if (!f)
		return dm_chain_refuse(why, -errno, "%s: %s", path, strerror(errno));
	text = xalloc(1, MAX_FILE + 1);
	len = fread(text, 1, MAX_FILE + 1, f);
	if (ferror(f))
		ret = dm_chain_refuse(why, -EIO, "%s: cannot be read", path);
	else if (len > MAX_FILE)
		ret = dm_chain_refuse(why, -EFBIG, "%s has more than %d bytes", path,
				      MAX_FILE);
	else
		ret = chaintab_parse(tab, text, len, bad, data);
	fclose(f);
	free(text);
	return ret;
}

void chaintab_free(struct chaintab *tab)
{
	free(tab->entry);
	*tab = (struct chaintab) { 0 };
}

char *unit_escape(const char *text, bool path)
{
	char *escaped = xalloc(strlen(text) + 1, 4), *p = escaped;

	if (path)
		text++;
	for (const char *c = text; *c; c++) {
		if (*c == '/')
			*p++ = '-';
		else if (isalnum((unsigned char)*c) || *c == ':' || *c == '_' ||
			 (*c == '.' && c != text))
			*p++ = *c;
		else
			p += sprintf(p, "\\x%02x", (unsigned char)*c);
	}
	return escaped;
}
