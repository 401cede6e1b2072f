// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: table lines, and what may be done to them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"

/* Cut the next word off. Return: the word, or NULL at the end. */
static char *next_word(char **at)
{
	char *word = *at + strspn(*at, " ");

	if (!*word)
		return NULL;
	*at = word + strcspn(word, " ");
	if (**at)
		*(*at)++ = 0;
	return word;
}

int line_split(struct line_words *line, const char *table,
	       struct dm_chain_why *why)
{
	unsigned int i;
	char *at, *word;

	memset(line, 0, sizeof(*line));
	line->text = xstrdup(table);
	at = line->text;
	word = next_word(&at);
	line->nr_layers = word ? atoi(word) : 0;
	if (!line->nr_layers || line->nr_layers > DM_CHAIN_MAX_LAYERS)
		goto bad;
	for (i = 0; i < line->nr_layers; i++) {
		line->layer[i].name = next_word(&at);
		line->layer[i].data = next_word(&at);
		line->layer[i].meta = next_word(&at);
		if (!line->layer[i].meta)
			goto bad;
	}
	line->features = at;
	return 0;
bad:
	line_free(line);
	return dm_chain_refuse(why, -EPROTO,
			       "the table is not understood: %.200s", table);
}

void line_free(struct line_words *line)
{
	free(line->text);
	line->text = NULL;
}

bool line_uses(const struct line_words *line, unsigned int n, const char *devno)
{
	return !strcmp(line->layer[n].data, devno) ||
	       !strcmp(line->layer[n].meta, devno);
}

void unique_name(const char *const *taken, unsigned int nr,
		 char name[DM_CHAIN_NAME_LEN])
{
	char wanted[DM_CHAIN_NAME_LEN], suffix[16];
	unsigned int i, n = 1;

	memcpy(wanted, name, DM_CHAIN_NAME_LEN);
	for (i = 0; i < nr; i++) {
		if (strcmp(taken[i], name))
			continue;
		/* There are fewer names than tries. */
		n++;
		snprintf(suffix, sizeof(suffix), "-%u", n);
		snprintf(name, DM_CHAIN_NAME_LEN, "%.*s%s",
			 (int)(DM_CHAIN_NAME_LEN - 1 - strlen(suffix)), wanted,
			 suffix);
		i = -1;
	}
}

int live_changeable(const struct live *live, struct dm_chain_why *why)
{
	if (live->suspended)
		return dm_chain_refuse(why, -EBUSY,
				       "%s is suspended: \"dmsetup resume %s\" first",
				       live->name, live->name);
	if (live->inactive)
		return dm_chain_refuse(why, -EBUSY,
				       "%s has another table loaded: \"dmsetup resume\" or \"dmsetup clear %s\" first",
				       live->name, live->name);
	return 0;
}
