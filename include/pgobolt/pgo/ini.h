/* SPDX-License-Identifier: MIT */
/*
 * pgobolt.ini: options of `pgobolt run` in a file beside the project.
 *
 *	# a comment; also with ;
 *	[run]			the only section; may be left out
 *	build = make -j4
 *	train = ./app input	a value is the rest of its line, quotes and all
 *	train = ./app other	keys may come again, where the option may
 *	cargo = yes		flags: yes, no, true, false, on, off
 *	check = ./app test &&
 *		./app more	a line that begins with a blank goes on with the value
 */
#ifndef PGOBOLT_PGO_INI_H
#define PGOBOLT_PGO_INI_H

#include "pgobolt/base/array.h"
#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"

#define PGB_INI_DEFAULT "pgobolt.ini"

struct pgb_ini_entry {
	char *key, *value; /* owned; no blanks around them */
	uint64_t line;
};

struct pgb_ini {
	PGB_ARRAY(struct pgb_ini_entry) entries;
};

/*
 * `what` names the file in messages. PGB_E_CORRUPT, with the line: no `key = value`, another
 * section, a NUL byte; PGB_E_LIMIT: more than PGB_INI_ENTRIES_MAX keys. Release it either way.
 */
#define PGB_INI_ENTRIES_MAX 1024
int pgb_ini_parse(struct pgb_ini *ini, struct pgb_cursor bytes, const char *what,
		  struct pgb_error *error);
/* Errors as above, and those of pgb_file_read(); at most 1 MiB. */
int pgb_ini_read(struct pgb_ini *ini, const char *path, struct pgb_error *error);
void pgb_ini_release(struct pgb_ini *ini);

#endif
