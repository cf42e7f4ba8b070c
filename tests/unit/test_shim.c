/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/pgo/cargo_config.h"
#include "pgobolt/pgo/shim.h"
#include "tests/support/workshop.h"

/* Words joined by '|', so that blanks in them show. */
static char *joined(const struct pgb_shim_words *words)
{
	struct pgb_text text = {0};

	for (size_t i = 0; i < words->items.count && words->items.items[i]; i++)
		pgb_text_addf(&text, "%s%s", i ? "|" : "", words->items.items[i]);
	return pgb_text_detach(&text);
}

static void split(const char *line, struct pgb_shim_words *words)
{
	while (*line) {
		size_t length = strcspn(line, "|");

		pgb_array_push(&words->items, pgb_dup_bytes(line, length));
		line += length + (line[length] == '|');
	}
	pgb_array_push(&words->items, NULL);
}

static const char *const *argv_of(const struct pgb_shim_words *words)
{
	return (const char *const *)words->items.items;
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		enum pgb_tool_kind kind;
	} rows[] = {
		{"cc", PGB_TOOL_COMPILER},
		{"/usr/bin/gcc-12", PGB_TOOL_COMPILER},
		{"x86_64-linux-gnu-g++-12", PGB_TOOL_COMPILER},
		{"clang++-22", PGB_TOOL_COMPILER},
		{"clang-3.9", PGB_TOOL_COMPILER},
		{"musl-gcc", PGB_TOOL_COMPILER},
		{"path-0123abcd-gcc", PGB_TOOL_COMPILER},
		{"rustc", PGB_TOOL_RUSTC},
		{"path-0123abcd-rustc", PGB_TOOL_RUSTC},
		{"path-0123abcd-cargo", PGB_TOOL_CARGO},
		{"x86_64-linux-gnu-rustc", PGB_TOOL_NONE},
		{"path-0123abcd-rustc-22", PGB_TOOL_NONE},
		{"cargo", PGB_TOOL_CARGO},
		{"ccache", PGB_TOOL_LAUNCHER},
		{"aarch64-linux-gnu-strip", PGB_TOOL_STRIP},
		{"llvm-strip-22", PGB_TOOL_STRIP},
		{"pgobolt", PGB_TOOL_NONE},
		{"clang-format", PGB_TOOL_NONE},
		{"clang-tidy-22", PGB_TOOL_NONE},
		{"gcc-ar", PGB_TOOL_NONE},
		{"git-cc", PGB_TOOL_NONE},
		{"gcc-", PGB_TOOL_NONE},
		{"rustc-22", PGB_TOOL_NONE},
		{"", PGB_TOOL_NONE},
		{"-12", PGB_TOOL_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (pgb_tool_kind(rows[i].name) != rows[i].kind)
			fail_msg("%s: kind %d", rows[i].name, pgb_tool_kind(rows[i].name));
}

struct step_row {
	const struct pgb_toolchain *toolchain;
	const char *words; /* behind the compiler's name, divided by | */
	bool compiles, links;
	const char *instrument, *use; /* the flags that are added; NULL: none */
};

#define GCC_I "-fprofile-generate|-fprofile-update=atomic|-fprofile-dir=/s/raw"
#define GCC_P                                                                                      \
	"-fprofile-use=/s/p|-fprofile-correction|-Wno-missing-profile|"                            \
	"-Wno-error=coverage-mismatch"
#define GCC_U  GCC_P "|-fno-reorder-blocks-and-partition"
#define LLVM_W "|-Wno-profile-instr-unprofiled|-Wno-profile-instr-out-of-date|-Wno-backend-plugin"
#define LINK_U "|-Wl,--emit-relocs"

static const struct step_row step_rows[] = {
	/* compile, link, both */
	{&pgb_toolchain_gcc, "-O2|-c|-o|a b.o|a b.c", true, false, GCC_I, GCC_U},
	{&pgb_toolchain_gcc, "-o|app|a.o|b.a|-lm", false, true, GCC_I, GCC_U LINK_U},
	{&pgb_toolchain_gcc, "a.c", true, true, GCC_I, GCC_U LINK_U},
	{&pgb_toolchain_gcc, "-shared|-o|l.so|a.o", false, true, GCC_I, GCC_U LINK_U},
	{&pgb_toolchain_gcc, "-S|a.c", true, false, GCC_I, GCC_U},
	{&pgb_toolchain_gcc, "-MMD|-MF|a.d|-c|a.cpp", true, false, GCC_I, GCC_U},
	{&pgb_toolchain_gcc, "-x|c|-c|-", true, false, GCC_I, GCC_U},
	{&pgb_toolchain_gcc, "-xc++|-c|a.txt", true, false, GCC_I, GCC_U},
	{&pgb_toolchain_clang, "-c|a.c", true, false, "-fprofile-generate=/s/raw",
	 "-fprofile-use=/s/p" LLVM_W},
	{&pgb_toolchain_clang, "a.o", false, true, "-fprofile-generate=/s/raw",
	 "-fprofile-use=/s/p" LINK_U},
	{&pgb_toolchain_clang, "a.c|b.S|-o|x", true, true, "-fprofile-generate=/s/raw",
	 "-fprofile-use=/s/p" LLVM_W LINK_U},
	/* what rustc compiled brings LLVM's runtime, not gcc's */
	{&pgb_toolchain_clang, "-m64|a.1x.rcgu.o|libstd.rlib|-nodefaultlibs", false, true, NULL,
	 "-fprofile-use=/s/p" LINK_U},
	{&pgb_toolchain_gcc, "-m64|a.1x.rcgu.o|libstd.rlib|-nodefaultlibs", false, true, GCC_I,
	 GCC_U LINK_U},
	/* one object of several: linked for good later */
	{&pgb_toolchain_gcc, "-r|-nostdlib|a.o|-o|b.o", false, false, NULL, NULL},
	{&pgb_toolchain_gcc, "-Wl,-r|a.o|-o|b.o", false, false, NULL, NULL},
	{&pgb_toolchain_gcc, "-Wl,-O1,-r|a.o|-o|b.o", false, false, NULL, NULL},
	{&pgb_toolchain_gcc, "-Wl,--relocatable,-d|a.o|-o|b.o", false, false, NULL, NULL},
	{&pgb_toolchain_gcc, "-Xlinker|-r|a.o|-o|b.o", false, false, NULL, NULL},
	{&pgb_toolchain_gcc, "-Wl,-rpath,/l|a.o", false, true, GCC_I, GCC_U LINK_U},
	/* assembler only */
	{&pgb_toolchain_clang, "-c|a.S", false, false, NULL, NULL},
	{&pgb_toolchain_clang, "-c|-x|assembler-with-cpp|a.c", false, false, NULL, NULL},
	{&pgb_toolchain_gcc, "-x|assembler|-", false, true, GCC_I, GCC_U LINK_U},
	{&pgb_toolchain_gcc, "-c|-x|assembler|a.s|-x|none|b.c", true, false, GCC_I, GCC_U},
	/* questions */
	{&pgb_toolchain_gcc, "-E|a.c", false, false, NULL, NULL},
	{&pgb_toolchain_gcc, "-M|a.c", false, false, NULL, NULL},
	{&pgb_toolchain_gcc, "-fsyntax-only|a.c", false, false, NULL, NULL},
	{&pgb_toolchain_gcc, "--version", false, false, NULL, NULL},
	{&pgb_toolchain_gcc, "-v", false, false, NULL, NULL},
	{&pgb_toolchain_gcc, "-print-prog-name=ld", false, false, NULL, NULL},
	{&pgb_toolchain_clang, "--print-resource-dir", false, false, NULL, NULL},
	{&pgb_toolchain_clang, "-###|a.c", false, false, NULL, NULL},
	{&pgb_toolchain_clang, "-cc1|-emit-obj|a.c", false, false, NULL, NULL},
	{&pgb_toolchain_gcc, "", false, false, NULL, NULL},
	{&pgb_toolchain_gcc, "-c|-ffreestanding|boot.c", false, false, NULL, NULL},
	/* values that look like inputs or options */
	{&pgb_toolchain_gcc, "-o|a.c", false, false, NULL, NULL},
	{&pgb_toolchain_gcc, "-c|a.c|-D|-E", true, false, GCC_I, GCC_U},
	{&pgb_toolchain_gcc, "-c|a.c|-MT|-M", true, false, GCC_I, GCC_U},
	{&pgb_toolchain_gcc, "-c|a.c|-o", true, false, GCC_I, GCC_U},
	/* the build does its own: what is not about profiles is still added */
	{&pgb_toolchain_gcc, "-fprofile-generate|-c|a.c", true, false, NULL,
	 "-fno-reorder-blocks-and-partition"},
	{&pgb_toolchain_gcc, "--coverage|a.o", false, true, NULL,
	 "-fno-reorder-blocks-and-partition" LINK_U},
	{&pgb_toolchain_clang, "-fprofile-instr-generate|-c|a.c", true, false, NULL, NULL},
	{&pgb_toolchain_clang, "-fprofile-update=atomic|-c|a.c", true, false,
	 "-fprofile-generate=/s/raw", "-fprofile-use=/s/p" LLVM_W},
	/* rustc */
	{&pgb_toolchain_rustc, "--crate-name|app|src/main.rs|-C|opt-level=3", true, false,
	 "-Cprofile-generate=/s/raw", "-Cprofile-use=/s/p|-Clink-arg=-Wl,--emit-relocs"},
	{&pgb_toolchain_rustc, "--crate-name|build_script_build|build.rs", false, false, NULL,
	 NULL},
	{&pgb_toolchain_rustc, "--crate-type|proc-macro|src/lib.rs", false, false, NULL, NULL},
	{&pgb_toolchain_rustc, "-vV", false, false, NULL, NULL},
	{&pgb_toolchain_rustc, "-|--print=cfg", false, false, NULL, NULL},
	{&pgb_toolchain_rustc, "a.rs|-C|profile-use=x", true, false, NULL,
	 "-Clink-arg=-Wl,--emit-relocs"},
};

static void check_flags(const struct step_row *row, const struct pgb_shim_step *step,
			enum pgb_build_mode mode, const char *expected)
{
	struct pgb_shim_settings settings = {.mode = mode, .raw = "/s/raw", .profile = "/s/p"};
	struct pgb_shim_words flags = {0};
	char *got;

	pgb_shim_flags(&settings, row->toolchain, step, &flags);
	got = joined(&flags);
	if (strcmp(got, expected ? expected : "") != 0)
		fail_msg("%s %s, mode %d:\n%s, not\n%s", row->toolchain->name, row->words, mode,
			 got, expected ? expected : "");
	free(got);
	pgb_shim_words_release(&flags);
}

static void test_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(step_rows) / sizeof(step_rows[0]); i++) {
		const struct step_row *row = &step_rows[i];
		struct pgb_shim_words words = {0};
		struct pgb_shim_step step;

		split(row->words, &words);
		pgb_shim_step_read(&step, row->toolchain, argv_of(&words));
		if (step.compiles != row->compiles || step.links != row->links)
			fail_msg("%s %s: compiles %d, links %d", row->toolchain->name, row->words,
				 step.compiles, step.links);
		check_flags(row, &step, PGB_BUILD_INSTRUMENT, row->instrument);
		check_flags(row, &step, PGB_BUILD_USE, row->use);
		check_flags(row, &step, PGB_BUILD_NONE, NULL);
		pgb_shim_step_release(&step);
		pgb_shim_words_release(&words);
	}
}

static void test_no_profile(void **state)
{
	struct pgb_shim_settings settings = {.mode = PGB_BUILD_USE, .raw = "/s/raw"};
	struct pgb_shim_step step = {.compiles = true, .links = true};
	struct pgb_shim_words flags = {0};
	char *got;

	(void)state;
	pgb_shim_flags(&settings, &pgb_toolchain_clang, &step, &flags);
	got = joined(&flags);
	assert_string_equal(got, "-Wl,--emit-relocs");
	free(got);
	pgb_shim_words_release(&flags);
	settings.profile = "/s/p";
	settings.partial_training = true;
	pgb_shim_flags(&settings, &pgb_toolchain_gcc, &step, &flags);
	got = joined(&flags);
	assert_non_null(strstr(got, "|-fprofile-partial-training|"));
	free(got);
	pgb_shim_words_release(&flags);
}

static char *flags_of(const struct pgb_shim_settings *settings,
		      const struct pgb_toolchain *toolchain)
{
	struct pgb_shim_step step = {.compiles = true, .links = true};
	struct pgb_shim_words flags = {0};
	char *got;

	pgb_shim_flags(settings, toolchain, &step, &flags);
	got = joined(&flags);
	pgb_shim_words_release(&flags);
	return got;
}

/* Builds to be sampled, with a sample profile, and of the context-sensitive stage. */
static void test_other_modes(void **state)
{
#define LINES  "-gline-tables-only|-fdebug-info-for-profiling|-funique-internal-linkage-names|"
#define SAMPLE "-fprofile-sample-use=/s/a|-funique-internal-linkage-names|-Wno-backend-plugin|"
	static const struct {
		struct pgb_shim_settings settings;
		const struct pgb_toolchain *toolchain;
		const char *expected;
	} rows[] = {
		{{.mode = PGB_BUILD_SAMPLING, .profile = "/s/p"},
		 &pgb_toolchain_clang,
		 LINES "-Wl,--emit-relocs"},
		{{.mode = PGB_BUILD_SAMPLING},
		 &pgb_toolchain_gcc,
		 "-fno-reorder-blocks-and-partition|-Wl,--emit-relocs"},
		{{.mode = PGB_BUILD_SAMPLING},
		 &pgb_toolchain_rustc,
		 "-Clink-arg=-Wl,--emit-relocs"},
		{{.mode = PGB_BUILD_USE, .sample = "/s/a"},
		 &pgb_toolchain_clang,
		 SAMPLE "-Wl,--emit-relocs"},
		{{.mode = PGB_BUILD_USE, .sample = "/s/a", .lines = true},
		 &pgb_toolchain_clang,
		 SAMPLE LINES "-Wl,--emit-relocs"},
		{{.mode = PGB_BUILD_INSTRUMENT_CS, .raw = "/s/r", .profile = "/s/p"},
		 &pgb_toolchain_clang,
		 "-fcs-profile-generate=/s/r|-fprofile-use=/s/p" LLVM_W},
		{{.mode = PGB_BUILD_INSTRUMENT_CS, .raw = "/s/r", .profile = "/s/p"},
		 &pgb_toolchain_gcc,
		 GCC_P},
		{{.mode = PGB_BUILD_INSTRUMENT_CS, .raw = "/s/r", .profile = "/s/p"},
		 &pgb_toolchain_rustc,
		 "-Cprofile-use=/s/p"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *got = flags_of(&rows[i].settings, rows[i].toolchain);

		if (strcmp(got, rows[i].expected) != 0)
			fail_msg("row %zu: %s", i, got);
		free(got);
	}
	for (int mode = 0; mode <= PGB_BUILD_INSTRUMENT_CS; mode++)
		assert_int_equal(pgb_build_mode_of(pgb_build_mode_word((enum pgb_build_mode)mode)),
				 mode);
	assert_int_equal(pgb_build_mode_of("used"), PGB_BUILD_NONE);
}

static void test_strip_left_out(void **state)
{
	static const struct {
		const char *words, *expected;
	} rows[] = {
		{"-s|a.o", "a.o"},
		{"a.o|-Wl,-O1,-s,--as-needed", "a.o|-Wl,-O1,--as-needed"},
		{"a.o|-Wl,-s", "a.o"},
		{"a.o|-Wl,-s,-x,-z,relro|-Wl,--discard-all,-X", "a.o|-Wl,-z,relro|-Wl,-X"},
		{"a.o|-Wl,", "a.o|-Wl,"},
		{"a.o|-Wl,--strip-all|-Wl,--strip-debug", "a.o|-Wl,--strip-debug"},
		{"-Xlinker|-s|-Xlinker|-z|a.o", "-Xlinker|-z|a.o"},
		{"-o|-s|a.o", "-o|-s|a.o"},
		{"-c|-s|a.c", "-c|-s|a.c"},
		{"a.o|-Wl,-soname,-s.so", "a.o|-Wl,-soname,-s.so"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_shim_settings settings = {.mode = PGB_BUILD_USE};
		struct pgb_shim_words words = {0}, kept = {0};
		struct pgb_shim_step step;
		char *got;

		split(rows[i].words, &words);
		pgb_shim_step_read(&step, &pgb_toolchain_gcc, argv_of(&words));
		pgb_shim_arguments(&settings, &step, argv_of(&words), &kept);
		got = joined(&kept);
		assert_string_equal(got, rows[i].expected);
		free(got);
		pgb_shim_words_release(&kept);
		settings.mode = PGB_BUILD_INSTRUMENT;
		pgb_shim_arguments(&settings, &step, argv_of(&words), &kept);
		got = joined(&kept);
		assert_string_equal(got, rows[i].words);
		free(got);
		pgb_shim_words_release(&kept);
		pgb_shim_step_release(&step);
		pgb_shim_words_release(&words);
	}
}

static void test_strip_tool(void **state)
{
	static const char *const words[] = {"-s", "-x", "-o", "-s", "app", "-R", ".comment", NULL};
	struct pgb_shim_words kept = {0};
	char *got;

	(void)state;
	pgb_shim_strip(words, &kept);
	got = joined(&kept);
	assert_string_equal(got, "--strip-debug|-o|-s|app|-R|.comment");
	free(got);
	pgb_shim_words_release(&kept);
}

static void test_response_files(void **state)
{
	struct pgb_shim_words words = {0};
	struct workshop workshop;
	char *inner, *outer, *loop, *got;

	(void)state;
	workshop_open(&workshop);
	inner = workshop_path(&workshop, "inner");
	outer = workshop_path(&workshop, "outer");
	loop = workshop_path(&workshop, "loop");
	workshop_write(&workshop, "inner", "-DNAME='a b' \"-I in clude\" a\\ b.c \"x\\\"y\" ''\n");
	got = pgb_format("-c\n@%s -O2", inner);
	workshop_write(&workshop, "outer", got);
	free(got);
	got = pgb_format("@%s", loop);
	workshop_write(&workshop, "loop", got);
	free(got);
	got = pgb_format("@%s", outer);
	pgb_shim_expand(&words, (const char *[]){"-g", got, "@missing", "@", NULL});
	free(got);
	got = joined(&words);
	assert_string_equal(got, "-g|-c|-DNAME=a b|-I in clude|a b.c|x\"y||-O2|@missing|@");
	free(got);
	pgb_shim_words_release(&words);
	got = pgb_format("@%s", loop);
	pgb_shim_expand(&words, (const char *[]){got, NULL});
	assert_string_equal(words.items.items[0], got);
	free(got);
	pgb_shim_words_release(&words);
	free(inner);
	free(outer);
	free(loop);
	workshop_close(&workshop);
}

#define HOST   "x86_64-unknown-linux-gnu"
#define CONFIG "--config|target.\"cfg(all())\".rustflags=[\"-Cprofile-use=/a \\\"b/p\"]"

static void test_cargo(void **state)
{
	static const struct {
		const char *words, *target, *encoded, *plain, *expected, *variable;
	} rows[] = {
		{"build", NULL, NULL, NULL, "build|--target|" HOST "|--release|" CONFIG, NULL},
		{"+nightly|-v|--color|never|test|--release|--|--release", NULL, NULL, NULL,
		 "+nightly|-v|--color|never|test|--target|" HOST "|" CONFIG
		 "|--release|--|--release",
		 NULL},
		{"bench|--profile=x", NULL, NULL, NULL,
		 "bench|--target|" HOST "|" CONFIG "|--profile=x", NULL},
		{"run|-r|--|--target|x", NULL, NULL, NULL,
		 "run|--target|" HOST "|" CONFIG "|-r|--|--target|x", NULL},
		{"build|--target|" HOST "|-r", NULL, NULL, NULL,
		 "build|" CONFIG "|--target|" HOST "|-r", NULL},
		{"build|-r", HOST, NULL, NULL, "build|" CONFIG "|-r", NULL},
		{"build|-r", NULL, "-Ca=b c\x1f-g", "-x", "build|--target|" HOST "|-r",
		 "CARGO_ENCODED_RUSTFLAGS=-Ca=b c\x1f-g\x1f-Cprofile-use=/a \"b/p"},
		{"build|-r", NULL, NULL, " -Ca=b  -g ", "build|--target|" HOST "|-r",
		 "CARGO_ENCODED_RUSTFLAGS=-Ca=b\x1f-g\x1f-Cprofile-use=/a \"b/p"},
		{"metadata|build", NULL, NULL, NULL, "metadata|build", NULL},
		{"--version", NULL, NULL, NULL, "--version", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_cargo_config config = {NULL};
		struct pgb_shim_cargo cargo = {HOST,	      rows[i].target, rows[i].encoded,
					       rows[i].plain, &config,	      NULL};
		struct pgb_shim_words flags = {0}, words = {0}, result = {0};
		char *variable, *got;

		pgb_shim_words_add(&flags, "-Cprofile-use=/a \"b/p");
		split(rows[i].words, &words);
		pgb_shim_cargo(&cargo, &flags, argv_of(&words), &result, &variable);
		got = joined(&result);
		assert_string_equal(got, rows[i].expected);
		if (rows[i].variable)
			assert_string_equal(variable, rows[i].variable);
		else
			assert_null(variable);
		free(got);
		free(variable);
		pgb_shim_words_release(&flags);
		pgb_shim_words_release(&words);
		pgb_shim_words_release(&result);
	}
}

#define ALL "--config|target.\"cfg(all())\".rustflags=[\"-Cx\"]"
#define ELSE(condition, flags)                                                                     \
	"--config|target.\"cfg(not(any(" condition ")))\".rustflags=[" flags "]|"

/* What the project's configuration says is kept, by the means that it has. */
static void test_cargo_config(void **state)
{
	static const struct {
		const char *json, *variable, *expected;
	} rows[] = {
		{"{}", NULL, "build|--target|" HOST "|--release|" ALL},
		{"[", NULL, "build|--target|" HOST "|--release|" ALL},
		{"{\"build\": {\"rustflags\": [\"--cfg\", \"a=\\\"b c\\\"\", 1]}}", NULL,
		 "build|--target|" HOST "|--release|" ELSE("", "\"--cfg\",\"a=\\\"b c\\\"\"") ALL},
		{"{\"build\": {\"rustflags\": \" -g  -Cy\"}}", "CARGO_BUILD_RUSTFLAGS",
		 "build|--target|" HOST "|--release|" ELSE("", "\"-g\",\"-Cy\",\"-v\"") ALL},
		/* cargo drops them where a target's count, and so it must stay */
		{"{\"build\": {\"rustflags\": \"-g\"}, \"target\": {\"" HOST
		 "\": {\"rustflags\": \"-Cz\"}}}",
		 NULL, "build|--target|" HOST "|--release|" ALL},
		{"{\"build\": {\"rustflags\": \"-g\"}}",
		 "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
		 "build|--target|" HOST "|--release|" ALL},
		{"{\"build\": {\"rustflags\": \"-g\"}, \"target\": {\"" HOST
		 "\": {\"linker\": \"x\", \"rustflags\": []}, \"cfg(unix)\": {\"runner\": \"x\"}, "
		 "\"cfg(target_os = \\\"hurd\\\")\": {\"rustflags\": \"-Ca\"}, \"cfg(windows)\": "
		 "{\"rustflags\": [\"-Cb\"]}}}",
		 NULL,
		 "build|--target|" HOST
		 "|--release|" ELSE("target_os = \\\"hurd\\\",windows", "\"-g\"") ALL},
		/* the triple */
		{"{\"build\": {\"target\": \"riscv\"}}", NULL, "build|--release|" ALL},
		{"{\"build\": {\"target\": [\"riscv\", \"m68k\"], \"rustflags\": \"-g\"}, "
		 "\"target\": {\"riscv\": {\"rustflags\": \"-Cz\"}}}",
		 NULL, "build|--release|" ALL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_cargo_config config;
		struct pgb_shim_cargo cargo = {.host = HOST, .config = &config};
		struct pgb_shim_words flags = {0}, result = {0};
		char *variable, *got;

		if (rows[i].variable)
			setenv(rows[i].variable, " -v ", 1);
		pgb_cargo_config_parse(&config, rows[i].json);
		pgb_shim_words_add(&flags, "-Cx");
		pgb_shim_cargo(&cargo, &flags, (const char *[]){"build", NULL}, &result, &variable);
		got = joined(&result);
		assert_string_equal(got, rows[i].expected);
		assert_null(variable);
		free(got);
		pgb_shim_words_release(&flags);
		pgb_shim_words_release(&result);
		pgb_cargo_config_release(&config);
		if (rows[i].variable)
			unsetenv(rows[i].variable);
	}
}

static void test_cargo_linker(void **state)
{
	struct pgb_cargo_config config;
	struct pgb_shim_cargo cargo = {.host = HOST, .config = &config, .linker = "path-1-clang"};
	struct pgb_shim_words none = {0}, result = {0};
	char *variable, *got;

	(void)state;
	pgb_cargo_config_parse(&config, "{\"target\": {\"" HOST "\": {\"linker\": \"/a/b\"}}}");
	assert_string_equal(pgb_cargo_config_linker(&config, HOST), "/a/b");
	assert_null(pgb_cargo_config_linker(&config, "riscv"));
	setenv("CARGO_TARGET_RISCV32IMC_UNKNOWN_LINKER", "/c", 1);
	assert_string_equal(pgb_cargo_config_linker(&config, "riscv32imc-unknown"), "/c");
	unsetenv("CARGO_TARGET_RISCV32IMC_UNKNOWN_LINKER");
	pgb_shim_cargo(&cargo, &none, (const char *[]){"bench", NULL}, &result, &variable);
	got = joined(&result);
	assert_string_equal(got, "bench|--target|" HOST "|--config|target.'" HOST
				 "'.linker=\"path-1-clang\"");
	free(got);
	pgb_shim_words_release(&result);
	pgb_cargo_config_release(&config);
}

static void test_real(void **state)
{
	struct pgb_shim_real real = {.path = (char *)(uintptr_t) "/opt/a b/rustc",
				     .compiler = {&pgb_toolchain_rustc, 22, HOST}};
	struct pgb_shim_real back;
	struct workshop workshop;

	(void)state;
	workshop_open(&workshop);
	assert_int_equal(workshop_shell(&workshop, "mkdir .real"), 0);
	assert_int_equal(pgb_shim_real_write(workshop.folder, "rustc", &real, NULL), 0);
	assert_int_equal(pgb_shim_real_read(&back, workshop.folder, "rustc", NULL), 0);
	assert_string_equal(back.path, real.path);
	assert_ptr_equal(back.compiler.toolchain, &pgb_toolchain_rustc);
	assert_int_equal(back.compiler.major, 22);
	assert_string_equal(back.compiler.host, HOST);
	free(back.path);
	assert_int_equal(pgb_shim_real_read(&back, workshop.folder, "gcc", NULL), PGB_E_NOT_FOUND);
	workshop_close(&workshop);
}

static void test_path_without(void **state)
{
	struct workshop workshop;
	char *path, *without;

	(void)state;
	workshop_open(&workshop);
	assert_int_equal(workshop_shell(&workshop, "mkdir .real"), 0);
	path = pgb_format("%s:/usr/bin::%s:/bin", workshop.folder, workshop.folder);
	without = pgb_shim_path_without(path);
	assert_string_equal(without, "/usr/bin::/bin");
	free(without);
	without = pgb_shim_path_without(workshop.folder);
	assert_string_equal(without, "");
	free(without);
	free(path);
	workshop_close(&workshop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	       cmocka_unit_test(test_steps),
		cmocka_unit_test(test_other_modes),    cmocka_unit_test(test_no_profile),
		cmocka_unit_test(test_strip_left_out), cmocka_unit_test(test_strip_tool),
		cmocka_unit_test(test_response_files), cmocka_unit_test(test_cargo),
		cmocka_unit_test(test_cargo_config),   cmocka_unit_test(test_cargo_linker),
		cmocka_unit_test(test_real),	       cmocka_unit_test(test_path_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
