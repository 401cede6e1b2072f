// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the owner map.
 *
 * A word of the table is either tagged (bit 0 set, the entry above it: the
 * whole region has that entry) or the address of the region's node. Words
 * change in three ways only, so that every change is safe against the others:
 *	tagged to tagged	by cmpxchg (fill)
 *	tagged to node		by cmpxchg (pin)
 *	node to tagged		by whoever froze the node (collapse)
 *
 * A node's pin count is frozen by exchanging 0 for INT_MIN. From then on it
 * cannot be pinned, so its entries do not change. A frozen node is thawed if
 * its entries turn out to be mixed; otherwise it leaves the table, stays frozen
 * for ever and is freed when no RCU reader can see it any more. So a pin that
 * succeeded is on a node that is in the table and stays there.
 *
 * Barriers
 *	An entry says where a block's data is, so whoever reads an entry must
 *	also see what was written before it was set: smp_wmb() in
 *	dm_chain_owner_set() and the full barrier of each successful cmpxchg
 *	pair with smp_rmb() in dm_chain_owner_lookup().
 *	A collapse must see what earlier pinners stored: smp_mb__before_atomic()
 *	in dm_chain_owner_unpin() pairs with the cmpxchg that freezes.
 *	A node's content is there before its address: the cmpxchg in
 *	dm_chain_owner_pin() pairs with the address dependency of the readers.
 */
#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/gfp.h>
#include <linux/irqflags.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/processor.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/byteorder.h>

#include "dm-chain-codec.h"
#include "dm-chain-owner.h"

#define REGION_MASK	(DM_CHAIN_REGION_BLOCKS - 1)
#define WORD_BLOCKS	((u32)sizeof(unsigned long))

#define PINS_FROZEN	INT_MIN

/* An entry in every byte of a word. */
#define WORD_OF(entry)	(~0UL / 0xff * (entry))

union entries {
	u8 block[DM_CHAIN_REGION_BLOCKS];
	unsigned long word[DM_CHAIN_REGION_BLOCKS / sizeof(unsigned long)];
	__le64 eight[DM_CHAIN_REGION_BLOCKS / 8];
};

struct dm_chain_owner_node {
	struct rcu_head rcu;
	union entries *entries;		/* a page of its own */
	atomic_t pins;
};

#define NODE_MEMORY	(sizeof(struct dm_chain_owner_node) + sizeof(union entries))

struct dm_chain_owner_map {
	u64 blocks;
	u64 regions;
	atomic64_t nodes;
	unsigned long *table;
};

static unsigned long word_from_entry(u8 entry)
{
	return (unsigned long)entry << 1 | 1;
}

static bool word_is_uniform(unsigned long word)
{
	return word & 1;
}

static u8 word_entry(unsigned long word)
{
	return word >> 1;
}

static struct dm_chain_owner_node *word_node(unsigned long word)
{
	return (struct dm_chain_owner_node *)word;
}

static unsigned long *map_slot(const struct dm_chain_owner_map *map, u64 block)
{
	return &map->table[block >> DM_CHAIN_REGION_SHIFT];
}

/* The last region may be cut; what its node has beyond counts for nothing. */
static u32 map_region_blocks(const struct dm_chain_owner_map *map, u64 block)
{
	u64 start = block & ~(u64)REGION_MASK;

	return min_t(u64, map->blocks - start, DM_CHAIN_REGION_BLOCKS);
}

static struct dm_chain_owner_node *node_alloc(gfp_t gfp)
{
	struct dm_chain_owner_node *node;

	node = kmalloc(sizeof(*node), gfp);
	if (!node)
		return NULL;
	node->entries = (union entries *)__get_free_page(gfp);
	if (!node->entries) {
		kfree(node);
		return NULL;
	}
	return node;
}

static void node_free(struct dm_chain_owner_node *node)
{
	free_page((unsigned long)node->entries);
	kfree(node);
}

static void node_free_rcu(struct rcu_head *rcu)
{
	node_free(container_of(rcu, struct dm_chain_owner_node, rcu));
}

static bool node_pin(struct dm_chain_owner_node *node)
{
	return atomic_inc_unless_negative(&node->pins);
}

/* How many of the blocks from @from up to before @to have @entry? */
static u32 node_run(const struct dm_chain_owner_node *node, u8 entry, u32 from,
		    u32 to)
{
	const union entries *e = node->entries;
	unsigned long same = WORD_OF(entry);
	u32 n = from;

	while (n < to && n % WORD_BLOCKS && READ_ONCE(e->block[n]) == entry)
		n++;
	if (n % WORD_BLOCKS == 0)
		while (n + WORD_BLOCKS <= to &&
		       READ_ONCE(e->word[n / WORD_BLOCKS]) == same)
			n += WORD_BLOCKS;
	while (n < to && READ_ONCE(e->block[n]) == entry)
		n++;
	return n - from;
}

static void node_store(struct dm_chain_owner_node *node, u8 entry, u32 from,
		       u32 to)
{
	union entries *e = node->entries;
	unsigned long same = WORD_OF(entry);
	u32 n = from;

	while (n < to && n % WORD_BLOCKS)
		WRITE_ONCE(e->block[n++], entry);
	for (; n + WORD_BLOCKS <= to; n += WORD_BLOCKS)
		WRITE_ONCE(e->word[n / WORD_BLOCKS], same);
	while (n < to)
		WRITE_ONCE(e->block[n++], entry);
}

struct dm_chain_owner_map *dm_chain_owner_create(u64 blocks)
{
	struct dm_chain_owner_map *map;
	u64 regions = (blocks >> DM_CHAIN_REGION_SHIFT) + !!(blocks & REGION_MASK);
	u64 i;

	if (regions > SIZE_MAX / sizeof(*map->table))
		return NULL;
	map = kmalloc(sizeof(*map), GFP_KERNEL);
	if (!map)
		return NULL;
	map->blocks = blocks;
	map->regions = regions;
	atomic64_set(&map->nodes, 0);
	map->table = kvcalloc(regions, sizeof(*map->table),
			      GFP_KERNEL | __GFP_NOWARN);
	if (!map->table) {
		kfree(map);
		return NULL;
	}
	for (i = 0; i < regions; i++)
		map->table[i] = word_from_entry(DM_CHAIN_NOBODY);
	return map;
}

void dm_chain_owner_destroy(struct dm_chain_owner_map *map)
{
	u64 i;

	if (!map)
		return;
	for (i = 0; i < map->regions; i++)
		if (!word_is_uniform(map->table[i]))
			node_free(word_node(map->table[i]));
	kvfree(map->table);
	kfree(map);
}

void dm_chain_owner_adopt(struct dm_chain_owner_map *map,
			  struct dm_chain_owner_map *from)
{
	u64 i;

	for (i = 0; i < from->regions; i++) {
		map->table[i] = from->table[i];
		from->table[i] = word_from_entry(DM_CHAIN_NOBODY);
	}
	atomic64_set(&map->nodes, atomic64_xchg(&from->nodes, 0));
}

u64 dm_chain_owner_blocks(const struct dm_chain_owner_map *map)
{
	return map->blocks;
}

u64 dm_chain_owner_memory(const struct dm_chain_owner_map *map)
{
	return sizeof(*map) + map->regions * sizeof(*map->table) +
	       (u64)atomic64_read(&map->nodes) * NODE_MEMORY;
}

/*
 * How many blocks from @block up to before @end share @entry, which that block
 * had when the region's @word was read?
 */
static u64 map_run(const struct dm_chain_owner_map *map, u64 block, u64 end,
		   unsigned long word, u8 entry)
{
	const unsigned long *slot = map_slot(map, block);
	unsigned long same = word_from_entry(entry);
	u64 n = block;

	for (;;) {
		u64 stop = min(end, (n | REGION_MASK) + 1);

		if (!word_is_uniform(word)) {
			u32 from = n & REGION_MASK;

			n += node_run(word_node(word), entry, from,
				      from + (u32)(stop - n));
		} else if (word_entry(word) == entry) {
			n = stop;
		}
		if (n < stop || n == end)
			break;
		word = READ_ONCE(*++slot);
		/* Most regions of a large chain are alike. */
		while (word == same && end - n > DM_CHAIN_REGION_BLOCKS) {
			n += DM_CHAIN_REGION_BLOCKS;
			word = READ_ONCE(*++slot);
		}
	}

	/*
	 * The first entry may have changed between the two looks at it: what
	 * was read first is as good as any, the run is that one block then.
	 */
	return n > block ? n - block : 1;
}

u8 dm_chain_owner_lookup(const struct dm_chain_owner_map *map, u64 block,
			 u64 max, u64 *run)
{
	unsigned long word = READ_ONCE(*map_slot(map, block));
	u32 index = block & REGION_MASK;
	u8 entry;

	max = min(max, map->blocks - block);
	*run = max;
	if (word_is_uniform(word)) {
		entry = word_entry(word);
		if (index + max > DM_CHAIN_REGION_BLOCKS)
			*run = map_run(map, block, block + max, word, entry);
	} else {
		entry = READ_ONCE(word_node(word)->entries->block[index]);
		if (max > 1)
			*run = map_run(map, block, block + max, word, entry);
	}

	/* Pairs with smp_wmb() in dm_chain_owner_set() and every cmpxchg. */
	smp_rmb();
	return entry;
}

static enum dm_chain_state state_of(u8 entry, u8 id)
{
	if (dm_chain_owner_id(entry) != id)
		return DM_CHAIN_UNALLOCATED;
	return entry & DM_CHAIN_OWNER_ZERO ? DM_CHAIN_ZERO : DM_CHAIN_DATA;
}

/*
 * The states of eight entries as two bytes of a map page, the first entry lowest
 * in both. Bytes of the word are computed on side by side: no sum below carries
 * out of one.
 */
static u16 states_of_word(u64 word, u8 id)
{
	const u64 low7 = 0x7f7f7f7f7f7f7f7fULL;
	u64 diff = word ^ (0x0101010101010101ULL * id);
	u64 held = ~((diff & low7) + low7) & ~low7;	/* bit 7: the layer's */
	u64 zero = held & diff;
	u64 two = (held ^ zero) >> 7 | zero >> 6;	/* two bits in each byte */

	static_assert(DM_CHAIN_OWNER_ZERO == 0x80);
	static_assert(DM_CHAIN_DATA == 1 && DM_CHAIN_ZERO == 2);
	two = (two | two >> 6) & 0x000f000f000f000fULL;
	two = (two | two >> 12) & 0x000000ff000000ffULL;
	return two | two >> 24;
}

/* The states of blocks @from, a multiple of 8, up to before @to of a node. */
static void entries_states(const struct dm_chain_owner_node *node, u32 from,
			   u32 to, u8 id, u8 *payload, u32 n)
{
	const union entries *e = node->entries;
	u64 word, last = 0;
	u16 states = states_of_word(last, id);

	for (; from + 8 <= to; from += 8, n += 8) {
		word = le64_to_cpu(READ_ONCE(e->eight[from / 8]));
		if (word != last) {
			last = word;
			states = states_of_word(word, id);
		}
		payload[n / 4] = states;
		payload[n / 4 + 1] = states >> 8;
	}
	for (; from < to; from++, n++)
		dm_chain_state_set(payload, n,
				   state_of(READ_ONCE(e->block[from]), id));
}

void dm_chain_owner_states(const struct dm_chain_owner_map *map, u64 block,
			   u32 count, u8 id, u8 *payload)
{
	u64 end = block + count;
	u32 n = 0;

	while (block < end) {
		u64 stop = min(end, (block | REGION_MASK) + 1);
		unsigned long word = READ_ONCE(*map_slot(map, block));
		u32 from = block & REGION_MASK;

		if (!word_is_uniform(word))
			entries_states(word_node(word), from,
				       from + (u32)(stop - block), id, payload,
				       n);
		else if (dm_chain_owner_id(word_entry(word)) == id)
			dm_chain_state_fill(payload, n, stop - block,
					    state_of(word_entry(word), id));
		n += stop - block;
		block = stop;
	}
	/* Pairs with smp_wmb() in dm_chain_owner_set() and every cmpxchg. */
	smp_rmb();
}

struct dm_chain_owner_node *dm_chain_owner_pin(struct dm_chain_owner_map *map,
					       u64 block, gfp_t gfp)
{
	struct dm_chain_owner_node *node, *fresh = NULL;
	unsigned long *slot = map_slot(map, block);
	unsigned long word;
	bool pinned;

	for (;;) {
		rcu_read_lock_sched();
		word = READ_ONCE(*slot);
		node = word_is_uniform(word) ? NULL : word_node(word);
		pinned = node && node_pin(node);
		rcu_read_unlock_sched();
		if (pinned)
			break;
		if (node) {
			/* Frozen: thawed or replaced in a moment. */
			cpu_relax();
			continue;
		}
		if (!fresh)
			fresh = node_alloc(gfp);
		if (!fresh)
			return NULL;
		memset(fresh->entries, word_entry(word), sizeof(*fresh->entries));
		atomic_set(&fresh->pins, 1);
		/* Pairs with the address dependency of the readers. */
		if (cmpxchg(slot, word, (unsigned long)fresh) == word) {
			atomic64_inc(&map->nodes);
			return fresh;
		}
	}
	if (fresh)
		node_free(fresh);
	return node;
}

void dm_chain_owner_unpin(struct dm_chain_owner_node *node)
{
	/* Pairs with the cmpxchg in dm_chain_owner_collapse(). */
	smp_mb__before_atomic();
	atomic_dec(&node->pins);
}

void dm_chain_owner_set(struct dm_chain_owner_node *node, u64 block, u32 count,
			u8 entry)
{
	u32 from = block & REGION_MASK;

	/* Pairs with smp_rmb() in dm_chain_owner_lookup(). */
	smp_wmb();
	if (count == 1)
		WRITE_ONCE(node->entries->block[from], entry);
	else
		node_store(node, entry, from, from + count);
}

bool dm_chain_owner_move(struct dm_chain_owner_node *node, u64 block, u8 old,
			 u8 entry)
{
	u32 index = block & REGION_MASK;
	unsigned long *word = &node->entries->word[index / WORD_BLOCKS];
	union {
		unsigned long word;
		u8 block[sizeof(unsigned long)];
	} was, now;

	/*
	 * By words, because not every architecture can exchange a byte; a
	 * neighbour that changes meanwhile costs another round.
	 */
	was.word = READ_ONCE(*word);
	do {
		if (was.block[index % WORD_BLOCKS] != old)
			return false;
		now = was;
		now.block[index % WORD_BLOCKS] = entry;
		/* Pairs with smp_rmb() in dm_chain_owner_lookup(). */
	} while (!try_cmpxchg(word, &was.word, now.word));
	return true;
}

/*
 * Fill blocks of one region through its node, unless it has none and does not
 * need one. Return: false if memory is short.
 */
static bool map_fill_region(struct dm_chain_owner_map *map, u64 block,
			    u32 count, u8 entry, gfp_t gfp)
{
	struct dm_chain_owner_node *node;
	unsigned long *slot = map_slot(map, block);
	bool whole = count == map_region_blocks(map, block);
	unsigned long word;

	do {
		word = READ_ONCE(*slot);
		while (word_is_uniform(word)) {
			if (word_entry(word) == entry)
				return true;
			if (!whole)
				break;
			/* Pairs with smp_rmb() in dm_chain_owner_lookup(). */
			if (try_cmpxchg(slot, &word, word_from_entry(entry)))
				return true;
		}
		node = dm_chain_owner_pin(map, block, gfp);
		/* A whole region has lost its node just now if that failed. */
	} while (!node && whole);
	if (!node)
		return false;
	dm_chain_owner_set(node, block, count, entry);
	dm_chain_owner_unpin(node);
	dm_chain_owner_collapse(map, block);
	return true;
}

int dm_chain_owner_fill(struct dm_chain_owner_map *map, u64 block, u64 count,
			u8 entry, gfp_t gfp)
{
	u64 end = block + count;

	while (block < end) {
		u64 stop = min(end, (block | REGION_MASK) + 1);

		if (!map_fill_region(map, block, stop - block, entry, gfp))
			return -ENOMEM;
		block = stop;
	}
	return 0;
}

static u8 entry_of(enum dm_chain_state state, u8 id)
{
	return state == DM_CHAIN_ZERO ? id | DM_CHAIN_OWNER_ZERO : id;
}

/* Blocks of one region, the first at @n in @payload, both multiples of 8. */
static int map_overlay_region(struct dm_chain_owner_map *map, u64 block,
			      u32 count, u8 id, const u8 *payload, u32 n,
			      gfp_t gfp)
{
	enum dm_chain_state state = dm_chain_state_get(payload, n);
	struct dm_chain_owner_node *node;
	u8 *entry;
	u32 i;

	if (dm_chain_state_run(payload, n, count) == count) {
		if (state == DM_CHAIN_UNALLOCATED)
			return 0;
		return map_fill_region(map, block, count, entry_of(state, id),
				       gfp) ? 0 : -ENOMEM;
	}

	node = dm_chain_owner_pin(map, block, gfp);
	if (!node)
		return -ENOMEM;
	entry = &node->entries->block[block & REGION_MASK];
	for (i = 0; i < count; i++) {
		if (i % 4 == 0 && !payload[(n + i) / 4]) {
			i += 3;
			continue;
		}
		state = dm_chain_state_get(payload, n + i);
		if (state != DM_CHAIN_UNALLOCATED)
			entry[i] = entry_of(state, id);
	}
	dm_chain_owner_unpin(node);
	dm_chain_owner_collapse(map, block);
	return 0;
}

int dm_chain_owner_overlay(struct dm_chain_owner_map *map, u64 block, u32 count,
			   u8 id, const u8 *payload, gfp_t gfp)
{
	u64 end = block + count;
	u32 n = 0;

	while (block < end) {
		u64 stop = min(end, (block | REGION_MASK) + 1);
		int r = map_overlay_region(map, block, stop - block, id,
					   payload, n, gfp);

		if (r)
			return r;
		n += stop - block;
		block = stop;
	}
	return 0;
}

void dm_chain_owner_collapse(struct dm_chain_owner_map *map, u64 block)
{
	u32 blocks = map_region_blocks(map, block);
	struct dm_chain_owner_node *node;
	unsigned long *slot = map_slot(map, block);
	unsigned long flags, word;
	bool even = false;
	u8 entry;

	rcu_read_lock();
	word = READ_ONCE(*slot);
	if (word_is_uniform(word))
		goto out;
	node = word_node(word);

	/* A look without freezing anything spares most mixed nodes the rest. */
	entry = READ_ONCE(node->entries->block[0]);
	if (atomic_read(&node->pins) || node_run(node, entry, 0, blocks) < blocks)
		goto out;

	/* An interrupt handler that wants to pin would wait for us for ever. */
	local_irq_save(flags);
	/* Pairs with smp_mb__before_atomic() in dm_chain_owner_unpin(). */
	if (atomic_cmpxchg(&node->pins, 0, PINS_FROZEN) == 0) {
		entry = READ_ONCE(node->entries->block[0]);
		even = node_run(node, entry, 0, blocks) == blocks;
		if (even)
			/* Pairs with smp_rmb() in dm_chain_owner_lookup(). */
			smp_store_release(slot, word_from_entry(entry));
		else
			atomic_set_release(&node->pins, 0);
	}
	local_irq_restore(flags);

	if (even) {
		atomic64_dec(&map->nodes);
		call_rcu(&node->rcu, node_free_rcu);
	}
out:
	rcu_read_unlock();
}
