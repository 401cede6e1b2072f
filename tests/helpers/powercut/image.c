// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "sector.h"
#include "image.h"

#define SECTORS_PER_PAGE	(IMAGE_PAGE / POWERCUT_SECTOR)

void image_init(struct image *img, unsigned int owner, u64 size, u64 zeros)
{
	if (!size || size % IMAGE_PAGE)
		errx(1, "device %u: %llu bytes, not a multiple of 4096", owner,
		     (unsigned long long)size);
	img->size = size;
	img->zeros = zeros;
	img->owner = owner;
	img->page = calloc(size / IMAGE_PAGE, sizeof(*img->page));
	if (!img->page)
		err(1, "device %u", owner);
}

void image_free(struct image *img)
{
	u64 i;

	for (i = 0; i < img->size / IMAGE_PAGE; i++)
		free(img->page[i]);
	free(img->page);
	img->page = NULL;
}

/* What is in a sector that nobody wrote. */
static void untouched(const struct image *img, u64 sector, void *data)
{
	if (sector * POWERCUT_SECTOR < img->zeros)
		memset(data, 0, POWERCUT_SECTOR);
	else
		powercut_sector_make(data, POWERCUT_FILL, img->owner, sector,
				     0);
}

static void untouched_page(const struct image *img, u64 page, char *data)
{
	unsigned int i;

	for (i = 0; i < SECTORS_PER_PAGE; i++)
		untouched(img, page * SECTORS_PER_PAGE + i,
			  data + i * POWERCUT_SECTOR);
}

static char *place(const struct image *img, u64 sector)
{
	char *page = img->page[sector / SECTORS_PER_PAGE];

	return page ? page + sector % SECTORS_PER_PAGE * POWERCUT_SECTOR : NULL;
}

void image_read(const struct image *img, u64 sector, void *data)
{
	const char *from = place(img, sector);

	if (from)
		memcpy(data, from, POWERCUT_SECTOR);
	else
		untouched(img, sector, data);
}

void image_write(struct image *img, u64 sector, const void *data)
{
	char *to = place(img, sector);

	if (!to) {
		u64 page = sector / SECTORS_PER_PAGE;

		/* garbage is what is there already */
		if (!data && sector * POWERCUT_SECTOR >= img->zeros)
			return;
		img->page[page] = malloc(IMAGE_PAGE);
		if (!img->page[page])
			err(1, "device %u", img->owner);
		untouched_page(img, page, img->page[page]);
		to = place(img, sector);
	}
	if (data)
		memcpy(to, data, POWERCUT_SECTOR);
	else
		powercut_sector_make((struct powercut_sector *)to,
				     POWERCUT_TRIM, img->owner, sector, 0);
}

const void *image_page(const struct image *img, u64 offset, void *buf)
{
	const void *page = img->page[offset / IMAGE_PAGE];

	if (page)
		return page;
	untouched_page(img, offset / IMAGE_PAGE, buf);
	return buf;
}
