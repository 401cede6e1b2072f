// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: the table of the live commands.
 */
#include "live.h"

const struct command live_commands[] = {
	{ "open",
	  "NAME DEV [--read-only] [--jobs-paused] [--rollback] [--layer UUID=DATA[,META] | --layer raw=DEV]...",
	  "find the chain of layer DEV and make it the device NAME", cmd_open },
	{ "attach", "[--tab FILE] [--no-wait] --all|NAME...",
	  "open what /etc/chaintab says, when its layers are there", cmd_attach },
	{ "close", "NAME [--deferred]",
	  "remove the device, or when nobody uses it any more; the layers stay", cmd_close },
	{ "list", "[--json]", "all chain devices", cmd_list },
	{ "status", "[NAME] [--json | --prometheus [--output FILE]]",
	  "layers and jobs in short, or all their figures for Prometheus",
	  cmd_status },
	{ "layers", "[NAME] [--json]",
	  "every layer, those that can be released too", cmd_layers },
	{ "jobs", "[NAME] [--last] [--json]",
	  "the live jobs, and those that wait for dismiss; or each layer's last result",
	  cmd_jobs },
	{ "map", "[NAME] [--json]", "which layer answers reads of which part",
	  cmd_map },
	{ "estimate", "NAME [--top L] [--base L | --bottom L] [--json]",
	  "what a stream would copy", cmd_estimate },
	{ "snapshot", "NAME DEV [--name N] [--metadata DEV] [--size S]",
	  "format DEV and make it the new active layer", cmd_snapshot },
	{ "stream",
	  "NAME [--top L] [--base L | --bottom L] [--job ID] [--speed R] [--on-error P] [--auto-finalize on|off] [--auto-dismiss on|off] [--verify] [--force] [--wait]",
	  "copy layers into one above them, and drop them", cmd_stream },
	{ "job",
	  "pause|resume|cancel|finalize|dismiss NAME ID, or set-speed|set-floor|set-ceiling NAME ID R, or failed NAME ID [--json]",
	  "control a job, or list what it could not copy", cmd_job },
	{ "wait", "NAME [ID]",
	  "show progress until the job or all jobs have ended, then release",
	  cmd_wait },
	{ "monitor", "[NAME] [--json] [--count N]",
	  "print the events of jobs as they come", cmd_monitor },
	{ "resize", "NAME [--size S]",
	  "grow the active layer while it is in use", cmd_resize },
	{ "release", "NAME", "let go of the layers that jobs have dropped",
	  cmd_release },
	{ "probe", "[--copy] DEV",
	  "for udev's rules: is DEV a layer, or a copy of what a chain shows",
	  cmd_probe },
	{ NULL }
};
