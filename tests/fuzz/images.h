/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small chain of layers in memory that the tools open by its paths, and damage
 * to it. No other device or file can be opened by what is linked with this,
 * whatever a superblock says.
 *
 *	A	raw base
 *	B	on A, metadata inline
 *	C	on B, metadata inline
 *	E	on C, metadata on a device of its own
 */
#ifndef DM_CHAIN_FUZZ_IMAGES_H
#define DM_CHAIN_FUZZ_IMAGES_H

#include "chainsetup.h"
#include "fuzz.h"

enum image_layer { IMAGE_A, IMAGE_B, IMAGE_C, IMAGE_E, NR_IMAGES };

/* The device that holds the superblock; of the raw base, its only one. */
const char *image_path(enum image_layer image);

/* Pages that matter, of each layer: slot A and slot B of each in turn. */
#define IMAGE_SUPER	0	/* two */
#define IMAGE_DIR	2	/* two */
#define IMAGE_MAP	4	/* two for each map page */
#define IMAGE_MAPS	3
#define IMAGE_PAGES	(IMAGE_MAP + 2 * IMAGE_MAPS)

/* The device that holds the data, which may be the same. */
const char *image_data_path(enum image_layer image);

/* A page as it lies on the device. */
void *image_page(enum image_layer image, unsigned int page);

/* All as it was made: a chain that is closed, and without damage. */
void images_reset(void);

/* All data as it was made. images_reset() leaves it as it is. */
void images_reset_data(void);

/* Change pages, let devices be shorter or a read fail, as the input says. */
void images_damage(struct input *in);

/* Did anything but the content of the pages go wrong since images_damage()? */
bool images_io_failed(void);

/* No more of that, but the pages stay as they are. */
void images_heal(void);

/*
 * What the linker puts in the place of device_open() and device_read(), the same
 * but for the damage, and of opendir(), which does not see the machine's devices.
 */
int __real_device_open(struct device *dev, const char *path, unsigned int flags,
		       struct dm_chain_why *why);
int __wrap_device_open(struct device *dev, const char *path, unsigned int flags,
		       struct dm_chain_why *why);
int __real_device_read(const struct device *dev, void *buf, size_t len,
		       u64 offset, struct dm_chain_why *why);
int __wrap_device_read(const struct device *dev, void *buf, size_t len,
		       u64 offset, struct dm_chain_why *why);
struct __dirstream *__real_opendir(const char *path);
struct __dirstream *__wrap_opendir(const char *path);

#endif
