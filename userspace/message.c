// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: messages to the target.
 */
#include <stdlib.h>
#include <string.h>

#include "dm-chain-parse.h"
#include "live.h"

void message_init(struct message *message, const char *word)
{
	message->nr = 0;
	message_add(message, word, NULL);
}

void message_add(struct message *message, const char *word, const char *value)
{
	if (message->nr + 2 > MESSAGE_WORDS)
		exit(complain("too many options"));
	message->word[message->nr++] = xstrdup(word);
	if (value)
		message->word[message->nr++] = xstrdup(value);
}

/* No word has a blank in it: the parser has let it pass. */
static char *join(const struct message *message)
{
	size_t len = 1;
	unsigned int i;
	char *text;

	for (i = 0; i < message->nr; i++)
		len += strlen(message->word[i]) + 1;
	text = xalloc(len, 1);
	for (i = 0; i < message->nr; i++) {
		if (i)
			strcat(text, " ");
		strcat(text, message->word[i]);
	}
	return text;
}

int message_check(const struct message *message, struct dm_chain_why *why)
{
	struct dm_chain_msg parsed;

	return dm_chain_parse_message(message->nr, (char **)message->word,
				      &parsed, why);
}

void message_free(struct message *message)
{
	while (message->nr)
		free(message->word[--message->nr]);
}

int message_run(struct message *message, const char *name, struct reply *reply,
		struct dm_chain_why *why)
{
	char *text, *answer = NULL;
	int ret;

	ret = message_check(message, why);
	if (!ret) {
		text = join(message);
		ret = live_message(name, text, &answer, why);
		free(text);
	}
	if (!ret && reply)
		ret = reply_parse(reply, answer, why);
	free(answer);
	message_free(message);
	return ret;
}
