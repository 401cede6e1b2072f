// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: buffers, and the target's own data I/O.
 *
 * All of this sleeps and runs in the target's own workers. Nothing here is
 * called from the map path.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "dm-chain.h"

/* Words that are looked at together. */
#define SCAN_WORDS	8

static size_t buf_chunk(const struct dm_chain_buf *buf)
{
	return PAGE_SIZE << buf->order;
}

/* Address of the byte at @offset, and how many of @bytes go on from there. */
static void *buf_piece(const struct dm_chain_buf *buf, size_t offset,
		       size_t bytes, size_t *n)
{
	size_t in = offset & (buf_chunk(buf) - 1);

	*n = min(bytes, buf_chunk(buf) - in);
	return buf->chunk[offset >> (PAGE_SHIFT + buf->order)] + in;
}

static struct dm_chain_buf *buf_try(size_t bytes, unsigned int order, gfp_t gfp)
{
	unsigned int nr = DIV_ROUND_UP(bytes, PAGE_SIZE << order);
	struct dm_chain_buf *buf;

	buf = kzalloc(struct_size(buf, chunk, nr), gfp);
	if (!buf)
		return NULL;

	/* Network drivers look at each page's count, so make it one folio. */
	if (order)
		gfp |= __GFP_COMP;
	buf->order = order;
	for (; buf->nr < nr; buf->nr++) {
		buf->chunk[buf->nr] = (void *)__get_free_pages(gfp, order);
		if (!buf->chunk[buf->nr]) {
			dm_chain_buf_free(buf);
			return NULL;
		}
	}
	return buf;
}

struct dm_chain_buf *dm_chain_buf_alloc(size_t bytes, gfp_t gfp)
{
	gfp_t easy = (gfp | __GFP_NOWARN | __GFP_NORETRY) & ~__GFP_RECLAIM;
	struct dm_chain_buf *buf = NULL;
	unsigned int order;

	for (order = get_order(bytes); order && !buf; order--)
		buf = buf_try(bytes, order, easy);
	return buf ? buf : buf_try(bytes, 0, gfp);
}

void dm_chain_buf_free(struct dm_chain_buf *buf)
{
	if (!buf)
		return;
	while (buf->nr--)
		free_pages((unsigned long)buf->chunk[buf->nr], buf->order);
	kfree(buf);
}

void dm_chain_buf_zero(struct dm_chain_buf *buf, size_t offset, size_t bytes)
{
	size_t n;

	for (; bytes; offset += n, bytes -= n) {
		void *piece = buf_piece(buf, offset, bytes, &n);

		memset(piece, 0, n);
	}
}

/* memchr_inv() looks at one word at a time, which takes three times as long. */
static bool words_are_zero(const unsigned long *word, size_t bytes)
{
	const unsigned long *end = word + bytes / sizeof(*word);

	for (; word < end; word += SCAN_WORDS)
		if (word[0] | word[1] | word[2] | word[3] |
		    word[4] | word[5] | word[6] | word[7])
			return false;
	return true;
}

bool dm_chain_buf_is_zero(const struct dm_chain_buf *buf, size_t offset,
			  size_t bytes)
{
	size_t n;

	for (; bytes; offset += n, bytes -= n) {
		const void *piece = buf_piece(buf, offset, bytes, &n);

		if (!words_are_zero(piece, n))
			return false;
	}
	return true;
}

bool dm_chain_buf_equal(const struct dm_chain_buf *a,
			const struct dm_chain_buf *b, size_t offset,
			size_t bytes)
{
	size_t n, m;

	for (; bytes; offset += n, bytes -= n) {
		const void *piece = buf_piece(a, offset, bytes, &n);
		const void *other = buf_piece(b, offset, n, &m);

		n = m;
		if (memcmp(piece, other, n))
			return false;
	}
	return true;
}

void dm_chain_buf_fill(struct dm_chain_buf *buf, size_t offset,
		       struct bio *bio, struct bvec_iter iter)
{
	struct bio_vec bv;

	__bio_for_each_segment(bv, bio, iter, iter) {
		void *src = bvec_kmap_local(&bv);
		size_t done = 0;

		while (done < bv.bv_len) {
			size_t n;
			void *dst = buf_piece(buf, offset, bv.bv_len - done, &n);

			memcpy(dst, src + done, n);
			offset += n;
			done += n;
		}
		kunmap_local(src);
	}
}

unsigned int dm_chain_buf_vecs(const struct dm_chain_buf *buf, size_t offset,
			       size_t bytes)
{
	size_t in = offset & (buf_chunk(buf) - 1);

	return (in + bytes + buf_chunk(buf) - 1) >> (PAGE_SHIFT + buf->order);
}

void dm_chain_bio_add(struct bio *bio, struct dm_chain_buf *buf, size_t offset,
		      size_t bytes)
{
	size_t n;

	for (; bytes; offset += n, bytes -= n) {
		void *piece = buf_piece(buf, offset, bytes, &n);

		__bio_add_page(bio, virt_to_page(piece), n,
			       offset_in_page(piece));
	}
}

int dm_chain_rw(struct bio_set *bios, struct block_device *bdev,
		blk_opf_t opf, sector_t sector, struct dm_chain_buf *buf,
		size_t offset, size_t bytes)
{
	struct bio *bio;
	int r;

	bio = bio_alloc_bioset(bdev, dm_chain_buf_vecs(buf, offset, bytes), opf,
			       GFP_NOIO, bios);
	bio->bi_iter.bi_sector = sector;
	dm_chain_bio_add(bio, buf, offset, bytes);
	r = submit_bio_wait(bio);
	bio_put(bio);
	return r;
}
