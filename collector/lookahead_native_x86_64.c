/* SPDX-License-Identifier: MIT */
/*
 * Native execution of one instruction on copied registers: generated code loads the registers that
 * the instruction names from the state, has the instruction itself with its memory operand
 * replaced by a scratch buffer (rip-relative), and stores what it wrote. Only instructions that
 * look_x86_decode() found to do nothing else come here.
 */
#include "collector/lookahead_x86_64.h"

#ifdef __x86_64__
#include <cpuid.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	DATA_BYTES = 8192,
	CODE_BYTES = 16 * 1024 * 1024,
	STUB_BYTES_MOST = 1024,
};

struct look_native {
	struct look_x86_state *state;
	uint8_t *write;	  /* the code, writable */
	uint8_t *execute; /* the same memory, executable */
	size_t used_bytes;
	bool avx, avx512;
};

_Static_assert(sizeof(struct look_x86_state) <= DATA_BYTES, "the state fits its pages");

/* Where to write next, and where that will run. */
struct emitter {
	uint8_t *at;
	int64_t to_execute; /* execute address - write address */
	const struct look_x86_state *state;
};

/*
 * Offsets of the components of the standard-format XSAVE area: CPUID leaf 0xD, which in a virtual
 * machine costs microseconds.
 */
static uint32_t xsave_offsets[8];

static void find_xsave_offsets(void)
{
	uint32_t eax, ebx, ecx, edx;

	xsave_offsets[1] = 160;
	for (unsigned int component = 2; component < 8; component++)
		if (__get_cpuid_count(0xd, component, &eax, &ebx, &ecx, &edx))
			xsave_offsets[component] = ebx;
}

struct look_native *look_native_new(struct look_x86_state **state)
{
	struct look_native *native;
	uint8_t *region, *write;
	int fd = memfd_create("pgobolt-lookahead", MFD_CLOEXEC);

	if (fd < 0)
		return NULL;
	region = mmap(NULL, DATA_BYTES + CODE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	write = MAP_FAILED;
	if (region != MAP_FAILED && ftruncate(fd, CODE_BYTES) == 0 &&
	    mmap(region + DATA_BYTES, CODE_BYTES, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd,
		 0) != MAP_FAILED)
		write = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (write == MAP_FAILED) {
		if (region != MAP_FAILED)
			munmap(region, DATA_BYTES + CODE_BYTES);
		return NULL;
	}
	native = pgb_calloc(1, sizeof(*native));
	native->state = (struct look_x86_state *)region;
	native->write = write;
	native->execute = region + DATA_BYTES;
	native->avx = __builtin_cpu_supports("avx");
	native->avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
	find_xsave_offsets();
	*state = native->state;
	return native;
}

void look_native_free(struct look_native *native)
{
	if (native == NULL)
		return;
	munmap(native->state, DATA_BYTES + CODE_BYTES);
	munmap(native->write, CODE_BYTES);
	free(native);
}

void look_native_reset(struct look_native *native)
{
	native->used_bytes = 0;
}

static void emit(struct emitter *out, const void *bytes, size_t count)
{
	memcpy(out->at, bytes, count);
	out->at += count;
}

static void emit_byte(struct emitter *out, unsigned int byte)
{
	*out->at++ = (uint8_t)byte;
}

/* ModRM and disp32 that reach `field`; `tail_bytes` of the instruction follow. */
static void emit_rip_relative(struct emitter *out, unsigned int reg, const void *field,
			      size_t tail_bytes)
{
	int64_t behind = (int64_t)(uintptr_t)out->at + 5 + (int64_t)tail_bytes + out->to_execute;
	int32_t displacement = (int32_t)((int64_t)(uintptr_t)field - behind);

	emit_byte(out, (reg & 7) << 3 | 5);
	emit(out, &displacement, 4);
}

static void emit_general(struct emitter *out, unsigned int reg, bool store)
{
	emit_byte(out, 0x48 | (reg >> 3) << 2);
	emit_byte(out, store ? 0x89 : 0x8b);
	emit_rip_relative(out, reg, &out->state->general[reg], 0);
}

/* The widest move there is: legacy SSE instructions keep the upper part, which must be there. */
static void emit_vector(struct emitter *out, const struct look_native *native, unsigned int reg,
			bool store)
{
	if (native->avx512) {
		emit_byte(out, 0x62);
		emit_byte(out, 0x61 | (reg & 8 ? 0 : 0x80) | (reg & 16 ? 0 : 0x10));
		emit_byte(out, 0x7c);
		emit_byte(out, 0x48);
	} else if (native->avx) {
		emit_byte(out, 0xc5);
		emit_byte(out, reg & 8 ? 0x7c : 0xfc);
	} else {
		if (reg & 8)
			emit_byte(out, 0x44);
		emit_byte(out, 0x0f);
	}
	emit_byte(out, store ? 0x11 : 0x10);
	emit_rip_relative(out, reg, out->state->vectors[reg], 0);
}

/* kmovq k, m64 or back */
static void emit_mask(struct emitter *out, unsigned int reg, bool store)
{
	emit(out, "\xc4\xe1\xf8", 3);
	emit_byte(out, store ? 0x91 : 0x90);
	emit_rip_relative(out, reg, &out->state->masks[reg], 0);
}

static void emit_registers(struct emitter *out, const struct look_native *native, uint32_t general,
			   uint32_t vectors, uint32_t masks, bool store)
{
	for (unsigned int reg = 0; reg < 16; reg++) {
		if (general & 1u << reg)
			emit_general(out, reg, store);
	}
	for (unsigned int reg = 0; reg < 32; reg++) {
		if (vectors & 1u << reg)
			emit_vector(out, native, reg, store);
	}
	for (unsigned int reg = 0; reg < 8; reg++) {
		if (masks & 1u << reg)
			emit_mask(out, reg, store);
	}
}

/* rbx, rbp, r12 to r15 belong to our caller. */
static const uint8_t callee_saved[] = {3, 5, 12, 13, 14, 15};

static void emit_save(struct emitter *out, uint32_t used, bool restore)
{
	for (unsigned int i = 0; i < sizeof(callee_saved); i++) {
		unsigned int reg = callee_saved[restore ? sizeof(callee_saved) - 1 - i : i];

		if (!(used & 1u << reg))
			continue;
		if (reg & 8)
			emit_byte(out, 0x41);
		emit_byte(out, (restore ? 0x58 : 0x50) | (reg & 7));
	}
}

/*
 * The instruction with its memory operand at the scratch buffer: mod 00, rm 101, no SIB. The bits
 * that extended base and index are cleared where the prefix has them.
 */
static void emit_instruction(struct emitter *out, const struct look_native_plan *plan)
{
	const uint8_t *bytes = plan->bytes;
	bool in_prefixes = true;
	size_t tail_bytes = plan->length_bytes - plan->tail_offset;

	if (!plan->has_memory) {
		emit(out, bytes, plan->length_bytes);
		return;
	}
	for (unsigned int i = 0; i < plan->modrm_offset; i++) {
		if (in_prefixes)
			in_prefixes = memchr("\x26\x2e\x36\x3e\x64\x65\x66\xf0\xf2\xf3", bytes[i],
					     10) != NULL;
		/* fs and gs overrides do not apply to the scratch buffer */
		if (!in_prefixes || (bytes[i] != 0x64 && bytes[i] != 0x65))
			emit_byte(out, bytes[i]);
	}
	emit_rip_relative(out, bytes[plan->modrm_offset] >> 3 & 7, out->state->scratch, tail_bytes);
	emit(out, bytes + plan->tail_offset, tail_bytes);
}

void (*look_native_compile(struct look_native *native, const struct look_native_plan *plan))(void)
{
	struct emitter out = {
		.at = native->write + native->used_bytes,
		.to_execute =
			(int64_t)(uintptr_t)native->execute - (int64_t)(uintptr_t)native->write,
		.state = native->state,
	};
	uint8_t *entry = native->execute + native->used_bytes;
	uint32_t general = plan->general_used | plan->general_written;
	void (*function)(void);

	if (native->used_bytes + STUB_BYTES_MOST > CODE_BYTES)
		return NULL;
	emit_save(&out, general, false);
	if (plan->x87) {
		emit(&out, "\x48\x0f\xae", 3); /* fxrstor64 */
		emit_rip_relative(&out, 1, native->state->x87, 0);
	}
	if (plan->reads_flags || plan->writes_flags) {
		emit(&out, "\xff", 1); /* push flags */
		emit_rip_relative(&out, 6, &native->state->flags, 0);
		emit_byte(&out, 0x9d); /* popfq */
	}
	emit_registers(&out, native, general, plan->vectors_used | plan->vectors_written,
		       plan->masks_used | plan->masks_written, false);
	emit_instruction(&out, plan);
	emit_registers(&out, native, plan->general_written, plan->vectors_written,
		       plan->masks_written, true);
	if (plan->writes_flags) {
		emit_byte(&out, 0x9c); /* pushfq */
		emit_byte(&out, 0x8f); /* pop flags */
		emit_rip_relative(&out, 0, &native->state->flags, 0);
	}
	if (plan->x87) {
		emit(&out, "\x48\x0f\xae", 3); /* fxsave64, then a clean unit for our own code */
		emit_rip_relative(&out, 0, native->state->x87, 0);
		emit(&out, "\xdb\xe3", 2); /* fninit */
	}
	emit_save(&out, general, true);
	emit_byte(&out, 0xc3);
	native->used_bytes = ((size_t)(out.at - native->write) + 15) & ~(size_t)15;
	memcpy(&function, &entry, sizeof(function));
	return function;
}

/* Copy `count` pieces of a component, if it is in use, to the same place of each register. */
static void load_component(struct look_x86_state *state, const uint8_t *xsave, size_t size_bytes,
			   unsigned int component, unsigned int first, unsigned int count,
			   size_t piece_bytes, size_t place)
{
	uint32_t offset = xsave_offsets[component];
	uint64_t in_use;

	memcpy(&in_use, xsave + 512, sizeof(in_use));
	if (!(in_use & UINT64_C(1) << component) || offset == 0 ||
	    offset + count * piece_bytes > size_bytes)
		return;
	for (unsigned int i = 0; i < count; i++)
		memcpy(state->vectors[first + i] + place, xsave + offset + i * piece_bytes,
		       piece_bytes);
}

bool look_native_load_vectors(struct look_x86_state *state, const uint8_t *xsave, size_t size_bytes)
{
	uint64_t in_use;
	uint32_t offset;

	if (size_bytes < 576)
		return false;
	memset(state->vectors, 0, sizeof(state->vectors));
	memset(state->masks, 0, sizeof(state->masks));
	memcpy(&state->mxcsr, xsave + 24, sizeof(state->mxcsr));
	memcpy(state->x87, xsave, sizeof(state->x87));
	/* no x87 exception may reach us */
	state->x87[0] |= 0x3f;
	load_component(state, xsave, size_bytes, 1, 0, 16, 16, 0);
	load_component(state, xsave, size_bytes, 2, 0, 16, 16, 16);
	load_component(state, xsave, size_bytes, 6, 0, 16, 32, 32);
	load_component(state, xsave, size_bytes, 7, 16, 16, 64, 0);
	memcpy(&in_use, xsave + 512, sizeof(in_use));
	offset = xsave_offsets[5];
	if ((in_use & 1u << 5) && offset != 0 && offset + sizeof(state->masks) <= size_bytes)
		memcpy(state->masks, xsave + offset, sizeof(state->masks));
	return true;
}

void look_native_enter_vectors(struct look_x86_state *state)
{
	state->mxcsr_host = __builtin_ia32_stmxcsr();
	look_native_set_mxcsr(state, state->mxcsr);
}

void look_native_set_mxcsr(struct look_x86_state *state, uint32_t mxcsr)
{
	/* the thread's rounding, but no exception may reach us */
	uint32_t masked = (mxcsr & 0xffff) | 0x1f80;

	state->mxcsr = mxcsr;
	memcpy(state->x87 + 24, &masked, sizeof(masked));
	__builtin_ia32_ldmxcsr(masked);
}

void look_native_leave_vectors(struct look_x86_state *state)
{
	__builtin_ia32_ldmxcsr(state->mxcsr_host);
}

#else /* not an x86-64 host: nothing runs natively */

struct look_native *look_native_new(struct look_x86_state **state)
{
	(void)state;
	return NULL;
}

void look_native_free(struct look_native *native)
{
	(void)native;
}

void (*look_native_compile(struct look_native *native, const struct look_native_plan *plan))(void)
{
	(void)native;
	(void)plan;
	return NULL;
}

void look_native_reset(struct look_native *native)
{
	(void)native;
}

bool look_native_load_vectors(struct look_x86_state *state, const uint8_t *xsave, size_t size_bytes)
{
	(void)state;
	(void)xsave;
	(void)size_bytes;
	return false;
}

void look_native_enter_vectors(struct look_x86_state *state)
{
	(void)state;
}

void look_native_leave_vectors(struct look_x86_state *state)
{
	(void)state;
}

void look_native_set_mxcsr(struct look_x86_state *state, uint32_t mxcsr)
{
	(void)state;
	(void)mxcsr;
}
#endif
