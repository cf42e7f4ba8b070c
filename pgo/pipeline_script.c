/* SPDX-License-Identifier: MIT */
/* All commands as one shell script. */
#include <stdlib.h>

#include "pgo/pipeline_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/process.h"

char *pgb_pipeline_quoted(const char *word)
{
	const char *argv[] = {word, NULL};

	return pgb_process_command_line(argv);
}

char *pgb_pipeline_prelude(const struct pgb_pipeline *pipeline)
{
	char *tool = pgb_pipeline_quoted(pipeline->config->tool);
	char *prelude = pgb_format("pgobolt_tool=%s\n"
				   "pgobolt() { \"${PGOBOLT:-$pgobolt_tool}\" \"$@\"; }\n",
				   tool);

	free(tool);
	return prelude;
}

char *pgb_pipeline_script(const struct pgb_pipeline *pipeline)
{
	char *prelude = pgb_pipeline_prelude(pipeline), *here = pgb_pipeline_quoted(pipeline->here);
	char *binary = pgb_pipeline_quoted(pipeline->environment);
	struct pgb_text text = {0};

	pgb_text_addf(&text,
		      "#!/bin/sh\n# What pgobolt run does, in order; $PGOBOLT may name another "
		      "pgobolt.\nset -eu\ncd %s\nexport %s\n%s",
		      here, binary, prelude);
	for (size_t i = 0; i < STEP_COUNT; i++) {
		const struct pgb_step *step = &pipeline->state.steps.items[i];

		if (step->commands.items.count > 0)
			pgb_text_addf(&text, "\n# %s\n", step->title);
		for (size_t c = 0; c < step->commands.items.count; c++)
			pgb_text_addf(&text, "%s\n", step->commands.items.items[c]);
	}
	free(prelude);
	free(here);
	free(binary);
	return pgb_text_detach(&text);
}
