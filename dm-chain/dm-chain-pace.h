/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: how a job that has no speed shares the devices with the guest. Pure:
 * the caller brings the time and what the guest did.
 *
 * While the guest does nothing, the job is not held back. While it is at work,
 * one unit of the job is in flight at a time, and after one that took t the job
 * leaves the devices to the guest for a multiple of t. So the job takes a share
 * of the time, not of a rate: a unit that takes long because the disk is slow,
 * or because the guest keeps it busy, is paid for with a longer rest, and nobody
 * has to know how fast a device is.
 *
 * A share alone could bring the job to a standstill on a slow device. So there
 * is a floor: a unit never costs more time than its bytes would at that rate. And
 * there may be a ceiling: a unit never costs less time than its bytes would at
 * that one.
 *
 * Where the ceiling is below the floor, the ceiling counts: who sets one wants
 * the guest to be spared, and would get nothing for it if the floor that nobody
 * asked for were above it. Neither is there for a guest that does nothing.
 */
#ifndef DM_CHAIN_PACE_H
#define DM_CHAIN_PACE_H

#include <linux/types.h>

/*
 * A fifth of the time for the job leaves four fifths to the guest. The guest
 * should keep seven tenths, and what the job makes dirty costs its flushes a
 * commit now and then.
 */
#define DM_CHAIN_PACE_REST	4

/*
 * Bytes per second. A disk that needs more than 25 ms to read and write 512 KiB
 * has no fifth of its time to give away; at this rate a terabyte still is copied
 * in three days instead of never.
 */
#define DM_CHAIN_PACE_FLOOR	(4 << 20)

/* Bytes per second while the guest is at work, 0: its share is all that counts. */
#define DM_CHAIN_PACE_CEILING	0

/*
 * So long after its last I/O the guest counts as being at work. On one CPU the
 * scheduler may run the job for some milliseconds before the guest's turn comes.
 */
#define DM_CHAIN_PACE_HOLD	(20 * 1000 * 1000ULL)

/* Time that the job did not use, because a timer was late, and may make up for. */
#define DM_CHAIN_PACE_CREDIT	(20 * 1000 * 1000ULL)

/* To look at what the guest does costs a cache line for each CPU. */
#define DM_CHAIN_PACE_LOOK	(1000 * 1000ULL)

/**
 * struct dm_chain_pace - pace of one job; times are nanoseconds
 * @floor: bytes per second that the job's share does not hold it below, 0: none
 * @ceiling: bytes per second while the guest is at work, 0: none
 * @ios: what the guest had completed at the last look
 * @looked: when that was
 * @seen: when the guest was seen at work
 * @due: when the next unit may start while it is
 * @busy: it is
 */
struct dm_chain_pace {
	u64 floor;
	u64 ceiling;
	u64 ios;
	u64 looked;
	u64 seen;
	u64 due;
	bool busy;
};

/**
 * dm_chain_pace_init() - a job begins; the guest counts as idle
 * @pace: filled in, with the floor and the ceiling above
 * @now: the time
 * @ios: requests that the guest has had completed, ever
 */
void dm_chain_pace_init(struct dm_chain_pace *pace, u64 now, u64 ios);

/**
 * dm_chain_pace_set() - other limits from now on
 * @pace: the pace
 * @floor: bytes per second, 0: none
 * @ceiling: bytes per second, 0: none
 *
 * A job may sleep for what it owes by the limits that it had. That is forgiven,
 * so that a ceiling which was too low by far can be taken back at once: the next
 * unit starts when the caller has woken the job, and is paid for by the new ones.
 */
void dm_chain_pace_set(struct dm_chain_pace *pace, u64 floor, u64 ceiling);

/* Is it time for dm_chain_pace_look()? */
static inline bool dm_chain_pace_stale(const struct dm_chain_pace *pace, u64 now)
{
	return now - pace->looked >= DM_CHAIN_PACE_LOOK;
}

/**
 * dm_chain_pace_look() - is the guest at work?
 * @pace: the pace; @pace->busy says it afterwards
 * @now: the time
 * @ios: requests that the guest has had completed, ever
 * @in_flight: it waits for one now
 */
void dm_chain_pace_look(struct dm_chain_pace *pace, u64 now, u64 ios,
			bool in_flight);

/* Nanoseconds until a unit may start while the guest is at work, 0: now. */
u64 dm_chain_pace_wait(const struct dm_chain_pace *pace, u64 now);

/**
 * dm_chain_pace_pay() - a unit is through that started while the guest was at work
 * @pace: the pace
 * @start: when it started
 * @now: the time
 * @bytes: that it copied, at most 1 MiB
 */
void dm_chain_pace_pay(struct dm_chain_pace *pace, u64 start, u64 now,
		       u64 bytes);

#endif
