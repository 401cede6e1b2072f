// SPDX-License-Identifier: GPL-2.0
/*
 * A group of disks in memory, served over NBD, that logs every request in the
 * order of arrival and of its answer, over all disks together (log.h). Answers
 * to some requests are held back for a while, so that requests which do not
 * wait for each other overtake each other, as on a real disk.
 *
 *	powercut record SOCKET LOG DELAY SEED NAME:SIZE:ZEROS...
 *
 * DELAY: microseconds at most, for every other request. The first device is
 * for marks: what is written there is text, and if it begins with '@' an order
 * to the recorder, in force before the write is answered:
 *
 *	@delay NAME USEC	the least time that a write or flush takes
 *	@fail-write NAME 0|1	writes answer EIO
 *	@fail-flush NAME 0|1	flushes answer EIO
 *	@fail-read NAME KIB	reads behind the first KIB KiB answer EIO; 0: none
 *
 * Ends on SIGTERM, or when its parent ends.
 */
#include <endian.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "image.h"
#include "log.h"
#include "nbd.h"
#include "powercut.h"
#include "sector.h"

#define MAX_DEVICES	128
#define MAX_REQUEST	(32 * 1024 * 1024)

struct device {
	struct log_device is;
	struct image image;
	unsigned int delay;		/* microseconds at least */
	bool fail_write;
	bool fail_flush;
	u64 fail_read;			/* bytes, 0: none */
};

struct client {
	int fd;
	unsigned int device;
};

/* An answer that is held back. */
struct reply {
	struct reply *next;
	u64 due;			/* nanoseconds */
	int fd;
	u64 cookie;
	struct log_record rec;
	void *data;			/* of a read */
};

static struct device device[MAX_DEVICES];
static unsigned int devices;
static struct client client[MAX_DEVICES];
static unsigned int clients;
static struct reply *replies;
static unsigned int jitter;
static unsigned int next_id;
static FILE *logfile;
static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void log_write(const void *data, size_t len)
{
	if (fwrite(data, 1, len, logfile) != len)
		err(1, "log");
}

static struct device *device_by_name(const char *name)
{
	unsigned int i;

	for (i = 0; i < devices; i++)
		if (!strcmp(device[i].is.name, name))
			return &device[i];
	errx(1, "mark: no device %s", name);
}

static void obey(const char *text)
{
	char verb[32], name[LOG_NAME_LEN];
	struct device *dev;
	unsigned int value;

	if (sscanf(text, "@%31s %47s %u", verb, name, &value) != 3)
		errx(1, "mark: %s", text);
	dev = device_by_name(name);
	if (!strcmp(verb, "delay"))
		dev->delay = value;
	else if (!strcmp(verb, "fail-write"))
		dev->fail_write = value;
	else if (!strcmp(verb, "fail-flush"))
		dev->fail_flush = value;
	else if (!strcmp(verb, "fail-read"))
		dev->fail_read = value * 1024ULL;
	else
		errx(1, "mark: %s", text);
}

/* What the request does to the image, at once: reads see it. */
static void apply(struct device *dev, const struct log_record *rec,
		  const u8 *data)
{
	static const u8 zeros[POWERCUT_SECTOR];
	u64 sector = rec->offset / POWERCUT_SECTOR;
	unsigned int i;

	for (i = 0; i < rec->length / POWERCUT_SECTOR; i++) {
		const void *s = rec->op == LOG_WRITE ?
				data + i * POWERCUT_SECTOR :
				rec->op == LOG_ZERO ? zeros : NULL;

		image_write(&dev->image, sector + i, s);
	}
}

static void *read_image(struct device *dev, const struct nbd_request *req)
{
	u8 *data = malloc(req->length);
	unsigned int i;

	if (!data)
		err(1, "read");
	for (i = 0; i < req->length / POWERCUT_SECTOR; i++)
		image_read(&dev->image, req->offset / POWERCUT_SECTOR + i,
			   data + i * POWERCUT_SECTOR);
	return data;
}

static int op_of(const struct nbd_request *req)
{
	switch (req->type) {
	case NBD_CMD_WRITE:
		return LOG_WRITE;
	case NBD_CMD_WRITE_ZEROES:
		return LOG_ZERO;
	case NBD_CMD_TRIM:
		return LOG_TRIM;
	case NBD_CMD_FLUSH:
		return LOG_FLUSH;
	}
	return -1;
}

static u64 due_time(const struct device *dev)
{
	u64 delay = dev->delay;

	if (jitter && random() & 1)
		delay += random() % jitter;
	return delay ? now() + delay * 1000 : 0;
}

/* In the order in which they are due. */
static void hold(struct reply *reply)
{
	struct reply **at = &replies;

	while (*at && (*at)->due <= reply->due)
		at = &(*at)->next;
	reply->next = *at;
	*at = reply;
}

static void handle(struct client *from, const struct nbd_request *req,
		   const u8 *data)
{
	struct device *dev = &device[from->device];
	struct reply *reply = calloc(1, sizeof(*reply));
	struct log_record *rec = &reply->rec;
	int op = op_of(req);

	if (!reply)
		err(1, "request");
	if (req->offset + req->length > dev->is.size ||
	    req->offset % POWERCUT_SECTOR || req->length % POWERCUT_SECTOR)
		errx(1, "%s: a request past the end or not of whole sectors",
		     dev->is.name);
	reply->fd = from->fd;
	reply->cookie = req->cookie;
	rec->device = from->device;
	rec->offset = req->offset;
	rec->length = req->length;
	if (op >= 0) {
		rec->op = op;
		rec->id = next_id++;
		rec->flags = req->flags & NBD_CMD_FLAG_FUA ? LOG_F_FUA : 0;
		if (op == LOG_WRITE && dev->fail_write)
			rec->error = EIO;
		if (op == LOG_FLUSH && dev->fail_flush)
			rec->error = EIO;
		log_write(rec, sizeof(*rec));
		if (op == LOG_WRITE)
			log_write(data, rec->length);
		if (from->device == LOG_MARK_DEVICE) {
			if (op == LOG_WRITE && data[0] == '@')
				obey((const char *)data);
		} else if (op != LOG_FLUSH && !rec->error) {
			apply(dev, rec, data);
		}
	} else if (req->type == NBD_CMD_READ) {
		rec->type = 255;
		if (dev->fail_read &&
		    req->offset + req->length > dev->fail_read)
			rec->error = EIO;
		else
			reply->data = read_image(dev, req);
	} else {
		errx(1, "%s: NBD request %u", dev->is.name, req->type);
	}
	reply->due = from->device == LOG_MARK_DEVICE ? 0 : due_time(dev);
	hold(reply);
}

static void answer_due(void)
{
	struct reply *reply;

	while (replies && (!replies->due || replies->due <= now())) {
		reply = replies;
		replies = reply->next;
		if (reply->rec.type == LOG_SUBMIT) {
			reply->rec.type = LOG_DONE;
			log_write(&reply->rec, sizeof(reply->rec));
		}
		if (nbd_answer(reply->fd, reply->cookie, reply->rec.error,
			       reply->data, reply->rec.length))
			warn("answer");
		free(reply->data);
		free(reply);
	}
}

/* Answers for a client that is gone go nowhere. */
static void drop_client(unsigned int n)
{
	struct reply **at = &replies, *reply;

	while ((reply = *at)) {
		if (reply->fd != client[n].fd) {
			at = &reply->next;
			continue;
		}
		*at = reply->next;
		free(reply->data);
		free(reply);
	}
	close(client[n].fd);
	client[n] = client[--clients];
}

static int find_export(void *arg, const char *name, u64 *size)
{
	unsigned int i;

	(void)arg;
	for (i = 0; i < devices; i++) {
		if (!strcmp(device[i].is.name, name)) {
			*size = device[i].is.size;
			return i;
		}
	}
	return -1;
}

static void greet(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	int n;

	if (fd < 0)
		err(1, "accept");
	n = nbd_handshake(fd, find_export, NULL);
	if (n < 0 || clients == MAX_DEVICES) {
		close(fd);
		return;
	}
	client[clients++] = (struct client){ .fd = fd, .device = n };
}

static void serve(int listener)
{
	static u8 data[MAX_REQUEST];
	struct pollfd fds[MAX_DEVICES + 1];
	struct nbd_request req;
	unsigned int i;

	while (!stop) {
		struct timespec wait = { .tv_sec = 1 };

		answer_due();
		if (replies) {
			u64 t = now();
			u64 left = replies->due > t ? replies->due - t : 0;

			wait.tv_sec = left / 1000000000;
			wait.tv_nsec = left % 1000000000;
		}
		fds[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
		for (i = 0; i < clients; i++)
			fds[i + 1] = (struct pollfd){ .fd = client[i].fd,
						      .events = POLLIN };
		if (ppoll(fds, clients + 1, &wait, NULL) < 0) {
			if (errno == EINTR)
				continue;
			err(1, "poll");
		}
		/* backwards: a client that leaves is replaced by the last */
		for (i = clients; i-- > 0;) {
			if (!fds[i + 1].revents)
				continue;
			if (nbd_receive(client[i].fd, &req, data, sizeof(data)))
				drop_client(i);
			else
				handle(&client[i], &req, data);
		}
		if (fds[0].revents)
			greet(listener);
	}
}

static void add_device(const char *arg)
{
	struct device *dev = &device[devices];
	unsigned long long size, zeros;

	if (devices == MAX_DEVICES ||
	    sscanf(arg, "%47[^:]:%llu:%llu", dev->is.name, &size, &zeros) != 3)
		errx(2, "%s: not NAME:SIZE:ZEROS", arg);
	dev->is.size = size;
	dev->is.zeros = zeros;
	image_init(&dev->image, devices, size, zeros);
	devices++;
}

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(addr.sun_path))
		errx(2, "%s: too long", path);
	strcpy(addr.sun_path, path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, MAX_DEVICES))
		err(1, "%s", path);
	return fd;
}

int record_main(int argc, char **argv)
{
	struct sigaction term = { .sa_handler = on_term };
	struct log_header header = { .magic = LOG_MAGIC };
	unsigned int i;
	int listener;

	if (argc < 6)
		errx(2, "usage: powercut record SOCKET LOG DELAY SEED NAME:SIZE:ZEROS...");
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigaction(SIGTERM, &term, NULL);
	signal(SIGPIPE, SIG_IGN);
	jitter = strtoul(argv[3], NULL, 0);
	srandom(strtoul(argv[4], NULL, 0));
	for (i = 5; i < (unsigned int)argc; i++)
		add_device(argv[i]);

	logfile = fopen(argv[2], "we");
	if (!logfile)
		err(1, "%s", argv[2]);
	header.devices = devices;
	log_write(&header, sizeof(header));
	for (i = 0; i < devices; i++)
		log_write(&device[i].is, sizeof(device[i].is));
	listener = listen_at(argv[1]);

	serve(listener);
	if (fclose(logfile))
		err(1, "%s", argv[2]);
	unlink(argv[1]);
	return 0;
}
