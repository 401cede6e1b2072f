// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of a job's pace: time passes, the guest works or rests, the limits are
 * changed, and the job starts a unit whenever it may. What it was given and what
 * it has paid is computed once more, in wide numbers.
 */
#include "dm-chain-pace.h"
#include "fuzz.h"

#define SECOND	1000000000ULL
#define HOUR	(3600 * SECOND)

/* What a unit costs: five times as long as it took, and within the limits. */
static u64 cost_of(const struct dm_chain_pace *pace, u64 took, u64 bytes)
{
	unsigned __int128 cost = (unsigned __int128)took * 5;
	unsigned __int128 work = (unsigned __int128)bytes * SECOND;

	if (pace->floor && cost > work / pace->floor)
		cost = work / pace->floor;
	if (pace->ceiling && cost < work / pace->ceiling)
		cost = work / pace->ceiling;
	return cost;
}

static void copy_unit(struct input *in, struct dm_chain_pace *pace, u64 *now)
{
	u64 start = *now + dm_chain_pace_wait(pace, *now), due = pace->due;
	u64 took = take(in, 4), bytes = 512 * (1 + take_below(in, 2048)), cost;

	must(start >= *now, "it may start in the past");
	must(!dm_chain_pace_wait(pace, start), "it waits for ever");
	*now = start + took;
	cost = cost_of(pace, took, bytes);
	dm_chain_pace_pay(pace, start, *now, bytes);
	/* It pays in full, but for what it was late: 20 ms at most. */
	must(pace->due >= due + cost, "it pays %llu of %llu", pace->due - due, cost);
	must(pace->due - cost <= max(due, start - min(start, 20 * 1000000ULL)),
	     "it pays more than %llu", cost);
	/* So that it is never in debt for more than its own unit. */
	must(dm_chain_pace_wait(pace, start) <= cost, "it waits %llu for %llu",
	     dm_chain_pace_wait(pace, start), cost);
}

static void look(struct input *in, struct dm_chain_pace *pace, u64 now, u64 *ios)
{
	u8 guest = take(in, 1);
	bool was = pace->busy;
	u64 due = pace->due, seen = pace->seen;

	*ios += guest & 0x7f;
	dm_chain_pace_look(pace, now, *ios, guest & 0x80);
	if (guest)
		must(pace->busy && pace->seen == now, "the guest is at work");
	else
		must(pace->busy == (was && now - seen < 20 * 1000000ULL),
		     "the guest does nothing since %llu", now - seen);
	must(pace->due == (was ? due : now), "due %llu", pace->due);
	must(!dm_chain_pace_stale(pace, now), "it has just looked");
	must(dm_chain_pace_stale(pace, now + DM_CHAIN_PACE_LOOK), "it looks never again");
}

void fuzz_one(struct input *in)
{
	u64 now = take(in, 6), ios = take(in, 8);
	struct dm_chain_pace pace;
	u64 floor, ceiling;

	dm_chain_pace_init(&pace, now, ios);
	must(!pace.busy && !dm_chain_pace_wait(&pace, now), "it begins at once");
	while (in->left) {
		switch (take(in, 1) % 4) {
		case 0:
			now += take(in, 5) % HOUR;
			break;
		case 1:
			look(in, &pace, now, &ios);
			break;
		case 2:
			floor = take(in, 8);
			ceiling = take(in, 8);
			dm_chain_pace_set(&pace, floor, ceiling);
			must(!dm_chain_pace_wait(&pace, now), "it is set free");
			break;
		default:
			copy_unit(in, &pace, &now);
			break;
		}
		/* A day for each step, and 2^63 is two hundred years. */
		if (now > 1ULL << 61)
			return;
	}
}
