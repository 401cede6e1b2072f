// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: block devices, and regular files that stand for them.
 */
#include <blkid/blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/string.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "holders.h"
#include "rehearsal.h"

/* Direct I/O goes through a buffer of this size. */
#define BOUNCE		(1024 * 1024)

static char *absolute_path(const char *path)
{
	char cwd[PATH_MAX];

	while (!strncmp(path, "./", 2))
		path += 2 + strspn(path + 2, "/");
	if (*path == '/' || !getcwd(cwd, sizeof(cwd)))
		return xstrdup(path);
	return xasprintf("%s/%s", cwd, path);
}

/* The loop device that a regular file or block device is attached to. */
static bool attached_loop(const char *path, char *name, size_t size)
{
	char real[PATH_MAX], file[PATH_MAX], line[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	if (!realpath(path, real))
		return false;
	dir = opendir("/sys/block");
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "loop", 4))
			continue;
		snprintf(file, sizeof(file), "/sys/block/%s/loop/backing_file",
			 entry->d_name);
		found = read_line(file, line, sizeof(line)) &&
			!strcmp(line, real);
		if (found)
			snprintf(name, size, "/dev/%s", entry->d_name);
	}
	closedir(dir);
	return found;
}

/* A device-mapper device or other one built on @dev. */
static bool find_holder(const struct device *dev, char *text, size_t size)
{
	char path[64], name[256], number[32];
	struct holders holders;
	const char *holder;
	bool found;

	snprintf(path, sizeof(path), "/sys/dev/block/%s",
		 device_number(dev, number));
	holders_open(&holders, path);
	holder = holders_next(&holders);
	found = holder;
	if (found && holder_dm_name(holder, name, sizeof(name)))
		snprintf(text, size, "the device-mapper device %s", name);
	else if (found)
		snprintf(text, size, "the device %s", holder);
	holders_close(&holders);
	return found;
}

static bool find_mount(const struct device *dev, char *text, size_t size)
{
	char line[PATH_MAX + 512], where[PATH_MAX];
	unsigned int major, minor;
	bool found = false;
	FILE *f = fopen("/proc/self/mountinfo", "re");

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		found = sscanf(line, "%*u %*u %u:%u %*s %4095s", &major, &minor,
			       where) == 3 &&
			makedev(major, minor) == dev->devno;
		if (found)
			snprintf(text, size, "the file system mounted at %s",
				 where);
	}
	fclose(f);
	return found;
}

const char *device_user(const struct device *dev, char *text, size_t size)
{
	if (!find_holder(dev, text, size) && !find_mount(dev, text, size))
		*text = 0;
	return text;
}

/*
 * What this command has open for itself alone. The kernel would only say that it is
 * in use.
 */
static struct own_device {
	struct own_device *next;
	int fd;
	struct stat st;
	char *path;
} *own_devices;

static void own_add(const struct device *dev, const struct stat *st)
{
	struct own_device *own = xalloc(1, sizeof(*own));

	*own = (struct own_device) {
		.next = own_devices, .fd = dev->fd, .st = *st,
		.path = xstrdup(dev->path),
	};
	own_devices = own;
}

static void own_remove(int fd)
{
	struct own_device **at = &own_devices, *own;

	while (*at && (*at)->fd != fd)
		at = &(*at)->next;
	own = *at;
	if (!own)
		return;
	*at = own->next;
	free(own->path);
	free(own);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) || S_ISBLK(b->st_mode))
		return S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode) &&
		       a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int refuse_twice(const struct device *dev, const struct stat *st,
			struct dm_chain_why *why)
{
	const struct own_device *own = own_devices;

	while (own && !same_file(&own->st, st))
		own = own->next;
	if (!own)
		return 0;
	if (!strcmp(own->path, dev->path))
		return dm_chain_refuse(why, -EINVAL,
				       "%s is named twice: name another device for one of the two purposes",
				       dev->path);
	return dm_chain_refuse(why, -EINVAL,
			       "%s and %s are the same device: name another one for one of the two purposes",
			       own->path, dev->path);
}

static int refuse_busy(const struct device *dev, struct dm_chain_why *why)
{
	char user[128];

	if (!*device_user(dev, user, sizeof(user)))
		strscpy(user, "swap, RAID or another program", sizeof(user));
	return dm_chain_refuse(why, -EBUSY, "%s is in use by %s", dev->path,
			       user);
}

static int find_size(struct device *dev, const struct stat *st,
		     struct dm_chain_why *why)
{
	int sector;

	if (S_ISREG(st->st_mode)) {
		dev->align = 512;
		dev->size = st->st_size / 512 * 512;
		return 0;
	}
	dev->devno = st->st_rdev;
	if (ioctl(dev->fd, BLKGETSIZE64, &dev->size) ||
	    ioctl(dev->fd, BLKSSZGET, &sector))
		return dm_chain_refuse(why, -errno, "%s: cannot read its size: %s",
				       dev->path, strerror(errno));
	/* Nodes of drivers like nbd and loop are there before what they show. */
	if (!dev->size)
		return dm_chain_refuse(why, -ENXIO,
				       "%s has no size: nothing is attached to it",
				       dev->path);
	dev->align = sector;
	return 0;
}

/*
 * A block device that is read-only can be opened for writing nevertheless; and who only
 * looks at it has not found out.
 */
static int check_writable(const struct device *dev, struct dm_chain_why *why)
{
	int read_only = 0;

	if (device_is_block(dev) && ioctl(dev->fd, BLKROGET, &read_only))
		read_only = 0;
	if (read_only)
		errno = EROFS;
	else if (!access(dev->path, W_OK))
		return 0;
	return dm_chain_refuse(why, -errno, "%s: cannot open: %s", dev->path,
			       strerror(errno));
}

int device_open(struct device *dev, const char *path, unsigned int flags,
		struct dm_chain_why *why)
{
	bool dry = flags & DEVICE_DRY;
	int mode = (flags & DEVICE_WRITE && !dry ? O_RDWR : O_RDONLY) | O_CLOEXEC;
	char loop[NAME_MAX + 8];
	struct stat st;
	int ret;

	*dev = (struct device) { .fd = -1 };
	if (stat(path, &st))
		return dm_chain_refuse(why, -errno, "%s: %s", path,
				       strerror(errno));
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return dm_chain_refuse(why, -ENOTBLK,
				       "%s is neither a block device nor a regular file",
				       path);
	dev->path = absolute_path(path);
	dev->excl = flags & DEVICE_EXCL;
	ret = dev->excl ? refuse_twice(dev, &st, why) : 0;
	if (ret)
		goto fail;
	if (S_ISBLK(st.st_mode)) {
		mode |= O_DIRECT;
		if (dev->excl)
			mode |= O_EXCL;
		dev->devno = st.st_rdev;
	} else if (dev->excl && attached_loop(path, loop, sizeof(loop))) {
		ret = dm_chain_refuse(why, -EBUSY, "%s is in use by %s: name that device instead",
				      dev->path, loop);
		goto fail;
	}
	dev->fd = open(path, mode);
	if (dev->fd < 0 && errno == EBUSY && device_is_block(dev)) {
		ret = refuse_busy(dev, why);
		goto fail;
	}
	if (dev->fd < 0) {
		ret = dm_chain_refuse(why, -errno, "%s: cannot open: %s", path,
				      strerror(errno));
		goto fail;
	}
	if (dev->excl)
		own_add(dev, &st);
	ret = find_size(dev, &st, why);
	if (!ret && flags & DEVICE_WRITE)
		ret = check_writable(dev, why);
	if (!ret)
		return 0;
fail:
	device_close(dev);
	return ret;
}

void device_close(struct device *dev)
{
	if (dev->fd >= 0) {
		own_remove(dev->fd);
		close(dev->fd);
	}
	free(dev->path);
	*dev = (struct device) { .fd = -1 };
}

bool device_same(const struct device *a, const struct device *b)
{
	struct stat sa, sb;

	return !fstat(a->fd, &sa) && !fstat(b->fd, &sb) && same_file(&sa, &sb);
}

bool device_is(const struct device *dev, const char *path)
{
	struct stat a, b;

	return !fstat(dev->fd, &a) && !stat(path, &b) && same_file(&a, &b);
}

const char *device_number(const struct device *dev, char *text)
{
	snprintf(text, 32, "%u:%u", major(dev->devno), minor(dev->devno));
	return text;
}

static void *bounce_buffer(void)
{
	static void *buffer;

	if (!buffer) {
		buffer = aligned_alloc(4096, BOUNCE);
		if (!buffer)
			exit(complain("out of memory"));
	}
	return buffer;
}

static int check_range(const struct device *dev, size_t len, u64 offset,
		       struct dm_chain_why *why)
{
	if (offset > dev->size || len > dev->size - offset)
		return dm_chain_refuse(why, -ENXIO,
				       "%s ends at %llu bytes, before %llu: it was shrunk, or it is the wrong device",
				       dev->path, dev->size, offset + len);
	return 0;
}

/* One read or write of at most BOUNCE bytes, all of it. */
static int transfer(const struct device *dev, void *buf, size_t len, u64 offset,
		    bool write, struct dm_chain_why *why)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write ? pwrite(dev->fd, buf + done, len - done, offset + done) :
			    pread(dev->fd, buf + done, len - done, offset + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int err = n ? errno : EIO;

			return dm_chain_refuse(why, -err, "%s: %s error at byte %llu: %s",
					       dev->path, write ? "write" : "read",
					       offset + done, strerror(err));
		}
		done += n;
	}
	return 0;
}

int device_read(const struct device *dev, void *buf, size_t len, u64 offset,
		struct dm_chain_why *why)
{
	void *bounce = bounce_buffer();
	const struct rehearsed_write *write = NULL;
	int ret = check_range(dev, len, offset, why);

	if (dev->rehearsal && len == DM_CHAIN_PAGE_SIZE)
		write = rehearsal_find(dev->rehearsal, offset);
	if (!ret && write) {
		memcpy(buf, write->new, len);
		return 0;
	}
	while (!ret && len) {
		u64 start = offset / dev->align * dev->align;
		size_t skip = offset - start;
		size_t part = len < BOUNCE - skip ? len : BOUNCE - skip;
		size_t span = (skip + part + dev->align - 1) / dev->align *
			      dev->align;

		ret = transfer(dev, bounce, span, start, false, why);
		if (ret)
			break;
		memcpy(buf, bounce + skip, part);
		buf += part;
		offset += part;
		len -= part;
	}
	return ret;
}

/*
 * Writes smaller than the device's sector occur only at the end of a layer
 * whose size is not a multiple of it: the rest of the sector is kept.
 */
int device_write(const struct device *dev, const void *buf, size_t len,
		 u64 offset, struct dm_chain_why *why)
{
	void *bounce = bounce_buffer();
	int ret = check_range(dev, len, offset, why);

	if (!ret && dev->rehearsal)
		return rehearsal_add(dev->rehearsal, dev, buf, offset, why);
	while (!ret && len) {
		u64 start = offset / dev->align * dev->align;
		size_t skip = offset - start;
		size_t part = len < BOUNCE - skip ? len : BOUNCE - skip;
		size_t span = (skip + part + dev->align - 1) / dev->align *
			      dev->align;

		if (span != part)
			ret = transfer(dev, bounce, span, start, false, why);
		if (ret)
			break;
		memcpy(bounce + skip, buf, part);
		ret = transfer(dev, bounce, span, start, true, why);
		buf += part;
		offset += part;
		len -= part;
	}
	return ret;
}

int device_write_zeroes(const struct device *dev, u64 offset, u64 len,
			struct dm_chain_why *why)
{
	static const u8 zeroes[BOUNCE];
	u64 range[2] = { offset, len };
	size_t part;
	int ret = 0;

	if (device_is_block(dev)) {
		ret = check_range(dev, len, offset, why);
		if (ret || !ioctl(dev->fd, BLKZEROOUT, range))
			return ret;
	}
	if (!device_is_block(dev) && offset <= dev->size &&
	    len <= dev->size - offset &&
	    !fallocate(dev->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		       offset, len))
		return 0;
	while (!ret && len) {
		part = len < BOUNCE ? len : BOUNCE;
		ret = device_write(dev, zeroes, part, offset, why);
		offset += part;
		len -= part;
	}
	return ret;
}

int device_sync(const struct device *dev, struct dm_chain_why *why)
{
	if (!dev->rehearsal && fsync(dev->fd))
		return dm_chain_refuse(why, -errno, "%s: flush failed: %s",
				       dev->path, strerror(errno));
	return 0;
}

int device_signature(const struct device *dev, char *text, size_t size,
		     struct dm_chain_why *why)
{
	/* libblkid's buffers do not suit direct I/O. */
	int fd = open(dev->path, O_RDONLY | O_CLOEXEC);
	blkid_probe probe = blkid_new_probe();
	const char *type = NULL;
	int ret = -EIO;

	if (!probe)
		exit(complain("out of memory"));
	if (fd < 0 || blkid_probe_set_device(probe, fd, 0, 0))
		goto out;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE);
	blkid_probe_enable_partitions(probe, 1);
	ret = blkid_do_safeprobe(probe);
	if (ret == -2) {
		snprintf(text, size, "more than one");
		ret = 1;
	} else if (ret == 0) {
		if (blkid_probe_lookup_value(probe, "TYPE", &type, NULL) &&
		    blkid_probe_lookup_value(probe, "PTTYPE", &type, NULL))
			type = "unknown";
		snprintf(text, size, "%s", type);
		ret = 1;
	} else {
		ret = ret == 1 ? 0 : -EIO;
	}
out:
	if (ret < 0)
		dm_chain_refuse(why, ret,
				"%s: libblkid cannot read it, so what it holds is not known: --force does not look",
				dev->path);
	blkid_free_probe(probe);
	if (fd >= 0)
		close(fd);
	return ret;
}
