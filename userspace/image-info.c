// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: what qemu-img says of images, see disk-image.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk-image.h"

/* What a process wrote into a file in memory; free() it. */
static char *file_text(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = xalloc(1, (size > 0 ? size : 0) + 1);

	if (size > 0 && pread(fd, text, size, 0) != size)
		*text = 0;
	return text;
}

/* Run a program. @out and @err get what it prints; free() them. */
static int run(char **argv, char **out, char **err)
{
	int fd[2] = { memfd_create("out", MFD_CLOEXEC),
		      memfd_create("err", MFD_CLOEXEC) };
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		int null = open("/dev/null", O_RDONLY);

		if (null < 0 || dup2(null, 0) < 0 || dup2(fd[0], 1) < 0 ||
		    dup2(fd[1], 2) < 0)
			_exit(126);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	*out = file_text(fd[0]);
	*err = file_text(fd[1]);
	close(fd[0]);
	close(fd[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *member_text(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}

static bool member_true(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) &&
	       json_object_get_boolean(value);
}

/* What QEMU says of this format only, or NULL. */
static struct json_object *format_data(struct json_object *object)
{
	struct json_object *specific, *data;

	return json_object_object_get_ex(object, "format-specific", &specific) &&
	       json_object_object_get_ex(specific, "data", &data) ? data : NULL;
}

/*
 * Does the image keep data in other files? Nobody would see to it that these are not
 * written to, and who wrote the image could name any file of this host.
 */
static bool has_other_files(struct json_object *data, const char *path)
{
	struct json_object *list;
	const char *name;
	size_t i;

	if (json_object_object_get_ex(data, "data-file", NULL))
		return true;
	if (!json_object_object_get_ex(data, "extents", &list) ||
	    !json_object_is_type(list, json_type_array))
		return false;
	for (i = 0; i < json_object_array_length(list); i++) {
		name = member_text(json_object_array_get_idx(list, i), "filename");
		if (!name || strcmp(name, path))
			return true;
	}
	return false;
}

/* With a slash before any colon, a name is not one of a protocol of QEMU's. */
static char *plain_path(const char *path)
{
	if (*path == '/' || !strncmp(path, "./", 2))
		return xstrdup(path);
	return xasprintf("./%s", path);
}

static int take_info(struct json_object *object, struct image_info *info,
		     struct dm_chain_why *why)
{
	const char *path = member_text(object, "filename");
	const char *format = member_text(object, "format");
	struct json_object *data = format_data(object), *size, *list;

	if (!path || !format ||
	    !json_object_object_get_ex(object, "virtual-size", &size))
		return dm_chain_refuse(why, -EPROTO,
				       "qemu-img info does not say what is needed");
	*info = (struct image_info) {
		.path = plain_path(path),
		.format = xstrdup(format),
		.size = json_object_get_int64(size),
	};
	if (json_object_object_get_ex(object, "snapshots", &list) &&
	    json_object_is_type(list, json_type_array))
		info->snapshots = json_object_array_length(list);
	if (access(info->path, F_OK))
		return dm_chain_refuse(why, -EINVAL,
				       "%s is no file: images over a network are not converted",
				       path);
	if (member_true(object, "encrypted"))
		return dm_chain_refuse(why, -EINVAL,
				       "%s is encrypted: decrypt it first, with qemu-img convert",
				       path);
	if (data && has_other_files(data, path))
		return dm_chain_refuse(why, -EINVAL,
				       "%s keeps its data in another file: put all into one first, with qemu-img convert",
				       path);
	if ((data && member_true(data, "corrupt")) || member_true(object, "dirty-flag"))
		return dm_chain_refuse(why, -EUCLEAN,
				       "%s was not closed, or is damaged: qemu-img check -r all %s",
				       path, path);
	if (!info->size || info->size % 512)
		return dm_chain_refuse(why, -EINVAL,
				       "%s has %llu bytes, which is no size of a layer",
				       path, info->size);
	return 0;
}

int images_info(const char *path, const char *format, struct image_info **info,
		unsigned int *nr, struct dm_chain_why *why)
{
	char *argv[8] = { "qemu-img", "info", "--backing-chain", "--output=json" };
	bool guessed = !format;
	unsigned int words = 4;
	struct json_object *array = NULL;
	char *out, *err;
	int status, ret = 0;
	unsigned int i;

	*nr = 0;
	*info = NULL;
	if (format)
		argv[words++] = xasprintf("--format=%s", format);
	argv[words++] = plain_path(path);
	status = run(argv, &out, &err);
	while (words > 4)
		free(argv[--words]);
	err[strcspn(err, "\n")] = 0;
	if (status == 127)
		ret = dm_chain_refuse(why, -ENOENT,
				      "images are read with qemu-img and qemu-nbd, which are not installed: on Debian, apt-get install qemu-utils");
	else if (status)
		ret = dm_chain_refuse(why, -EINVAL, "%s: %.250s", path,
				      *err ? err : "qemu-img info failed");
	else
		array = json_tokener_parse(out);
	if (!ret && !json_object_is_type(array, json_type_array))
		ret = dm_chain_refuse(why, -EPROTO,
				      "%s: qemu-img info does not say what is needed",
				      path);
	if (!ret) {
		*info = xalloc(json_object_array_length(array), sizeof(**info));
		for (i = 0; i < json_object_array_length(array) && !ret; i++) {
			struct json_object *image = json_object_array_get_idx(array, i);

			ret = take_info(image, &(*info)[i], why);
			(*info)[i].guessed = guessed;
			/* Of the next one */
			guessed = !member_text(image, "backing-filename-format");
			*nr = i + 1;
		}
	}
	json_object_put(array);
	free(out);
	free(err);
	return ret;
}

void images_free(struct image_info *info, unsigned int nr)
{
	while (nr) {
		free(info[--nr].path);
		free(info[nr].format);
	}
	free(info);
}

char *images_text(const struct image_info *info, unsigned int nr)
{
	char *text = xstrdup(info[0].path), *longer;
	unsigned int i;

	for (i = 1; i < nr; i++) {
		longer = xasprintf("%s, %s", text, info[i].path);
		free(text);
		text = longer;
	}
	return text;
}
