/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The server's side of the NBD protocol, as much as QEMU needs of it: the
 * "fixed newstyle" handshake and simple replies.
 */
#ifndef POWERCUT_NBD_H
#define POWERCUT_NBD_H

#include <stddef.h>
#include <linux/types.h>

enum nbd_command {
	NBD_CMD_READ		= 0,
	NBD_CMD_WRITE		= 1,
	NBD_CMD_DISC		= 2,
	NBD_CMD_FLUSH		= 3,
	NBD_CMD_TRIM		= 4,
	NBD_CMD_WRITE_ZEROES	= 6,
};

#define NBD_CMD_FLAG_FUA	(1 << 0)

/* In host byte order. */
struct nbd_request {
	u16 flags;
	u16 type;
	u64 cookie;
	u64 offset;
	u32 length;
};

/**
 * nbd_handshake() - from the greeting to the first request
 * @fd: the connection, blocking
 * @find: returns the number of an export, with its size, or -1
 * @arg: for @find
 *
 * Return: the number of the export that the client chose, or -1.
 */
int nbd_handshake(int fd, int (*find)(void *arg, const char *name, u64 *size),
		  void *arg);

/* Read a request and what it carries. Return: 0, or -1 at the end. */
int nbd_receive(int fd, struct nbd_request *req, void *data, size_t room);

/* Answer a request; @data is of @length bytes, NULL if it was no read. */
int nbd_answer(int fd, u64 cookie, unsigned int error, const void *data,
	       u32 length);

#endif
