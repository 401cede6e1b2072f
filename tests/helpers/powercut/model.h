/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a chain may hold at a point of the log, from the marks that the load
 * left in it. A mark is one line of text, written to the mark device before
 * what it announces began or after what it reports was done:
 *
 *	scenario NAME OWNER		a new chain; OWNER is in its tags
 *	phase NAME			the tests' name for what follows
 *	view SIZE BLOCK			bytes
 *	window OFFSET LENGTH		bytes; only there the load writes
 *	layer NAME DATA META|-		devices; base first; META = DATA: inline
 *	is NAME... [| NAME...]...	the chain is this one, base first, or one
 *					of these
 *	may NAME...			or this one, until the next "is"
 *	gone NAME			its devices may hold anything now
 *	freezing NAME | frozen NAME	is about to be, is below a new layer
 *	w|u|d|z SEQ SECTOR COUNT	a write, FUA write, discard, write-zeroes
 *					is about to be sent
 *	a SEQ				it was acknowledged
 *	f ID | F ID			a flush is about to be sent, was
 *					acknowledged
 *	x SEQ				either failed
 *	size BYTES | maysize BYTES	the size of the view is this one, or this
 *					one until the next "size"
 *	seed N				for the reader
 *	end				no cuts behind it
 *
 * and those of jobs.h.
 *
 * Writes that overlap follow each other.
 */
#ifndef POWERCUT_MODEL_H
#define POWERCUT_MODEL_H

#include <limits.h>
#include <stdbool.h>

#include "jobs.h"
#include "log.h"

#define MODEL_LAYERS	16
#define MODEL_WINDOWS	4
#define MODEL_NEVER	LONG_MAX

/**
 * struct model_op - something that changes content
 * @kind: 'w', 'u', 'd' or 'z'
 * @seq: its number, in the tags
 * @sector: first of the view
 * @count: sectors
 * @sent: position in the log at which it was about to be sent
 * @acked: at which it was acknowledged, MODEL_NEVER if it was not
 * @durable: at which it had to be durable
 */
struct model_op {
	char kind;
	u64 seq;
	u64 sector;
	u32 count;
	long sent;
	long acked;
	long durable;
};

/**
 * struct model_layer - a layer of the scenario
 * @name: its name
 * @data: index of its data device
 * @meta: of its metadata device, -1 if raw
 * @gone: position at which its devices ceased to matter
 * @freezing: position before it got a layer on top
 * @frozen: position behind that
 */
struct model_layer {
	char name[64];
	int data;
	int meta;
	long declared;
	long gone;
	long freezing;
	long frozen;
};

/**
 * struct model_chain - a chain that may be found
 * @from: position at which it became possible
 * @until: at which it became impossible
 * @sure: its layers had to be there (until a job drops them)
 * @bits: the layers, bit n for layer n
 */
struct model_chain {
	long from;
	long until;
	bool sure;
	unsigned int bits;
};

/**
 * struct model_size - a size that the view may have
 * @from: position at which it became possible
 * @until: at which it became impossible
 * @bytes: the size
 */
struct model_size {
	long from;
	long until;
	u64 bytes;
};

/* Ops that touch one sector, oldest first. */
struct model_sector {
	unsigned int *op;
	unsigned int ops;
};

/**
 * struct model_phase - what a range of the log is called
 * @name: its name
 * @from: its first position
 */
struct model_phase {
	char name[32];
	long from;
};

/**
 * struct model - one scenario
 * @name: its name
 * @owner: of its tags
 * @first: position of its first mark
 * @last: position behind its last
 * @size: of the view at first, bytes
 */
struct model {
	char name[32];
	unsigned int owner;
	long first;
	long last;
	u64 size;
	u32 block;
	struct {
		u64 sector;
		u64 count;
	} window[MODEL_WINDOWS];
	unsigned int windows;
	struct model_layer layer[MODEL_LAYERS];
	unsigned int layers;
	struct model_chain *chain;
	unsigned int chains;
	struct model_phase *phase;
	unsigned int phases;
	struct model_op *op;
	unsigned int ops;
	struct model_sector *sector;	/* by hot sector, windows in order */
	u64 sectors;
	struct jobs jobs;
	struct model_size *grow;
	unsigned int grows;
	long *ack;			/* positions of acknowledgements */
	unsigned int acks;
};

/**
 * model_next() - read the marks of the next scenario
 * @model: filled in
 * @log: the log
 * @pos: where to begin; moved behind the scenario
 *
 * Return: false if there is none.
 */
bool model_next(struct model *model, const struct log *log, long *pos);
void model_free(struct model *model);

/* The sector of the view that is the hot sector @n. */
u64 model_sector(const struct model *model, u64 n);
/* Does the load write to any sector of this range? */
bool model_hot(const struct model *model, u64 sector, u64 count);

/**
 * enum model_value - what a sector was found to hold
 * @MODEL_ZERO: zeros
 * @MODEL_TAG: a tag of this scenario and sector; its seq goes with it
 * @MODEL_BASE: the base's own content of this sector
 * @MODEL_OTHER: anything else
 */
enum model_value {
	MODEL_ZERO,
	MODEL_TAG,
	MODEL_BASE,
	MODEL_OTHER,
};

/**
 * model_legal() - may a sector of the view hold this?
 * @model: the scenario
 * @n: hot sector
 * @pos: position of the cut
 * @value: what it holds
 * @seq: of a tag
 * @initial: what it held before the first write
 */
bool model_legal(const struct model *model, u64 n, long pos,
		 enum model_value value, u64 seq, enum model_value initial);

/* The same for the view from a layer that is below others since before @pos. */
bool model_legal_frozen(const struct model *model,
			const struct model_layer *layer, u64 n,
			enum model_value value, u64 seq,
			enum model_value initial);

/* Must the layer be readable at @pos? Not one that is just being made. */
bool model_layer_sure(const struct model *model, long pos, unsigned int layer);

/* May the chain be this one at @pos? */
bool model_chain_legal(const struct model *model, long pos, unsigned int bits);

/* May the view have this size, in bytes, at @pos? */
bool model_size_legal(const struct model *model, long pos, u64 bytes);

/* Say what would be legal; for messages. */
void model_explain(const struct model *model, u64 n, long pos, char *text,
		   size_t room);

#endif
