/* SPDX-License-Identifier: MIT */
/*
 * Look-ahead on AArch64 against an emulator, one instruction at a time:
 *
 *	compare_lookahead ask SEED COUNT >QUESTIONS
 *	qemu-aarch64 -cpu max,pauth=off execute_aarch64 <QUESTIONS >ANSWERS
 *	compare_lookahead check QUESTIONS ANSWERS
 *
 * Random words of each encoding group with random registers and memory. What look-ahead executes
 * must leave exactly what the emulator left; what it ends at as unreadable, trap or no instruction
 * must have raised a signal. `unsupported` instead of `check` prints the words that only the
 * emulator executes.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/lookahead_private.h"
#include "pgobolt/collector/lookahead.h"
#include "tests/lab/programs/execute_aarch64.h"

enum { WINDOW = EXECUTE_MEMORY + (EXECUTE_MEMORY_BYTES - EXECUTE_WINDOW_BYTES) / 2 };

struct group {
	const char *name;
	uint32_t mask, value; /* bits of mask are fixed */
	unsigned int weight;
};

static const struct group groups[] = {
	{"pc-relative", 0x1f000000, 0x10000000, 1},
	{"add immediate", 0x1f800000, 0x11000000, 2},
	{"logic immediate", 0x1f800000, 0x12000000, 4},
	{"move wide", 0x1f800000, 0x12800000, 2},
	{"bit field", 0x1f800000, 0x13000000, 6},
	{"extract", 0x1f800000, 0x13800000, 3},
	{"data immediate", 0x1c000000, 0x10000000, 2},
	{"logic register", 0x1f000000, 0x0a000000, 4},
	{"add register", 0x1f000000, 0x0b000000, 6},
	{"data register", 0x1f000000, 0x1a000000, 6},
	{"with carry", 0x1fe0fc00, 0x1a000000, 2},
	{"compare if", 0x3fe00410, 0x3a400000, 2},
	{"select", 0x3fe00800, 0x1a800000, 3},
	{"two sources", 0x7fe08000, 0x1ac00000, 6},
	{"one source", 0x7ffff000, 0x5ac00000, 4},
	{"three sources", 0x7f000000, 0x1b000000, 5},
	{"load store unsigned", 0x3b000000, 0x39000000, 4},
	{"load store signed", 0x3b200000, 0x38000000, 6},
	{"load store register", 0x3b200c00, 0x38200800, 6},
	{"load store pair", 0x3a000000, 0x28000000, 6},
	{"ordered unscaled", 0x3f200c00, 0x19000000, 2},
	{"atomic", 0x3f200c00, 0x38200000, 6},
	{"exclusive", 0x3f000000, 0x08000000, 8},
	{"compare and swap", 0x3fa07c00, 0x08a07c00, 2},
	{"compare and swap pair", 0xbfa07c00, 0x08207c00, 2},
	{"any load or store", 0x0a000000, 0x08000000, 6},
	{"status register", 0xffffffe0, 0xd53b4200, 1},
	{"float control", 0xffffffe0, 0xd53b4400, 1},
	{"set flags", 0xffffffe0, 0xd51b4200, 1},
	{"zero block size", 0xffffffe0, 0xd53b00e0, 1},
	{"zero block", 0xffffffe0, 0xd50b7420, 1},
	{"barrier", 0xfffff01f, 0xd503301f, 1},
	{"structures", 0xbfa00000, 0x0c800000, 6},
	{"one lane structures", 0xbf800000, 0x0d800000, 6},
	{"three same", 0x9f200400, 0x0e200400, 16},
	{"three same scalar", 0xdf200400, 0x5e200400, 6},
	{"three different", 0x9f200c00, 0x0e200000, 8},
	{"two registers", 0x9f3e0c00, 0x0e200800, 14},
	{"two registers scalar", 0xdf3e0c00, 0x5e200800, 8},
	{"across lanes", 0x9f3e0c00, 0x0e300800, 6},
	{"pairwise scalar", 0xdf3e0c00, 0x5e300800, 3},
	{"indexed", 0x9f000400, 0x0f000000, 8},
	{"indexed scalar", 0xdf000400, 0x5f000000, 3},
	{"vector constant", 0x9ff80400, 0x0f000400, 4},
	{"vector shift", 0x9f800400, 0x0f000400, 12},
	{"vector shift scalar", 0xdf800400, 0x5f000400, 6},
	{"copy", 0x9fe08400, 0x0e000400, 8},
	{"copy scalar", 0xdfe08400, 0x5e000400, 2},
	{"extract vector", 0xbfe08400, 0x2e000000, 3},
	{"permute", 0xbf208c00, 0x0e000800, 4},
	{"table", 0xbfe08c00, 0x0e000000, 3},
	{"dot product", 0x9fe0fc00, 0x0e809400, 2},
	{"convert fixed", 0x7f200000, 0x1e000000, 5},
	{"convert", 0x7f20fc00, 0x1e200000, 10},
	{"float one", 0xff207c00, 0x1e204000, 8},
	{"float compare", 0xff203c00, 0x1e202000, 3},
	{"float constant", 0xff201c00, 0x1e201000, 2},
	{"float compare if", 0xff200c00, 0x1e200400, 2},
	{"float two", 0xff200c00, 0x1e200800, 10},
	{"float select", 0xff200c00, 0x1e200c00, 2},
	{"float three", 0xff000000, 0x1f000000, 6},
	{"vector or float", 0x0e000000, 0x0e000000, 10},
};

/* Not for execute_aarch64, or what depends on keys or on where code is. */
static bool is_excluded(uint32_t word)
{
	return (word & 0x1c000000) == 0x14000000
		       ? (word & 0xffc00000) != 0xd5000000 || (word & 0xffffffe0) == 0xd51bd040
	       : (word & 0xfffe0000) == 0xdac00000
		       ? (word >> 16 & 1)
		       : (word & 0xff200400) == 0xf8200400 || (word & 0x3b000000) == 0x18000000 ||
				 (word & 0xffe0fc00) == 0x9ac03000;
}

static uint64_t random_state;

static uint64_t draw(void)
{
	uint64_t mixed = random_state += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ mixed >> 31;
}

static uint64_t draw_number(void)
{
	static const uint64_t edges[] = {0,
					 1,
					 UINT64_MAX,
					 INT64_MAX,
					 (uint64_t)INT64_MIN,
					 INT32_MAX,
					 UINT32_MAX,
					 UINT64_C(0x80000000),
					 UINT64_C(0xffffffff80000000),
					 UINT64_C(0x100000000)};

	switch (draw() % 4) {
	case 0:
		return edges[draw() % (sizeof(edges) / sizeof(edges[0]))];
	case 1:
		return draw() % 130;
	default:
		return draw();
	}
}

static uint64_t draw_general(void)
{
	switch (draw() % 8) {
	case 0:
		return draw_number();
	case 1:
		return draw() % 64;
	case 2:
		return WINDOW + 128 + draw() % 256;
	default:
		return WINDOW + 128 + (draw() % 256 & ~UINT64_C(15));
	}
}

static void draw_vector(uint8_t bytes[16])
{
	static const double numbers[] = {0.0,	  -0.0,		1.0,   -1.5, 0.1,  1e300,
					 -1e-310, 2147483648.5, 3.5,   -2.5, 1e19, 0.49,
					 1.0 / 3, -7,		1e-42, 9e15};
	uint64_t halves[2];

	for (unsigned int i = 0; i < 2; i++) {
		double number = numbers[draw() % 16];
		float small[2] = {(float)numbers[draw() % 16], (float)numbers[draw() % 16]};
		uint64_t special[] = {UINT64_C(0x7ff0000000000000), UINT64_C(0x7ff8000000001234),
				      UINT64_C(0xfff0000000000000), UINT64_C(0x7ff4000000000001),
				      UINT64_C(0x7f8000007fc12345), UINT64_C(0xff8000007fa00001)};

		switch (draw() % 6) {
		case 0:
			memcpy(&halves[i], &number, sizeof(number));
			break;
		case 1:
			memcpy(&halves[i], small, sizeof(small));
			break;
		case 2:
			halves[i] = special[draw() % 6];
			break;
		case 3: /* bytes with many equal ones */
			halves[i] = draw() & draw() & draw() & UINT64_C(0x81ff017f80ff0100);
			break;
		case 4:
			halves[i] = draw_number();
			break;
		default:
			halves[i] = draw();
		}
	}
	memcpy(bytes, halves, sizeof(halves));
}

static uint32_t draw_word(void)
{
	unsigned int all = 0, chosen;
	uint32_t word;

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		all += groups[i].weight;
	do {
		size_t i = 0;

		for (chosen = (unsigned int)(draw() % all); chosen >= groups[i].weight; i++)
			chosen -= groups[i].weight;
		word = ((uint32_t)draw() & ~groups[i].mask) | groups[i].value;
	} while (is_excluded(word));
	return word;
}

static int ask(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		struct execute_question question = {.word = draw_word()};
		struct execute_state *state = &question.state;

		for (unsigned int number = 0; number < 31; number++)
			state->general[number] = draw_general();
		state->sp = WINDOW + 128 + (draw() % 256 & ~UINT64_C(15));
		state->nzcv = (draw() & 15) << 28;
		for (unsigned int number = 0; number < 32; number++)
			draw_vector(state->vectors[number]);
		for (unsigned int at = 0; at < EXECUTE_WINDOW_BYTES; at += 16)
			draw_vector(state->window + at);
		if (fwrite(&question, sizeof(question), 1, stdout) != 1)
			return 1;
	}
	return 0;
}

/* ---- what look-ahead makes of it */

struct thread {
	const struct execute_question *question;
	uint64_t code_page;
	uint8_t code[LOOK_PAGE];
};

static int read_memory(void *context, uint64_t address, void *bytes, size_t size_bytes)
{
	const struct thread *thread = context;
	uint8_t memory[EXECUTE_MEMORY_BYTES] = {0};

	if (address == thread->code_page && size_bytes == LOOK_PAGE) {
		memcpy(bytes, thread->code, LOOK_PAGE);
		return 0;
	}
	if (address < EXECUTE_MEMORY || size_bytes > sizeof(memory) ||
	    address - EXECUTE_MEMORY > sizeof(memory) - size_bytes)
		return -1;
	memcpy(memory + (WINDOW - EXECUTE_MEMORY), thread->question->state.window,
	       EXECUTE_WINDOW_BYTES);
	memcpy(bytes, memory + (address - EXECUTE_MEMORY), size_bytes);
	return 0;
}

static ssize_t read_vectors(void *context, void *bytes, size_t size_bytes)
{
	const struct thread *thread = context;

	if (size_bytes < 528)
		return -1;
	memset(bytes, 0, 528);
	memcpy(bytes, thread->question->state.vectors, 512);
	return 528;
}

static void look(struct pgb_lookahead *ahead, const struct execute_question *question, uint64_t pc,
		 uint64_t dczid, struct pgb_lookahead_result *result, struct execute_state *after)
{
	static struct thread thread;
	const struct pgb_lookahead_thread callbacks = {
		.read = read_memory, .vectors = read_vectors, .context = &thread};
	struct pgb_lookahead_code *code = pgb_lookahead_code_new();
	struct pgb_lookahead_registers registers = {
		.pc = pc, .flags = question->state.nzcv, .dczid = dczid};
	const uint32_t words[] = {(uint32_t)question->word, 0xd4000001};
	struct pgb_lookahead_branch branch;

	thread.question = question;
	thread.code_page = pc & ~(uint64_t)(LOOK_PAGE - 1);
	memset(thread.code, 0, sizeof(thread.code));
	memcpy(thread.code + pc % LOOK_PAGE, words, sizeof(words));
	memcpy(registers.general, question->state.general, sizeof(question->state.general));
	registers.general[31] = question->state.sp;
	pgb_lookahead_run(ahead, code, &registers, &callbacks, &branch, 1, result);
	pgb_lookahead_registers(ahead, &registers);
	*after = question->state;
	memcpy(after->general, registers.general, sizeof(after->general));
	after->sp = registers.general[31];
	after->nzcv = registers.flags;
	look_arm_vectors(ahead, after->vectors);
	look_load(&ahead->memory, WINDOW, after->window, EXECUTE_WINDOW_BYTES);
	pgb_lookahead_code_free(code);
}

static const char *difference(const struct execute_state *ours, const struct execute_state *theirs)
{
	static char text[400];

	for (unsigned int i = 0; i < 31; i++)
		if (ours->general[i] != theirs->general[i]) {
			snprintf(text, sizeof(text), "x%u: %lx, emulator %lx", i,
				 (unsigned long)ours->general[i],
				 (unsigned long)theirs->general[i]);
			return text;
		}
	if (ours->sp != theirs->sp)
		return "sp";
	if (ours->nzcv != theirs->nzcv) {
		snprintf(text, sizeof(text), "nzcv: %lx, emulator %lx", (unsigned long)ours->nzcv,
			 (unsigned long)theirs->nzcv);
		return text;
	}
	for (unsigned int i = 0; i < 32; i++)
		if (memcmp(ours->vectors[i], theirs->vectors[i], 16) != 0) {
			const uint64_t *a = (const void *)ours->vectors[i];
			const uint64_t *b = (const void *)theirs->vectors[i];

			snprintf(text, sizeof(text), "v%u: %016lx %016lx, emulator %016lx %016lx",
				 i, (unsigned long)a[1], (unsigned long)a[0], (unsigned long)b[1],
				 (unsigned long)b[0]);
			return text;
		}
	return memcmp(ours->window, theirs->window, EXECUTE_WINDOW_BYTES) ? "memory" : NULL;
}

/* NULL: agrees */
static const char *judge(const struct pgb_lookahead_result *result,
			 const struct execute_state *ours, const struct execute_answer *answer)
{
	switch (result->end) {
	case PGB_LOOKAHEAD_UNSUPPORTED:
		return NULL;
	case PGB_LOOKAHEAD_UNREADABLE:
		return answer->signal == SIGSEGV || answer->signal == SIGBUS ? NULL
									     : "unreadable here";
	case PGB_LOOKAHEAD_TRAP:
		return answer->signal != 0 ? NULL : "a trap here";
	case PGB_LOOKAHEAD_UNDECODABLE:
		return answer->signal == SIGILL ? NULL : "no instruction here";
	default:
		break;
	}
	if (result->end != PGB_LOOKAHEAD_SYSCALL || result->instructions != 1)
		return pgb_lookahead_end_name(result->end);
	if (answer->signal != 0)
		return strsignal((int)answer->signal);
	return difference(ours, &answer->state);
}

static size_t group_of(uint32_t word)
{
	size_t i = 0;

	while (i + 1 < sizeof(groups) / sizeof(groups[0]) &&
	       (word & groups[i].mask) != groups[i].value)
		i++;
	return i;
}

static int check(FILE *questions, FILE *answers, bool print_unsupported)
{
	unsigned long executed[99] = {0}, missing[99] = {0}, wrong = 0, all = 0, common = 0;
	struct pgb_lookahead *ahead = pgb_lookahead_new(PGB_INSN_AARCH64);
	static struct execute_question question;
	static struct execute_answer answer;
	struct pgb_lookahead_result result;
	struct execute_state ours;

	while (fread(&question, sizeof(question), 1, questions) == 1) {
		const char *fault;
		size_t i = group_of((uint32_t)question.word);

		if (fread(&answer, sizeof(answer), 1, answers) != 1) {
			printf("the answers end early, at %08lx\n", (unsigned long)question.word);
			wrong++;
			break;
		}
		look(ahead, &question, answer.pc, answer.dczid, &result, &ours);
		fault = judge(&result, &ours, &answer);
		if (fault != NULL && ++wrong <= 40)
			printf("%08lx %s: %s\n", (unsigned long)question.word, groups[i].name,
			       fault);
		all++;
		executed[i] += answer.signal == 0;
		if (answer.signal == 0 && result.end == PGB_LOOKAHEAD_UNSUPPORTED) {
			missing[i]++;
			if (print_unsupported)
				printf("%08lx\n", (unsigned long)question.word);
		} else {
			common += answer.signal == 0;
		}
	}
	pgb_lookahead_free(ahead);
	for (size_t i = 0; !print_unsupported && i < sizeof(groups) / sizeof(groups[0]); i++)
		if (missing[i] > 0)
			printf("%s: %lu of %lu that the emulator executes are not supported\n",
			       groups[i].name, missing[i], executed[i]);
	if (!print_unsupported)
		printf("%lu words, %lu executed by both, %lu wrong\n", all, common, wrong);
	return wrong == 0 && all > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "ask") == 0) {
		random_state = strtoull(argv[2], NULL, 0);
		return ask(strtoul(argv[3], NULL, 0));
	}
	if (argc == 4 && (strcmp(argv[1], "check") == 0 || strcmp(argv[1], "unsupported") == 0)) {
		FILE *questions = fopen(argv[2], "rb"), *answers = fopen(argv[3], "rb");
		int status = 2;

		if (questions != NULL && answers != NULL)
			status = check(questions, answers, argv[1][0] == 'u');
		if (questions != NULL)
			fclose(questions);
		if (answers != NULL)
			fclose(answers);
		return status;
	}
	fprintf(stderr, "compare_lookahead ask SEED COUNT | check|unsupported QUESTIONS ANSWERS\n");
	return 2;
}
