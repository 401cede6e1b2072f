// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup repair: put right in a layer's metadata what needs no guess.
 *
 * Everything is rehearsed first, in memory; --yes keeps what is going to be
 * replaced in an undo file and then makes the writes, one after the other.
 */
#include <errno.h>
#include <stdlib.h>
#include <linux/string.h>

#include "rehearsal.h"
#include "repair.h"

struct repair_options {
	bool yes;
	bool json;
	const char *undo;
	const char *restore;
	struct chosen *chosen;
	unsigned int nr_chosen;
};

static int check_chosen(const struct repair *repair, struct dm_chain_why *why)
{
	unsigned int i;

	for (i = 0; i < repair->nr_chosen; i++)
		if (!repair->chosen[i].used)
			return dm_chain_refuse(why, -EINVAL,
					       "--choose %s: there is nothing to choose: leave it out",
					       repair->chosen[i].text);
	return 0;
}

static int complain_left(const struct inspection *in)
{
	if (in->nr)
		return complain("repair: %u finding%s on %s left",
				in->nr, in->nr == 1 ? " is" : "s are", in->path);
	return 0;
}

/* Keep, write, look again. Return: the exit status. */
static int perform(struct repair *repair, struct rehearsal *rehearsal,
		   const char *undo)
{
	struct inspection *in = &repair->in;
	struct dm_chain_why why = { "" };
	u8 none[DM_CHAIN_UUID_LEN] = { };

	in->layer.meta.rehearsal = NULL;
	if (undo_save(rehearsal, undo, &in->layer.meta,
		      in->known ? in->layer.sb.uuid : none, &why))
		return complain_why(&why);
	if (rehearsal_perform(rehearsal, &in->layer.meta, &why))
		return complain("repair: %s; to undo what was done: repair --yes --restore %s %s",
				why.text, undo, in->path);
	inspect(in);
	if (in->array)
		return complain_left(in);
	say("%s: repaired, %u writes; to undo it: chainsetup repair --yes --restore %s %s",
	    in->path, rehearsal->nr, undo, in->path);
	return complain_left(in);
}

/*
 * @closes: the layer can be read as it is, and could not be after the writes, as
 * when a directory page that is put right names a map page that needs a choice.
 */
static int report(struct repair *repair, struct rehearsal *rehearsal,
		  unsigned int found, bool closes,
		  const struct repair_options *options)
{
	struct inspection *in = &repair->in;

	if (!rehearsal->nr && !in->nr) {
		if (!in->array)
			say("%s: clean", in->path);
		return 0;
	}
	if (!rehearsal->nr)
		return complain("repair: %u finding%s on %s: nothing can be repaired as it is",
				in->nr, in->nr == 1 ? "" : "s", in->path);
	if (closes)
		return complain("repair: nothing done: %s could not be read then: --choose more",
				in->path);
	if (options->yes)
		return perform(repair, rehearsal, options->undo);
	return complain("repair: nothing done; --yes --undo FILE writes %u page%s, leaves %u of %u",
			rehearsal->nr, rehearsal->nr == 1 ? "" : "s", in->nr,
			found);
}

/* A repair may uncover something. */
static void print_left(const struct inspection *in)
{
	const struct finding *f;

	if (!in->array)
		say("%s: what is left then:", in->path);
	for (f = in->findings; f; f = f->next)
		if (!f->note)
			finding_print(in, f, true);
}

static struct json_object *begin_array(struct json_object *object,
				       const char *key)
{
	struct json_object *array = json_object_new_array();

	json_object_object_add(object, key, array);
	return array;
}

static int repair_layer(const char *path, const struct repair_options *options)
{
	struct repair repair = {
		.chosen = options->chosen, .nr_chosen = options->nr_chosen,
	};
	struct inspection *in = &repair.in;
	struct json_object *object = NULL;
	struct rehearsal rehearsal = { };
	struct dm_chain_why why = { "" };
	unsigned int found;
	bool readable;
	int ret;

	if (inspect_open(in, path, DEVICE_EXCL | (options->yes ? DEVICE_WRITE : 0),
			 &why))
		return complain_why(&why);
	in->layer.meta.rehearsal = &rehearsal;
	inspect(in);
	readable = layer_readable(&in->layer.meta);
	if (options->json) {
		object = json_object_new_object();
		json_flag(object, "dry-run", !options->yes);
		json_text(object, "device", path);
		in->array = begin_array(object, "findings");
	}
	repair_print(&repair);
	found = in->nr;
	if (in->known && in->layer.sb.flags & DM_CHAIN_F_NEEDS_CHECK)
		inspect_say(in,
			    "note: needs-check is set; it is cleared when nothing else is found");
	ret = repair_rehearse(&repair, &why);
	if (!ret)
		ret = check_chosen(&repair, &why);
	if (object)
		in->array = begin_array(object, "left");
	if (!ret && in->nr && (rehearsal.nr || object))
		print_left(in);
	if (ret)
		complain_why(&why);
	else
		ret = report(&repair, &rehearsal, found,
			     readable && !layer_readable(&in->layer.meta),
			     options);
	if (object) {
		json_number(object, "pages", rehearsal.nr);
		json_text(object, "undo", options->undo);
		print_json(object);
	}
	inspect_close(in);
	rehearsal_free(&rehearsal);
	return ret ? 1 : 0;
}

static void restore_json(const char *path, const struct rehearsal *plan,
			 const struct repair_options *options)
{
	struct json_object *object = json_object_new_object();

	json_flag(object, "dry-run", !options->yes);
	json_text(object, "device", path);
	json_text(object, "restored", options->restore);
	json_number(object, "pages", plan->nr);
	print_json(object);
}

static int restore(const char *path, const struct repair_options *options)
{
	struct rehearsal done = { }, plan = { };
	struct dm_chain_why why = { "" };
	struct device dev;
	int ret;

	if (device_open(&dev, path,
			DEVICE_EXCL | (options->yes ? DEVICE_WRITE : 0), &why))
		return complain_why(&why);
	ret = undo_load(&done, options->restore, &dev, &why);
	if (!ret)
		ret = undo_plan(&plan, &done, &dev, &why);
	if (!ret && options->yes)
		ret = rehearsal_perform(&plan, &dev, &why);
	device_close(&dev);
	if (!ret && options->json)
		restore_json(path, &plan, options);
	if (ret)
		complain_why(&why);
	else if (!plan.nr && !options->json)
		say("%s: nothing to restore: it is as it was", path);
	else if (options->yes && !options->json)
		say("%s: restored, %u pages", path, plan.nr);
	else if (plan.nr && !options->yes)
		ret = complain("repair: nothing was changed; --yes restores %u pages",
			       plan.nr);
	rehearsal_free(&done);
	rehearsal_free(&plan);
	return ret ? 1 : 0;
}

static int check_options(const struct repair_options *o)
{
	if (o->restore && (o->undo || o->nr_chosen))
		return complain("repair: --restore goes with --yes only");
	if (o->yes && !o->restore && !o->undo)
		return complain("repair: say where to keep what is replaced: --undo FILE");
	if (o->undo && !o->yes)
		return complain("repair: --undo goes with --yes");
	return 0;
}

int cmd_repair(int argc, char **argv)
{
	static const struct option options[] = {
		{ "yes", no_argument, NULL, 'y' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "undo", required_argument, NULL, 'u' },
		{ "restore", required_argument, NULL, 'r' },
		{ "choose", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ }
	};
	struct repair_options o = {
		.chosen = xalloc(argc, sizeof(*o.chosen)),
	};
	struct dm_chain_why why = { "" };
	bool dry_run = false;
	int c;

	while ((c = next_option(argc, argv, options)) != -1) {
		switch (c) {
		case 'y':
			o.yes = true;
			break;
		case 'n':
			dry_run = true;
			break;
		case 'j':
			o.json = true;
			break;
		case 'u':
			o.undo = optarg;
			break;
		case 'r':
			o.restore = optarg;
			break;
		case 'c':
			if (parse_chosen(optarg, &o.chosen[o.nr_chosen++], &why))
				return complain_why(&why);
			break;
		default:
			return 1;
		}
	}
	if (dry_run && o.yes)
		return complain("repair: --dry-run and --yes exclude each other");
	if (check_options(&o) || !operands_ok(argc, argv, 1, 1))
		return 1;
	c = o.restore ? restore(argv[optind], &o) :
			repair_layer(argv[optind], &o);
	free(o.chosen);
	return c;
}
