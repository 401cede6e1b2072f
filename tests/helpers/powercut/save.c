// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "save.h"
#include "sector.h"

static FILE *create(const char *dir, const char *name)
{
	char *path;
	FILE *f;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		err(2, "memory");
	f = fopen(path, "we");
	if (!f)
		err(2, "%s", path);
	free(path);
	return f;
}

static void finish(FILE *f, const char *name)
{
	if (ferror(f) || fclose(f))
		err(2, "%s", name);
}

/* Garbage that nobody wrote over is left out, but for a base's. */
static void save_image(const char *dir, const char *name,
		       const struct image *img, bool whole)
{
	u8 buf[IMAGE_PAGE] __aligned(8);
	FILE *f = create(dir, name);
	u64 page;

	for (page = 0; page < img->size / IMAGE_PAGE; page++) {
		if (!img->page[page] && !whole)
			continue;
		if (fseeko(f, page * IMAGE_PAGE, SEEK_SET))
			err(2, "%s", name);
		fwrite(image_page(img, page * IMAGE_PAGE, buf), IMAGE_PAGE, 1,
		       f);
	}
	if (fflush(f) || ftruncate(fileno(f), img->size))
		err(2, "%s", name);
	finish(f, name);
}

static u64 view_size(const struct cut_found *found)
{
	return layer_size(found->chain->layer[found->chain->nr - 1]);
}

static void save_view(const char *dir, const struct model *model,
		      const struct cut_found *found)
{
	u64 end = view_size(found) / POWERCUT_SECTOR;
	FILE *f = create(dir, "view");
	u8 data[POWERCUT_SECTOR] __aligned(8);
	unsigned int i;
	u64 n;

	for (n = 0; n < model->sectors; n++) {
		if (model_sector(model, n) >= end)
			continue;
		chain_read(found->chain, model_sector(model, n), data);
		fwrite(data, sizeof(data), 1, f);
	}
	finish(f, "view");

	f = create(dir, "windows");
	for (i = 0; i < model->windows; i++) {
		u64 sector = model->window[i].sector;
		u64 count = model->window[i].count;

		if (sector >= end)
			continue;
		if (count > end - sector)
			count = end - sector;
		fprintf(f, "%llu %llu\n",
			(unsigned long long)sector * POWERCUT_SECTOR,
			(unsigned long long)count * POWERCUT_SECTOR);
	}
	finish(f, "windows");
	f = create(dir, "size");
	fprintf(f, "%llu\n", (unsigned long long)view_size(found));
	finish(f, "size");
}

static void save_jobs(const char *dir, const struct jobs *jobs,
		      const struct cut_found *found)
{
	FILE *f = create(dir, "jobs");
	unsigned int n, i;

	for (n = 0; n < jobs->n; n++) {
		const struct layer *top = &found->layer[jobs->job[n].top];
		const struct layer *bottom =
			&found->layer[jobs->job[n].bottom];
		bool leaves = false;

		if (!job_live(found->state[n]))
			continue;
		fprintf(f, "%s %s %s", jobs->job[n].id,
			job_state_name(found->state[n]), top->name);
		for (i = 0; found->chain->layer[i] != top; i++) {
			leaves |= found->chain->layer[i] == bottom;
			if (leaves)
				fprintf(f, " %s", found->chain->layer[i]->name);
		}
		fputc('\n', f);
	}
	finish(f, "jobs");
}

static void save_cut(const char *dir, const struct model *model,
		     const struct disks *disks, const struct cut_found *found,
		     const char *what)
{
	const struct log_device *device = disks->log->device;
	unsigned int i;
	FILE *f;

	if (mkdir(dir, 0755) && errno != EEXIST)
		err(2, "%s", dir);
	f = create(dir, "layers");
	for (i = 0; i < found->layers; i++) {
		const struct model_layer *is = &model->layer[i];
		const struct layer *layer = &found->layer[i];

		if (!layer->present)
			continue;
		fprintf(f, "%s %s %s\n", is->name, device[is->data].name,
			is->meta < 0 ? "-" : device[is->meta].name);
		save_image(dir, device[is->data].name, layer->data,
			   is->meta < 0);
		if (is->meta >= 0 && is->meta != is->data)
			save_image(dir, device[is->meta].name, layer->meta,
				   false);
	}
	finish(f, "layers");
	save_view(dir, model, found);
	save_jobs(dir, &model->jobs, found);
	f = create(dir, "cut");
	fprintf(f, "%s\n", what);
	finish(f, "cut");
}

void saver_begin(struct saver *saver, u64 seed, unsigned int first)
{
	saver->seed = seed;
	saver->first = first;
	saver->kinds = 0;
}

static unsigned int kind_by_name(struct saver *saver, const char *name)
{
	unsigned int i;

	for (i = 0; i < saver->kinds; i++)
		if (!strcmp(saver->kind[i].name, name))
			return i;
	if (i == SAVER_KINDS)
		errx(2, "more than %u kinds of cuts", SAVER_KINDS);
	strcpy(saver->kind[i].name, name);
	saver->kind[i].seen = 0;
	saver->kinds++;
	return i;
}

void saver_offer(struct saver *saver, const struct model *model,
		 const struct disks *disks, const struct cut_found *found,
		 const char *what)
{
	char name[64], *dir;
	unsigned int kind, i;
	u64 seen;

	if (!saver->dir)
		return;
	jobs_text(&model->jobs, found->state, name, sizeof(name));
	kind = kind_by_name(saver, name);
	seen = ++saver->kind[kind].seen;
	for (i = 0; i < saver->cuts; i++) {
		/* The nth that comes replaces what is there once in n times. */
		if (cut_chance(saver->seed + (seen << 16) + (kind << 8) + i) %
		    seen)
			continue;
		if (asprintf(&dir, "%s/%s%s-%u", saver->dir, model->name,
			     name, saver->first + i + 1) < 0)
			err(2, "memory");
		save_cut(dir, model, disks, found, what);
		free(dir);
	}
}
