/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: live chain devices, on libdevmapper.
 *
 * With udevd running, device nodes are its business and every change waits for
 * it; without, or with DM_DISABLE_UDEV set, libdevmapper makes the nodes.
 */
#ifndef CHAINSETUP_DM_H
#define CHAINSETUP_DM_H

#include "chainsetup.h"

#define TARGET_NAME	"chain"

/**
 * struct live - a dm device with one chain target, as it was when looked at
 * @name: dm name
 * @uuid: dm UUID, may be empty
 * @sectors: its size
 * @table: parameters of the target: the effective chain
 * @major: device number
 * @minor: device number
 * @read_only: of the whole device
 * @suspended: by whomever
 * @inactive: another table is loaded
 * @locked: nobody else changes it by chainsetup
 * @lock: then, the file that says so
 */
struct live {
	char *name;
	char *uuid;
	u64 sectors;
	char *table;
	unsigned int major;
	unsigned int minor;
	bool read_only;
	bool suspended;
	bool inactive;
	bool locked;
	int lock;
};

/**
 * live_open() - look at a chain device
 *
 * Return: 0, -ENODEV if there is no such dm device, -EINVAL if it is no chain.
 */
int live_open(struct live *live, const char *name, struct dm_chain_why *why);
void live_close(struct live *live);

/* Can there be any chain device? Not before device mapper was loaded. */
bool live_possible(void);

/**
 * struct live_names - names of all chain devices, in dm's order
 */
struct live_names {
	unsigned int nr;
	char **name;
};

/* Devices that go away meanwhile are left out. */
int live_list(struct live_names *names, struct dm_chain_why *why);
void live_list_free(struct live_names *names);

/**
 * live_for_each() - call @fn with the name of each chain device
 *
 * One that has gone since is passed over: @fn returns -ENODEV then. Any other error
 * ends it, and is returned.
 */
int live_for_each(int (*fn)(void *data, const char *name, struct dm_chain_why *why),
		  void *data, struct dm_chain_why *why);

/* Does any dm device have the name? Return: 1, 0 or a negative errno. */
int live_exists(const char *name, struct dm_chain_why *why);

/* Status parameters of the target; free() them. -EINVAL if it is no chain. */
int live_status(const char *name, char **params, struct dm_chain_why *why);

/**
 * target_of() - the only target of any dm device
 * @devno: "major:minor"
 * @status: its status line, else its table line
 * @type: gets the target's name; free() it
 * @params: gets the parameters; free() them
 *
 * Return: 0; -ENODEV if there is no such dm device, -EINVAL if it has another
 * number of targets.
 */
int target_of(const char *devno, bool status, char **type, char **params);

/*
 * Parameters of the table that is loaded but not live; free() them.
 * -ENODATA if there is none.
 */
int live_inactive_table(const char *name, char **params,
			struct dm_chain_why *why);

/**
 * live_message() - send a message
 * @reply: gets the answer, "" if there is none; free() it. May be NULL
 * @why: a refusal in the target's own words
 */
int live_message(const char *name, const char *message, char **reply,
		 struct dm_chain_why *why);

/**
 * live_create() - create, load and resume; all or nothing
 * @why: with the kernel's own words, if it had any
 *
 * No signal is taken meanwhile; one that ends the program before the resume leaves
 * no device.
 */
int live_create(const char *name, const char *uuid, u64 sectors,
		const char *table, bool read_only, struct dm_chain_why *why);

/**
 * live_remove() - remove a device
 * @later: gets whether it is in use and will be removed when it is not; NULL =
 *	that is an error, -EBUSY
 */
int live_remove(const char *name, bool *later, struct dm_chain_why *why);

/**
 * live_replace() - load another table, suspend, resume
 * @live: as it is now
 * @sectors: new size
 * @table: new parameters
 * @freeze: freeze a file system on the device meanwhile
 *
 * From load to resume no signal is taken, and from suspend on no memory is paged
 * in. On any failure the new table is cleared and the device runs on with the old
 * one. One is that the active layer is another one than in @live by now, another
 * a signal that ends the program before the suspend.
 * Return: 0 or a negative errno; -ENOTRECOVERABLE if that could not be done
 * either: the device is left suspended.
 */
int live_replace(const struct live *live, u64 sectors, const char *table,
		 bool freeze, struct dm_chain_why *why);

/* Is the chain target there? Loads its module if not. */
int target_available(struct dm_chain_why *why);

/**
 * events_open() - a file that polls readable at dm events of any device
 *
 * events_arm() first, look at the device next, poll() last: nothing is missed.
 * Return: a file descriptor or a negative errno.
 */
int events_open(struct dm_chain_why *why);
int events_arm(int fd, struct dm_chain_why *why);

/* Path of the device "major:minor"; the same text if it has none. free() it. */
char *devno_path(const char *devno);

#endif
