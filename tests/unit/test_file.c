/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgobolt/collector/file.h"

/* Each test has a folder of its own; paths are relative to it. */
static char folder[64];
static int folder_before;

static int enter_folder(void **state)
{
	(void)state;
	folder_before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(folder, sizeof(folder), "/tmp/pgobolt-test-file.XXXXXX");
	return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int leave_folder(void **state)
{
	int failed = fchdir(folder_before);

	(void)state;
	close(folder_before);
	return failed | pgb_file_remove_tree(folder, NULL);
}

static void put(const char *path, const char *content)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void assert_holds(const char *path, const char *content)
{
	struct pgb_text text = {0};

	assert_int_equal(pgb_file_read(&text, path, 65536, NULL), 0);
	assert_string_equal(pgb_text_string(&text), content);
	pgb_text_release(&text);
}

static unsigned int mode_of(const char *path)
{
	struct stat status;

	assert_int_equal(lstat(path, &status), 0);
	return status.st_mode & 07777;
}

/* Nothing but these, so no temporary file either. */
static void assert_entries(const char *path, unsigned int wanted)
{
	DIR *directory = opendir(path);
	unsigned int count = 0;

	assert_non_null(directory);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	assert_int_equal(count - 2, wanted);
}

static void write_file(const char *path, const char *content)
{
	struct pgb_error error = {0};
	struct pgb_out_file out;

	assert_int_equal(pgb_out_open(&out, path, &error), 0);
	assert_true(fputs(content, out.stream) >= 0);
	assert_int_equal(pgb_out_commit(&out, &error), 0);
	pgb_out_discard(&out);
}

static void maps_a_file(void **state)
{
	struct pgb_file_map map;
	struct stat status;

	(void)state;
	put("a", "hello");
	assert_int_equal(stat("a", &status), 0);
	assert_int_equal(pgb_file_map_open(&map, "a", NULL), 0);
	assert_int_equal(map.size_bytes, 5);
	assert_memory_equal(map.bytes, "hello", 5);
	assert_true(map.inode == status.st_ino && map.device == status.st_dev);
	assert_true(map.modified_ns / 1000000000 == status.st_mtim.tv_sec);
	pgb_file_map_close(&map);
	assert_null(map.bytes);
	pgb_file_map_close(&map);
	put("empty", "");
	assert_int_equal(pgb_file_map_open(&map, "empty", NULL), 0);
	assert_null(map.bytes);
	assert_int_equal(map.size_bytes, 0);
	pgb_file_map_close(&map);
}

static void refuses_what_is_no_file(void **state)
{
	static const struct {
		const char *path;
		int code;
	} rows[] = {
		{"missing", PGB_E_NOT_FOUND}, {"file/below", PGB_E_NOT_FOUND}, {"folder", PGB_E_IO},
		{"fifo", PGB_E_IO},	      {"/dev/null", PGB_E_IO},
	};

	(void)state;
	put("file", "");
	assert_int_equal(mkdir("folder", 0777), 0);
	assert_int_equal(mkfifo("fifo", 0666), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_error error = {0};
		struct pgb_file_map map;

		assert_int_equal(pgb_file_map_open(&map, rows[i].path, &error), rows[i].code);
		assert_int_equal(error.code, rows[i].code);
		assert_non_null(strstr(error.message, rows[i].path));
		pgb_file_map_close(&map);
	}
}

static void reads_at_most_what_was_asked(void **state)
{
	struct pgb_text text = {0};
	struct pgb_error error = {0};
	char big[10001];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	put("big", big);
	assert_int_equal(pgb_file_read(&text, "big", 5000, NULL), 0);
	assert_int_equal(text.length, 5000);
	assert_int_equal(pgb_file_read(&text, "big", 1 << 20, NULL), 0);
	assert_int_equal(text.length, 15000);
	assert_int_equal(strlen(text.data), 15000);
	pgb_text_release(&text);
	/* procfs says size 0 */
	assert_int_equal(pgb_file_read(&text, "/proc/self/maps", 1 << 20, NULL), 0);
	assert_non_null(strstr(text.data, "[stack]"));
	pgb_text_release(&text);
	assert_int_equal(pgb_file_read(&text, "missing", 10, &error), PGB_E_NOT_FOUND);
	assert_int_equal(pgb_file_read(&text, ".", 10, NULL), PGB_E_IO);
	pgb_text_release(&text);
}

static void output_appears_with_commit(void **state)
{
	struct pgb_out_file out;

	(void)state;
	put("target", "old");
	assert_int_equal(pgb_out_open(&out, "target", NULL), 0);
	assert_true(fprintf(out.stream, "new %d", 1) > 0);
	assert_int_equal(fflush(out.stream), 0);
	assert_holds("target", "old");
	assert_entries(".", 2);
	assert_int_equal(pgb_out_commit(&out, NULL), 0);
	assert_holds("target", "new 1");
	assert_entries(".", 1);
	pgb_out_discard(&out);
}

static void discard_leaves_no_trace(void **state)
{
	struct pgb_out_file out;

	(void)state;
	put("target", "old");
	assert_int_equal(pgb_out_open(&out, "target", NULL), 0);
	fputs("new", out.stream);
	pgb_out_discard(&out);
	pgb_out_discard(&out);
	assert_holds("target", "old");
	assert_entries(".", 1);
	out = (struct pgb_out_file){0};
	pgb_out_discard(&out);
}

static void permission_bits_are_kept(void **state)
{
	mode_t umask_before = umask(027);

	(void)state;
	write_file("fresh", "x");
	assert_int_equal(mode_of("fresh"), 0640);
	assert_int_equal(chmod("fresh", 0755), 0);
	write_file("fresh", "y");
	assert_int_equal(mode_of("fresh"), 0755);
	/* more than the umask would give, too */
	assert_int_equal(chmod("fresh", 0666), 0);
	write_file("fresh", "z");
	assert_int_equal(mode_of("fresh"), 0666);
	assert_holds("fresh", "z");
	umask(umask_before);
}

static void links_stay_links(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(mkdir("real", 0777), 0);
	assert_int_equal(mkdir("names", 0777), 0);
	put("real/file", "old");
	assert_int_equal(symlink("../real/file", "names/one"), 0);
	assert_int_equal(symlink("names/one", "two"), 0);
	write_file("two", "new");
	assert_holds("real/file", "new");
	assert_int_equal(lstat("two", &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_int_equal(lstat("names/one", &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	/* a link to nothing makes what it names */
	assert_int_equal(symlink("real/later", "dangling"), 0);
	write_file("dangling", "made");
	assert_holds("real/later", "made");
	assert_entries("real", 2);
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_int_equal(pgb_out_open(&(struct pgb_out_file){0}, "loop", NULL), PGB_E_IO);
}

static void devices_are_written_directly(void **state)
{
	struct pgb_error error = {0};
	struct pgb_out_file out;
	struct stat status;

	(void)state;
	write_file("/dev/null", "gone");
	assert_int_equal(stat("/dev/null", &status), 0);
	assert_true(S_ISCHR(status.st_mode));
	assert_int_equal(pgb_out_open(&out, "/dev/full", &error), 0);
	fputs("no room", out.stream);
	assert_int_equal(pgb_out_commit(&out, &error), PGB_E_RESOURCE);
	assert_non_null(strstr(error.message, "/dev/full"));
	assert_non_null(strstr(error.remedy, "df"));
}

/* /dev/stdout of `tool >> file` must append there, not replace the file. */
static void open_descriptors_are_written_directly(void **state)
{
	char path[64];
	int fd;

	(void)state;
	put("log", "first ");
	fd = open("log", O_WRONLY | O_APPEND | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	write_file(path, "second");
	close(fd);
	assert_holds("log", "first second");
}

static void write_errors_surface_in_commit(void **state)
{
	struct rlimit before, small = {0};
	struct pgb_error error = {0};
	struct pgb_out_file out;

	(void)state;
	put("target", "old");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){.rlim_cur = 100000, .rlim_max = before.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(pgb_out_open(&out, "target", &error), 0);
	for (unsigned int i = 0; i < 100000; i++)
		fprintf(out.stream, "%u\n", i);
	assert_int_equal(pgb_out_commit(&out, &error), PGB_E_RESOURCE);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_non_null(strstr(error.message, "target"));
	assert_non_null(strstr(error.remedy, "ulimit -f"));
	assert_holds("target", "old");
	assert_entries(".", 1);
}

static void output_that_cannot_be_opened(void **state)
{
	static const struct {
		const char *path;
		int code;
		const char *remedy;
	} rows[] = {
		{"missing/file", PGB_E_NOT_FOUND, "mkdir -p 'missing'"},
		{"folder", PGB_E_EXISTS, ""},
		{"folder/", PGB_E_EXISTS, ""},
		{"closed/file", PGB_E_PERMISSION, "ls -ld 'closed'"},
		{"locked", PGB_E_PERMISSION, "ls -ld '.'"},
	};
	bool root = geteuid() == 0;

	(void)state;
	if (root && chown(".", 65534, 65534) != 0)
		skip(); /* in a user namespace without other users */
	assert_int_equal(mkdir("folder", 0777), 0);
	put("locked", "old");
	assert_int_equal(chmod("locked", 0444), 0);
	assert_int_equal(mkdir("closed", 0555), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_error error = {0};
		struct pgb_out_file out;

		assert_int_equal(pgb_out_open(&out, rows[i].path, &error), rows[i].code);
		assert_non_null(strstr(error.message, rows[i].path));
		assert_non_null(strstr(error.remedy, rows[i].remedy));
		assert_null(out.stream);
		pgb_out_discard(&out);
	}
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_holds("locked", "old");
	assert_entries("folder", 0);
	assert_entries("closed", 0);
	assert_entries(".", 3);
}

static void the_longest_name_can_be_written(void **state)
{
	char name[256];

	(void)state;
	memset(name, 'n', 255);
	name[255] = '\0';
	write_file(name, "x");
	assert_holds(name, "x");
}

static void folders_are_made_and_removed(void **state)
{
	struct pgb_error error = {0};

	(void)state;
	assert_int_equal(pgb_file_make_directories("a/b//c/", NULL), 0);
	assert_int_equal(pgb_file_make_directories("a/b/c", NULL), 0);
	put("a/b/file", "x");
	assert_int_equal(pgb_file_make_directories("a/b/file", &error), PGB_E_EXISTS);
	assert_int_equal(pgb_file_make_directories("a/b/file/d", NULL), PGB_E_EXISTS);
	put("outside", "stays");
	assert_int_equal(mkdir("kept", 0777), 0);
	put("kept/file", "stays");
	assert_int_equal(symlink("../../kept", "a/b/link"), 0);
	assert_int_equal(symlink("../outside", "a/link"), 0);
	assert_int_equal(pgb_file_remove_tree("a/", NULL), 0);
	assert_int_equal(access("a", F_OK), -1);
	assert_holds("outside", "stays");
	assert_holds("kept/file", "stays");
	/* the link itself, not what it names */
	assert_int_equal(symlink("kept", "link"), 0);
	assert_int_equal(pgb_file_remove_tree("link/", NULL), 0);
	assert_holds("kept/file", "stays");
	assert_int_equal(pgb_file_remove_tree("outside", NULL), 0);
	assert_int_equal(pgb_file_remove_tree("missing", NULL), 0);
	assert_entries(".", 1);
}

static void names_of_one_file(void **state)
{
	(void)state;
	put("a", "x");
	put("b", "x");
	assert_int_equal(link("a", "hard"), 0);
	assert_int_equal(symlink("a", "soft"), 0);
	assert_true(pgb_file_same("a", "hard"));
	assert_true(pgb_file_same("soft", "./a"));
	assert_false(pgb_file_same("a", "b"));
	assert_false(pgb_file_same("missing", "missing"));
	assert_false(pgb_file_is_executable("a"));
	assert_int_equal(chmod("a", 0755), 0);
	assert_true(pgb_file_is_executable("soft"));
	assert_false(pgb_file_is_executable("."));
	assert_false(pgb_file_is_executable("missing"));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(maps_a_file),
		IN_FOLDER(refuses_what_is_no_file),
		IN_FOLDER(reads_at_most_what_was_asked),
		IN_FOLDER(output_appears_with_commit),
		IN_FOLDER(discard_leaves_no_trace),
		IN_FOLDER(permission_bits_are_kept),
		IN_FOLDER(links_stay_links),
		IN_FOLDER(devices_are_written_directly),
		IN_FOLDER(open_descriptors_are_written_directly),
		IN_FOLDER(write_errors_surface_in_commit),
		IN_FOLDER(output_that_cannot_be_opened),
		IN_FOLDER(the_longest_name_can_be_written),
		IN_FOLDER(folders_are_made_and_removed),
		IN_FOLDER(names_of_one_file),
	};

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
