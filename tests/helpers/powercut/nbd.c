// SPDX-License-Identifier: GPL-2.0
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nbd.h"

#define NBD_GREETING		0x4e42444d41474943ULL	/* "NBDMAGIC" */
#define NBD_OPTION_MAGIC	0x49484156454f5054ULL	/* "IHAVEOPT" */
#define NBD_OPTION_REPLY_MAGIC	0x3e889045565a9ULL
#define NBD_REQUEST_MAGIC	0x25609513
#define NBD_REPLY_MAGIC		0x67446698

#define NBD_FIXED_NEWSTYLE	(1 << 0)
#define NBD_NO_ZEROES		(1 << 1)

#define NBD_OPT_ABORT		2
#define NBD_OPT_INFO		6
#define NBD_OPT_GO		7

#define NBD_REP_ACK		1
#define NBD_REP_INFO		3
#define NBD_REP_ERR_UNSUP	0x80000001
#define NBD_REP_ERR_UNKNOWN	0x80000006

#define NBD_INFO_EXPORT		0

/* has flags, flush, FUA, trim, write zeroes */
#define NBD_EXPORT_FLAGS	(1 << 0 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6)

struct option {
	u64 magic;
	u32 option;
	u32 length;
} __packed;

struct option_reply {
	u64 magic;
	u32 option;
	u32 type;
	u32 length;
} __packed;

struct export_info {
	u16 type;
	u64 size;
	u16 flags;
} __packed;

struct wire_request {
	u32 magic;
	u16 flags;
	u16 type;
	u64 cookie;
	u64 offset;
	u32 length;
} __packed;

struct wire_reply {
	u32 magic;
	u32 error;
	u64 cookie;
} __packed;

static int read_all(int fd, void *buf, size_t len)
{
	u8 *to = buf;

	while (len) {
		ssize_t n = read(fd, to, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		to += n;
		len -= n;
	}
	return 0;
}

static int write_all(int fd, const void *buf, size_t len)
{
	const u8 *from = buf;

	while (len) {
		ssize_t n = write(fd, from, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		from += n;
		len -= n;
	}
	return 0;
}

static int reply_option(int fd, u32 option, u32 type, const void *data,
			u32 length)
{
	struct option_reply reply = {
		.magic = htobe64(NBD_OPTION_REPLY_MAGIC),
		.option = htobe32(option),
		.type = htobe32(type),
		.length = htobe32(length),
	};

	return write_all(fd, &reply, sizeof(reply)) ||
	       (length && write_all(fd, data, length));
}

/* The name is at the start of the option's data, behind its length. */
static int choose(int fd, u32 option, const u8 *data, u32 length,
		  int (*find)(void *arg, const char *name, u64 *size),
		  void *arg)
{
	struct export_info info;
	char name[256];
	u32 len;
	u64 size;
	int n;

	if (length < sizeof(len))
		return -1;
	memcpy(&len, data, sizeof(len));
	len = be32toh(len);
	if (len > length - sizeof(len) || len >= sizeof(name))
		return -1;
	memcpy(name, data + sizeof(len), len);
	name[len] = '\0';

	n = find(arg, name, &size);
	if (n < 0)
		return reply_option(fd, option, NBD_REP_ERR_UNKNOWN, NULL, 0),
		       -1;
	info.type = htobe16(NBD_INFO_EXPORT);
	info.size = htobe64(size);
	info.flags = htobe16(NBD_EXPORT_FLAGS);
	if (reply_option(fd, option, NBD_REP_INFO, &info, sizeof(info)) ||
	    reply_option(fd, option, NBD_REP_ACK, NULL, 0))
		return -1;
	return n;
}

int nbd_handshake(int fd, int (*find)(void *arg, const char *name, u64 *size),
		  void *arg)
{
	u64 greeting[2] = { htobe64(NBD_GREETING), htobe64(NBD_OPTION_MAGIC) };
	u16 flags = htobe16(NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES);
	struct option opt;
	u8 data[4096];
	u32 client;
	int n;

	if (write_all(fd, greeting, sizeof(greeting)) ||
	    write_all(fd, &flags, sizeof(flags)) ||
	    read_all(fd, &client, sizeof(client)))
		return -1;
	for (;;) {
		u32 option, length;

		if (read_all(fd, &opt, sizeof(opt)) ||
		    be64toh(opt.magic) != NBD_OPTION_MAGIC)
			return -1;
		option = be32toh(opt.option);
		length = be32toh(opt.length);
		if (length > sizeof(data) || read_all(fd, data, length))
			return -1;
		switch (option) {
		case NBD_OPT_GO:
		case NBD_OPT_INFO:
			n = choose(fd, option, data, length, find, arg);
			if (n < 0 || option == NBD_OPT_GO)
				return n;
			break;
		case NBD_OPT_ABORT:
			reply_option(fd, option, NBD_REP_ACK, NULL, 0);
			return -1;
		default:
			if (reply_option(fd, option, NBD_REP_ERR_UNSUP, NULL, 0))
				return -1;
		}
	}
}

int nbd_receive(int fd, struct nbd_request *req, void *data, size_t room)
{
	struct wire_request wire;

	if (read_all(fd, &wire, sizeof(wire)) ||
	    be32toh(wire.magic) != NBD_REQUEST_MAGIC)
		return -1;
	req->flags = be16toh(wire.flags);
	req->type = be16toh(wire.type);
	req->cookie = wire.cookie;
	req->offset = be64toh(wire.offset);
	req->length = be32toh(wire.length);
	if (req->type == NBD_CMD_DISC)
		return -1;
	if (req->type == NBD_CMD_WRITE)
		return req->length > room || read_all(fd, data, req->length) ?
		       -1 : 0;
	return 0;
}

int nbd_answer(int fd, u64 cookie, unsigned int error, const void *data,
	       u32 length)
{
	struct wire_reply wire = {
		.magic = htobe32(NBD_REPLY_MAGIC),
		.error = htobe32(error),
		.cookie = cookie,
	};

	if (write_all(fd, &wire, sizeof(wire)))
		return -1;
	return data && !error ? write_all(fd, data, length) : 0;
}
