/* SPDX-License-Identifier: MIT */
/* The folder of a recording: locked and filled beside its place, then put there in one step. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgo/recording_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/edges.h"
#include "pgobolt/collector/file.h"

/* Its presence says that a folder DIR.tmp is ours to empty; its lock, that someone works there. */
#define LOCK_NAME ".lock"

static int fail_errno(struct pgb_error *error, int number, const char *what, const char *path)
{
	return pgb_fail(error, pgb_code_from_errno(number), "cannot %s %s: %s", what, path,
			strerror(number));
}

/* Without slashes at the end; a link stands for what it points to. */
static char *final_path(const char *directory)
{
	size_t length = strlen(directory);
	struct stat status;
	char *real = NULL;

	if (lstat(directory, &status) == 0 && S_ISLNK(status.st_mode))
		real = realpath(directory, NULL);
	if (real != NULL)
		return real;
	while (length > 1 && directory[length - 1] == '/')
		length--;
	return pgb_dup_bytes(directory, length);
}

/* Entries besides "." and "..", and besides our lock; -1: cannot be read. */
static int count_entries(const char *directory, bool *has_lock)
{
	DIR *listing = opendir(directory);
	struct dirent *entry;
	int count = 0;

	*has_lock = false;
	if (listing == NULL)
		return -1;
	while ((entry = readdir(listing)) != NULL) {
		if (strcmp(entry->d_name, LOCK_NAME) == 0)
			*has_lock = true;
		else if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			count++;
	}
	closedir(listing);
	return count;
}

/* What is in our way may be replaced if we made it, or if it is an empty folder. */
static int check_replaceable(const char *path, struct pgb_error *error)
{
	struct stat status;
	bool has_lock;

	if (lstat(path, &status) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		return fail_errno(error, errno, "look at", path);
	}
	if (S_ISDIR(status.st_mode) &&
	    (pgb_recording_is_folder(path) || count_entries(path, &has_lock) == 0))
		return 0;
	pgb_fail(error, PGB_E_EXISTS, "%s is there and is no recording: it is not replaced", path);
	pgb_remedy(error, "choose another place with -o DIR, or move it away");
	return PGB_E_EXISTS;
}

static int remove_entries(const char *directory, struct pgb_error *error)
{
	DIR *listing = opendir(directory);
	struct dirent *entry;
	int code = 0;

	if (listing == NULL)
		return fail_errno(error, errno, "read", directory);
	while (code == 0 && (entry = readdir(listing)) != NULL) {
		char *path;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    strcmp(entry->d_name, LOCK_NAME) == 0)
			continue;
		path = pgb_format("%s/%s", directory, entry->d_name);
		code = pgb_file_remove_tree(path, error);
		free(path);
	}
	closedir(listing);
	return code;
}

static int lock_folder(struct pgb_recording_writer *writer, struct pgb_error *error)
{
	char *path = pgb_format("%s/%s", writer->temporary, LOCK_NAME);
	struct stat ours, there;
	int code = 0;

	writer->fd_lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (writer->fd_lock < 0)
		code = fail_errno(error, errno, "write to", path);
	else if (flock(writer->fd_lock, LOCK_EX | LOCK_NB) != 0 ||
		 fstat(writer->fd_lock, &ours) != 0 || stat(path, &there) != 0 ||
		 ours.st_ino != there.st_ino)
		code = pgb_fail(error, PGB_E_EXISTS, "another pgobolt is writing %s",
				writer->directory);
	if (code != 0 && writer->fd_lock >= 0) {
		close(writer->fd_lock);
		writer->fd_lock = -1;
	}
	free(path);
	return code;
}

static int make_temporary(struct pgb_recording_writer *writer, struct pgb_error *error)
{
	bool has_lock;
	int code;

	if (mkdir(writer->temporary, 0777) != 0 && errno != EEXIST) {
		code = fail_errno(error, errno, "make folder", writer->temporary);
		if (code == PGB_E_NOT_FOUND)
			pgb_remedy(error, "make its parent folder first: mkdir -p");
		if (code == PGB_E_PERMISSION)
			pgb_remedy(error, "choose a place that you can write to: -o DIR");
		return code;
	}
	if (count_entries(writer->temporary, &has_lock) != 0 && !has_lock) {
		pgb_fail(error, PGB_E_EXISTS, "%s is in the way and is not of pgobolt",
			 writer->temporary);
		pgb_remedy(error, "choose another place with -o DIR, or move it away");
		return PGB_E_EXISTS;
	}
	code = lock_folder(writer, error);
	/* Left by one that was killed. */
	return code ? code : remove_entries(writer->temporary, error);
}

static int read_former(struct pgb_recording_writer *writer, struct pgb_error *error)
{
	if (pgb_recording_is_folder(writer->directory))
		return pgb_recording_read(&writer->former, writer->directory, error);
	pgb_fail(error, PGB_E_NOT_FOUND, "there is no recording %s to add to", writer->directory);
	pgb_remedy(error, "leave out --add for the first recording");
	return PGB_E_NOT_FOUND;
}

int pgb_recording_writer_open(struct pgb_recording_writer **result, const char *directory, bool add,
			      struct pgb_error *error)
{
	struct pgb_recording_writer *writer = pgb_calloc(1, sizeof(*writer));
	int code = 0;

	writer->fd_lock = -1;
	writer->directory = final_path(directory);
	writer->temporary = pgb_format("%s.tmp", writer->directory);
	writer->old = pgb_format("%s.old", writer->directory);
	writer->work = pgb_format("%s/work", writer->temporary);
	if (add)
		code = read_former(writer, error);
	if (code == 0)
		code = check_replaceable(writer->directory, error);
	if (code == 0)
		code = check_replaceable(writer->old, error);
	if (code == 0)
		code = make_temporary(writer, error);
	if (code == 0)
		code = pgb_file_make_directories(writer->work, error);
	if (code == 0)
		*result = writer;
	else
		pgb_recording_writer_close(writer);
	return code;
}

void pgb_recording_writer_close(struct pgb_recording_writer *writer)
{
	if (writer == NULL)
		return;
	if (writer->fd_lock >= 0) {
		(void)pgb_file_remove_tree(writer->temporary, NULL);
		close(writer->fd_lock);
	}
	pgb_recording_release(&writer->former);
	free(writer->directory);
	free(writer->temporary);
	free(writer->old);
	free(writer->work);
	free(writer);
}

const struct pgb_recording *pgb_recording_writer_former(const struct pgb_recording_writer *writer)
{
	return writer->former.directory ? &writer->former : NULL;
}

const char *pgb_recording_writer_directory(const struct pgb_recording_writer *writer)
{
	return writer->temporary;
}

const char *pgb_recording_writer_work(const struct pgb_recording_writer *writer)
{
	return writer->work;
}

int pgb_recording_writer_check(const struct pgb_recording_writer *writer, const char *source,
			       const struct pgb_binary *binary, struct pgb_error *error)
{
	const struct pgb_recording *former = &writer->former;

	if (former->directory == NULL)
		return 0;
	if (strcmp(former->source, source) != 0) {
		pgb_fail(error, PGB_E_MISMATCH,
			 "%s was recorded with source %s, which does not add to %s",
			 former->directory, former->source, source);
		pgb_remedy(error, "record with -s %s, or without --add", former->source);
		return PGB_E_MISMATCH;
	}
	if (binary == NULL || pgb_recording_find(former, binary) != NULL)
		return 0;
	for (size_t i = 0; i < former->binaries.count; i++) {
		const struct pgb_recorded_binary *recorded = &former->binaries.items[i];

		if (!recorded->executable || strcmp(recorded->path, binary->path) != 0)
			continue;
		pgb_fail(error, PGB_E_MISMATCH,
			 "%s is another build than the one recorded in %s (id %s)", binary->path,
			 former->directory, recorded->id);
		pgb_remedy(error, "record without --add: counts of two builds do not add up");
		return PGB_E_MISMATCH;
	}
	return 0;
}

static int sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int status = -1;

	if (fd >= 0) {
		status = fsync(fd);
		close(fd);
	}
	return status;
}

/* DIR becomes DIR.old and DIR.tmp becomes DIR, with a whole DIR at every moment where it can be. */
static int put_in_place(const struct pgb_recording_writer *writer, struct pgb_error *error)
{
	struct stat status;
	int code;

	if (stat(writer->directory, &status) != 0) {
		if (rename(writer->temporary, writer->directory) == 0)
			return 0;
		return fail_errno(error, errno, "write", writer->directory);
	}
	code = pgb_file_remove_tree(writer->old, error);
	if (code != 0)
		return code;
	if (renameat2(AT_FDCWD, writer->temporary, AT_FDCWD, writer->directory, RENAME_EXCHANGE) ==
	    0) {
		if (rename(writer->temporary, writer->old) == 0)
			return 0;
		return fail_errno(error, errno, "write", writer->old);
	}
	/* Not every file system can exchange. */
	if (rename(writer->directory, writer->old) != 0)
		return fail_errno(error, errno, "rename", writer->directory);
	if (rename(writer->temporary, writer->directory) != 0) {
		code = fail_errno(error, errno, "write", writer->directory);
		(void)rename(writer->old, writer->directory);
		return code;
	}
	return 0;
}

static int write_json(const struct pgb_recording_writer *writer,
		      const struct pgb_recording *recording, struct pgb_error *error)
{
	char *path = pgb_format("%s/recording.json", writer->temporary);
	char *text = pgb_recording_text(recording);
	struct pgb_out_file out = {0};
	int code = pgb_out_open(&out, path, error);

	if (code == 0) {
		fputs(text, out.stream);
		code = pgb_out_commit(&out, error);
	}
	free(path);
	free(text);
	return code;
}

int pgb_recording_writer_commit(struct pgb_recording_writer *writer,
				struct pgb_recording *recording, struct pgb_error *error)
{
	char *lock = pgb_format("%s/%s", writer->temporary, LOCK_NAME);
	int code;

	pgb_assert(writer->fd_lock >= 0);
	recording->runs = pgb_count_add(recording->runs ? recording->runs : 1, writer->former.runs);
	pgb_recording_add_counters(&recording->stats, &writer->former.stats);
	code = pgb_recording_carry(writer, recording, error);
	pgb_recording_arrange(recording);
	if (code == 0)
		code = write_json(writer, recording, error);
	if (code == 0)
		code = pgb_file_remove_tree(writer->work, error);
	if (code == 0) {
		unlink(lock);
		(void)sync_folder(writer->temporary);
		code = put_in_place(writer, error);
	}
	if (code == 0) {
		close(writer->fd_lock);
		writer->fd_lock = -1;
		free(recording->directory);
		recording->directory = pgb_dup(writer->directory);
	}
	free(lock);
	return code;
}
