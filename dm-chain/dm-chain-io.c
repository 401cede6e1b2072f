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

struct dm_chain_buf *dm_chain_buf_alloc(size_t bytes, gfp_t gfp)
{
	unsigned int nr = DIV_ROUND_UP(bytes, PAGE_SIZE);
	struct dm_chain_buf *buf;

	buf = kzalloc(struct_size(buf, page, nr), gfp);
	if (!buf)
		return NULL;

	for (; buf->nr < nr; buf->nr++) {
		buf->page[buf->nr] = (void *)__get_free_page(gfp);
		if (!buf->page[buf->nr]) {
			dm_chain_buf_free(buf);
			return NULL;
		}
	}
	return buf;
}

void dm_chain_buf_free(struct dm_chain_buf *buf)
{
	if (!buf)
		return;
	while (buf->nr--)
		free_page((unsigned long)buf->page[buf->nr]);
	kfree(buf);
}

void dm_chain_buf_zero(struct dm_chain_buf *buf, size_t offset, size_t bytes)
{
	while (bytes) {
		size_t in = offset_in_page(offset);
		size_t n = min_t(size_t, bytes, PAGE_SIZE - in);

		memset(buf->page[offset / PAGE_SIZE] + in, 0, n);
		offset += n;
		bytes -= n;
	}
}

void dm_chain_buf_fill(struct dm_chain_buf *buf, size_t offset,
		       struct bio *bio, struct bvec_iter iter)
{
	struct bio_vec bv;

	__bio_for_each_segment(bv, bio, iter, iter) {
		void *src = bvec_kmap_local(&bv);
		size_t done = 0;

		while (done < bv.bv_len) {
			size_t in = offset_in_page(offset);
			size_t n = min_t(size_t, bv.bv_len - done,
					 PAGE_SIZE - in);

			memcpy(buf->page[offset / PAGE_SIZE] + in, src + done, n);
			offset += n;
			done += n;
		}
		kunmap_local(src);
	}
}

struct bio *dm_chain_bio(struct bio_set *bios, struct block_device *bdev,
			 blk_opf_t opf, sector_t sector,
			 struct dm_chain_buf *buf, size_t offset, size_t bytes)
{
	unsigned int vecs = DIV_ROUND_UP(offset_in_page(offset) + bytes,
					 PAGE_SIZE);
	struct bio *bio = bio_alloc_bioset(bdev, vecs, opf, GFP_NOIO, bios);

	bio->bi_iter.bi_sector = sector;
	while (bytes) {
		size_t in = offset_in_page(offset);
		size_t n = min_t(size_t, bytes, PAGE_SIZE - in);

		__bio_add_page(bio, virt_to_page(buf->page[offset / PAGE_SIZE]),
			       n, in);
		offset += n;
		bytes -= n;
	}
	return bio;
}

int dm_chain_rw(struct bio_set *bios, struct block_device *bdev,
		blk_opf_t opf, sector_t sector, struct dm_chain_buf *buf,
		size_t offset, size_t bytes)
{
	struct bio *bio = dm_chain_bio(bios, bdev, opf, sector, buf, offset,
				       bytes);
	int r = submit_bio_wait(bio);

	bio_put(bio);
	return r;
}
