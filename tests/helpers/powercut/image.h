/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A disk in memory. What nobody wrote reads as recognizable garbage, the first
 * bytes as zeros if so wanted; only what was written takes memory.
 */
#ifndef POWERCUT_IMAGE_H
#define POWERCUT_IMAGE_H

#include <stdbool.h>
#include <linux/types.h>

#define IMAGE_PAGE	4096

/**
 * struct image - a disk
 * @size: bytes, a multiple of IMAGE_PAGE
 * @zeros: so many bytes at its start read as zeros until written
 * @owner: goes into the garbage
 * @page: NULL where nothing was written
 */
struct image {
	u64 size;
	u64 zeros;
	unsigned int owner;
	void **page;
};

void image_init(struct image *img, unsigned int owner, u64 size, u64 zeros);
void image_free(struct image *img);

/* Copy one sector out; @data has 512 bytes. */
void image_read(const struct image *img, u64 sector, void *data);

/* Put one sector in; @data NULL is what a discard leaves: garbage. */
void image_write(struct image *img, u64 sector, const void *data);

/*
 * The 4 KiB at @offset, a multiple of 4096: a pointer into the image, or @buf
 * filled in.
 */
const void *image_page(const struct image *img, u64 offset, void *buf);

#endif
