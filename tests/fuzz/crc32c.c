// SPDX-License-Identifier: GPL-2.0
/*
 * CRC-32C eight bytes at a time, as the fuzzers compute nothing else as often.
 * It is built without sanitizers; the length is always that of a page.
 */
#include <string.h>
#include <asm/byteorder.h>
#include <linux/crc32c.h>

/* [n]: what a byte adds that n more follow. */
static u32 table[8][256];

static __attribute__((__constructor__)) void make_table(void)
{
	u32 byte, bit, crc, n;

	for (byte = 0; byte < 256; byte++) {
		crc = byte;
		for (bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78U : crc >> 1;
		table[0][byte] = crc;
	}
	for (n = 1; n < 8; n++)
		for (byte = 0; byte < 256; byte++)
			table[n][byte] = table[n - 1][byte] >> 8 ^
					 table[0][table[n - 1][byte] & 0xff];
}

u32 crc32c(u32 crc, const void *address, unsigned int length)
{
	const u8 *p = address;
	u32 n;
	u64 word;

	for (; length >= 8; length -= 8, p += 8) {
		memcpy(&word, p, 8);
		word = le64_to_cpu(word) ^ crc;
		crc = 0;
		for (n = 0; n < 8; n++, word >>= 8)
			crc ^= table[7 - n][word & 0xff];
	}
	while (length--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	return crc;
}
