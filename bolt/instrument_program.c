/* SPDX-License-Identifier: MIT */
/* Which file a command runs in the end. */
#include <stdlib.h>
#include <string.h>

#include "bolt/instrument_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"

enum {
	/* A script's interpreter may be a script; the kernel follows that as often. */
	SCRIPTS_MAX = 5,
	/* As much of a #! line as the kernel looks at. */
	LINE_BYTES = 256,
};

/* The next word of a #! line, or NULL; the caller frees it. */
static char *next_word(const char **line)
{
	size_t length;
	char *word;

	*line += strspn(*line, " \t");
	length = strcspn(*line, " \t");
	if (length == 0)
		return NULL;
	word = pgb_dup_bytes(*line, length);
	*line += length;
	return word;
}

static bool is_env(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, "env") == 0;
}

/* "/usr/bin/env -S A=b python3 -u": python3, looked up in PATH. */
static char *behind_env(const char *line)
{
	char *word, *found = NULL;

	while ((word = next_word(&line)) != NULL) {
		if (word[0] != '-' && strchr(word, '=') == NULL) {
			found = pgb_process_find_command(word);
			free(word);
			break;
		}
		free(word);
	}
	return found;
}

/* The interpreter that a file's #! line names; NULL: it has none. */
static char *interpreter_of(const char *path)
{
	struct pgb_text head = {0};
	const char *at;
	char *word;

	if (pgb_file_read(&head, path, LINE_BYTES, NULL) != 0 || head.length < 2 ||
	    memcmp(head.data, "#!", 2) != 0) {
		pgb_text_release(&head);
		return NULL;
	}
	head.data[strcspn(head.data, "\n")] = '\0';
	at = head.data + 2;
	word = next_word(&at);
	if (word != NULL && is_env(word)) {
		char *found = behind_env(at);

		free(word);
		word = found;
	}
	pgb_text_release(&head);
	return word;
}

int pgb_instrument_find_program(const char *command, char **path, bool *is_script,
				struct pgb_error *error)
{
	char *found = pgb_process_find_command(command);
	char *interpreter;

	*is_script = false;
	*path = found ? realpath(found, NULL) : NULL;
	free(found);
	if (*path == NULL) {
		pgb_fail(error, PGB_E_NOT_FOUND, "cannot run %s: command not found", command);
		pgb_remedy(error, "give its path, or put its folder into PATH");
		return PGB_E_NOT_FOUND;
	}
	for (int i = 0; i < SCRIPTS_MAX; i++) {
		interpreter = interpreter_of(*path);
		if (interpreter == NULL)
			return 0;
		*is_script = true;
		free(*path);
		*path = realpath(interpreter, NULL);
		if (*path == NULL) {
			pgb_fail(error, PGB_E_NOT_FOUND,
				 "%s is a script, and its interpreter %s is missing", command,
				 interpreter);
			free(interpreter);
			return PGB_E_NOT_FOUND;
		}
		free(interpreter);
	}
	free(*path);
	*path = NULL;
	return pgb_fail(error, PGB_E_NOT_SUITABLE, "%s: scripts run by scripts, too deep", command);
}
