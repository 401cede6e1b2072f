// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: disk images of QEMU, see disk-image.h.
 *
 * qemu-nbd gets a socket, and ends with the connection, however we end. Who owns what
 * of an image and what it shows come from the same open image, in which nothing can
 * change meanwhile: QEMU locks it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libnbd.h>
#include <linux/minmax.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk-image.h"

#define LIBRARY		"libnbd.so.0"
#define DEPTH		"qemu:allocation-depth"
#define ZEROES		LIBNBD_CONTEXT_BASE_ALLOCATION
#define STATE_ZERO	2	/* of ZEROES */
#define MOST		(1U << 30)
#define LISTEN_FD	3	/* of systemd's socket activation */

/* What is used of the library. */
static struct {
	void *handle;
	__typeof__(nbd_create) *create;
	__typeof__(nbd_close) *close;
	__typeof__(nbd_get_error) *get_error;
	__typeof__(nbd_add_meta_context) *add_meta_context;
	__typeof__(nbd_can_meta_context) *can_meta_context;
	__typeof__(nbd_connect_socket) *connect;
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
	    find(&lib.connect, "nbd_connect_socket") &&
	    find(&lib.get_size, "nbd_get_size") &&
	    find(&lib.block_status, "nbd_block_status") &&
	    find(&lib.pread, "nbd_pread"))
		return 0;
	dlclose(lib.handle);
	lib.handle = NULL;
	return dm_chain_refuse(why, -ENOENT, "%s is too old: 1.4 or later is needed",
			       LIBRARY);
}

static int refuse(const struct disk_image *image, struct dm_chain_why *why)
{
	return dm_chain_refuse(why, -EIO, "%s: %.200s", image->path,
			       lib.get_error());
}

/*
 * A socket that listens, @fd[0], and one that is connected to it. The name that this
 * takes is gone when it returns, signals or not: nobody has to remove it, and nobody
 * else can connect to what will read the image.
 */
static int make_sockets(int fd[2], struct dm_chain_why *why)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/chainsetup.XXXXXX";
	sigset_t all, old;
	int err = 0;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	fd[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fd[1] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!mkdtemp(dir)) {
		err = errno;
	} else {
		snprintf(name.sun_path, sizeof(name.sun_path), "%s/nbd", dir);
		if (bind(fd[0], (void *)&name, sizeof(name)) || listen(fd[0], 1) ||
		    connect(fd[1], (void *)&name, sizeof(name)))
			err = errno;
		unlink(name.sun_path);
		rmdir(dir);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (!err)
		return 0;
	if (fd[0] >= 0)
		close(fd[0]);
	if (fd[1] >= 0)
		close(fd[1]);
	return dm_chain_refuse(why, -err, "a socket in %s: %s", dir, strerror(err));
}

/* The socket that listens is handed over as systemd does. */
static void __attribute__((__noreturn__)) become(char **argv, int listening, int said)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	unsetenv("LISTEN_FDNAMES");
	dup2(said, STDERR_FILENO);
	if (listening == LISTEN_FD)
		fcntl(listening, F_SETFD, 0);
	else
		dup2(listening, LISTEN_FD);
	execvp(argv[0], argv);
	fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void end_process(struct disk_image *image)
{
	if (image->nbd)
		lib.close(image->nbd);
	image->nbd = NULL;
	if (image->pid <= 0)
		return;
	kill(image->pid, SIGTERM);
	while (waitpid(image->pid, NULL, 0) < 0 && errno == EINTR)
		;
	image->pid = 0;
}

/* What the process says on standard error belongs into our one line. */
static int run(struct disk_image *image, char **argv, struct dm_chain_why *why)
{
	int fd[2], said = memfd_create("stderr", MFD_CLOEXEC);
	char text[256] = "";
	ssize_t n;
	int ret;

	ret = make_sockets(fd, why);
	if (ret)
		goto out;
	fflush(stdout);
	image->pid = fork();
	if (!image->pid)
		become(argv, fd[0], said);
	if (image->pid < 0)
		ret = dm_chain_refuse(why, -errno, "%s: %s", image->path,
				      strerror(errno));
	/* If the process ends now, so does the connection. */
	close(fd[0]);
	if (ret)
		close(fd[1]);
	else if (lib.connect(image->nbd, fd[1]))
		ret = refuse(image, why);
	if (!ret)
		goto out;
	end_process(image);
	n = pread(said, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	if (*text)
		dm_chain_refuse(why, ret, "%s: %s", image->path, text);
out:
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
	ret = run(image, argv, why);
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
	end_process(image);
}
