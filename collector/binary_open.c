/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/binary_open.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "pgobolt/base/text.h"

#ifndef OVERLAYFS_SUPER_MAGIC
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#endif

enum way { WAY_PATH, WAY_ROOT, WAY_MAP_FILES, WAY_EXE, WAY_PARENT_ROOT, WAYS };

/* The path to try; NULL: this way is not open. The caller frees it. */
static char *path_of_way(enum way way, const struct pgb_map_event *event)
{
	bool absolute = event->path[0] == '/';

	switch (way) {
	case WAY_PATH:
		return absolute ? pgb_dup(event->path) : NULL;
	case WAY_ROOT:
		return absolute ? pgb_format("/proc/%u/root%s", event->pid, event->path) : NULL;
	case WAY_MAP_FILES:
		return pgb_format("/proc/%u/map_files/%llx-%llx", event->pid,
				  (unsigned long long)event->start,
				  (unsigned long long)(event->start + event->length));
	case WAY_EXE:
		return pgb_format("/proc/%u/exe", event->pid);
	case WAY_PARENT_ROOT:
		if (!absolute || event->parent_pid == 0)
			return NULL;
		return pgb_format("/proc/%u/root%s", event->parent_pid, event->path);
	case WAYS:
		break;
	}
	return NULL;
}

/* /proc/PID/exe names one file only: is it this one? */
static bool link_names(const char *link, const char *path)
{
	char target[PGB_LIMIT_PATH_BYTES + 16];
	ssize_t length = readlink(link, target, sizeof(target) - 1);
	size_t wanted = strlen(path);

	if (length < 0 || (size_t)length < wanted || memcmp(target, path, wanted) != 0)
		return false;
	target[length] = '\0';
	return target[wanted] == '\0' || strcmp(target + wanted, " (deleted)") == 0;
}

/* The last one is certain, the others only where nothing better turns up. */
enum verdict { VERDICT_OTHER, VERDICT_PATH_ONLY, VERDICT_INODE_ONLY, VERDICT_SAME };

static enum verdict judge(const struct pgb_map_event *event, enum way way, const char *path, int fd)
{
	struct stat status;
	struct statfs system;

	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return VERDICT_OTHER;
	if ((way == WAY_EXE || way == WAY_MAP_FILES) && !link_names(path, event->path))
		return VERDICT_OTHER;
	if (event->build_id.size_bytes > 0) {
		struct pgb_binary binary;
		bool same = pgb_binary_read_descriptor(&binary, path, path, fd, NULL) == 0 &&
			    pgb_build_id_equal(&binary.build_id, &event->build_id);

		pgb_binary_release(&binary);
		return same ? VERDICT_SAME : VERDICT_OTHER;
	}
	if (event->inode == 0)
		return VERDICT_SAME;
	if (event->inode == status.st_ino)
		return event->device == status.st_dev ? VERDICT_SAME : VERDICT_INODE_ONLY;
	if (fstatfs(fd, &system) == 0 && system.f_type == OVERLAYFS_SUPER_MAGIC)
		return VERDICT_PATH_ONLY;
	return VERDICT_OTHER;
}

/* Descriptors are also what samples come from: half of them stay free. */
static bool may_hold(int fd)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd < limit.rlim_cur / 2;
}

/* One way that leads to a file. Zeroed: none. */
struct found {
	enum verdict verdict;
	enum way way;
	char *path;
	int fd;
};

static void found_release(struct found *found)
{
	if (found->verdict != VERDICT_OTHER)
		close(found->fd);
	free(found->path);
	*found = (struct found){0};
}

static struct found try_way(enum way way, const struct pgb_map_event *event)
{
	struct found found = {.way = way, .path = path_of_way(way, event)};

	if (found.path == NULL)
		return found;
	found.fd = open(found.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (found.fd < 0)
		return found;
	found.verdict = judge(event, way, found.path, found.fd);
	if (found.verdict == VERDICT_OTHER)
		close(found.fd);
	return found;
}

static int read_found(struct pgb_binary *binary, const struct pgb_map_event *event,
		      const struct found *found)
{
	/* 0 means none is held: our stdin may have been closed. */
	int held = fcntl(found->fd, F_DUPFD_CLOEXEC, 3);
	char *path_open;
	int code;

	if (held >= 0 && !may_hold(held)) {
		close(held);
		held = -1;
	}
	path_open = held >= 0 ? pgb_format("/proc/%d/fd/%d", getpid(), held) : pgb_dup(found->path);
	code = pgb_binary_read_descriptor(binary, event->path, path_open, found->fd, NULL);
	if (held >= 0)
		binary->fd_held = held;
	free(path_open);
	return code;
}

static int open_here(void *context, struct pgb_binary *binary, const struct pgb_map_event *event)
{
	struct found best = {0};
	int code = PGB_E_NOT_FOUND;

	(void)context;
	for (enum way way = WAY_PATH; way < WAYS && best.verdict != VERDICT_SAME; way++) {
		struct found found = try_way(way, event);

		if (found.verdict > best.verdict) {
			found_release(&best);
			best = found;
		} else {
			found_release(&found);
		}
	}
	if (best.verdict != VERDICT_OTHER)
		code = read_found(binary, event, &best);
	found_release(&best);
	return code;
}

/* Overwritten in place? What is gone or replaced by now is still what we read. */
static bool is_fresh(void *context, const struct pgb_binary *binary)
{
	struct stat status;

	(void)context;
	if (binary->kind == PGB_BINARY_UNREADABLE)
		return false;
	if (stat(binary->path_open, &status) != 0 || status.st_ino != binary->inode ||
	    status.st_dev != binary->device)
		return true;
	return (uint64_t)status.st_size == binary->size_bytes &&
	       status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec ==
		       binary->modified_ns;
}

const struct pgb_binary_opener pgb_binary_open_here = {
	.open = open_here,
	.fresh = is_fresh,
};
