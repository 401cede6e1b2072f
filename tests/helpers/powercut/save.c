// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "save.h"
#include "sector.h"

static FILE *create(const char *dir, const char *name)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f)
		err(2, "%s", path);
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

static void save_view(const char *dir, const struct model *model,
		      const struct chain *chain)
{
	FILE *f = create(dir, "view");
	u8 data[POWERCUT_SECTOR] __aligned(8);
	u64 n;

	for (n = 0; n < model->sectors; n++) {
		chain_read(chain, model_sector(model, n), data);
		fwrite(data, sizeof(data), 1, f);
	}
	finish(f, "view");
}

void save_cut(const char *dir, const struct model *model,
	      const struct disks *disks, const struct layer *layer,
	      unsigned int n, const struct chain *chain)
{
	const struct log_device *device = disks->log->device;
	unsigned int i;
	FILE *f;

	if (mkdir(dir, 0755))
		err(2, "%s", dir);
	f = create(dir, "layers");
	for (i = 0; i < n; i++) {
		const struct model_layer *is = &model->layer[i];

		if (!layer[i].present)
			continue;
		fprintf(f, "%s %s %s\n", is->name, device[is->data].name,
			is->meta < 0 ? "-" : device[is->meta].name);
		save_image(dir, device[is->data].name, layer[i].data,
			   is->meta < 0);
		if (is->meta >= 0 && is->meta != is->data)
			save_image(dir, device[is->meta].name, layer[i].meta,
				   false);
	}
	finish(f, "layers");
	save_view(dir, model, chain);

	f = create(dir, "windows");
	for (i = 0; i < model->windows; i++)
		fprintf(f, "%llu %llu\n",
			(unsigned long long)model->window[i].sector *
			POWERCUT_SECTOR,
			(unsigned long long)model->window[i].count *
			POWERCUT_SECTOR);
	finish(f, "windows");
	f = create(dir, "size");
	fprintf(f, "%llu\n", (unsigned long long)model->size);
	finish(f, "size");
}
