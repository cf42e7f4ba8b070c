/* SPDX-License-Identifier: MIT */
/*
 * llvm-objdump -d FILE | compare_insn x86_64|aarch64
 *
 * Decodes every instruction that llvm-objdump printed and reports each one on which kind,
 * length, target, nop or repetition differ. Exit 0: none does, and there was something.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/collector/insn.h"

#define WORDS_MAX 12

struct line {
	uint64_t address;
	uint8_t bytes[32];
	size_t size_bytes;
	char words[WORDS_MAX][128]; /* prefixes, mnemonic, operands */
	unsigned int word_count;
};

struct rule {
	const char *mnemonic; /* a '*' at the end: any rest */
	enum pgb_insn_kind direct;
	enum pgb_insn_kind indirect; /* where the operand starts with '*' */
};

static const struct rule rules_x86_64[] = {
	{"jmp*", PGB_INSN_JUMP, PGB_INSN_JUMP_INDIRECT},
	{"ljmp*", PGB_INSN_JUMP_INDIRECT, PGB_INSN_JUMP_INDIRECT},
	{"call*", PGB_INSN_CALL, PGB_INSN_CALL_INDIRECT},
	{"lcall*", PGB_INSN_CALL_INDIRECT, PGB_INSN_CALL_INDIRECT},
	{"j*", PGB_INSN_CONDITIONAL, PGB_INSN_KINDS},
	{"loop*", PGB_INSN_CONDITIONAL, PGB_INSN_KINDS},
	{"xbegin*", PGB_INSN_CONDITIONAL, PGB_INSN_KINDS},
	{"ret*", PGB_INSN_RETURN, PGB_INSN_KINDS},
	{"lret*", PGB_INSN_RETURN, PGB_INSN_KINDS},
	{"iret*", PGB_INSN_RETURN, PGB_INSN_KINDS},
	{"uiret", PGB_INSN_RETURN, PGB_INSN_KINDS},
	{"sysret*", PGB_INSN_RETURN, PGB_INSN_KINDS},
	{"sysexit*", PGB_INSN_RETURN, PGB_INSN_KINDS},
	{"rsm", PGB_INSN_RETURN, PGB_INSN_KINDS},
	{"syscall", PGB_INSN_SYSCALL, PGB_INSN_KINDS},
	{"sysenter", PGB_INSN_SYSCALL, PGB_INSN_KINDS},
	{"int", PGB_INSN_SYSCALL, PGB_INSN_KINDS},
	{"int1", PGB_INSN_TRAP, PGB_INSN_KINDS},
	{"int3", PGB_INSN_TRAP, PGB_INSN_KINDS},
	{"ud0*", PGB_INSN_TRAP, PGB_INSN_KINDS},
	{"ud1*", PGB_INSN_TRAP, PGB_INSN_KINDS},
	{"ud2", PGB_INSN_TRAP, PGB_INSN_KINDS},
	{"hlt", PGB_INSN_TRAP, PGB_INSN_KINDS},
	{NULL, PGB_INSN_KINDS, PGB_INSN_KINDS},
};

static const struct rule rules_aarch64[] = {
	{"b", PGB_INSN_JUMP, PGB_INSN_KINDS},
	{"bl", PGB_INSN_CALL, PGB_INSN_KINDS},
	{"b.*", PGB_INSN_CONDITIONAL, PGB_INSN_KINDS},
	{"bc.*", PGB_INSN_CONDITIONAL, PGB_INSN_KINDS},
	{"cb*", PGB_INSN_CONDITIONAL, PGB_INSN_KINDS},
	{"tbz", PGB_INSN_CONDITIONAL, PGB_INSN_KINDS},
	{"tbnz", PGB_INSN_CONDITIONAL, PGB_INSN_KINDS},
	{"br", PGB_INSN_JUMP_INDIRECT, PGB_INSN_KINDS},
	{"bra*", PGB_INSN_JUMP_INDIRECT, PGB_INSN_KINDS},
	{"blr*", PGB_INSN_CALL_INDIRECT, PGB_INSN_KINDS},
	{"ret*", PGB_INSN_RETURN, PGB_INSN_KINDS},
	{"eret*", PGB_INSN_RETURN, PGB_INSN_KINDS},
	{"drps", PGB_INSN_RETURN, PGB_INSN_KINDS},
	{"svc", PGB_INSN_SYSCALL, PGB_INSN_KINDS},
	{"hvc", PGB_INSN_SYSCALL, PGB_INSN_KINDS},
	{"smc", PGB_INSN_SYSCALL, PGB_INSN_KINDS},
	{"brk", PGB_INSN_TRAP, PGB_INSN_KINDS},
	{"hlt", PGB_INSN_TRAP, PGB_INSN_KINDS},
	{"udf", PGB_INSN_TRAP, PGB_INSN_KINDS},
	{"dcps*", PGB_INSN_TRAP, PGB_INSN_KINDS},
	{NULL, PGB_INSN_KINDS, PGB_INSN_KINDS},
};

static bool matches(const char *pattern, const char *word)
{
	size_t size = strlen(pattern);

	if (size > 0 && pattern[size - 1] == '*')
		return strncmp(pattern, word, size - 1) == 0;
	return strcmp(pattern, word) == 0;
}

static bool matches_one_of(const char *const *list, const char *word)
{
	for (; *list != NULL; list++) {
		if (matches(*list, word))
			return true;
	}
	return false;
}

static const char *const prefixes[] = {"notrack",  "bnd",      "lock",	"rep",	  "repe",
				       "repne",	   "repz",     "repnz", "data16", "addr32",
				       "xacquire", "xrelease", "rex64", "cs",	  "ds",
				       "es",	   "fs",       "gs",	"ss",	  NULL};

/*
 * "  41f00e: 74 02 \tje\t0x41f012 <name>"; AArch64 may print one word of eight digits. Sometimes
 * a prefix stands on a line of its own: it belongs to the instruction of the next line, and
 * `line` holds it already.
 */
static bool parse_line(char *text, struct line *line)
{
	uint64_t address;
	char *at, *end;

	address = strtoull(text, &end, 16);
	if (end == text || *end != ':')
		return false;
	text = strchr(end, '\t');
	if (text == NULL)
		return false;
	*text++ = '\0';
	if (address != line->address + line->size_bytes)
		memset(line, 0, sizeof(*line));
	if (line->size_bytes == 0)
		line->address = address;
	for (at = end + 1; line->size_bytes + 4 <= sizeof(line->bytes); at = end) {
		unsigned long value;

		at += strspn(at, " ");
		value = strtoul(at, &end, 16);
		if (end == at)
			break;
		for (; at < end; at += 2, value >>= 8)
			line->bytes[line->size_bytes++] = (uint8_t)value;
	}
	while (line->word_count < WORDS_MAX) {
		size_t size;

		text += strspn(text, " \t\n");
		size = strcspn(text, " \t\n");
		if (size == 0)
			break;
		snprintf(line->words[line->word_count++], sizeof(line->words[0]), "%.*s", (int)size,
			 text);
		text += size;
	}
	return line->word_count > 0 && !matches_one_of(prefixes, line->words[line->word_count - 1]);
}

/* What llvm-objdump's text says about the instruction; false where it does not know it. */
static bool read_text(const struct line *line, enum pgb_insn_set set, struct pgb_insn *said)
{
	static const char *const strings[] = {
		"movs?", "movsb", "movsw",   "movsl",	"movsq", "stos*",   "lods*",
		"scas*", "cmpsb", "cmpsw",   "cmpsl",	"cmpsq", "insb",    "insw",
		"insl",	 "outs*", "xcrypt*", "xstore*", "xsha*", "montmul", NULL};
	static const char *const nops[] = {"nop", "nopw", "nopl", "nopq", NULL};
	const struct rule *rule = set == PGB_INSN_X86_64 ? rules_x86_64 : rules_aarch64;
	bool repeat_prefix = false;
	unsigned int i = 0;
	const char *operand;

	*said = (struct pgb_insn){.length_bytes = (uint8_t)line->size_bytes, .target = UINT64_MAX};
	while (set == PGB_INSN_X86_64 && i + 1 < line->word_count &&
	       matches_one_of(prefixes, line->words[i])) {
		repeat_prefix |= strncmp(line->words[i], "rep", 3) == 0;
		i++;
	}
	if (line->words[i][0] == '<' || line->words[i][0] == '.')
		return false;
	operand = i + 1 < line->word_count ? line->words[i + 1] : "";
	while (rule->mnemonic != NULL && !matches(rule->mnemonic, line->words[i]))
		rule++;
	if (rule->mnemonic != NULL)
		said->kind = operand[0] == '*' ? rule->indirect : rule->direct;
	said->nop = matches_one_of(nops, line->words[i]);
	said->repeated = repeat_prefix && matches_one_of(strings, line->words[i]);
	if (said->kind == PGB_INSN_JUMP || said->kind == PGB_INSN_CALL ||
	    said->kind == PGB_INSN_CONDITIONAL) {
		/* the last operand that is a number: "tbz w0, #0x3, 0x1234 <f+0x10>" */
		for (unsigned int word = i + 1; word < line->word_count; word++) {
			if (strncmp(line->words[word], "0x", 2) == 0)
				said->target = strtoull(line->words[word], NULL, 16);
		}
	}
	return true;
}

static bool same(const struct pgb_insn *one, const struct pgb_insn *other)
{
	return one->kind == other->kind && one->length_bytes == other->length_bytes &&
	       one->target == other->target && one->nop == other->nop &&
	       one->repeated == other->repeated;
}

static void print_difference(const struct line *line, int code, const struct pgb_insn *said,
			     const struct pgb_insn *got)
{
	printf("%" PRIx64 ":", line->address);
	for (size_t i = 0; i < line->size_bytes; i++)
		printf(" %02x", line->bytes[i]);
	for (unsigned int i = 0; i < line->word_count; i++)
		printf(" %s", line->words[i]);
	if (code != 0) {
		printf(": %s\n", pgb_code_name(code));
		return;
	}
	printf(": %s length %u target %" PRIx64 "%s%s, but %s length %u target %" PRIx64 "%s%s\n",
	       pgb_insn_kind_name(said->kind), said->length_bytes, said->target,
	       said->nop ? " nop" : "", said->repeated ? " repeated" : "",
	       pgb_insn_kind_name(got->kind), got->length_bytes, got->target,
	       got->nop ? " nop" : "", got->repeated ? " repeated" : "");
}

int main(int argc, char **argv)
{
	uint64_t instructions = 0, transfers = 0, unknown = 0, differences = 0;
	struct line line = {.size_bytes = 0};
	enum pgb_insn_set set;
	char text[4096];

	if (argc != 2 || (strcmp(argv[1], "x86_64") != 0 && strcmp(argv[1], "aarch64") != 0)) {
		fprintf(stderr, "usage: llvm-objdump -d FILE | compare_insn x86_64|aarch64\n");
		return 2;
	}
	set = strcmp(argv[1], "x86_64") == 0 ? PGB_INSN_X86_64 : PGB_INSN_AARCH64;
	while (fgets(text, sizeof(text), stdin) != NULL) {
		struct pgb_insn said, got;
		int code;

		if (!parse_line(text, &line))
			continue;
		if (!read_text(&line, set, &said)) {
			unknown++;
			memset(&line, 0, sizeof(line));
			continue;
		}
		instructions++;
		transfers += said.kind != PGB_INSN_LINEAR;
		code = pgb_insn_decode(set, line.bytes, line.size_bytes, line.address, &got);
		if ((code != 0 || !same(&said, &got)) && differences++ < 50)
			print_difference(&line, code, &said, &got);
		memset(&line, 0, sizeof(line));
	}
	printf("%" PRIu64 " instructions, %" PRIu64 " of them transfers; %" PRIu64
	       " unknown to llvm-objdump; %" PRIu64 " differences\n",
	       instructions, transfers, unknown, differences);
	return differences == 0 && instructions > 0 ? 0 : 1;
}
