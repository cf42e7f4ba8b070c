/* SPDX-License-Identifier: MIT */
/* Linkers of Rust programs: compilers' drivers, and the project chooses which. */
#include <stdlib.h>

#include "pgo/toolchain_private.h"
#include "pgobolt/pgo/build.h"
#include "pgobolt/pgo/cargo_config.h"
#include "pgobolt/pgo/shim.h"

char *pgb_shim_linker(const struct pgb_shim_cargo *cargo, const char *state,
		      const char *const *arguments)
{
	bool chosen;
	const char *target = pgb_shim_cargo_target(cargo, arguments, &chosen);
	const char *linker = pgb_cargo_config_linker(cargo->config, target);

	return linker ? pgb_build_shim_for(state, linker) : NULL;
}

void pgb_shim_add_runtime(const char *folder, const struct pgb_toolchain *linker,
			  struct pgb_shim_words *words)
{
	static const char *const names[] = {"cc", "gcc", NULL};
	char *runtime = NULL;

	if (linker != &pgb_toolchain_clang)
		return; /* gcc brings it */
	for (size_t i = 0; names[i] && runtime == NULL; i++) {
		struct pgb_shim_real gcc = {0};

		if (pgb_shim_real_read(&gcc, folder, names[i], NULL) == 0 &&
		    gcc.compiler.toolchain == &pgb_toolchain_gcc)
			runtime = pgb_gcc_runtime(gcc.path);
		free(gcc.path);
	}
	if (runtime)
		pgb_shim_words_add(words, runtime);
	free(runtime);
}
