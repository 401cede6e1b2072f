// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: what is wrong between a layer and those that it rests on.
 */
#include <errno.h>
#include <stdlib.h>
#include <linux/string.h>

#include "inspect.h"
#include "dm-chain-jobstate.h"

/**
 * struct descent - on the way down
 * @overlay: superblock of the layer whose backing is looked for
 * @path: of its metadata device
 * @where: "", or "further down, PATH: "
 * @uuid: of the layers so far, the inspected one first
 * @nr: how many
 * @bottom: where the job's bottom was found, 0 if not
 * @raw: there is a raw base
 * @complete: the end was reached
 */
struct descent {
	struct dm_chain_sb overlay;
	char path[DM_CHAIN_PATH_LEN];
	char where[DM_CHAIN_PATH_LEN + 32];
	u8 uuid[DM_CHAIN_MAX_LAYERS][DM_CHAIN_UUID_LEN];
	unsigned int nr;
	unsigned int bottom;
	bool raw;
	bool complete;
};

static void inspect_raw(struct inspection *in, struct descent *d)
{
	const struct dm_chain_backing *ref = &d->overlay.backing;
	struct dm_chain_why why = { "" };
	struct layer below;

	d->raw = true;
	d->complete = true;
	if (layer_open_raw(&below, ref, LAYER_META_ONLY, &why)) {
		remark(in, "%sits raw base was not checked: %s", d->where,
		       why.text);
		return;
	}
	if (!below.raw)
		advise(finding(in, "%sits raw base %s has become the layer %s",
			       d->where, below.meta.path, below.sb.name),
		       "another device is the base: --layer raw=DEV names it, \"chainsetup rebase\" records it");
	else if (below.data.size < ref->size)
		advise(finding(in, "%sits raw base %s has shrunk from %llu to %llu bytes",
			       d->where, below.data.path, ref->size,
			       below.data.size),
		       "it needs the device as it was");
	layer_close(&below);
}

static bool seen(const struct descent *d, const u8 *uuid)
{
	unsigned int i;

	for (i = 0; i < d->nr; i++)
		if (dm_chain_uuid_equal(d->uuid[i], uuid))
			return true;
	return false;
}

static void compare(struct inspection *in, const struct descent *d,
		    const struct layer *below)
{
	const struct dm_chain_backing *ref = &d->overlay.backing;

	if (below->sb.block_size != d->overlay.block_size)
		finding(in, "%sits backing %s has blocks of %u bytes, the layer of %u",
			d->where, below->meta.path, below->sb.block_size,
			d->overlay.block_size);
	if (ref->generation && ref->generation != below->sb.generation)
		finding(in,
			"%sits backing %s was changed: generation %llu, not %llu; to accept it as it is: chainsetup rebase --unsafe %s %s",
			d->where, below->meta.path, below->sb.generation,
			ref->generation, d->path, below->meta.path);
	if (below->sb.size < ref->size)
		finding(in,
			"%sits backing %s has shrunk from %llu to %llu bytes; to accept it as it is: chainsetup rebase --unsafe %s %s",
			d->where, below->meta.path, ref->size, below->sb.size,
			d->path, below->meta.path);
}

/* @below is the @d->nr-th under the layer. */
static void inspect_jobs(struct inspection *in, struct descent *d,
			 const struct layer *below)
{
	const struct dm_chain_job_record *job = &in->layer.sb.job;
	const struct dm_chain_job_record *other = &below->sb.job;
	bool over = !d->bottom;

	if (!job->type)
		return;
	if (!(job->flags & DM_CHAIN_JOB_F_RAW_BOTTOM) &&
	    dm_chain_uuid_equal(job->bottom_uuid, below->sb.uuid))
		d->bottom = d->nr;
	if (!other->type)
		return;
	if (!strcmp(job->id, other->id))
		remark(in,
		       "the layer %s below has an unfinished job %s as well: only one of them goes on",
		       below->sb.name, other->id);
	else if (over)
		remark(in,
		       "the layer %s, which its job %s copies from, has the unfinished job %s: only one of them goes on",
		       below->sb.name, job->id, other->id);
}

/* Where the backing was last seen, is there a layer that cannot be read? */
static bool damaged(const char *path, struct dm_chain_why *why)
{
	struct dm_chain_why reason = { "" };
	struct layer below;
	int ret;

	if (!*path)
		return false;
	ret = layer_open(&below, path, NULL, LAYER_META_ONLY, &reason);
	if (!ret)
		layer_close(&below);
	if (ret != -EBADMSG && ret != -EINVAL && ret != -EOPNOTSUPP)
		return false;
	*why = reason;
	return true;
}

/* One step down. Return: there may be another one. */
static bool descend(struct inspection *in, struct descent *d)
{
	const struct dm_chain_backing *ref = &d->overlay.backing;
	struct dm_chain_why why = { "" };
	struct layer below;
	char *path;
	int ret;

	if (seen(d, ref->uuid)) {
		finding(in, "%sits backing is a layer that rests on it: a circle",
			d->where);
		return false;
	}
	if (d->nr == DM_CHAIN_MAX_LAYERS) {
		finding(in, "its chain has more than %u layers",
			DM_CHAIN_MAX_LAYERS);
		return false;
	}
	ret = find_layer(ref->uuid, ref->path, &path, &why);
	if (ret == -ENODEV && damaged(ref->path, &why)) {
		finding(in, "%sits backing: %s", d->where, why.text);
		return false;
	}
	if (ret == -ENODEV) {
		remark(in, "%sits backing was not checked: %s", d->where,
		       why.text);
		return false;
	}
	if (!ret) {
		ret = layer_open(&below, path, NULL, LAYER_META_ONLY, &why);
		free(path);
	}
	if (ret) {
		finding(in, "%sits backing: %s", d->where, why.text);
		return false;
	}
	compare(in, d, &below);
	inspect_jobs(in, d, &below);
	memcpy(d->uuid[d->nr++], below.sb.uuid, DM_CHAIN_UUID_LEN);
	d->overlay = below.sb;
	strscpy(d->path, below.meta.path, sizeof(d->path));
	snprintf(d->where, sizeof(d->where), "further down, %s: ", d->path);
	layer_close(&below);
	return true;
}

static void inspect_bottom(struct inspection *in, const struct descent *d)
{
	const struct dm_chain_job_record *job = &in->layer.sb.job;
	char uuid[DM_CHAIN_UUID_TEXT] = "a raw base";
	struct finding *f;

	if (!job->type || !d->complete)
		return;
	if (job->flags & DM_CHAIN_JOB_F_RAW_BOTTOM ? d->raw : d->bottom)
		return;
	if (!(job->flags & DM_CHAIN_JOB_F_RAW_BOTTOM))
		dm_chain_uuid_format(job->bottom_uuid, uuid);
	f = finding(in, "its job %s copies from %s, which is not in the chain below",
		    job->id, uuid);
	f->remedy = REMEDY_JOB;
	advise(f, "job %s is cancelled and recorded so; what it has copied stays",
	       job->id);
}

void inspect_chain(struct inspection *in)
{
	struct descent *d = xalloc(1, sizeof(*d));
	bool more = true;

	d->overlay = in->layer.sb;
	snprintf(d->path, sizeof(d->path), "%s", in->path);
	memcpy(d->uuid[d->nr++], in->layer.sb.uuid, DM_CHAIN_UUID_LEN);
	while (more) {
		switch (d->overlay.backing.kind) {
		case DM_CHAIN_BACKING_LAYER:
			more = descend(in, d);
			break;
		case DM_CHAIN_BACKING_RAW:
			inspect_raw(in, d);
			more = false;
			break;
		default:
			d->complete = d->overlay.backing.kind ==
				      DM_CHAIN_BACKING_NONE;
			more = false;
		}
	}
	inspect_bottom(in, d);
	free(d);
}
