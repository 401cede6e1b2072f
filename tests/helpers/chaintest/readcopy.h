/* SPDX-License-Identifier: GPL-2.0 */
/* chaintest: what the scenarios of copy on read share. */
#ifndef CHAINTEST_READCOPY_H
#define CHAINTEST_READCOPY_H

#include "ct.h"

/* readcopy.c */
struct chain *readcopy_chain(const char *names, u64 size, u32 block_size);
void readcopy_table(struct chain *c, const char *words);
void readcopy_read(struct chain *c, u64 offset, u64 len);
void readcopy_model(struct chain *c, int bottom, u64 offset, u64 len);
void readcopy_copies(struct chain *c, int bottom, u64 offset, u64 len);
void readcopy_all(struct chain *c);
void readcopy_settle(struct chain *c);
void readcopy_verify(struct chain *c);
void readcopy_end(struct chain *c, int bottom);

#endif
