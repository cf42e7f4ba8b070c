/* SPDX-License-Identifier: MIT */
#include "tests/support/workshop.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"

void workshop_open(struct workshop *workshop)
{
	strcpy(workshop->folder, "/tmp/pgobolt-test.XXXXXX");
	assert_non_null(mkdtemp(workshop->folder));
}

void workshop_close(struct workshop *workshop)
{
	chmod(workshop->folder, 0700);
	assert_int_equal(pgb_file_remove_tree(workshop->folder, NULL), 0);
}

char *workshop_path(const struct workshop *workshop, const char *name)
{
	return pgb_format("%s/%s", workshop->folder, name);
}

void workshop_write(const struct workshop *workshop, const char *name, const char *text)
{
	char *path = workshop_path(workshop, name);
	FILE *stream = fopen(path, "w");

	assert_non_null(stream);
	assert_true(fputs(text, stream) >= 0);
	assert_int_equal(fclose(stream), 0);
	free(path);
}

void workshop_script(const struct workshop *workshop, const char *name, const char *text)
{
	char *path = workshop_path(workshop, name);
	char *script = pgb_format("#!/bin/sh\n%s", text);

	workshop_write(workshop, name, script);
	assert_int_equal(chmod(path, 0755), 0);
	free(script);
	free(path);
}

int workshop_shell(const struct workshop *workshop, const char *format, ...)
{
	struct pgb_text command = {0}, output = {0};
	struct pgb_error error = {0};
	const char *argv[] = {"/bin/sh", "-c", NULL, NULL};
	struct pgb_spawn spawn = {.argv = argv, .directory = workshop->folder, .quiet_stdin = true};
	int status;
	va_list arguments;

	va_start(arguments, format);
	pgb_text_addv(&command, format, arguments);
	va_end(arguments);
	argv[2] = command.data;
	if (pgb_process_run(&spawn, 300, &output, &output, &status, &error) != 0)
		fail_msg("%s: %s", command.data, error.message);
	status = pgb_process_exit_status(status);
	if (status != 0)
		print_message("%s: status %d\n%s", command.data, status, pgb_text_string(&output));
	pgb_text_release(&command);
	pgb_text_release(&output);
	return status;
}

void workshop_compile(const struct workshop *workshop, const char *name, const char *flags,
		      const char *source)
{
	const char *compiler = getenv("CC");
	char *file = pgb_format("%s.c", name);

	workshop_write(workshop, file, source);
	assert_int_equal(workshop_shell(workshop, "%s -w %s -o '%s' '%s'",
					compiler && *compiler ? compiler : "cc", flags, name, file),
			 0);
	free(file);
}

bool workshop_has(const struct workshop *workshop, const char *name)
{
	char *path = workshop_path(workshop, name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

char *workshop_list(const struct workshop *workshop)
{
	struct pgb_text list = {0};
	struct dirent **entries;
	int count = scandir(workshop->folder, &entries, NULL, alphasort);

	assert_true(count >= 0);
	for (int i = 0; i < count; i++) {
		if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0)
			pgb_text_addf(&list, "%s ", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return pgb_text_detach(&list);
}
