/* SPDX-License-Identifier: MIT */
/*
 * Look-ahead on AArch64 against an emulator, in whole programs:
 *
 *	follow_lookahead STOPS PERCENT DCZID SOCKET QEMU -g SOCKET PROGRAM ARGS..
 *
 * Stops the program at random, looks ahead from there over the emulator's debugging connection,
 * then really steps it along the predicted branches and compares all registers at the end. Fails
 * on any difference, and where fewer than PERCENT of the runs reach full depth. DCZID is what
 * the emulated processor has in DCZID_EL0, which the connection does not tell.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/lookahead_private.h"

enum { DEPTH = 64, PACKET_BYTES = 16384, CHUNK_BYTES = 1024 };
/* Numbers of the debugging connection. */
#define CANNOT_FOLLOW SIZE_MAX
enum { PC = 32, VECTOR_0 = 34, FPSR = 66, FPCR = 67 };

#define SIGNATURE (UINT64_C(0x7f) << 48)

static int connection = -1;
static unsigned int number_of_tpidr;
static uint64_t dczid;

/* ---- packets */

static bool receive(char *text)
{
	size_t length = 0;
	char byte;

	do {
		if (read(connection, &byte, 1) != 1)
			return false;
	} while (byte != '$');
	while (read(connection, &byte, 1) == 1 && byte != '#') {
		if (length + 1 >= PACKET_BYTES)
			return false;
		text[length++] = byte;
	}
	text[length] = '\0';
	/* the check sum, which is not looked at, and our consent */
	return read(connection, &byte, 1) == 1 && read(connection, &byte, 1) == 1 &&
	       write(connection, "+", 1) == 1;
}

static bool send_packet(const char *text)
{
	char packet[256];
	unsigned int sum = 0;

	for (const char *at = text; *at != '\0'; at++)
		sum += (unsigned char)*at;
	snprintf(packet, sizeof(packet), "$%s#%02x", text, sum & 0xff);
	return write(connection, packet, strlen(packet)) == (ssize_t)strlen(packet);
}

static bool exchange(const char *text, char *answer)
{
	return send_packet(text) && receive(answer);
}

static bool from_hex(const char *text, void *bytes, size_t size_bytes)
{
	if (strlen(text) < 2 * size_bytes)
		return false;
	for (size_t i = 0; i < size_bytes; i++) {
		char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};

		if (!isxdigit((unsigned char)pair[0]))
			return false;
		((uint8_t *)bytes)[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return true;
}

static bool read_register(unsigned int number, void *bytes, size_t size_bytes)
{
	static char answer[PACKET_BYTES];
	char question[32];

	snprintf(question, sizeof(question), "p%x", number);
	return exchange(question, answer) && from_hex(answer, bytes, size_bytes);
}

static int read_memory(void *context, uint64_t address, void *bytes, size_t size_bytes)
{
	static char answer[PACKET_BYTES];

	(void)context;
	for (size_t done = 0; done < size_bytes; done += CHUNK_BYTES) {
		size_t part = size_bytes - done < CHUNK_BYTES ? size_bytes - done : CHUNK_BYTES;
		char question[64];

		snprintf(question, sizeof(question), "m%llx,%zx",
			 (unsigned long long)(address + done), part);
		if (!exchange(question, answer) || !from_hex(answer, (uint8_t *)bytes + done, part))
			return -1;
	}
	return 0;
}

static ssize_t read_vectors(void *context, void *bytes, size_t size_bytes)
{
	uint8_t *at = bytes;

	(void)context;
	if (size_bytes < 528)
		return -1;
	memset(bytes, 0, 528);
	for (unsigned int i = 0; i < 32; i++)
		if (!read_register(VECTOR_0 + i, at + (size_t)16 * i, 16))
			return -1;
	return read_register(FPSR, at + 512, 4) && read_register(FPCR, at + 516, 4) ? 528 : -1;
}

static bool read_registers(struct pgb_lookahead_registers *registers)
{
	static char answer[PACKET_BYTES];
	uint32_t state;

	memset(registers, 0, sizeof(*registers));
	if (!exchange("g", answer) || !from_hex(answer, registers->general, 256) ||
	    !from_hex(answer + 512, &registers->pc, 8) || !from_hex(answer + 528, &state, 4))
		return false;
	registers->flags = state;
	registers->dczid = dczid;
	return number_of_tpidr == 0 || read_register(number_of_tpidr, &registers->fs_base, 8);
}

/* The emulator numbers system registers as it likes, and describes them piece by piece. */
static void find_system_registers(void)
{
	static char all[1 << 20], answer[PACKET_BYTES];
	size_t length = 0;
	const char *at;
	unsigned int number = 0;

	exchange("qSupported:xmlRegisters=i386,arm", answer);
	exchange("qXfer:features:read:target.xml:0,ffb", answer);
	do {
		char question[80];

		snprintf(question, sizeof(question),
			 "qXfer:features:read:system-registers.xml:%zx,ffb", length);
		if (!exchange(question, answer) || (answer[0] != 'm' && answer[0] != 'l') ||
		    length + strlen(answer) >= sizeof(all))
			return;
		strcpy(all + length, answer + 1);
		length += strlen(answer + 1);
	} while (answer[0] == 'm');
	for (at = all; (at = strstr(at, "<reg name=\"")) != NULL; at++) {
		const char *given = strstr(at, "regnum=\"");

		if (given != NULL && given < strchr(at, '>'))
			number = (unsigned int)strtoul(given + 8, NULL, 10);
		if (strncmp(at + 11, "TPIDR_EL0\"", 10) == 0)
			number_of_tpidr = number;
	}
}

/* ---- the emulator */

static pid_t start(const char *path, char **command)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		execvp(command[0], command);
		_exit(127);
	}
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	for (unsigned int i = 0; i < 3000; i++) {
		connection = socket(AF_UNIX, SOCK_STREAM, 0);
		if (connect(connection, (struct sockaddr *)&address, sizeof(address)) == 0)
			return pid;
		close(connection);
		usleep(20000);
	}
	kill(pid, SIGKILL);
	return -1;
}

/* Let it run for a while; false: it ended. */
static bool run_on(pid_t pid, unsigned int microseconds)
{
	static char answer[PACKET_BYTES];

	if (!send_packet("c"))
		return false;
	usleep(microseconds);
	kill(pid, SIGUSR2);
	return receive(answer) && (answer[0] == 'T' || answer[0] == 'S');
}

/* ---- one stop */

static unsigned int ends[PGB_LOOKAHEAD_ENDS], not_followed;
static uint64_t instructions, branches_followed;

/* Each step clears the mark of a load-exclusive: the store behind it could never succeed. */
static bool is_store_exclusive(uint32_t word)
{
	return (word & 0x3fc00000) == 0x08000000;
}

/* Step along the predicted branches; the number of those that came as predicted. */
static size_t follow(uint64_t pc, const struct pgb_lookahead_branch *branches, size_t count)
{
	static char answer[PACKET_BYTES];
	size_t done = 0;

	while (done < count) {
		uint64_t from = pc;
		uint32_t word;

		if (read_memory(NULL, pc, &word, sizeof(word)) == 0 && is_store_exclusive(word))
			return CANNOT_FOLLOW;
		if (!exchange("s", answer) || !read_register(PC, &pc, sizeof(pc)))
			return done;
		if (from == branches[done].from && pc == branches[done].to) {
			done++;
		} else if (pc != from + 4) {
			printf("branch %zu: really %llx -> %llx, predicted %llx -> %llx\n", done,
			       (unsigned long long)from, (unsigned long long)pc,
			       (unsigned long long)branches[done].from,
			       (unsigned long long)branches[done].to);
			return done;
		}
	}
	return done;
}

static bool same_registers(struct pgb_lookahead *look)
{
	struct pgb_lookahead_registers ours, real;
	uint64_t our_vectors[32][2], real_vectors[66];
	bool same = true;

	pgb_lookahead_registers(look, &ours);
	if (!read_registers(&real))
		return false;
	/* the emulator signs return addresses, look-ahead does not */
	ours.general[30] &= ~SIGNATURE;
	real.general[30] &= ~SIGNATURE;
	for (unsigned int i = 0; i < 32; i++)
		if (ours.general[i] != real.general[i]) {
			printf("x%u: really %llx, predicted %llx\n", i,
			       (unsigned long long)real.general[i],
			       (unsigned long long)ours.general[i]);
			same = false;
		}
	if (ours.pc != real.pc || ours.flags >> 28 != real.flags >> 28) {
		printf("pc or flags differ\n");
		same = false;
	}
	if (look_arm_vectors(look, our_vectors) &&
	    read_vectors(NULL, real_vectors, sizeof(real_vectors)) > 0 &&
	    memcmp(our_vectors, real_vectors, sizeof(our_vectors)) != 0) {
		printf("vectors differ\n");
		same = false;
	}
	return same;
}

static bool look_and_follow(struct pgb_lookahead *look, struct pgb_lookahead_code *code)
{
	const struct pgb_lookahead_thread thread = {.read = read_memory, .vectors = read_vectors};
	struct pgb_lookahead_branch branches[DEPTH];
	struct pgb_lookahead_registers registers;
	struct pgb_lookahead_result result;
	uint32_t word = 0;
	size_t followed;

	if (!read_registers(&registers))
		return false;
	pgb_lookahead_run(look, code, &registers, &thread, branches, DEPTH, &result);
	ends[result.end]++;
	instructions += result.instructions;
	branches_followed += result.branch_count;
	if (result.end == PGB_LOOKAHEAD_UNSUPPORTED) {
		read_memory(NULL, result.end_address, &word, sizeof(word));
		printf("unsupported: %08x at %llx\n", word, (unsigned long long)result.end_address);
	}
	followed = follow(registers.pc, branches, result.branch_count);
	if (followed == CANNOT_FOLLOW) {
		not_followed++;
		return true;
	}
	if (followed < result.branch_count)
		return false;
	return result.end != PGB_LOOKAHEAD_DEPTH || same_registers(look);
}

int main(int argc, char **argv)
{
	struct pgb_lookahead_code *code = pgb_lookahead_code_new();
	struct pgb_lookahead *look = pgb_lookahead_new(PGB_INSN_AARCH64);
	unsigned long stops, percent, done = 0;
	static char answer[PACKET_BYTES];
	int status = 0;
	pid_t pid;

	if (argc < 6) {
		fprintf(stderr, "follow_lookahead STOPS PERCENT DCZID SOCKET COMMAND..\n");
		return 2;
	}
	stops = strtoul(argv[1], NULL, 10);
	percent = strtoul(argv[2], NULL, 10);
	signal(SIGPIPE, SIG_IGN);
	dczid = strtoull(argv[3], NULL, 0);
	pid = start(argv[4], argv + 5);
	if (pid < 0) {
		printf("no debugging connection\n");
		return 1;
	}
	exchange("?", answer);
	find_system_registers();
	while (done < stops && status == 0 && run_on(pid, 3000 + (unsigned int)done % 41 * 500)) {
		if (!look_and_follow(look, code))
			status = 1;
		done++;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (unsigned int end = 0; end < PGB_LOOKAHEAD_ENDS; end++)
		if (ends[end] > 0)
			printf("%s: %u\n", pgb_lookahead_end_name((enum pgb_lookahead_end)end),
			       ends[end]);
	if (not_followed > 0)
		printf("not followed to the end, for a store-exclusive: %u\n", not_followed);
	printf("%lu stops, %llu branches, %llu instructions\n", done,
	       (unsigned long long)branches_followed, (unsigned long long)instructions);
	if (ends[PGB_LOOKAHEAD_DEPTH] * 100 < percent * done || done == 0)
		status = 1;
	pgb_lookahead_code_free(code);
	pgb_lookahead_free(look);
	return status;
}
