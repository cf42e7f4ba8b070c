/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	READ_STEP_BYTES = 4096,
	/* Folders inside folders; each level holds one descriptor. */
	REMOVE_DEPTH = 256,
};

/* What failed, on what, why, and the remedies that fit every reading of a file. */
static int fail_errno(struct pgb_error *error, int number, const char *what, const char *path)
{
	int code = pgb_code_from_errno(number);

	pgb_fail(error, code, "cannot %s %s: %s", what, path, strerror(number));
	if (number == EMFILE || number == ENFILE)
		pgb_remedy(error, "allow more open files: ulimit -n 65536");
	else if (number == EACCES || number == EPERM)
		pgb_remedy(error, "see who may: ls -ld '%s'", path);
	return code;
}

/* O_NONBLOCK: a FIFO must not stop us. It does nothing to regular files. */
static int open_input(const char *path, struct pgb_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return fd >= 0 ? fd : fail_errno(error, errno, "open", path);
}

static int map_descriptor(struct pgb_file_map *map, int fd, const char *path,
			  struct pgb_error *error)
{
	struct stat status;
	void *bytes;

	if (fstat(fd, &status) != 0)
		return fail_errno(error, errno, "read", path);
	if (!S_ISREG(status.st_mode))
		return pgb_fail(error, PGB_E_IO, "cannot read %s: it is not a regular file", path);
	map->device = status.st_dev;
	map->inode = status.st_ino;
	map->modified_ns = status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec;
	map->size_bytes = (size_t)status.st_size;
	if (map->size_bytes == 0)
		return 0;
	bytes = mmap(NULL, map->size_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED) {
		map->size_bytes = 0;
		return fail_errno(error, errno, "map", path);
	}
	map->bytes = bytes;
	return 0;
}

int pgb_file_map_open(struct pgb_file_map *map, const char *path, struct pgb_error *error)
{
	int fd, code;

	*map = (struct pgb_file_map){0};
	fd = open_input(path, error);
	if (fd < 0)
		return fd;
	code = map_descriptor(map, fd, path, error);
	close(fd);
	return code;
}

void pgb_file_map_close(struct pgb_file_map *map)
{
	if (map->bytes)
		munmap((void *)(uintptr_t)map->bytes, map->size_bytes);
	*map = (struct pgb_file_map){0};
}

int pgb_file_read(struct pgb_text *text, const char *path, size_t most, struct pgb_error *error)
{
	int fd = open_input(path, error);

	if (fd < 0)
		return fd;
	while (most > 0) {
		size_t step = most < READ_STEP_BYTES ? most : READ_STEP_BYTES;
		ssize_t got;

		pgb_text_reserve(text, step);
		got = read(fd, text->data + text->length, step);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int number = errno;

			close(fd);
			text->data[text->length] = '\0';
			if (number == ESRCH)
				return pgb_fail(error, PGB_E_GONE,
						"cannot read %s: the process has ended", path);
			return fail_errno(error, number, "read", path);
		}
		text->length += (size_t)got;
		text->data[text->length] = '\0';
		if (got == 0)
			break;
		most -= (size_t)got;
	}
	close(fd);
	return 0;
}

bool pgb_file_same(const char *path_a, const char *path_b)
{
	struct stat a, b;

	return stat(path_a, &a) == 0 && stat(path_b, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

bool pgb_file_is_executable(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
	       faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* One level; an existing folder is success. */
static int make_directory(const char *path, struct pgb_error *error)
{
	struct stat status;
	int number;

	if (mkdir(path, 0777) == 0)
		return 0;
	number = errno;
	/* mkdir of an existing folder may also say EROFS or EACCES: ask what is there. */
	if (stat(path, &status) == 0) {
		if (S_ISDIR(status.st_mode))
			return 0;
		return pgb_fail(error, PGB_E_EXISTS, "cannot make the folder %s: a file is there",
				path);
	}
	return fail_errno(error, number, "make the folder", path);
}

int pgb_file_make_directories(const char *path, struct pgb_error *error)
{
	char *partial = pgb_dup(path);
	int code = 0;

	for (char *at = partial; *at != '\0' && code == 0; at++) {
		if (*at != '/' || at == partial || at[-1] == '/')
			continue;
		*at = '\0';
		code = make_directory(partial, error);
		*at = '/';
	}
	if (code == 0)
		code = make_directory(partial, error);
	free(partial);
	return code;
}

static int remove_at(int parent, const char *name, const char *path, int depth,
		     struct pgb_error *error);

static int remove_entries(int fd, const char *path, int depth, struct pgb_error *error)
{
	DIR *folder = fdopendir(fd);
	const struct dirent *entry;
	int code = 0;

	if (folder == NULL) {
		code = fail_errno(error, errno, "read the folder", path);
		close(fd);
		return code;
	}
	while (code == 0) {
		errno = 0;
		entry = readdir(folder);
		if (entry == NULL) {
			if (errno != 0)
				code = fail_errno(error, errno, "read the folder", path);
			break;
		}
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		code = remove_at(dirfd(folder), entry->d_name, path, depth + 1, error);
	}
	closedir(folder);
	return code;
}

/* `path` is the top of the tree and serves messages only. */
static int remove_at(int parent, const char *name, const char *path, int depth,
		     struct pgb_error *error)
{
	int fd, code;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return fail_errno(error, errno, "remove", path);
	if (depth > REMOVE_DEPTH)
		return pgb_fail(error, PGB_E_LIMIT, "cannot remove %s: over %d folders deep", path,
				REMOVE_DEPTH);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(error, errno == ENOTDIR ? EPERM : errno, "remove", path);
	code = remove_entries(fd, path, depth, error);
	if (code == 0 && unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
		code = fail_errno(error, errno, "remove", path);
	return code;
}

int pgb_file_remove_tree(const char *path, struct pgb_error *error)
{
	char *trimmed = pgb_dup(path);
	size_t length = strlen(trimmed);
	int code;

	/* "link/" would name the folder behind the link. */
	while (length > 1 && trimmed[length - 1] == '/')
		trimmed[--length] = '\0';
	code = remove_at(AT_FDCWD, trimmed, trimmed, 0, error);
	free(trimmed);
	return code;
}
