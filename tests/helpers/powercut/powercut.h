/* SPDX-License-Identifier: GPL-2.0 */
/* The programs in powercut: each gets its own name as argv[0]. */
#ifndef POWERCUT_H
#define POWERCUT_H

int record_main(int argc, char **argv);
int load_main(int argc, char **argv);
int mark_main(int argc, char **argv);
int replay_main(int argc, char **argv);
int await_main(int argc, char **argv);
int same_main(int argc, char **argv);

/*
 * Put a mark into the log: on return it is there. @fd is the device for marks,
 * open with O_DIRECT; @buf is aligned as that wants, of at least a sector.
 */
void powercut_mark(int fd, void *buf, const char *text);

#endif
