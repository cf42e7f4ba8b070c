/* SPDX-License-Identifier: MIT */
/*
 * Output that appears whole or not at all: the pgb_out_* half of file.h.
 */
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "pgobolt/collector/file.h"

#ifndef PROC_SUPER_MAGIC
#define PROC_SUPER_MAGIC 0x9fa0
#endif

enum {
	STREAM_BUFFER_BYTES = 65536,
	/* As many links as the kernel follows in one path. */
	LINKS_FOLLOWED = 40,
	NAME_ATTEMPTS = 100,
};

/*
 * The descriptor behind the stream. stdio forgets why an early write failed; this keeps the
 * first errno for commit.
 */
struct pgb_out_sink {
	int fd;
	int error_number;
};

static ssize_t sink_write(void *cookie, const char *bytes, size_t size_bytes)
{
	struct pgb_out_sink *sink = cookie;
	size_t done = 0;

	while (done < size_bytes && sink->error_number == 0) {
		ssize_t wrote = write(sink->fd, bytes + done, size_bytes - done);

		if (wrote > 0)
			done += (size_t)wrote;
		else if (wrote == 0)
			sink->error_number = EIO;
		else if (errno != EINTR)
			sink->error_number = errno;
	}
	if (sink->error_number != 0) {
		errno = sink->error_number;
		return 0;
	}
	return (ssize_t)done;
}

static int sink_seek(void *cookie, off64_t *offset, int whence)
{
	struct pgb_out_sink *sink = cookie;
	off_t place = lseek(sink->fd, *offset, whence);

	if (place < 0)
		return -1;
	*offset = place;
	return 0;
}

static int fail_write(struct pgb_error *error, int number, const char *path)
{
	int code = number == EFBIG ? PGB_E_RESOURCE : pgb_code_from_errno(number);
	const char *slash = strrchr(path, '/');
	int length = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);
	const char *folder = slash == NULL ? "." : path;

	pgb_fail(error, code, "cannot write %s: %s", path, strerror(number));
	switch (number) {
	case ENOENT:
		pgb_remedy(error, "make the folder first: mkdir -p '%.*s'", length, folder);
		break;
	case ENOSPC:
	case EDQUOT:
		/* the folder itself may be a temporary one */
		pgb_remedy(error, "make room, or write elsewhere: df -h");
		break;
	case EFBIG:
		pgb_remedy(error, "allow larger files: ulimit -f unlimited");
		break;
	case EACCES:
	case EPERM:
	case EROFS:
		pgb_remedy(error, "write to a folder of yours; this one: ls -ld '%.*s'", length,
			   folder);
		break;
	}
	return code;
}

/* Links in procfs (/dev/stdout leads there) name an open file, not a place. */
static bool is_magic_link(const char *path)
{
	char *slash, *folder = pgb_dup(path);
	struct statfs status;
	bool magic;

	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder ? 1 : 0] = '\0';
	magic = slash && statfs(folder, &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
	free(folder);
	return magic;
}

/* What the link at `path` names, seen from the link's folder. NULL: errno tells. */
static char *link_target(const char *path)
{
	char target[4096];
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	const char *slash = strrchr(path, '/');

	if (length < 0)
		return NULL;
	target[length] = '\0';
	if (target[0] == '/' || slash == NULL)
		return pgb_dup(target);
	return pgb_format("%.*s/%s", (int)(slash - path), path, target);
}

enum target_kind { TARGET_NEW, TARGET_REGULAR, TARGET_DIRECT };

/* Follow links to the end. 0 and *kind, or the error. */
static int resolve_target(struct pgb_out_file *out, enum target_kind *kind, struct stat *status,
			  struct pgb_error *error)
{
	out->path_target = pgb_dup(out->path);
	for (int links = 0; links < LINKS_FOLLOWED; links++) {
		char *next;

		if (lstat(out->path_target, status) != 0) {
			if (errno != ENOENT)
				return fail_write(error, errno, out->path);
			*kind = TARGET_NEW;
			return 0;
		}
		if (S_ISDIR(status->st_mode))
			return pgb_fail(error, PGB_E_EXISTS, "cannot write %s: a folder is there",
					out->path);
		*kind = S_ISREG(status->st_mode) ? TARGET_REGULAR : TARGET_DIRECT;
		if (!S_ISLNK(status->st_mode) || is_magic_link(out->path_target))
			return 0;
		next = link_target(out->path_target);
		if (next == NULL)
			return fail_write(error, errno, out->path);
		free(out->path_target);
		out->path_target = next;
	}
	return fail_write(error, ELOOP, out->path);
}

/* A new file beside the target; the kernel applies the umask and default ACLs. */
static int create_temporary(struct pgb_out_file *out)
{
	const char *slash = strrchr(out->path_target, '/');
	int folder_length = slash ? (int)(slash - out->path_target) + 1 : 0;

	for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
		uint64_t number = 0;
		int fd;

		if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
			number = (uint64_t)getpid() << 32 | (unsigned int)attempt;
		free(out->path_temporary);
		out->path_temporary = pgb_format("%.*s.pgobolt-%016llx.tmp", folder_length,
						 out->path_target, (unsigned long long)number);
		fd = open(out->path_temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

/* Owner first: a change of owner clears the set-user-id bits that must not outlive it. */
static void copy_permissions(int fd, const struct stat *status)
{
	mode_t mode = status->st_mode & 07777;
	struct stat now;

	if (fstat(fd, &now) != 0)
		return;
	if ((now.st_uid != status->st_uid || now.st_gid != status->st_gid) &&
	    fchown(fd, status->st_uid, status->st_gid) != 0) {
		mode &= 0777;
		if (fchown(fd, (uid_t)-1, status->st_gid) != 0)
			mode &= 0707; /* not that group's any more */
	}
	/* Where the bits cannot be kept the file has the umask's: never more than asked for. */
	if (fchmod(fd, mode) != 0)
		return;
}

static int open_target(struct pgb_out_file *out, struct pgb_error *error)
{
	enum target_kind kind;
	struct stat status;
	int fd, code;

	code = resolve_target(out, &kind, &status, error);
	if (code != 0)
		return code;
	if (kind == TARGET_DIRECT) {
		/* opened anew, a file that stdout leads to would have another offset */
		fd = strcmp(out->path, "/dev/stdout") == 0
			     ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
			     : open(out->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
		return fd >= 0 ? fd : fail_write(error, errno, out->path);
	}
	if (kind == TARGET_REGULAR && faccessat(AT_FDCWD, out->path_target, W_OK, AT_EACCESS) != 0)
		return fail_write(error, errno, out->path);
	fd = create_temporary(out);
	if (fd < 0)
		return fail_write(error, errno, out->path);
	if (kind == TARGET_REGULAR)
		copy_permissions(fd, &status);
	return fd;
}

int pgb_out_open(struct pgb_out_file *out, const char *path, struct pgb_error *error)
{
	const cookie_io_functions_t functions = {.write = sink_write, .seek = sink_seek};
	int fd;

	*out = (struct pgb_out_file){.path = pgb_dup(path)};
	fd = open_target(out, error);
	if (fd < 0) {
		free(out->path_temporary);
		out->path_temporary = NULL;
		pgb_out_discard(out);
		return fd;
	}
	out->sink = pgb_calloc(1, sizeof(*out->sink));
	out->sink->fd = fd;
	out->stream = fopencookie(out->sink, "w", functions);
	pgb_assert(out->stream != NULL);
	setvbuf(out->stream, NULL, _IOFBF, STREAM_BUFFER_BYTES);
	return 0;
}

/* So that the new name survives a crash too. Some file systems cannot: no failure of ours. */
static void sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL   ? pgb_dup(".")
		       : slash == path ? pgb_dup("/")
				       : pgb_dup_bytes(path, (size_t)(slash - path));
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	free(folder);
	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

/* Close stream and descriptor; the first errno, 0 where all went well. */
static int finish_writing(struct pgb_out_file *out)
{
	struct pgb_out_sink *sink = out->sink;
	bool failed = ferror(out->stream) != 0;
	int number;

	if (fclose(out->stream) != 0)
		failed = true;
	out->stream = NULL;
	number = sink->error_number;
	if (number == 0 && failed)
		number = EIO;
	/* EINVAL, EROFS: a device or FIFO that cannot be synchronized. */
	if (number == 0 && fsync(sink->fd) != 0 && errno != EINVAL && errno != EROFS)
		number = errno;
	if (close(sink->fd) != 0 && number == 0 && errno != EINTR)
		number = errno;
	free(sink);
	out->sink = NULL;
	return number;
}

int pgb_out_finish(struct pgb_out_file *out, struct pgb_error *error)
{
	int number, code = 0;

	pgb_assert(out->stream != NULL);
	number = finish_writing(out);
	if (number != 0) {
		code = fail_write(error, number, out->path);
		pgb_out_discard(out);
	}
	return code;
}

int pgb_out_commit(struct pgb_out_file *out, struct pgb_error *error)
{
	int number = 0, code = 0;

	pgb_assert(out->path != NULL);
	if (out->stream != NULL)
		number = finish_writing(out);
	if (number == 0 && out->path_temporary) {
		if (rename(out->path_temporary, out->path_target) != 0) {
			number = errno;
		} else {
			sync_folder(out->path_target);
			free(out->path_temporary);
			out->path_temporary = NULL;
		}
	}
	if (number != 0)
		code = fail_write(error, number, out->path);
	pgb_out_discard(out);
	return code;
}

void pgb_out_discard(struct pgb_out_file *out)
{
	if (out->stream) {
		/* Nothing more to the disk, nor to a device. */
		out->sink->error_number = ECANCELED;
		(void)finish_writing(out);
	}
	if (out->path_temporary)
		(void)unlink(out->path_temporary);
	free(out->path);
	free(out->path_target);
	free(out->path_temporary);
	*out = (struct pgb_out_file){0};
}

int pgb_file_copy(const char *from, const char *to, struct pgb_error *error)
{
	struct pgb_out_file out = {0};
	struct pgb_file_map map;
	int code = pgb_file_map_open(&map, from, error);

	if (code != 0)
		return code;
	code = pgb_out_open(&out, to, error);
	if (code == 0) {
		if (map.size_bytes > 0)
			fwrite(map.bytes, 1, map.size_bytes, out.stream);
		code = pgb_out_commit(&out, error);
	}
	pgb_out_discard(&out);
	pgb_file_map_close(&map);
	return code;
}
