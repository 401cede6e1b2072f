// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the parser of /etc/chaintab. What it accepts says the same when it is
 * written down again, and nothing of it can get out of where it is put: into units,
 * their names, and paths.
 */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "chaintab.h"
#include "fuzz.h"

struct seen {
	unsigned int refused;
	unsigned int last;
};

static void refused(void *data, unsigned int line, const struct dm_chain_why *why)
{
	struct seen *seen = data;

	must_say_why(why);
	must(line > seen->last, "line %u after %u", line, seen->last);
	seen->last = line;
	seen->refused++;
}

/* Every part of the path is what it is called. */
static bool is_plain_path(const char *path)
{
	size_t len;

	if (strncmp(path, "/dev/", 5))
		return false;
	while (*path) {
		if (*path++ != '/')
			return false;
		len = strcspn(path, "/");
		if (!len || (len <= 2 && strspn(path, ".") >= len))
			return false;
		path += len;
	}
	return true;
}

static void check_escaped(const char *text, bool path)
{
	char *escaped = unit_escape(text, path), *p;
	const char *t = text + path;

	must(*escaped && *escaped != '.', "'%s' of '%s'", escaped, text);
	for (p = escaped; *p; t++) {
		if (*p == '-') {
			must(*t == '/', "'%s' of '%s'", escaped, text);
			p++;
		} else if (*p == '\\') {
			char hex[3] = { p[2], p[3], 0 };

			must(p[1] == 'x' && strtoul(hex, NULL, 16) == (unsigned char)*t,
			     "'%s' of '%s'", escaped, text);
			p += 4;
		} else {
			must(*p == *t && (isalnum((unsigned char)*p) || strchr(":_.", *p)),
			     "'%s' of '%s'", escaped, text);
			p++;
		}
	}
	must(!*t, "'%s' of '%s'", escaped, text);
	free(escaped);
}

static char *written(const struct chaintab_entry *e)
{
	char time[32];

	snprintf(time, sizeof(time), e->timeout == UINT_MAX ? "0" : "%u", e->timeout);
	return xasprintf("%s %s x-systemd.device-timeout=%s%s%s%s%s%s%s%s", e->name,
			 e->device, time, e->read_only ? ",read-only" : "",
			 e->jobs_paused ? ",jobs-paused" : "",
			 e->rollback ? ",rollback" : "", e->noauto ? ",noauto" : "",
			 e->nofail ? ",nofail" : "", e->netdev ? ",_netdev" : "",
			 e->initrd ? ",x-initrd.attach" : "");
}

static void check_entry(const struct chaintab_entry *e)
{
	struct seen seen = { 0 };
	struct chaintab again;
	char *text = written(e);
	struct chaintab_entry *other;

	must(dm_chain_name_valid(e->name), "'%s'", e->name);
	check_escaped(e->name, false);
	if (dm_chain_uuid_is_null(e->uuid)) {
		must(is_plain_path(e->device), "'%s'", e->device);
		must(!e->device[strcspn(e->device, " \t\n%\"'$;")], "'%s'", e->device);
		check_escaped(e->device, true);
	}
	must(!chaintab_parse(&again, text, strlen(text), refused, &seen) && again.nr == 1,
	     "'%s' is refused", text);
	other = again.entry;
	other->line = e->line;
	must(!memcmp(other, e, sizeof(*e)), "'%s' is another", text);
	chaintab_free(&again);
	free(text);
}

void fuzz_one(struct input *in)
{
	char *text = take_text(in);
	size_t len = strlen(text);
	struct seen seen = { 0 };
	struct chaintab tab;
	unsigned int i, k;

	must(chaintab_parse(&tab, text, len, refused, &seen) == seen.refused, "not counted");
	for (i = 0; i < tab.nr; i++) {
		check_entry(&tab.entry[i]);
		for (k = 0; k < i; k++)
			must(strcmp(tab.entry[k].name, tab.entry[i].name), "'%s' twice",
			     tab.entry[i].name);
	}
	chaintab_free(&tab);
	free(text);
}
