/* SPDX-License-Identifier: MIT */
/*
 * A response file of a compiler, which may name itself: its words, what they ask for, and what
 * the shims make of them. The same bytes as cargo's configuration.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pgobolt/base/assert.h"
#include "pgobolt/pgo/cargo_config.h"
#include "pgobolt/pgo/shim.h"

#define NUMBER 100 /* the same in every run, so that an input can name itself */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void use(const char *const *words, const struct pgb_toolchain *toolchain,
		enum pgb_build_mode mode)
{
	const struct pgb_shim_settings settings = {
		.mode = mode, .raw = "raw", .profile = "profile", .partial_training = true};
	struct pgb_shim_words changed = {0};
	struct pgb_shim_step step = {0};

	pgb_shim_step_read(&step, toolchain, words);
	pgb_shim_flags(&settings, toolchain, &step, &changed);
	pgb_shim_arguments(&settings, &step, words, &changed);
	pgb_shim_words_release(&changed);
	pgb_shim_step_release(&step);
}

static void use_others(const char *const *words, const char *json)
{
	struct pgb_cargo_config config;
	const struct pgb_shim_cargo cargo = {.host = "x86_64-unknown-linux-gnu", .config = &config};
	struct pgb_shim_words flags = {0}, changed = {0};
	char *variable = NULL;

	pgb_cargo_config_parse(&config, json);
	(void)pgb_cargo_config_linker(&config, cargo.host);
	pgb_shim_words_add(&flags, "-Cprofile-generate=raw");
	pgb_shim_cargo(&cargo, &flags, words, &changed, &variable);
	pgb_shim_strip(words, &changed);
	pgb_shim_words_release(&changed);
	pgb_shim_words_release(&flags);
	pgb_cargo_config_release(&config);
	free(variable);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	char name[64];
	const char *const arguments[] = {name, NULL};
	struct pgb_shim_words words = {0};
	int file = memfd_create("response", MFD_CLOEXEC);

	pgb_assert(file >= 0 && dup2(file, NUMBER) == NUMBER);
	close(file);
	pgb_assert(write(NUMBER, bytes, size_bytes) == (ssize_t)size_bytes);
	snprintf(name, sizeof(name), "@/proc/self/fd/%d", NUMBER);
	pgb_shim_expand(&words, arguments);
	pgb_assert(words.items.count > 0 && words.items.items[words.items.count - 1] == NULL);
	if (words.items.count < 10000) {
		const char *const *all = (const char *const *)words.items.items;
		char *json = pgb_dup_bytes((const char *)bytes, size_bytes);

		use(all, &pgb_toolchain_clang, PGB_BUILD_USE);
		use(all, &pgb_toolchain_gcc, PGB_BUILD_INSTRUMENT);
		use(all, &pgb_toolchain_rustc, PGB_BUILD_USE);
		use_others(all, json);
		free(json);
	}
	pgb_shim_words_release(&words);
	close(NUMBER);
	return 0;
}
