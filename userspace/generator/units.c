// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup-generator: the units.
 *
 * There is no BindsTo= or Requires= of a layer's .device, for three reasons. What the
 * layers are is only known when the superblocks can be read: chainsetup attach waits
 * for them all, and says which one is missing. udev's rules hide layers from systemd.
 * And a chain outlives its layers: one that was streamed away may be unplugged, while
 * systemd would close the device when it goes.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "units.h"

/* systemd looks for it in the usual directories. */
#define CHAINSETUP	"chainsetup"

static int refuse_path(const char *path, struct dm_chain_why *why)
{
	return dm_chain_refuse(why, -errno, "%s: %s", path, strerror(errno));
}

static int make_dir(const char *path, struct dm_chain_why *why)
{
	return mkdir(path, 0755) && errno != EEXIST ? refuse_path(path, why) : 0;
}

/* Write a new file. */
__printf(3, 4)
static int write_file(const char *path, struct dm_chain_why *why, const char *fmt, ...)
{
	FILE *f = fopen(path, "wxe");
	va_list args;
	bool ok;

	if (!f)
		return refuse_path(path, why);
	va_start(args, fmt);
	ok = vfprintf(f, fmt, args) >= 0;
	va_end(args);
	return fclose(f) || !ok ? refuse_path(path, why) : 0;
}

/* DIR/@of.@kind/@unit leads to @target. */
static int add_link(const char *dir, const char *of, const char *kind, const char *unit,
		    const char *target, struct dm_chain_why *why)
{
	char *where = xasprintf("%s/%s.%s", dir, of, kind);
	char *link = xasprintf("%s/%s", where, unit);
	int ret = make_dir(where, why);

	if (!ret && symlink(target, link) && errno != EEXIST)
		ret = refuse_path(link, why);
	free(link);
	free(where);
	return ret;
}

/* By then the layers below may come from other units of this kind. */
static char *source_order(const struct chaintab_entry *entry)
{
	char *escaped, *text;

	if (!dm_chain_uuid_is_null(entry->uuid))
		return xstrdup("");
	escaped = unit_escape(entry->device, true);
	text = xasprintf("After=blockdev@%s.target\n", escaped);
	free(escaped);
	return text;
}

static const char *target_of_entry(const struct chaintab_entry *entry)
{
	return entry->netdev ? "remote-fs.target" : "chainsetup.target";
}

static int write_service(const char *path, const char *source, const char *escaped,
			 const struct chaintab_entry *entry, struct dm_chain_why *why)
{
	static const char network[] =
		"Wants=network-online.target\n"
		"After=network-online.target remote-fs-pre.target\n";
	static const char at_end[] =
		"Conflicts=umount.target\n"
		"Before=umount.target\n";
	char *order = source_order(entry), *before, *stop;
	int ret;

	before = entry->nofail ? xstrdup("") : xasprintf("Before=%s\n", target_of_entry(entry));
	/* What the root file system is on is not closed. */
	stop = entry->initrd ? xstrdup("") :
	       xasprintf("ExecStop=" CHAINSETUP " close --deferred %s\n", entry->name);
	ret = write_file(path, why,
			 "# Made by chainsetup-generator from line %u of %s\n\n"
			 "[Unit]\n"
			 "Description=Chain of Block Layers %s\n"
			 "Documentation=man:chaintab(5) man:chainsetup(8)\n"
			 "SourcePath=%s\n"
			 "DefaultDependencies=no\n"
			 "IgnoreOnIsolate=yes\n"
			 "After=systemd-udevd.service systemd-modules-load.service\n"
			 "After=multipathd.service\n"
			 "%s%sWants=blockdev@dev-mapper-%s.target\n"
			 "Before=blockdev@dev-mapper-%s.target\n"
			 "%s%s\n"
			 "[Service]\n"
			 "Type=oneshot\n"
			 "RemainAfterExit=yes\n"
			 "TimeoutSec=infinity\n"
			 "ExecStart=" CHAINSETUP " attach %s\n"
			 "%s",
			 entry->line, source, entry->name, source, order,
			 entry->netdev ? network : "", escaped, escaped, before,
			 entry->initrd ? "" : at_end, entry->name, stop);
	free(stop);
	free(before);
	free(order);
	return ret;
}

/*
 * Whoever needs the device starts the service, and waits as long as that does: the
 * limit is its own.
 */
static int hook_device(const char *dir, const char *escaped, const char *service,
		       const char *target, struct dm_chain_why *why)
{
	char *device = xasprintf("dev-mapper-%s.device", escaped);
	char *where = xasprintf("%s/%s.d", dir, device);
	char *path = xasprintf("%s/40-chainsetup.conf", where);
	int ret;

	ret = add_link(dir, device, "requires", service, target, why);
	if (!ret)
		ret = make_dir(where, why);
	if (!ret)
		ret = write_file(path, why, "[Unit]\nJobRunningTimeoutSec=infinity\n");
	free(path);
	free(where);
	free(device);
	return ret;
}

int write_units(const char *dir, const char *source, const struct chaintab_entry *entry,
		struct dm_chain_why *why)
{
	char *escaped = unit_escape(entry->name, false);
	char *service = xasprintf("chainsetup@%s.service", escaped);
	char *path = xasprintf("%s/%s", dir, service);
	char *link = xasprintf("../%s", service);
	int ret;

	ret = write_service(path, source, escaped, entry, why);
	if (!ret)
		ret = hook_device(dir, escaped, service, link, why);
	if (!ret && !entry->noauto)
		ret = add_link(dir, target_of_entry(entry),
			       entry->nofail ? "wants" : "requires", service, link, why);
	free(link);
	free(path);
	free(service);
	free(escaped);
	return ret;
}

int hook_target(const char *dir, struct dm_chain_why *why)
{
	/* Of the link's end the name is all that counts. */
	return add_link(dir, "sysinit.target", "wants", "chainsetup.target",
			"../chainsetup.target", why);
}
