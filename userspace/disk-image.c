// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: disk images of QEMU, see disk-image.h.
 *
 * qemu-nbd gets a socket and ends with the connection. Who owns what of an image
 * and what it shows come from the same open image, in which nothing can change
 * meanwhile: QEMU locks it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <libnbd.h>
#include <linux/minmax.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "disk-image.h"

#define LIBRARY		"libnbd.so.0"
#define DEPTH		"qemu:allocation-depth"
#define ZEROES		LIBNBD_CONTEXT_BASE_ALLOCATION
#define STATE_ZERO	2	/* of ZEROES */
#define MOST		(1U << 30)

/* What is used of the library. */
static struct {
	void *handle;
	__typeof__(nbd_create) *create;
	__typeof__(nbd_close) *close;
	__typeof__(nbd_get_error) *get_error;
	__typeof__(nbd_add_meta_context) *add_meta_context;
	__typeof__(nbd_can_meta_context) *can_meta_context;
	__typeof__(nbd_connect_systemd_socket_activation) *connect;
	__typeof__(nbd_get_size) *get_size;
	__typeof__(nbd_block_status) *block_status;
	__typeof__(nbd_pread) *pread;
} lib;

static bool find(void *function, const char *name)
{
	*(void **)function = dlsym(lib.handle, name);
	return *(void **)function;
}

static int load_library(struct dm_chain_why *why)
{
	if (lib.handle)
		return 0;
	lib.handle = dlopen(LIBRARY, RTLD_NOW);
	if (!lib.handle)
		return dm_chain_refuse(why, -ENOENT,
				       "images are read with libnbd, which is not installed: on Debian, apt-get install libnbd0");
	if (find(&lib.create, "nbd_create") && find(&lib.close, "nbd_close") &&
	    find(&lib.get_error, "nbd_get_error") &&
	    find(&lib.add_meta_context, "nbd_add_meta_context") &&
	    find(&lib.can_meta_context, "nbd_can_meta_context") &&
	    find(&lib.connect, "nbd_connect_systemd_socket_activation") &&
	    find(&lib.get_size, "nbd_get_size") &&
	    find(&lib.block_status, "nbd_block_status") &&
	    find(&lib.pread, "nbd_pread"))
		return 0;
	dlclose(lib.handle);
	lib.handle = NULL;
	return dm_chain_refuse(why, -ENOENT, "%s is too old: 1.2 or later is needed",
			       LIBRARY);
}

static int refuse(const struct disk_image *image, struct dm_chain_why *why)
{
	return dm_chain_refuse(why, -EIO, "%s: %.200s", image->path,
			       lib.get_error());
}

/*
 * The process inherits standard error, but what it says there belongs into our one
 * line.
 */
static int connect_quietly(struct disk_image *image, char **argv,
			   struct dm_chain_why *why)
{
	int keep = dup(STDERR_FILENO), said = memfd_create("stderr", MFD_CLOEXEC);
	char text[256] = "";
	ssize_t n;
	int ret;

	if (keep < 0 || said < 0) {
		ret = dm_chain_refuse(why, -errno, "%s: %s", image->path,
				      strerror(errno));
	} else {
		dup2(said, STDERR_FILENO);
		ret = lib.connect(image->nbd, argv) ? refuse(image, why) : 0;
		dup2(keep, STDERR_FILENO);
		n = pread(said, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = 0;
		text[strcspn(text, "\n")] = 0;
		if (ret && *text)
			dm_chain_refuse(why, ret, "%s: %s", image->path, text);
	}
	if (keep >= 0)
		close(keep);
	if (said >= 0)
		close(said);
	return ret;
}

static int take_extent(void *user_data, const char *context, uint64_t offset,
		       uint32_t *entries, size_t nr, int *error)
{
	struct disk_image *image = user_data;

	if (nr < 2)
		return 0;
	if (!strcmp(context, DEPTH)) {
		image->own = entries[0];
		image->depth = entries[1];
	} else if (!strcmp(context, ZEROES)) {
		image->even = entries[0];
		image->flags = entries[1];
	}
	return 0;
}

static int image_run(struct block_source *source, u64 offset, u64 max,
		     enum dm_chain_state *state, u64 *run,
		     struct dm_chain_why *why)
{
	struct disk_image *image = container_of(source, struct disk_image, source);
	nbd_extent_callback callback = {
		.callback = take_extent, .user_data = image,
	};

	image->own = 0;
	image->even = 0;
	if (lib.block_status(image->nbd, min_t(u64, max, MOST), offset, callback,
			     LIBNBD_CMD_FLAG_REQ_ONE))
		return refuse(image, why);
	if (!image->own || !image->even)
		return dm_chain_refuse(why, -EPROTO,
				       "%s: qemu-nbd does not say who owns byte %llu",
				       image->path, offset);
	*run = min(image->own, max);
	*state = DM_CHAIN_UNALLOCATED;
	if (image->depth != 1)
		return 0;
	*run = min(*run, image->even);
	*state = image->flags & STATE_ZERO ? DM_CHAIN_ZERO : DM_CHAIN_DATA;
	return 0;
}

static int image_read(struct block_source *source, void *buf, size_t len,
		      u64 offset, struct dm_chain_why *why)
{
	struct disk_image *image = container_of(source, struct disk_image, source);

	return lib.pread(image->nbd, buf, len, offset, 0) ? refuse(image, why) : 0;
}

int disk_image_open(struct disk_image *image, const struct image_info *info,
		    u32 block_size, struct dm_chain_why *why)
{
	char *argv[7] = { "qemu-nbd", "--read-only", "--allocation-depth",
			  "--format", info->format, info->path };
	int ret;

	*image = (struct disk_image) {
		.path = info->path,
		.source.size = info->size,
		.source.block_size = block_size,
		.source.run = image_run,
		.source.read = image_read,
	};
	ret = load_library(why);
	if (ret)
		return ret;
	image->nbd = lib.create();
	if (!image->nbd || lib.add_meta_context(image->nbd, DEPTH) ||
	    lib.add_meta_context(image->nbd, ZEROES))
		return refuse(image, why);
	ret = connect_quietly(image, argv, why);
	if (ret)
		return ret;
	if (lib.can_meta_context(image->nbd, DEPTH) != 1 ||
	    lib.can_meta_context(image->nbd, ZEROES) != 1)
		return dm_chain_refuse(why, -EPROTO,
				       "%s: qemu-nbd does not say which blocks are the image's own: 5.2 or later is needed",
				       image->path);
	if (lib.get_size(image->nbd) != info->size)
		return dm_chain_refuse(why, -ESTALE, "%s has another size than before",
				       image->path);
	return 0;
}

void disk_image_close(struct disk_image *image)
{
	if (image->nbd)
		lib.close(image->nbd);
	image->nbd = NULL;
}
