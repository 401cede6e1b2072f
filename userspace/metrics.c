// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: Prometheus' text format, version 0.0.4.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "metrics.h"

void metrics_init(struct metrics *m, const char *prefix,
		  const struct metric_kind *kind)
{
	unsigned int i;

	m->prefix = prefix;
	m->kind = kind;
	for (m->nr = 0; kind[m->nr].name; m->nr++)
		;
	m->samples = xalloc(m->nr, sizeof(*m->samples));
	for (i = 0; i < m->nr; i++) {
		struct metric_samples *s = &m->samples[i];

		s->file = open_memstream(&s->text, &s->size);
		if (!s->file)
			exit(complain("out of memory"));
	}
}

void metrics_free(struct metrics *m)
{
	unsigned int i;

	for (i = 0; i < m->nr; i++) {
		fclose(m->samples[i].file);
		free(m->samples[i].text);
	}
	free(m->samples);
}

/*
 * A label's value: what is left of the characters that have to be escaped when
 * there are no control characters. Of what is no UTF-8 nothing at all is read.
 */
static void put_label(FILE *file, const char *text)
{
	char *shown = text_shown(text, true), *c;

	for (c = shown; *c; c++) {
		if (*c == '\\' || *c == '"')
			fputc('\\', file);
		fputc(*c, file);
	}
	free(shown);
}

void metrics_add(struct metrics *m, unsigned int kind, const char *value,
		 const char * const *labels)
{
	FILE *file = m->samples[kind].file;
	unsigned int i;

	fprintf(file, "%s%s", m->prefix, m->kind[kind].name);
	for (i = 0; labels[i]; i += 2) {
		fprintf(file, "%s%s=\"", i ? "," : "{", labels[i]);
		put_label(file, labels[i + 1]);
		fputc('"', file);
	}
	fprintf(file, "%s %s\n", i ? "}" : "", value);
}

int metrics_print(struct metrics *m, FILE *file)
{
	unsigned int i;

	for (i = 0; i < m->nr; i++) {
		const struct metric_kind *kind = &m->kind[i];
		struct metric_samples *s = &m->samples[i];

		if (fflush(s->file))
			exit(complain("out of memory"));
		if (!s->size)
			continue;
		fprintf(file, "# HELP %s%s %s.\n# TYPE %s%s gauge\n", m->prefix,
			kind->name, kind->help, m->prefix, kind->name);
		fwrite(s->text, 1, s->size, file);
	}
	return fflush(file) || ferror(file) ? -EIO : 0;
}

/* Whoever reads the directory must not take it for what it is not yet. */
static int save_in(struct metrics *m, const char *path, int fd)
{
	FILE *file = fdopen(fd, "w");
	int ret;

	if (!file) {
		ret = -errno;
		close(fd);
		return ret;
	}
	ret = fchmod(fd, 0644) ? -errno : metrics_print(m, file);
	if (!ret && fsync(fd))
		ret = -errno;
	if (fclose(file) && !ret)
		ret = -errno;
	return ret;
}

int metrics_save(struct metrics *m, const char *path, struct dm_chain_why *why)
{
	char *new = xasprintf("%s.XXXXXX", path);
	int fd = mkostemp(new, O_CLOEXEC), ret;

	if (fd < 0) {
		ret = -errno;
	} else {
		ret = save_in(m, new, fd);
		if (!ret && rename(new, path))
			ret = -errno;
		if (ret)
			unlink(new);
	}
	free(new);
	if (ret)
		return dm_chain_refuse(why, ret, "--output %s: it cannot be written: %s",
				       path, strerror(-ret));
	return 0;
}
