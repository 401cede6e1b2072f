/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: disk images of QEMU, read by qemu-nbd.
 *
 * libnbd is loaded when it is needed: what opens chains at boot has no use for it.
 */
#ifndef CHAINSETUP_DISK_IMAGE_H
#define CHAINSETUP_DISK_IMAGE_H

#include "blocks.h"

/**
 * struct image_info - what qemu-img says of an image
 * @path: of its file
 * @format: "qcow2", "raw"...
 * @guessed: nobody has said so but its content: whoever can write to a raw image can
 *	make it look like another one, which names any file as its backing
 * @size: that it shows, bytes
 * @snapshots: internal ones
 */
struct image_info {
	char *path;
	char *format;
	bool guessed;
	u64 size;
	unsigned int snapshots;
};

/**
 * images_info() - an image, and those that it rests on
 * @format: of the image itself, NULL: QEMU guesses
 * @info: gets them, the image itself first; images_free() it
 * @nr: how many
 *
 * Refuses what cannot be converted.
 */
int images_info(const char *path, const char *format, struct image_info **info,
		unsigned int *nr, struct dm_chain_why *why);
void images_free(struct image_info *info, unsigned int nr);

/* "a.qcow2, b.qcow2", @info[0] first; free() it. */
char *images_text(const struct image_info *info, unsigned int nr);

/**
 * struct disk_image - an image that is read
 * @source: its own blocks; what it shows is read
 * @nbd: the connection to the process that reads it
 * @pid: the process
 * @path: of its file
 * @offset: where the extent that was asked for last begins
 * @own: of that: bytes of the same owner
 * @depth: 0 nobody's, 1 the image's own, above: of one that it rests on
 * @even: of that: bytes that are all zeros or not
 * @flags: of NBD: bit 1: zeros
 */
struct disk_image {
	struct block_source source;
	struct nbd_handle *nbd;
	pid_t pid;
	const char *path;
	u64 offset;
	u64 own;
	u32 depth;
	u64 even;
	u32 flags;
};

/* While it is open nobody can write to the image. */
int disk_image_open(struct disk_image *image, const struct image_info *info,
		    u32 block_size, struct dm_chain_why *why);
void disk_image_close(struct disk_image *image);

#endif
