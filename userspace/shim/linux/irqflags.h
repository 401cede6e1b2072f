/* SPDX-License-Identifier: GPL-2.0 */
/* User-space stand-in for the kernel's header: there are no interrupts. */
#ifndef SHIM_LINUX_IRQFLAGS_H
#define SHIM_LINUX_IRQFLAGS_H

#include <shim-race.h>

#define local_irq_save(flags) \
	do { \
		(flags) = 0; \
		shim_race_now(); \
	} while (0)
#define local_irq_restore(flags)	((void)(flags))
#define local_irq_disable()		do { } while (0)
#define local_irq_enable()		do { } while (0)

#endif
