/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: what a slot with a wrong checksum held, proved by that checksum.
 */
#ifndef CHAINSETUP_REBUILD_H
#define CHAINSETUP_REBUILD_H

#include "dm-chain-codec.h"

/**
 * enum rebuilt - how a slot was rebuilt
 * @REBUILT_NOT: it was not: nothing that was tried has the checksum
 * @REBUILT_BIT: one bit was wrong. That is no torn write
 * @REBUILT_SECTORS: some of its sectors are those of the other slot, or only
 *	what every such page begins with was wrong
 */
enum rebuilt {
	REBUILT_NOT,
	REBUILT_BIT,
	REBUILT_SECTORS,
};

/**
 * rebuild_slot() - find out what a bad slot held
 * @page: its 4 KiB; what it held, if it was rebuilt
 * @other: the other slot, NULL if it cannot be read. It may be bad as well
 * @magic: of the page
 * @uuid: the layer's, for a map or directory page; NULL for a superblock
 * @index: of the page among its kind
 *
 * Of the 256 mixtures of sectors and the 32704 single bits that are tried, a
 * page of garbage passes for one with a probability of 8 in a million. A
 * checksum that is lost proves nothing: it is never taken from the other slot.
 */
enum rebuilt rebuild_slot(void *page, const void *other, const char *magic,
			  const u8 *uuid, u32 index);

#endif
