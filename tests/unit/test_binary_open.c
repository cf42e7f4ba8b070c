/* SPDX-License-Identifier: MIT */
/*
 * Real processes and what they have mapped: this program, its children, libraries it opens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/binary_open.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/proc_maps.h"

/* A small library of glibc that nothing here is linked with. */
#define LIBRARY "libresolv.so.2"

static struct pgb_addrspace *scanned(pid_t pid)
{
	struct pgb_addrspace *space = pgb_addrspace_new(NULL);
	struct pgb_error error = {0};

	if (pgb_addrspace_scan(space, (uint32_t)pid, &error) != 0)
		fail_msg("%s", error.message);
	return space;
}

static struct pgb_location find(struct pgb_addrspace *space, pid_t pid, const void *address)
{
	return pgb_addrspace_find(space, (uint32_t)pid, (uint64_t)(uintptr_t)address);
}

/* The first executable mapping of a file in a process; 0: none. */
static uint64_t mapping_of(pid_t pid, const char *path)
{
	char *maps = pgb_format("/proc/%d/maps", pid);
	struct pgb_text text = {0};
	static struct pgb_proc_map map;
	struct pgb_cursor cursor;
	uint64_t start = 0;

	assert_int_equal(pgb_file_read(&text, maps, 1 << 24, NULL), 0);
	cursor = pgb_cursor_of(text.data, text.length);
	while (start == 0 && pgb_proc_maps_next(&cursor, &map) == 1)
		if (map.executable && strncmp(map.path, path, strlen(path)) == 0)
			start = map.start;
	free(maps);
	pgb_text_release(&text);
	return start;
}

static char *own_path(void)
{
	char path[PGB_LIMIT_PATH_BYTES] = "";

	assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	return pgb_dup(path);
}

/* Where the dynamic linker says that code lies in its file. */
static uint64_t file_address(const void *address)
{
	struct link_map *map = NULL;
	Dl_info info;

	assert_int_not_equal(dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP), 0);
	return (uint64_t)(uintptr_t)address - map->l_addr;
}

static void this_process(void **state)
{
	struct pgb_addrspace *space = scanned(getpid());
	const void *places[] = {(const void *)this_process, dlsym(RTLD_DEFAULT, "puts"),
				dlsym(RTLD_DEFAULT, "qsort")};
	char *path = own_path();

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct pgb_location location = find(space, getpid(), places[i]);
		const struct pgb_binary *binary;

		assert_true(location.binary < pgb_addrspace_binary_count(space));
		assert_true(location.address == file_address(places[i]));
		binary = pgb_addrspace_binary(space, location.binary);
		assert_int_equal(binary->kind, PGB_BINARY_ELF);
		if (i == 0)
			assert_string_equal(binary->path, path);
	}
	assert_int_equal(find(space, getpid(), &path).binary, PGB_BINARY_NONE);
	if (getauxval(AT_SYSINFO_EHDR))
		assert_int_equal(find(space, getpid(), (void *)getauxval(AT_SYSINFO_EHDR)).binary,
				 PGB_BINARY_ANONYMOUS);
	assert_int_equal(pgb_addrspace_stats(space)->mappings_unplaced, 0);
	free(path);
	pgb_addrspace_free(space);
}

static void memory_made_executable(void **state)
{
	struct pgb_addrspace *space;
	char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	if (code == MAP_FAILED)
		skip(); /* a system that forbids it */
	space = scanned(getpid());
	assert_int_equal(find(space, getpid(), code + 100).binary, PGB_BINARY_ANONYMOUS);
	munmap(code, 4096);
	pgb_addrspace_free(space);
}

/* A child that waits, in the folder it chroots to where one is given. */
static pid_t start_child(const char *program, const char *root)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ready[0]);
		if (program) {
			dup2(ready[1], 1);
			execl(program, program, "wait", (char *)NULL);
			_exit(127);
		}
		if ((root && chroot(root) != 0) || write(ready[1], "r", 1) != 1)
			_exit(127);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		byte = 0;
	close(ready[0]);
	if (byte != 'r') {
		waitpid(pid, NULL, 0);
		return -1;
	}
	return pid;
}

static void stop_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void children_with_and_without_exec(void **state)
{
	char *path = own_path();
	pid_t forked = start_child(NULL, NULL), executed = start_child(path, NULL);
	struct pgb_addrspace *space = scanned(forked);
	struct pgb_location here, there;

	(void)state;
	assert_true(executed > 0);
	assert_int_equal(pgb_addrspace_scan(space, (uint32_t)executed, NULL), 0);
	here = find(space, forked, (const void *)this_process);
	assert_true(here.address == file_address((const void *)this_process));
	there = pgb_addrspace_find(space, (uint32_t)executed, mapping_of(executed, path));
	assert_int_equal(there.binary, here.binary);
	assert_string_equal(pgb_addrspace_binary(space, there.binary)->path, path);
	assert_int_equal(find(space, getpid(), (const void *)this_process).binary, PGB_BINARY_NONE);
	stop_child(forked);
	stop_child(executed);
	assert_int_equal(pgb_addrspace_scan(space, (uint32_t)executed, NULL), PGB_E_GONE);
	free(path);
	pgb_addrspace_free(space);
}

/* A folder with a copy of LIBRARY in it. */
static struct {
	char folder[64];
	char *library;
	char *build_id;
} copy;

static void copy_bytes(const char *from, const char *to)
{
	struct pgb_file_map map;
	struct pgb_out_file out;

	assert_int_equal(pgb_file_map_open(&map, from, NULL), 0);
	assert_int_equal(pgb_out_open(&out, to, NULL), 0);
	assert_int_equal(fwrite(map.bytes, 1, map.size_bytes, out.stream), map.size_bytes);
	assert_int_equal(pgb_out_commit(&out, NULL), 0);
	pgb_file_map_close(&map);
}

static int make_copy(void **state)
{
	void *handle = dlopen(LIBRARY, RTLD_NOW);
	struct link_map *map;
	struct pgb_binary binary;

	(void)state;
	snprintf(copy.folder, sizeof(copy.folder), "/tmp/pgobolt-test-open.XXXXXX");
	if (mkdtemp(copy.folder) == NULL)
		return -1;
	copy.library = NULL;
	if (handle == NULL || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0)
		return 0;
	copy.library = pgb_format("%s/a library.so", copy.folder);
	copy_bytes(map->l_name, copy.library);
	dlclose(handle);
	if (pgb_binary_read(&binary, copy.library, copy.library, NULL) != 0)
		return -1;
	copy.build_id = pgb_binary_id(&binary);
	pgb_binary_release(&binary);
	return 0;
}

static int remove_copy(void **state)
{
	(void)state;
	free(copy.library);
	free(copy.build_id);
	copy.build_id = NULL;
	return pgb_file_remove_tree(copy.folder, NULL);
}

static uint64_t load_address(void *handle)
{
	struct link_map *map;

	assert_int_equal(dlinfo(handle, RTLD_DI_LINKMAP, &map), 0);
	return map->l_addr;
}

/* That takes the first user namespace's rights: root in a container of its own has none. */
static bool may_open_map_files(void)
{
	DIR *folder = opendir("/proc/self/map_files");
	struct dirent *entry;
	int fd = -1;

	while (folder && fd < 0 && (entry = readdir(folder)) != NULL)
		if (entry->d_name[0] != '.')
			fd = openat(dirfd(folder), entry->d_name, O_RDONLY | O_CLOEXEC);
	if (folder)
		closedir(folder);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The binary at a mapping is the library that was copied, whatever lies at its path now. */
static void assert_is_library(struct pgb_addrspace *space, uint64_t start, uint64_t load,
			      bool deleted)
{
	struct pgb_location location = pgb_addrspace_find(space, (uint32_t)getpid(), start);
	const struct pgb_binary *binary;
	struct pgb_binary again;
	char *id;

	assert_true(location.binary < pgb_addrspace_binary_count(space));
	binary = pgb_addrspace_binary(space, location.binary);
	assert_string_equal(binary->path, copy.library);
	assert_int_equal(binary->deleted, deleted);
	if (binary->kind == PGB_BINARY_UNREADABLE && deleted && !may_open_map_files())
		return;
	assert_int_equal(binary->kind, PGB_BINARY_ELF);
	assert_true(location.address == start - load);
	id = pgb_binary_id(binary);
	assert_string_equal(id, copy.build_id);
	free(id);
	/* and it can still be read, by other programs too */
	assert_int_equal(pgb_binary_read(&again, "x", binary->path_open, NULL), 0);
	id = pgb_binary_id(&again);
	assert_string_equal(id, copy.build_id);
	free(id);
	pgb_binary_release(&again);
	assert_true(binary->fd_held > 0);
}

static void libraries_that_come_and_go(void **state)
{
	struct pgb_addrspace *space;
	char *path = own_path();
	uint64_t start, load;
	void *handle;

	(void)state;
	if (copy.library == NULL)
		skip();
	handle = dlopen(copy.library, RTLD_NOW);
	assert_non_null(handle);
	load = load_address(handle);
	start = mapping_of(getpid(), copy.library);
	space = scanned(getpid());
	assert_is_library(space, start, load, false);
	pgb_addrspace_free(space);
	/* replaced by another program under the same name */
	copy_bytes(path, copy.library);
	space = scanned(getpid());
	assert_is_library(space, start, load, true);
	pgb_addrspace_free(space);
	assert_int_equal(unlink(copy.library), 0);
	space = scanned(getpid());
	assert_is_library(space, start, load, true);
	/* unmapped, nothing is there any more */
	dlclose(handle);
	assert_int_equal(pgb_addrspace_scan(space, (uint32_t)getpid(), NULL), 0);
	assert_int_equal(pgb_addrspace_find(space, (uint32_t)getpid(), start).binary,
			 PGB_BINARY_NONE);
	pgb_addrspace_free(space);
	free(path);
}

static void one_library_twice(void **state)
{
	struct pgb_location first, second;
	struct pgb_addrspace *space;
	void *one, *two, *three;
	char *link_path;

	(void)state;
	if (copy.library == NULL)
		skip();
	/* a copy is another file to the linker, the same binary to us */
	link_path = pgb_format("%s/twin.so", copy.folder);
	copy_bytes(copy.library, link_path);
	one = dlopen(copy.library, RTLD_NOW);
	two = dlopen(link_path, RTLD_NOW);
	assert_true(one && two && load_address(one) != load_address(two));
	/* a namespace of its own maps the same file again */
	three = dlmopen(LM_ID_NEWLM, copy.library, RTLD_NOW);
	space = scanned(getpid());
	first = pgb_addrspace_find(space, (uint32_t)getpid(), mapping_of(getpid(), copy.library));
	second = pgb_addrspace_find(space, (uint32_t)getpid(), mapping_of(getpid(), link_path));
	assert_true(first.binary < pgb_addrspace_binary_count(space));
	assert_int_equal(first.binary, second.binary);
	assert_true(first.address == second.address);
	if (three) {
		second = pgb_addrspace_find(space, (uint32_t)getpid(),
					    load_address(three) + first.address);
		assert_true(load_address(three) != load_address(one));
		assert_int_equal(first.binary, second.binary);
		assert_true(first.address == second.address);
		dlclose(three);
	}
	dlclose(one);
	dlclose(two);
	free(link_path);
	pgb_addrspace_free(space);
}

static void a_program_in_a_memfd(void **state)
{
	struct pgb_location location;
	struct pgb_addrspace *space;
	struct pgb_file_map map;
	char path[64];
	void *handle;
	int fd;

	(void)state;
	if (copy.library == NULL)
		skip();
	fd = memfd_create("library", MFD_CLOEXEC);
	assert_int_equal(pgb_file_map_open(&map, copy.library, NULL), 0);
	assert_int_equal(write(fd, map.bytes, map.size_bytes), map.size_bytes);
	pgb_file_map_close(&map);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	handle = dlopen(path, RTLD_NOW);
	assert_non_null(handle);
	close(fd);
	space = scanned(getpid());
	location = pgb_addrspace_find(space, (uint32_t)getpid(),
				      mapping_of(getpid(), "/memfd:library"));
	if (location.binary == PGB_BINARY_ANONYMOUS && !may_open_map_files()) {
		dlclose(handle);
		pgb_addrspace_free(space);
		skip();
	}
	assert_true(location.binary < pgb_addrspace_binary_count(space));
	assert_string_equal(pgb_addrspace_binary(space, location.binary)->path, "/memfd:library");
	assert_true(location.address ==
		    mapping_of(getpid(), "/memfd:library") - load_address(handle));
	dlclose(handle);
	pgb_addrspace_free(space);
}

/* As perf events tell it: the path as the process sees it, which is not where we see it. */
static void a_file_in_another_root(void **state)
{
	struct pgb_map_event event = {
		.start = 0x7f0000000000, .length = 4096, .path = "/a library.so"};
	struct pgb_binary binary = {0}, again;
	struct stat status;
	pid_t pid;

	(void)state;
	if (copy.library == NULL || stat(copy.library, &status) != 0)
		skip();
	pid = start_child(NULL, copy.folder);
	if (pid < 0)
		skip(); /* chroot is root's */
	event.pid = (uint32_t)pid;
	event.device = status.st_dev;
	event.inode = status.st_ino;
	assert_int_equal(pgb_binary_open_here.open(NULL, &binary, &event), 0);
	assert_string_equal(binary.path, "/a library.so");
	assert_true(binary.fd_held > 0);
	pgb_binary_release(&binary);
	/* its child has ended, its own root leads there still */
	event.pid = 0x7ffffff0;
	event.parent_pid = (uint32_t)pid;
	assert_int_equal(pgb_binary_open_here.open(NULL, &binary, &event), 0);
	stop_child(pid);
	assert_int_equal(pgb_binary_read(&again, "x", binary.path_open, NULL), 0);
	assert_int_equal(again.kind, PGB_BINARY_ELF);
	pgb_binary_release(&again);
	pgb_binary_release(&binary);
	/* now nothing does */
	assert_int_equal(pgb_binary_open_here.open(NULL, &binary, &event), PGB_E_NOT_FOUND);
	pgb_binary_release(&binary);
}

/* The numbers that the kernel gave decide, not the name. */
static void names_alone_are_not_believed(void **state)
{
	struct pgb_map_event event = {.pid = 0x7ffffff0, .length = 4096};
	struct pgb_binary binary = {0};
	struct stat status;

	(void)state;
	if (copy.library == NULL || stat(copy.library, &status) != 0)
		skip();
	event.path = copy.library;
	event.device = status.st_dev;
	event.inode = status.st_ino;
	assert_int_equal(pgb_binary_open_here.open(NULL, &binary, &event), 0);
	pgb_binary_release(&binary);
	event.inode = status.st_ino + 1;
	assert_int_equal(pgb_binary_open_here.open(NULL, &binary, &event), PGB_E_NOT_FOUND);
	pgb_binary_release(&binary);
	/* btrfs: another device number, the same inode */
	event.device = status.st_dev + 1;
	event.inode = status.st_ino;
	assert_int_equal(pgb_binary_open_here.open(NULL, &binary, &event), 0);
	event.build_id = binary.build_id;
	pgb_binary_release(&binary);
	/* a build-id says it all */
	event.inode = 0;
	assert_int_equal(pgb_binary_open_here.open(NULL, &binary, &event), 0);
	pgb_binary_release(&binary);
	event.build_id = (struct pgb_build_id){4, {1, 2, 3, 4}};
	assert_int_equal(pgb_binary_open_here.open(NULL, &binary, &event), PGB_E_NOT_FOUND);
	pgb_binary_release(&binary);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_process),
		cmocka_unit_test(memory_made_executable),
		cmocka_unit_test(children_with_and_without_exec),
		cmocka_unit_test_setup_teardown(libraries_that_come_and_go, make_copy, remove_copy),
		cmocka_unit_test_setup_teardown(one_library_twice, make_copy, remove_copy),
		cmocka_unit_test_setup_teardown(a_program_in_a_memfd, make_copy, remove_copy),
		cmocka_unit_test_setup_teardown(a_file_in_another_root, make_copy, remove_copy),
		cmocka_unit_test_setup_teardown(names_alone_are_not_believed, make_copy,
						remove_copy),
	};

	if (argc > 1 && strcmp(argv[1], "wait") == 0) {
		if (write(1, "r", 1) != 1)
			return 1;
		for (;;)
			pause();
	}
	return cmocka_run_group_tests_name("binary_open", tests, NULL, NULL);
}
