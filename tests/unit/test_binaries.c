/* SPDX-License-Identifier: MIT */
/*
 * Which mappings are of one binary. Files that are made up, and a few real ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgobolt/base/limits.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/binaries.h"
#include "pgobolt/collector/binary_open.h"
#include "pgobolt/collector/file.h"

/* What the next open gives, and how often there was one. */
static struct {
	int code;
	enum pgb_binary_kind kind;
	const char *build_id;
	uint64_t code_hash, code_address;
	unsigned int opened;
	bool fresh;
	char path[64];
} next;

static int open_next(void *context, struct pgb_binary *binary, const struct pgb_map_event *event)
{
	const struct pgb_segment code = {.address = next.code_address, .size_file = 1, .flags = 5};

	(void)context;
	next.opened++;
	snprintf(next.path, sizeof(next.path), "%s", event->path);
	binary->kind = next.kind;
	if (next.kind == PGB_BINARY_ELF)
		pgb_array_push(&binary->segments, code);
	binary->code_hash = next.code_hash;
	if (next.build_id) {
		binary->build_id.size_bytes = (uint8_t)strlen(next.build_id);
		memcpy(binary->build_id.bytes, next.build_id, strlen(next.build_id));
	}
	return next.code;
}

static bool fresh_next(void *context, const struct pgb_binary *binary)
{
	(void)context;
	(void)binary;
	return next.fresh;
}

static struct pgb_binaries *start(void)
{
	const struct pgb_binary_opener opener = {.open = open_next, .fresh = fresh_next};

	memset(&next, 0, sizeof(next));
	next.fresh = true;
	return pgb_binaries_new(&opener);
}

static uint32_t see(struct pgb_binaries *binaries, uint64_t inode, const char *path)
{
	const struct pgb_map_event event = {.device = 9, .inode = inode, .path = path};

	return pgb_binaries_of_mapping(binaries, &event);
}

static void an_inode_is_opened_once(void **state)
{
	struct pgb_binaries *binaries = start();

	(void)state;
	next.build_id = "one";
	assert_int_equal(see(binaries, 1, "/a"), 0);
	assert_int_equal(see(binaries, 1, "/a"), 0);
	assert_int_equal(see(binaries, 1, "/hard/link (deleted)"), 0);
	assert_int_equal(next.opened, 1);
	/* another file under the same name */
	next.build_id = "two";
	assert_int_equal(see(binaries, 2, "/a"), 1);
	assert_int_equal(next.opened, 2);
	assert_int_equal(see(binaries, 1, "/a"), 0);
	/* a copy: another inode, the same content */
	next.build_id = "one";
	assert_int_equal(see(binaries, 3, "/copy"), 0);
	next.build_id = "one\0\0"; /* perf.data pads */
	assert_int_equal(see(binaries, 4, "/copy"), 0);
	assert_int_equal(pgb_binaries_count(binaries), 2);
	pgb_binaries_free(binaries);
}

static void generations_tell_inodes_apart_where_known(void **state)
{
	struct pgb_binaries *binaries = start();
	struct pgb_map_event event = {.device = 1, .inode = 1, .path = "/a"};

	(void)state;
	next.build_id = "one";
	/* /proc/PID/maps tells none: the first that does fills it in */
	assert_int_equal(pgb_binaries_of_mapping(binaries, &event), 0);
	event.inode_generation = 5;
	assert_int_equal(pgb_binaries_of_mapping(binaries, &event), 0);
	assert_int_equal(next.opened, 1);
	next.build_id = "two";
	event.inode_generation = 6;
	assert_int_equal(pgb_binaries_of_mapping(binaries, &event), 1);
	event.inode_generation = 5;
	assert_int_equal(pgb_binaries_of_mapping(binaries, &event), 0);
	event.device = 2;
	next.build_id = "three";
	assert_int_equal(pgb_binaries_of_mapping(binaries, &event), 2);
	pgb_binaries_free(binaries);
}

static void content_tells_where_there_is_no_build_id(void **state)
{
	struct pgb_binaries *binaries = start();

	(void)state;
	next.code_hash = 77;
	assert_int_equal(see(binaries, 1, "/a"), 0);
	assert_int_equal(see(binaries, 2, "/b"), 0);
	next.code_hash = 78;
	assert_int_equal(see(binaries, 3, "/a"), 1);
	/* a build-id that a rewriting tool kept, with its code elsewhere */
	next.code_hash = 0;
	next.build_id = "one";
	assert_int_equal(see(binaries, 4, "/c"), 2);
	next.code_address = 0x1000;
	assert_int_equal(see(binaries, 5, "/c"), 3);
	/* files of which nothing is known are each their own */
	next.build_id = NULL;
	next.code = PGB_E_PERMISSION;
	assert_int_equal(see(binaries, 6, "/d"), 4);
	assert_int_equal(see(binaries, 7, "/e"), 5);
	pgb_binaries_free(binaries);
}

static void the_kernel_may_give_a_build_id_only(void **state)
{
	struct pgb_binaries *binaries = start();
	struct pgb_map_event event = {.path = "/a", .build_id = {3, "one"}};

	(void)state;
	next.build_id = "one";
	assert_int_equal(pgb_binaries_of_mapping(binaries, &event), 0);
	assert_int_equal(pgb_binaries_of_mapping(binaries, &event), 0);
	assert_int_equal(next.opened, 1);
	event.path = "/b";
	assert_int_equal(pgb_binaries_of_mapping(binaries, &event), 0);
	/* the file there is another build: what ran cannot be read */
	event.path = "/a";
	event.build_id = (struct pgb_build_id){3, "two"};
	assert_int_equal(pgb_binaries_of_mapping(binaries, &event), 1);
	assert_int_equal(pgb_binaries_get(binaries, 1)->kind, PGB_BINARY_UNREADABLE);
	assert_int_equal(pgb_binaries_get(binaries, 1)->segments.count, 0);
	assert_memory_equal(pgb_binaries_get(binaries, 1)->build_id.bytes, "two", 3);
	assert_int_equal(pgb_binaries_unreadable(binaries), 1);
	/* unreadable, but its build-id is known to us */
	event.path = "/c";
	event.build_id = (struct pgb_build_id){3, "one"};
	next.code = PGB_E_NOT_FOUND;
	assert_int_equal(pgb_binaries_of_mapping(binaries, &event), 0);
	/* neither inode nor build-id: the name */
	event = (struct pgb_map_event){.path = "/plain"};
	next.code = 0;
	next.build_id = "three";
	assert_int_equal(pgb_binaries_of_mapping(binaries, &event), 2);
	event.path = "/plain (deleted)";
	assert_int_equal(pgb_binaries_of_mapping(binaries, &event), 2);
	pgb_binaries_free(binaries);
}

static void what_was_unreadable_is_tried_again(void **state)
{
	struct pgb_binaries *binaries = start();

	(void)state;
	next.code = PGB_E_PERMISSION;
	next.fresh = false;
	assert_int_equal(see(binaries, 1, "/a"), 0);
	assert_int_equal(see(binaries, 1, "/a"), 0);
	assert_int_equal(pgb_binaries_count(binaries), 1);
	/* another process of the container lets us read it: addresses mean something else now */
	next.code = 0;
	next.build_id = "one";
	assert_int_equal(see(binaries, 1, "/a"), 1);
	next.fresh = true;
	assert_int_equal(see(binaries, 1, "/a"), 1);
	assert_int_equal(next.opened, 3);
	/* overwritten in place; and only touched */
	next.fresh = false;
	next.build_id = "two";
	assert_int_equal(see(binaries, 1, "/a"), 2);
	assert_int_equal(see(binaries, 1, "/a"), 2);
	next.build_id = "one";
	assert_int_equal(see(binaries, 1, "/a"), 1);
	assert_int_equal(pgb_binaries_count(binaries), 3);
	pgb_binaries_free(binaries);
}

static void memory_has_no_binary(void **state)
{
	static const char *const names[] = {
		"", "//anon", "[vdso]", "anon_inode:x", "/dev/zero", "/SYSV0000abcd (deleted)"};
	struct pgb_binaries *binaries = start();

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(see(binaries, i, names[i]), PGB_BINARY_ANONYMOUS);
	assert_int_equal(next.opened, 0);
	/* a memfd may hold a program, or what a just-in-time compiler writes */
	next.build_id = "one";
	assert_int_equal(see(binaries, 1, "/memfd:x (deleted)"), 0);
	assert_string_equal(next.path, "/memfd:x");
	next.kind = PGB_BINARY_NOT_ELF;
	assert_int_equal(see(binaries, 2, "/memfd:jit (deleted)"), PGB_BINARY_ANONYMOUS);
	next.code = PGB_E_NOT_FOUND;
	assert_int_equal(see(binaries, 3, "/memfd:jit (deleted)"), PGB_BINARY_ANONYMOUS);
	assert_int_equal(pgb_binaries_count(binaries), 1);
	pgb_binaries_free(binaries);
}

static void the_limit_is_kept(void **state)
{
	struct pgb_binaries *binaries = start();

	(void)state;
	for (uint64_t inode = 1; inode <= PGB_LIMIT_BINARIES; inode++) {
		next.code_hash = inode;
		assert_int_equal(see(binaries, inode, "/a"), inode - 1);
	}
	next.code_hash = PGB_LIMIT_BINARIES + 1;
	assert_int_equal(see(binaries, PGB_LIMIT_BINARIES + 1, "/a"), PGB_BINARY_NONE);
	assert_int_equal(pgb_binaries_over_limit(binaries), 1);
	/* those that are there still count, also where one changes under us */
	assert_int_equal(see(binaries, 7, "/a"), 6);
	next.fresh = false;
	assert_int_equal(see(binaries, 7, "/a"), PGB_BINARY_NONE);
	next.fresh = true;
	assert_int_equal(see(binaries, 7, "/a"), 6);
	pgb_binaries_free(binaries);
}

static void copy_file(const char *from, const char *to)
{
	struct pgb_file_map map;
	FILE *file = fopen(to, "r+");

	/* in place where it is there */
	if (file == NULL)
		file = fopen(to, "w");
	assert_non_null(file);
	assert_int_equal(pgb_file_map_open(&map, from, NULL), 0);
	assert_int_equal(fwrite(map.bytes, 1, map.size_bytes, file), map.size_bytes);
	assert_int_equal(fflush(file), 0);
	assert_int_equal(ftruncate(fileno(file), (off_t)map.size_bytes), 0);
	assert_int_equal(fclose(file), 0);
	pgb_file_map_close(&map);
}

static uint32_t see_file(struct pgb_binaries *binaries, const char *path)
{
	struct pgb_map_event event = {.pid = (uint32_t)getpid(), .path = path};
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	event.device = status.st_dev;
	event.inode = status.st_ino;
	return pgb_binaries_of_mapping(binaries, &event);
}

/* This machine's opener on files that come, change and go. */
static void real_files_in_time(void **state)
{
	struct pgb_binaries *binaries = pgb_binaries_new(&pgb_binary_open_here);
	char folder[] = "/tmp/pgobolt-test-binaries.XXXXXX";
	char *path, *other;

	(void)state;
	assert_non_null(mkdtemp(folder));
	path = pgb_format("%s/a name", folder);
	other = pgb_format("%s/other", folder);
	copy_file("/proc/self/exe", path);
	assert_int_equal(see_file(binaries, path), 0);
	assert_int_equal(pgb_binaries_get(binaries, 0)->kind, PGB_BINARY_ELF);
	assert_true(pgb_binaries_get(binaries, 0)->fd_held > 0);
	copy_file("/proc/self/exe", other);
	assert_int_equal(see_file(binaries, other), 0);
	/* touched, then overwritten in place, then replaced */
	assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[2]){{1, 0}, {2, 0}}, 0), 0);
	assert_int_equal(see_file(binaries, path), 0);
	assert_int_equal(pgb_binaries_get(binaries, 0)->modified_ns, 2000000000);
	copy_file("/etc/passwd", path);
	assert_int_equal(see_file(binaries, path), 1);
	assert_int_equal(pgb_binaries_get(binaries, 1)->kind, PGB_BINARY_NOT_ELF);
	assert_int_equal(rename(other, path), 0);
	assert_int_equal(see_file(binaries, path), 0);
	assert_int_equal(pgb_binaries_count(binaries), 2);
	free(path);
	free(other);
	assert_int_equal(pgb_file_remove_tree(folder, NULL), 0);
	pgb_binaries_free(binaries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_inode_is_opened_once),
		cmocka_unit_test(generations_tell_inodes_apart_where_known),
		cmocka_unit_test(content_tells_where_there_is_no_build_id),
		cmocka_unit_test(the_kernel_may_give_a_build_id_only),
		cmocka_unit_test(what_was_unreadable_is_tried_again),
		cmocka_unit_test(memory_has_no_binary),
		cmocka_unit_test(the_limit_is_kept),
		cmocka_unit_test(real_files_in_time),
	};

	return cmocka_run_group_tests_name("binaries", tests, NULL, NULL);
}
