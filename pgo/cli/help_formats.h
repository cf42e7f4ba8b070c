/* SPDX-License-Identifier: MIT */
/* The tables of commands and options as a man page and as completion scripts of shells. */
#ifndef PGO_CLI_HELP_FORMATS_H
#define PGO_CLI_HELP_FORMATS_H

#include "pgobolt/base/text.h"
#include "pgobolt/pgo/cli/commands.h"

/* Append the whole file. Nothing in it depends on the machine or the day. */
void pgb_help_man(struct pgb_text *text);
void pgb_help_bash(struct pgb_text *text);
void pgb_help_zsh(struct pgb_text *text);
void pgb_help_fish(struct pgb_text *text);

#endif
