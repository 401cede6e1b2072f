// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: writes that are tried before they are made, see rehearsal.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rehearsal.h"

const struct rehearsed_write *rehearsal_find(const struct rehearsal *rehearsal,
					     u64 offset)
{
	unsigned int i;

	for (i = rehearsal->nr; i-- > 0; )
		if (rehearsal->write[i]->offset == offset)
			return rehearsal->write[i];
	return NULL;
}

static struct rehearsed_write *append(struct rehearsal *rehearsal)
{
	unsigned int nr = rehearsal->nr + 1;
	struct rehearsed_write **write;

	write = realloc(rehearsal->write, nr * sizeof(*write));
	if (!write)
		exit(complain("out of memory"));
	write[nr - 1] = xalloc(1, sizeof(**write));
	rehearsal->write = write;
	rehearsal->nr = nr;
	return write[nr - 1];
}

int rehearsal_add(struct rehearsal *rehearsal, const struct device *dev,
		  const void *page, u64 offset, struct dm_chain_why *why)
{
	struct rehearsed_write *write;
	u8 old[DM_CHAIN_PAGE_SIZE];
	int ret;

	/* Through those before it. */
	ret = device_read(dev, old, sizeof(old), offset, why);
	if (ret && ret != -EIO)
		return ret;
	write = append(rehearsal);
	write->offset = offset;
	write->lost = ret;
	if (!ret)
		memcpy(write->old, old, sizeof(old));
	memcpy(write->new, page, sizeof(write->new));
	return 0;
}

int rehearsal_perform(const struct rehearsal *rehearsal,
		      const struct device *dev, struct dm_chain_why *why)
{
	u8 page[DM_CHAIN_PAGE_SIZE];
	unsigned int i;
	int ret;

	/* What was read as durable has to be. */
	ret = device_sync(dev, why);
	for (i = 0; i < rehearsal->nr && !ret; i++) {
		const struct rehearsed_write *write = rehearsal->write[i];

		if (!write->lost) {
			ret = device_read(dev, page, sizeof(page),
					  write->offset, why);
			if (!ret && memcmp(page, write->old, sizeof(page)))
				ret = dm_chain_refuse(why, -EAGAIN,
						      "%s was written to meanwhile, at byte %llu: try again",
						      dev->path, write->offset);
		}
		if (!ret)
			ret = device_write(dev, write->new, sizeof(write->new),
					   write->offset, why);
		if (!ret)
			ret = device_sync(dev, why);
	}
	return ret;
}

void rehearsal_free(struct rehearsal *rehearsal)
{
	while (rehearsal->nr)
		free(rehearsal->write[--rehearsal->nr]);
	free(rehearsal->write);
	*rehearsal = (struct rehearsal) { };
}
