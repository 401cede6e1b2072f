/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Not a header of the kernel's: where tests let things happen at the worst
 * moment.
 */
#ifndef SHIM_RACE_H
#define SHIM_RACE_H

#include <stddef.h>
#include <linux/compiler.h>

/*
 * Called once, when a test has set it: before the next local_irq_save(),
 * atomic_inc_unless_negative(), set_bit(), test_and_clear_bit() or exchange with
 * a comparison.
 */
__weak void (*shim_race)(void);

static inline void shim_race_now(void)
{
	void (*race)(void) = shim_race;

	shim_race = NULL;
	if (race)
		race();
}

#endif
