// SPDX-License-Identifier: GPL-2.0
/* chaintest: comparing a chain with the model. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ct.h"

static void verify_range(struct chain *c, u64 offset, u64 len, u8 *buf)
{
	int r = io_do(c->fd, IO_READ, offset, len, buf);
	u64 s;

	ct_check(!r, "read of %llu at %llu: %s", len, offset, strerror(-r));
	for (s = offset / SECTOR; len; s++, len -= SECTOR, buf += SECTOR)
		ct_check(pattern_is(buf, c->view[s], s),
			 "sector %llu (block %llu) shows %s, expected write %u",
			 s, s * SECTOR / c->block_size, pattern_describe(buf),
			 c->view[s]);
}

/* Every sector of the device. */
void verify_view(struct chain *c)
{
	u8 *buf = io_buf(MIB);
	u64 offset, len;

	if (ct_plants("view"))
		c->view[ct_random(c->size / SECTOR)]++;
	for (offset = 0; offset < c->size; offset += len) {
		len = min(c->size - offset, MIB);
		verify_range(c, offset, len, buf);
	}
	free(buf);
}

/* What every layer holds, after a flush. */
void verify_disk(struct chain *c)
{
	unsigned int i;

	if (c->fd >= 0)
		chain_flush(c);
	for (i = 0; i < c->nr; i++)
		disk_check(c->layer[i], i == c->nr - 1 ? c->view :
			   c->layer[i]->tag);
}

/* Which layer a block is read from, and as what. */
static const struct layer *owner(const struct chain *c, u64 sector, bool *zero)
{
	u64 limit = ~0ULL;
	int i;

	*zero = true;
	for (i = c->nr - 1; i >= 0; i--) {
		const struct layer *l = c->layer[i];
		u8 may;

		if (i < (int)c->nr - 1)
			limit = min(limit, l->size);
		if (sector * SECTOR >= limit)
			return NULL;
		may = layer_raw(l) ? MAY_DATA :
		      l->may[sector * SECTOR / l->block_size];
		if (may & MAY_UNALLOC)
			continue;
		*zero = may & MAY_ZERO;
		return l;
	}
	return NULL;
}

/* The message "map" against the states; call verify_disk() before. */
void verify_map(struct chain *c)
{
	u64 n = c->size / SECTOR;
	u64 next = 0;
	char *reply, *p, *line;

	while (next < n) {
		u64 asked = next;

		reply = msg(c, "map %llu %llu", next, n - next);
		for (p = reply; *p;) {
			u64 start, len, s;
			char name[128];

			line = ct_str("%.*s", (int)strcspn(p, "\n"), p);
			p += strlen(line);
			p += *p == '\n';
			if (sscanf(line, "more %llu", &start) == 1) {
				ct_check(start == next, "map: \"%s\" after %llu",
					 line, next);
				free(line);
				break;
			}
			ct_check(sscanf(line, "%llu %llu %127s", &start, &len,
					name) == 3 && start == next && len,
				 "map: \"%s\" at %llu", line, next);
			for (s = start; s < start + len; s++) {
				const struct layer *l;
				char with[128];
				bool zero;

				l = owner(c, s, &zero);
				snprintf(with, sizeof(with), "zero:%s",
					 l ? l->name : "");
				ct_check(zero ? !strcmp(name, "zero") ||
					 !strcmp(name, with) :
					 !strcmp(name, l->name),
					 "map: \"%s\", but sector %llu is %s%s",
					 line, s, zero ? "zero:" : "",
					 l ? l->name : "nobody's");
			}
			next = start + len;
			free(line);
		}
		ct_check(next > asked, "map from %llu: \"%s\"", asked, reply);
		free(reply);
	}
	ct_check(next == n, "map ends at %llu of %llu", next, n);
}

static u64 count(const struct layer *l, u8 may)
{
	u64 b, n = 0;

	if (layer_raw(l))
		return may == MAY_DATA ? layer_blocks(l) : 0;
	for (b = 0; b < layer_blocks(l); b++)
		n += l->may[b] == may;
	return n;
}

static void verify_status(struct chain *c)
{
	struct layer *e = chain_active(c);
	char *status = dmd_status(c->dev);
	char *expected, *longer;
	unsigned int i;

	expected = ct_str("%llu/%llu rw - %llu %u", count(e, MAY_DATA),
			  layer_blocks(e), (u64)c->block_size / SECTOR, c->nr);
	for (i = 0; i < c->nr; i++) {
		longer = ct_str("%s %s %llu/%llu", expected, c->layer[i]->name,
				count(c->layer[i], MAY_DATA),
				layer_blocks(c->layer[i]));
		free(expected);
		expected = longer;
	}
	longer = ct_str("%s 0", expected);
	ct_check(!strcmp(status, longer), "status is \"%s\", expected \"%s\"",
		 status, longer);
	free(longer);
	free(expected);
	free(status);
}

static void verify_table(struct chain *c)
{
	char *table = dmd_table(c->dev);
	char *expected = chain_params(c->layer, c->nr, "");
	size_t len = strlen(expected);

	ct_check(!strncmp(table, expected, len) &&
		 (!table[len] || table[len] == ' '),
		 "table is \"%s\", expected \"%s\"", table, expected);
	ct_check(!strstr(table, "format"), "table has \"format\": %s", table);
	free(expected);
	free(table);
}

static void verify_layer_line(struct chain *c, const struct layer *l,
			      const char *state, const char *reply,
			      const char *backing)
{
	char *start = ct_str("name=%s", l->name);
	char *line = line_with(reply, start);
	char *value;

	ct_check(line, "no layer %s in \"%s\"", l->name, reply);
	value = field(line, "state=");
	ct_check(!strcmp(value, state), "state is not %s: %s", state, line);
	free(value);
	ct_check(field_num(line, "size=") == l->size, "size: %s", line);
	if (strcmp(state, "releasable")) {
		ct_check(field_num(line, "allocated=") ==
			 min(count(l, MAY_DATA) * c->block_size, l->size) ||
			 field_num(line, "allocated=") ==
			 count(l, MAY_DATA) * c->block_size,
			 "%llu blocks hold data: %s", count(l, MAY_DATA), line);
		value = field(line, "backing=");
		ct_check(layer_raw(l) || !strcmp(value, backing),
			 "backing is not %s: %s", backing, line);
		free(value);
	}
	free(line);
	free(start);
}

/* What status, table and layers say; call verify_disk() before. */
void verify_info(struct chain *c)
{
	unsigned int i, lines = 0;
	char *reply = msg(c, "layers");
	char *p;

	for (p = reply; *p; p++)
		lines += *p == '\n' || !p[1];
	ct_check(lines == c->nr + c->nr_dropped, "%u layers expected: \"%s\"",
		 c->nr + c->nr_dropped, reply);
	for (i = 0; i < c->nr; i++)
		verify_layer_line(c, c->layer[i],
				  i == c->nr - 1 ? "active" : "backing", reply,
				  i ? c->layer[i - 1]->name : "-");
	for (i = 0; i < c->nr_dropped; i++)
		verify_layer_line(c, c->dropped[i], "releasable", reply, "-");
	free(reply);
	verify_status(c);
	verify_table(c);
}

/* Make the model's state of a block wrong. */
static void plant_state(struct chain *c)
{
	u8 *may = &chain_active(c)->may[ct_random(c->size / c->block_size)];

	*may = *may & MAY_DATA ? MAY_ZERO : MAY_DATA;
}

/* Make the model's content of a data block wrong. */
static void plant_data(struct chain *c)
{
	u64 b;

	for (b = 0; b < c->size / c->block_size; b++)
		if (chain_active(c)->may[b] == MAY_DATA)
			c->view[b * c->block_size / SECTOR]++;
}

void verify_all(struct chain *c)
{
	verify_beside_jobs(c);
	if (ct_plants("states"))
		plant_state(c);
	if (ct_plants("data"))
		plant_data(c);
	verify_disk(c);
	if (ct_plants("map"))
		plant_state(c);
	verify_map(c);
	if (ct_plants("counts"))
		plant_state(c);
	verify_info(c);
}

/* While there are jobs, of which nobody knows how much they copied by now. */
void verify_beside_jobs(struct chain *c)
{
	unsigned int i;

	verify_view(c);
	for (i = 0; i < c->nr; i++)
		if (!layer_raw(c->layer[i]))
			disk_check_backing(c->layer[i],
					   i ? c->layer[i - 1] : NULL);
}

/*
 * When it is open which layer got a write, as in a snapshot under load: what
 * is on the devices, whoever holds it, must make up the view.
 */
void verify_disk_view(struct chain *c)
{
	u32 *view = ct_alloc(c->size / SECTOR * sizeof(u32));
	unsigned int i;
	u64 s;

	chain_flush(c);
	for (i = 0; i < c->nr; i++)
		disk_adopt(c->layer[i]);
	model_view(c->layer, c->nr, view);
	for (s = 0; s < c->size / SECTOR; s++)
		ct_check(view[s] == c->view[s],
			 "sector %llu: the layers make it write %u, expected %u",
			 s, view[s], c->view[s]);
	free(view);
}

static void run_check(const struct layer *l)
{
	char *dev = slice_path(l->meta);
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	ct_check(pid >= 0, "fork: %m");
	if (!pid) {
		dup2(STDOUT_FILENO, STDERR_FILENO);
		execlp("chainsetup", "chainsetup", "check", dev, NULL);
		/* Not installed: the codec has checked the layer already. */
		_exit(errno == ENOENT ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	ct_check(WIFEXITED(status) && !WEXITSTATUS(status),
		 "chainsetup check finds fault with layer %s", l->name);
	free(dev);
}

/* After chain_close(): the layers are clean. */
void verify_closed(struct chain *c)
{
	unsigned int i;

	verify_disk(c);
	for (i = 0; i < c->nr; i++) {
		if (layer_raw(c->layer[i]))
			continue;
		disk_check_clean(c->layer[i]);
	}
}

/* After verify_closed(): for chainsetup as well. A process each, so not often. */
void verify_tool(struct chain *c)
{
	unsigned int i;

	for (i = 0; i < c->nr; i++)
		if (!layer_raw(c->layer[i]))
			run_check(c->layer[i]);
}

/* How a scenario ends: the chain is closed, nothing is wrong with its layers. */
void verify_end(struct chain *c)
{
	verify_all(c);
	chain_close(c);
	verify_closed(c);
	verify_tool(c);
}

/* And is as it was when it is opened again. */
void verify_reopened(struct chain *c)
{
	verify_end(c);
	chain_open(c);
	verify_all(c);
}

/* What the devices hold, of each layer those of the data and of the metadata. */
u64 *devices_hash(const struct chain *c)
{
	u64 *hash = ct_alloc(2 * c->nr * sizeof(*hash));
	unsigned int i;

	for (i = 0; i < c->nr; i++) {
		const struct layer *l = c->layer[i];

		hash[2 * i] = slice_hash(l->data, 0, l->data->size);
		if (l->meta)
			hash[2 * i + 1] = slice_hash(l->meta, 0, l->meta->size);
	}
	return hash;
}

void verify_untouched(const struct chain *c, const u64 *before)
{
	u64 *now = devices_hash(c);
	unsigned int i;

	for (i = 0; i < 2 * c->nr; i++)
		ct_check(now[i] == before[i], "%s of layer %s was written",
			 i % 2 ? "the metadata" : "the data", c->layer[i / 2]->name);
	free(now);
}

/* Zeros, whatever the model says: it could share the target's mistake. */
void must_be_zero(struct chain *c, u64 from, u64 to)
{
	u8 *buf = io_buf(4096);
	u64 offset, s;

	for (offset = from; offset < to; offset += s) {
		s = min(to - offset, 4096ULL);
		ct_check(!io_do(c->fd, IO_READ, offset, s, buf), "read");
		for (; s; s -= SECTOR, offset += SECTOR)
			ct_check(pattern_is(buf + (s - SECTOR), 0, 0),
				 "[%llu, %llu) is not zeros near %llu: %s",
				 from, to, offset,
				 pattern_describe(buf + (s - SECTOR)));
	}
	free(buf);
}

/**
 * verify_settle() - after a request that failed
 * @tag: what it would have written
 *
 * Each sector must read as before or as the request wanted it; the model becomes
 * what is found. Which of its blocks the active layer took is open.
 */
void verify_settle(struct chain *c, u64 offset, u64 len, u32 tag)
{
	u64 s, b, end = offset + len;
	u8 *buf = io_buf(len);
	int r = io_do(c->fd, IO_READ, offset, len, buf);

	ct_check(!r, "read of %llu at %llu: %s", len, offset, strerror(-r));
	for (s = offset / SECTOR; s < end / SECTOR; s++) {
		const u8 *sector = buf + s * SECTOR - offset;

		ct_check(pattern_is(sector, c->view[s], s) ||
			 pattern_is(sector, tag, s),
			 "sector %llu shows %s, expected write %u or %u", s,
			 pattern_describe(sector), c->view[s], tag);
		if (!pattern_is(sector, c->view[s], s))
			c->view[s] = tag;
	}
	for (b = offset / c->block_size; b * c->block_size < end; b++)
		chain_active(c)->may[b] |= MAY_DATA | MAY_ZERO;
	free(buf);
}
