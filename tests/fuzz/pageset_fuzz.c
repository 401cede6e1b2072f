// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the sets of map pages: operations in any order against a plain array.
 */
#include <stdlib.h>
#include <string.h>

#include "dm-chain-pageset.h"
#include "fuzz.h"

#define MOST	4096	/* eight groups and what is cut of one */

static void check_all(const struct dm_chain_pageset *set, const bool *model)
{
	u32 page, next = dm_chain_pageset_next(set, 0);

	for (page = 0; page < set->nr; page++) {
		must(dm_chain_pageset_has(set, page) == model[page], "page %u", page);
		if (!model[page])
			continue;
		must(next == page, "%u is found where %u is", next, page);
		next = dm_chain_pageset_next(set, page + 1);
	}
	must(next == set->nr, "%u is found behind the last", next);
}

static u32 first_from(const struct dm_chain_pageset *set, const bool *model,
		      u32 page)
{
	while (page < set->nr && !model[page])
		page++;
	return page;
}

void fuzz_one(struct input *in)
{
	static bool model[MOST];
	struct dm_chain_pageset set;
	u32 page, next;
	bool was;

	memset(model, 0, sizeof(model));
	must(!dm_chain_pageset_init(&set, 1 + take_below(in, MOST)), "no memory");
	while (in->left) {
		u8 what = take(in, 1);

		page = take_below(in, set.nr);
		was = model[page];
		switch (what % 4) {
		case 0:
			must(dm_chain_pageset_add(&set, page) == !was, "page %u", page);
			model[page] = true;
			break;
		case 1:
			must(dm_chain_pageset_del(&set, page) == was, "page %u", page);
			model[page] = false;
			break;
		case 2:
			next = dm_chain_pageset_next(&set, page);
			must(next == first_from(&set, model, page), "%u from %u on", next, page);
			break;
		default:
			dm_chain_pageset_tidy(&set);
			break;
		}
	}
	check_all(&set, model);
	dm_chain_pageset_tidy(&set);
	check_all(&set, model);
	dm_chain_pageset_exit(&set);
}
