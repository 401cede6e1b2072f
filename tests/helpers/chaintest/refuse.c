// SPDX-License-Identifier: GPL-2.0
/* chaintest: table lines that have to be refused. */
#include <stdlib.h>
#include <string.h>

#include "ct.h"

/**
 * load_refused() - load a table that the constructor must refuse
 * @params: of the target
 * @sectors: length
 * @text: what the reason in the kernel's log must say; NULL: anything
 *
 * Return: true if it was; otherwise a note has been made.
 */
bool load_refused(const char *params, u64 sectors, const char *text)
{
	const char *name = PREFIX "refused";
	struct dm_seg seg = { sectors, "chain", params };
	bool ok = false;
	char *log;
	int r;

	r = dmd_try_create(name, NULL, 0, false);
	ct_check(!r, "create %s: %s", name, strerror(-r));
	kmsg_mark();
	r = dmd_load(name, &seg, 1, false);
	log = kmsg_read();
	if (!r)
		ct_note("accepted: \"%s\"", params);
	else if (!strstr(log, "chain"))
		ct_note("no reason given (%s): \"%s\": log \"%s\"", strerror(-r),
			params, log);
	else if (text && !strstr(log, text))
		ct_note("the reason does not name \"%s\": \"%s\": log \"%s\"",
			text, params, log);
	else
		ok = true;
	free(log);
	dmd_clear(name);
	dmd_remove(name);
	return ok;
}
