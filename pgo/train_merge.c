/* SPDX-License-Identifier: MIT */
/* Raw profiles of all runs into one profile for each kind of compiler. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgo/toolchain_private.h"
#include "pgo/train_private.h"
#include "pgobolt/base/hash.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/build.h"

enum { WEIGHT_SIZE_MAX = 64 };

/* What is done with each file of a folder, in the order of names. */
typedef void (*file_visitor)(void *context, const char *path);

/* Files by their ending, also in folders below: gcc mirrors absolute names of objects there. */
static void visit_files(const char *folder, const char *ending, file_visitor visit, void *context)
{
	struct dirent **entries;
	int entry_count = scandir(folder, &entries, NULL, alphasort);

	for (int i = 0; i < entry_count; i++) {
		const char *name = entries[i]->d_name;
		char *path = pgb_format("%s/%s", folder, name);
		struct stat status;
		bool exists = name[0] != '.' && lstat(path, &status) == 0;

		if (exists && S_ISDIR(status.st_mode))
			visit_files(path, ending, visit, context);
		else if (exists && pgb_ends_with(name, ending))
			visit(context, path);
		free(path);
		free(entries[i]);
	}
	if (entry_count >= 0)
		free(entries);
}

struct file_count {
	uint64_t count, size_bytes;
};

static void count_file(void *context, const char *path)
{
	struct file_count *count = context;
	struct stat status;

	if (stat(path, &status) == 0 && status.st_size > 0) {
		count->count++;
		count->size_bytes += (uint64_t)status.st_size;
	}
}

/* How many there are, and how many bytes. The folder may be missing. */
static void count_files(const char *folder, const char *ending, uint64_t *count,
			uint64_t *size_bytes)
{
	struct file_count found = {0};

	visit_files(folder, ending, count_file, &found);
	*count += found.count;
	*size_bytes += found.size_bytes;
}

/*
 * Programs that were started without our environment (sudo, env -i, a daemon's manager) write
 * where the flags said: these counts are of this run, too.
 */
static void take_strays(const struct train *train, const char *key, bool folder)
{
	char *from = pgb_format("%s/raw/%s", train->state, key);
	char *to = pgb_format(folder ? "%s/%s" : "%s", train->run, key);
	struct dirent **entries;
	int count = scandir(from, &entries, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		char *source = pgb_format("%s/%s", from, name);
		char *target = pgb_format("%s/%s", to, name);

		if (name[0] != '.' && pgb_file_make_directories(to, NULL) == 0 &&
		    access(target, F_OK) != 0)
			(void)rename(source, target);
		free(source);
		free(target);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	free(from);
	free(to);
}

static unsigned long run_weight(const char *run)
{
	char *path = pgb_format("%s/weight", run);
	struct pgb_text text = {0};
	unsigned long weight = 0;

	if (pgb_file_read(&text, path, WEIGHT_SIZE_MAX, NULL) == 0)
		weight = strtoul(pgb_text_string(&text), NULL, 10);
	free(path);
	pgb_text_release(&text);
	return weight;
}

static void add_raw(struct pgb_raw_profiles *raw, char *path, unsigned long weight)
{
	struct pgb_raw_profile profile = {.path = path, .weight = weight};

	pgb_array_push(&raw->items, profile);
}

/* What a run has for a key; a .profdata stands for raw profiles that were merged before. */
static void add_run(const struct pgb_compiler *compiler, const char *key, const char *run,
		    struct pgb_raw_profiles *raw)
{
	unsigned long weight = run_weight(run);
	struct dirent **entries;
	char *folder;
	int count;

	if (weight == 0)
		return; /* not a run, or one that was never begun */
	if (compiler->toolchain->profile_is_folder) {
		struct file_count files = {0};

		folder = pgb_format("%s/%s", run, key);
		visit_files(folder, ".gcda", count_file, &files);
		if (files.count > 0)
			add_raw(raw, folder, weight);
		else
			free(folder);
		return;
	}
	count = scandir(run, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char *path = pgb_format("%s/%s", run, entries[i]->d_name);
		struct stat status;

		if (pgb_ends_with(path, ".profraw") && stat(path, &status) == 0 &&
		    status.st_size > 0)
			add_raw(raw, path, weight);
		else
			free(path);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

/* Another run whose programs still write counts: it merges them, and ours, when it is done. */
static bool is_at_work(const struct train *train, const char *run)
{
	int fd = strcmp(run, train->run) == 0 ? -1 : open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool at_work = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	return at_work;
}

static uint64_t add_runs(const struct train *train, const struct pgb_compiler *compiler,
			 const char *key, struct pgb_raw_profiles *raw)
{
	char *runs = pgb_format("%s/runs", train->state);
	struct dirent **entries;
	int count = scandir(runs, &entries, NULL, versionsort);
	uint64_t used = 0;

	for (int i = 0; i < count; i++) {
		char *run = pgb_format("%s/%s", runs, entries[i]->d_name);
		size_t before = raw->items.count;

		if (entries[i]->d_name[0] != '.' && !is_at_work(train, run))
			add_run(compiler, key, run, raw);
		used += raw->items.count > before;
		free(run);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	free(runs);
	return used;
}

static uint64_t hash_file(const char *path, uint64_t hash)
{
	struct pgb_file_map map;

	if (pgb_file_map_open(&map, path, NULL) != 0)
		return hash;
	hash = pgb_hash_combine(pgb_hash_stream(hash, map.bytes, map.size_bytes), map.size_bytes);
	pgb_file_map_close(&map);
	return hash;
}

static int rename_to(const char *from, const char *to, struct pgb_error *error)
{
	if (rename(from, to) == 0)
		return 0;
	return pgb_fail(error, pgb_code_from_errno(errno), "cannot rename %s to %s: %s", from, to,
			strerror(errno));
}

/* KEY-HASH.profdata and the link to it; the one before goes. */
static int place_file(struct pgb_train_profile *profile, const char *folder, const char *merged,
		      uint64_t *id, struct pgb_error *error)
{
	uint64_t hash = hash_file(merged, PGB_HASH_SEED);
	char *name = pgb_format("%s-%016" PRIx64 ".profdata", profile->key, hash);
	char *link = pgb_format("%s/%s.profdata", folder, profile->key);
	char *new_link = pgb_format("%s.new", link), *former = realpath(link, NULL);
	struct stat status;
	int code;

	profile->path = pgb_format("%s/%s", folder, name);
	code = rename_to(merged, profile->path, error);
	unlink(new_link);
	if (code == 0 && symlink(name, new_link) != 0)
		code = pgb_fail(error, pgb_code_from_errno(errno), "cannot make the link %s: %s",
				new_link, strerror(errno));
	if (code == 0)
		code = rename_to(new_link, link, error);
	if (code == 0 && former && !pgb_file_same(former, profile->path))
		unlink(former);
	if (code == 0 && stat(profile->path, &status) == 0)
		profile->size_bytes = (uint64_t)status.st_size;
	*id = pgb_hash_combine(*id, hash);
	free(name);
	free(link);
	free(new_link);
	free(former);
	return code;
}

static void hash_into(void *context, const char *path)
{
	uint64_t *id = context;

	*id = hash_file(path, *id);
}

static int place_folder(struct pgb_train_profile *profile, const char *folder, const char *merged,
			uint64_t *id, struct pgb_error *error)
{
	uint64_t count = 0;
	int code;

	profile->path = pgb_format("%s/%s", folder, profile->key);
	code = pgb_file_remove_tree(profile->path, error);
	if (code == 0)
		code = rename_to(merged, profile->path, error);
	count_files(profile->path, ".gcda", &count, &profile->size_bytes);
	visit_files(profile->path, ".gcda", hash_into, id);
	return code;
}

/* KEY.unreached, or none. */
static int write_unreached(struct pgb_train_profile *profile, const char *folder,
			   struct pgb_error *error)
{
	char *path = pgb_format("%s/%s.unreached", folder, profile->key);
	struct pgb_out_file out;
	int code;

	unlink(path);
	if (profile->counts.unreached.length == 0) {
		free(path);
		return 0;
	}
	profile->unreached_path = path;
	code = pgb_out_open(&out, path, error);
	if (code == 0) {
		fputs(pgb_text_string(&profile->counts.unreached), out.stream);
		code = pgb_out_commit(&out, error);
		pgb_out_discard(&out);
	}
	return code;
}

/* Takes `found`, and gives it back where this shim's compiler has no such tool beside it. */
static char *find_beside_one(const char *bin, const char *name, const struct pgb_compiler *compiler,
			     char *found)
{
	struct pgb_shim_real real = {0};
	char *beside = NULL;

	if (pgb_shim_real_read(&real, bin, name, NULL) == 0 &&
	    real.compiler.toolchain == compiler->toolchain &&
	    real.compiler.major == compiler->major)
		beside = pgb_toolchain_merger_beside(compiler, real.path);
	free(real.path);
	if (beside == NULL)
		return found;
	free(found);
	return beside;
}

/* A compiler that CC names by its path has its tools with it: these rather than those in PATH. */
static char *find_beside(const struct train *train, const struct pgb_compiler *compiler)
{
	char *bin = pgb_format("%s/bin", train->state);
	char *list = pgb_format("%s/" PGB_SHIM_REAL_FOLDER, bin), *found = NULL;
	struct dirent **entries;
	int count = scandir(list, &entries, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (name[0] != '.' && (found == NULL || pgb_tool_is_by_path(name)))
			found = find_beside_one(bin, name, compiler, found);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	free(list);
	free(bin);
	return found;
}

static int find_merger(const struct train *train, const struct pgb_compiler *compiler, char **tool,
		       struct pgb_error *error)
{
	char *rustc;
	int code = 0;

	*tool = find_beside(train, compiler);
	if (*tool == NULL) {
		rustc = pgb_process_find_command("rustc");
		code = pgb_toolchain_find_merger(compiler, rustc, tool, error);
		free(rustc);
	}
	return code;
}

/* Takes nothing where no run has anything for this key. */
static int merge_key(struct train *train, const char *key, const char *folder, uint64_t *id,
		     struct pgb_error *error)
{
	struct pgb_train_profile profile = {0};
	struct pgb_raw_profiles raw = {0};
	struct pgb_compiler compiler;
	char *merged = pgb_format("%s/%s.merging", folder, key), *tool = NULL;
	unsigned long damaged = 0;
	int status = 0;

	if (pgb_compiler_from_key(&compiler, key)) {
		damaged = pgb_gcda_drop_damaged(train->run, key);
		profile.runs = add_runs(train, &compiler, key, &raw);
	}
	if (raw.items.count > 0) {
		profile.key = pgb_dup(key);
		if (compiler.toolchain->profile_is_folder) {
			char *counted = pgb_format("%s/%s", train->run, key);

			count_files(counted, ".gcda", &profile.raw_count, &profile.raw_size_bytes);
			free(counted);
		} else {
			count_files(train->run, ".profraw", &profile.raw_count,
				    &profile.raw_size_bytes);
		}
		(void)pgb_file_remove_tree(merged, NULL);
		status = find_merger(train, &compiler, &tool, error);
		if (status == 0)
			status = compiler.toolchain->merge(tool, &raw, merged, &profile.counts,
							   error);
		profile.counts.raw_damaged += damaged;
		if (status == 0)
			status = write_unreached(&profile, folder, error);
		if (status == 0)
			status = compiler.toolchain->profile_is_folder
					 ? place_folder(&profile, folder, merged, id, error)
					 : place_file(&profile, folder, merged, id, error);
		pgb_array_push(&train->result->profiles, profile);
	}
	(void)pgb_file_remove_tree(merged, NULL);
	pgb_raw_profiles_release(&raw);
	free(merged);
	free(tool);
	return status;
}

/* By the name in profile/id a build knows that its profile is a new one. */
static int write_id(const char *folder, uint64_t id, struct pgb_error *error)
{
	char *path = pgb_format("%s/id", folder);
	struct pgb_out_file out;
	int status = pgb_out_open(&out, path, error);

	if (status == 0) {
		fprintf(out.stream, "%016" PRIx64 "\n", id);
		status = pgb_out_commit(&out, error);
		pgb_out_discard(&out);
	}
	free(path);
	return status;
}

static void add_key(struct pgb_shim_words *keys, const char *key)
{
	for (size_t i = 0; i < keys->items.count; i++)
		if (strcmp(keys->items.items[i], key) == 0)
			return;
	pgb_shim_words_add(keys, key);
}

/* Rust programs may be linked by a clang of another version: no counts are of that one. */
static bool only_links(const struct pgb_build_result *built, const char *key)
{
	const struct pgb_shim_words *compiled_by = &built->compiled_by;
	struct pgb_compiler linker, compiler;
	bool another = false;

	if (!pgb_compiler_from_key(&linker, key) || linker.toolchain->profile_is_folder)
		return false;
	for (size_t i = 0; i < compiled_by->items.count; i++) {
		if (strcmp(compiled_by->items.items[i], key) == 0)
			return false;
		another |= pgb_compiler_from_key(&compiler, compiled_by->items.items[i]) &&
			   compiler.toolchain == linker.toolchain;
	}
	return another;
}

/*
 * Compilers of this build, and those whose objects have written counts: build tools use again what
 * was compiled before, as cargo does with what a build script made.
 */
static void list_keys(const struct train *train, struct pgb_shim_words *keys)
{
	char *log = pgb_build_log(train->state);
	struct pgb_build_result built = {0};
	struct dirent **entries;
	int count = scandir(train->run, &entries, NULL, alphasort);

	pgb_build_read_log(&built, log);
	for (size_t i = 0; i < built.compilers.items.count; i++)
		if (!only_links(&built, built.compilers.items.items[i]))
			add_key(keys, built.compilers.items.items[i]);
	for (int i = 0; i < count; i++) {
		add_key(keys, entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	pgb_build_result_release(&built);
	free(log);
}

int pgb_train_merge(struct train *train, struct pgb_error *error)
{
	char *folder = pgb_format("%s/profile", train->state);
	struct pgb_shim_words keys = {0};
	uint64_t id = PGB_HASH_SEED, written = 0;
	int status = pgb_file_make_directories(folder, error);

	list_keys(train, &keys);
	for (size_t i = 0; status == 0 && i < keys.items.count; i++) {
		const char *key = keys.items.items[i];
		struct pgb_compiler compiler;

		if (!pgb_compiler_from_key(&compiler, key))
			continue;
		take_strays(train, key, compiler.toolchain->profile_is_folder);
		status = merge_key(train, key, folder, &id, error);
	}
	for (size_t i = 0; i < train->result->profiles.count; i++)
		written += train->result->profiles.items[i].raw_count;
	if (status == 0 && written == 0)
		status = pgb_train_nothing(train, error);
	else if (status == 0)
		status = write_id(folder, id, error);
	pgb_shim_words_release(&keys);
	free(folder);
	return status;
}
