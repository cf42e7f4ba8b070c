/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/instrument.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bolt/instrument_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/elf_dynamic.h"
#include "pgobolt/bolt/verify.h"
#include "pgobolt/collector/file.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- what gets counters */

static int add_target(struct pgb_instrument *instrument, char *original)
{
	struct pgb_instrument_target target = {.original = original};
	size_t index = instrument->targets.count;

	target.copy = pgb_format("%s/%zu/%s", instrument->directory, index, base_name(original));
	target.prefix = pgb_format("%s/%zu", instrument->raw, index);
	pgb_array_push(&instrument->targets, target);
	return 0;
}

static int find_files(struct pgb_instrument *instrument, struct pgb_error *error)
{
	for (const char *const *file = instrument->config.files; *file != NULL; file++) {
		char *original = realpath(*file, NULL);

		if (original == NULL)
			return pgb_fail(error, pgb_code_from_errno(errno), "cannot open %s: %s",
					*file, strerror(errno));
		add_target(instrument, original);
	}
	return 0;
}

/* *is_script: the kernel starts the interpreter, so only a mount can replace it. */
static int find_program(struct pgb_instrument *instrument, bool *is_script, struct pgb_error *error)
{
	const char *command = instrument->config.argv[0];
	char *original;
	int code = pgb_instrument_find_program(command, &original, is_script, error);

	if (code != 0)
		return code;
	if (*is_script)
		pgb_log(instrument->config.log, PGB_LOG_INFO,
			"%s is a script: counting in its interpreter %s (another file: --for FILE)",
			command, original);
	return add_target(instrument, original);
}

/* A program and not just a shared library. */
static bool is_program(const struct pgb_elf_image *image)
{
	struct pgb_elf_dynamic dynamic;
	const struct pgb_elf_dynamic_entry *flags;
	bool program = pgb_elf_image_type(image) == ET_EXEC;

	if (pgb_elf_dynamic_read(&dynamic, image, NULL) == 0) {
		flags = pgb_elf_dynamic_find(&dynamic, DT_FLAGS_1);
		program |= flags != NULL && (flags->value & DF_1_PIE);
		/* Older linkers do not set the flag. */
		program |= dynamic.interpreter != NULL &&
			   pgb_elf_dynamic_find(&dynamic, DT_SONAME) == NULL;
	}
	pgb_elf_dynamic_release(&dynamic);
	return program;
}

/* Would llvm-bolt take it? Asked before, as its own words are not for everybody. */
static int check_target(struct pgb_instrument_target *target, struct pgb_error *error)
{
	struct pgb_findings findings = {0};
	struct pgb_error why = {0};
	int code = pgb_elf_image_open(&target->image, target->original, error);

	if (code == 0)
		code = pgb_binary_read(&target->binary, target->original, target->original, error);
	if (code == 0)
		code = pgb_verify_before(target->image, NULL, &findings, error);
	if (code == 0 && pgb_findings_error(&findings, &why) != 0) {
		code = pgb_fail(error, why.code, "%s: %s", target->original, why.message);
		pgb_remedy(error, "%s", why.remedy);
	}
	pgb_findings_release(&findings);
	if (code == 0)
		target->executable = is_program(target->image);
	if (code == 0 && !pgb_elf_image_has_code_relocations(target->image)) {
		code = pgb_fail(error, PGB_E_NOT_SUITABLE,
				"%s was linked without keeping its relocations, so no counters "
				"can be put into it",
				target->original);
		pgb_remedy(error, "link it with -Wl,--emit-relocs (-Wl,-q)");
	}
	return code;
}

/* ---- copies */

static int make_copy(struct pgb_instrument *instrument, struct pgb_instrument_target *target,
		     struct pgb_error *error)
{
	const struct pgb_session_signals *signals = instrument->config.signals;
	struct pgb_llvm_bolt_result result = {0};
	char *log_path = pgb_format("%s.log", target->prefix);
	char *folder =
		pgb_dup_bytes(target->copy, strlen(target->copy) - strlen(base_name(target->copy)));
	const struct pgb_llvm_bolt_job job = {
		.input = target->original,
		.output = target->copy,
		.instrument_prefix = target->prefix,
		.instrument_every_s = instrument->config.server ? 1 : 0,
		.no_huge_pages = true,
		.log_path = log_path,
		.interrupted = signals ? &signals->count : NULL,
	};
	struct stat status;
	int code = pgb_file_make_directories(folder, error);

	pgb_log(instrument->config.log, PGB_LOG_DETAIL, "putting counters into a copy of %s",
		target->original);
	if (code == 0)
		code = pgb_llvm_bolt_run(&instrument->bolt, target->image, &job, &result,
					 instrument->config.log, error);
	if (code == 0 && stat(target->copy, &status) != 0)
		code = pgb_fail(error, PGB_E_IO, "cannot find the copy %s: %s", target->copy,
				strerror(errno));
	if (code == 0) {
		target->device = status.st_dev;
		target->inode = status.st_ino;
	}
	pgb_llvm_bolt_result_release(&result);
	free(log_path);
	free(folder);
	return code;
}

static int make_copies(struct pgb_instrument *instrument, struct pgb_error *error)
{
	int code = pgb_file_make_directories(instrument->raw, error);

	/* A server may have given up its rights by the time it writes. */
	if (code == 0 && chmod(instrument->raw, 01777) != 0)
		code = pgb_fail(error, pgb_code_from_errno(errno), "cannot open up %s: %s",
				instrument->raw, strerror(errno));
	for (size_t i = 0; i < instrument->targets.count && code == 0; i++)
		code = make_copy(instrument, &instrument->targets.items[i], error);
	return code;
}

/* Into the originals' place where that can be done. */
static int bind_copies(struct pgb_instrument *instrument, bool replaceable, struct pgb_error *error)
{
	struct pgb_error why = {0};

	for (size_t i = 0; i < instrument->targets.count; i++) {
		const struct pgb_instrument_target *target = &instrument->targets.items[i];
		const struct pgb_bind bind = {target->copy, target->original};

		pgb_array_push(&instrument->binds, bind);
	}
	if (pgb_process_try_bind(&instrument->binds.items[0], &why) == 0)
		return 0;
	instrument->binds.count = 0;
	if (!replaceable) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "the copy with counters cannot take the place of %s: %s",
			 instrument->targets.items[0].original, why.message);
		pgb_remedy(error, "%s", why.remedy);
		return PGB_E_UNSUPPORTED;
	}
	pgb_log(instrument->config.log, PGB_LOG_WARNING,
		"the copy with counters runs as %s, since it cannot take the original's place "
		"(%s): "
		"a program that looks for files beside itself will not find them",
		instrument->targets.items[0].copy, why.message);
	return 0;
}

/* ---- life */

static int prepare(struct pgb_instrument *instrument, struct pgb_error *error)
{
	const struct pgb_instrument_config *config = &instrument->config;
	bool own = config->files == NULL || config->files[0] == NULL;
	bool is_script = false;
	int code =
		own ? find_program(instrument, &is_script, error) : find_files(instrument, error);

	if (code == 0)
		code = pgb_llvm_bolt_find(&instrument->bolt, config->llvm_bolt, error);
	for (size_t i = 0; i < instrument->targets.count && code == 0; i++)
		code = check_target(&instrument->targets.items[i], error);
	if (code == PGB_E_NOT_SUITABLE && own && error != NULL) {
		size_t length = strlen(error->remedy);

		snprintf(error->remedy + length, sizeof(error->remedy) - length,
			 "%sor count in another file that the command runs: --for FILE",
			 length ? "\n" : "");
	}
	if (code == 0)
		code = make_copies(instrument, error);
	return code ? code : bind_copies(instrument, own && !is_script, error);
}

int pgb_instrument_new(struct pgb_instrument **result, const struct pgb_instrument_config *config,
		       struct pgb_error *error)
{
	struct pgb_instrument *instrument = pgb_calloc(1, sizeof(*instrument));
	int code;

	instrument->config = *config;
	instrument->process = (struct pgb_process){.fd_go = -1, .fd_exec = -1};
	instrument->directory = realpath(config->directory, NULL);
	if (instrument->directory == NULL) {
		code = pgb_fail(error, pgb_code_from_errno(errno), "cannot use folder %s: %s",
				config->directory, strerror(errno));
	} else {
		instrument->raw = pgb_format("%s/raw", instrument->directory);
		code = prepare(instrument, error);
	}
	if (code == 0)
		*result = instrument;
	else
		pgb_instrument_free(instrument);
	return code;
}

void pgb_instrument_free(struct pgb_instrument *instrument)
{
	if (instrument == NULL)
		return;
	pgb_process_stop(&instrument->process, 1000);
	for (size_t i = 0; i < instrument->targets.count; i++) {
		struct pgb_instrument_target *target = &instrument->targets.items[i];

		pgb_elf_image_close(target->image);
		pgb_binary_release(&target->binary);
		pgb_profile_free(target->profile);
		free(target->original);
		free(target->copy);
		free(target->prefix);
	}
	pgb_array_release(&instrument->targets);
	pgb_array_release(&instrument->binds);
	pgb_llvm_bolt_release(&instrument->bolt);
	free(instrument->directory);
	free(instrument->raw);
	free(instrument);
}

size_t pgb_instrument_count(const struct pgb_instrument *instrument)
{
	return instrument->targets.count;
}

const struct pgb_binary *pgb_instrument_binary(const struct pgb_instrument *instrument,
					       size_t index)
{
	return &instrument->targets.items[index].binary;
}

bool pgb_instrument_is_executable(const struct pgb_instrument *instrument, size_t index)
{
	return instrument->targets.items[index].executable;
}
