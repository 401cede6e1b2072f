// SPDX-License-Identifier: GPL-2.0
/*
 * chaintorture: everything compared: what the device shows, what each layer holds
 * on its devices, and what the layers make of it together.
 *
 * What a layer shows by itself never changes once another lies on it: layer.tag.
 * A job or copy-on-read turn what a layer does not hold into just that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torture.h"

static bool zero_block(const struct layer *l, u64 block)
{
	u64 s = block * l->block_size / SECTOR;
	u64 end = min((block + 1) * l->block_size, l->size) / SECTOR;

	for (; s < end; s++)
		if (l->tag[s])
			return false;
	return true;
}

/* A copy that was made while the layer was in use stays as the layer was then. */
static void check_clean(const struct run *r, const struct layer *l)
{
	if (!r->moved[table_number(r, l)])
		disk_check_clean(l);
}

/* Somebody may have copied into it. */
static void allow_copies(struct layer *l)
{
	u64 b;

	for (b = 0; b < layer_blocks(l); b++) {
		if (!(l->may[b] & MAY_UNALLOC))
			continue;
		l->may[b] |= MAY_DATA;
		if (zero_block(l, b))
			l->may[b] |= MAY_ZERO;
	}
}

/* Does a job of the model drop it? */
static bool may_be_gone(const struct run *r, int position)
{
	const struct shape *s = &r->shape;
	unsigned int i;

	for (i = 0; i < s->nr_jobs; i++)
		if (position >= shape_find(s, s->job[i].bottom) &&
		    position < shape_find(s, s->job[i].top))
			return true;
	return false;
}

/* The chain without what jobs have dropped already. */
static unsigned int effective(const struct run *r, struct layer **layer)
{
	const struct chain *c = r->c;
	char *table = dmd_table(c->dev);
	unsigned int i, nr = 0;

	for (i = 0; i < c->nr; i++) {
		char *with = ct_str(" %s ", c->layer[i]->name);

		if (strstr(table, with))
			layer[nr++] = c->layer[i];
		else
			ct_check(may_be_gone(r, i),
				 "%s is not in the table, though no job drops it: %s",
				 c->layer[i]->name, table);
		free(with);
	}
	ct_check((unsigned int)atoi(table) == nr,
		 "%u layers expected in the table: %s", nr, table);
	free(table);
	return nr;
}

/* What the layers up to one show, against what this one must show. */
static void compose(const struct run *r, struct layer *const *layer,
		    unsigned int nr)
{
	const struct layer *l = layer[nr - 1];
	u32 *view = ct_alloc(l->size / SECTOR * sizeof(u32));
	u64 s;

	model_view(layer, nr, view);
	for (s = 0; s < l->size / SECTOR; s++)
		ct_check(view[s] == l->tag[s],
			 "%s: sector %llu (block %llu): the layers on their devices make it write %u, expected %u",
			 l->name, s, s * SECTOR / l->block_size, view[s],
			 l->tag[s]);
	free(view);
}

/* Nothing may change meanwhile. */
static void look_at_layers(struct run *r, struct layer **layer, unsigned int nr)
{
	unsigned int i;

	model_freeze(r->c);
	for (i = 0; i < nr; i++) {
		struct layer *l = layer[i];

		if (layer_raw(l))
			continue;
		if (run_threaded(r)) {
			disk_adopt(l);
			continue;
		}
		if (r->copied[table_number(r, l)])
			allow_copies(l);
		disk_check(l, l->tag);
		disk_check_backing(l, i ? layer[i - 1] : NULL);
	}
	for (i = run_threaded(r) ? nr : 1; i <= nr; i++)
		compose(r, layer, i);
}

/* From now on nobody copies into a layer unless a job or a read does so anew. */
static void forget_copies(struct run *r)
{
	unsigned int i;

	memset(r->copied, 0, sizeof(r->copied));
	for (i = 0; i < r->shape.nr_jobs; i++)
		r->copied[r->shape.job[i].top] = true;
	if (r->shape.copy)
		r->copied[r->shape.layer[r->shape.nr - 1]] = true;
}

/**
 * look() - compare everything
 * @suspended: what a suspend leaves, instead of what a flush does; always so
 *	while somebody may be copying
 */
void look(struct run *r, bool suspended)
{
	struct layer *layer[DM_CHAIN_MAX_LAYERS];
	struct chain *c = r->c;
	bool quiet = !r->shape.nr_jobs && !r->shape.copy;
	unsigned int nr, i;
	int err;

	progress->checks++;
	table_all_fast(r);
	verify_view(c);
	if (quiet && !suspended) {
		chain_flush(c);
		nr = effective(r, layer);
		look_at_layers(r, layer, nr);
	} else {
		err = dmd_suspend(c->dev, 0);
		ct_check(!err, "suspend: %s", strerror(-err));
		nr = effective(r, layer);
		look_at_layers(r, layer, nr);
		for (i = 0; i < nr; i++)
			check_clean(r, layer[i]);
		err = dmd_resume(c->dev);
		ct_check(!err, "resume: %s", strerror(-err));
	}
	forget_copies(r);
	if (!quiet)
		return;
	verify_map(c);
	verify_info(c);
}

static char *path_of(const struct slice *s)
{
	return ct_str("/dev/mapper/%s", s->name);
}

static char *spec_of(const struct layer *l)
{
	char *data = path_of(l->data), *meta, *spec;

	if (layer_raw(l)) {
		spec = ct_str("raw=%s", data);
	} else if (l->meta == l->data) {
		spec = ct_str("%s", data);
	} else {
		meta = path_of(l->meta);
		spec = ct_str("%s,%s", data, meta);
		free(meta);
	}
	free(data);
	return spec;
}

static void read_all(int fd, u8 *buf, size_t len)
{
	ssize_t n;

	for (; len; len -= n, buf += n) {
		n = read(fd, buf, len);
		ct_check(n > 0, "chainview ends early");
	}
}

/* The second opinion: a reader that shares no I/O code with the module. */
static void look_with_chainview(struct chain *c)
{
	char *argv[DM_CHAIN_MAX_LAYERS + 4] = { "chainview", "read", "-" };
	u8 *buf = io_buf(MIB);
	u64 offset, len, s;
	int out[2], status;
	unsigned int i;
	pid_t pid;

	for (i = 0; i < c->nr; i++)
		argv[3 + i] = spec_of(c->layer[i]);
	ct_check(!pipe2(out, O_CLOEXEC), "pipe: %m");
	fflush(stdout);
	pid = fork();
	ct_check(pid >= 0, "fork: %m");
	if (!pid) {
		dup2(STDOUT_FILENO, STDERR_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(out[1]);
	for (offset = 0; offset < c->size; offset += len) {
		len = min(c->size - offset, MIB);
		read_all(out[0], buf, len);
		for (s = 0; s < len / SECTOR; s++) {
			u64 lba = offset / SECTOR + s;

			ct_check(pattern_is(buf + s * SECTOR, c->view[lba], lba),
				 "chainview, with the device removed: sector %llu shows %s, expected write %u",
				 lba, pattern_describe(buf + s * SECTOR),
				 c->view[lba]);
		}
	}
	close(out[0]);
	waitpid(pid, &status, 0);
	ct_check(WIFEXITED(status) && !WEXITSTATUS(status),
		 "chainview ends with status %x", status);
	for (i = 0; i < c->nr; i++)
		free(argv[3 + i]);
	free(buf);
}

static void module_away(void)
{
	if (*unload_module)
		ct_check(!syscall(SYS_delete_module, "dm_chain", O_NONBLOCK),
			 "the module cannot be unloaded: %m");
}

static void module_back(void)
{
	int fd;

	if (!*unload_module)
		return;
	fd = open(unload_module, O_RDONLY | O_CLOEXEC);
	ct_check(fd >= 0 && !syscall(SYS_finit_module, fd, "", 0), "%s: %m",
		 unload_module);
	close(fd);
}

/* Remove the device, and look at what is left of it. */
void look_closed(struct run *r)
{
	struct chain *c = r->c;
	unsigned int i;

	chain_close(c);
	module_away();
	look_at_layers(r, c->layer, c->nr);
	for (i = 0; i < c->nr; i++)
		check_clean(r, c->layer[i]);
	look_with_chainview(c);
	if (use_tools)
		verify_tool(c);
	module_back();
}
