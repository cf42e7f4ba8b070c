/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "collector/walker_thread.h"

#if defined(__x86_64__)

enum { CODE_SEGMENT_64 = 0x33 };

static int get(pid_t tid, struct user_regs_struct *regs)
{
	struct iovec area = {regs, sizeof(*regs)};

	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &area) != 0)
		return -errno;
	/* a 32-bit task gives 17 registers of four bytes */
	return area.iov_len == sizeof(*regs) ? 0 : -ENOEXEC;
}

int walker_get_registers(pid_t tid, struct walker_registers *registers)
{
	struct user_regs_struct regs;
	int status = get(tid, &regs);

	*registers = (struct walker_registers){.foreign = status == -ENOEXEC};
	if (status != 0)
		return registers->foreign ? 0 : status;
	registers->foreign = regs.cs != CODE_SEGMENT_64;
	registers->in_kernel = (long)regs.orig_rax >= 0;
	registers->interrupted = registers->in_kernel && (long)regs.rax == -EINTR;
	registers->general = (struct pgb_lookahead_registers){
		.general = {regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rsp, regs.rbp, regs.rsi,
			    regs.rdi, regs.r8, regs.r9, regs.r10, regs.r11, regs.r12, regs.r13,
			    regs.r14, regs.r15},
		.pc = regs.rip,
		.flags = regs.eflags,
		.fs_base = regs.fs_base,
		.gs_base = regs.gs_base,
	};
	return 0;
}

int walker_restart_syscall(pid_t tid)
{
	struct user_regs_struct regs;
	struct iovec area = {&regs, sizeof(regs)};
	int status = get(tid, &regs);

	if (status != 0)
		return status;
	/* syscall is two bytes long: arch_do_signal_or_restart() does the same */
	regs.rax = regs.orig_rax;
	regs.rip -= 2;
	return ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &area) != 0 ? -errno : 0;
}

ssize_t walker_get_vectors(pid_t tid, void *bytes, size_t size_bytes)
{
	struct iovec area = {bytes, size_bytes};

	if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &area) != 0)
		return -errno;
	return (ssize_t)area.iov_len;
}

#elif defined(__aarch64__)

#ifndef NT_ARM_TLS
#define NT_ARM_TLS 0x401
#endif
enum { SVC_0 = 0xd4000001 };

/* The instructions before and at the program counter. */
static void read_code(pid_t tid, uint64_t pc, uint32_t words[2])
{
	long both;

	errno = 0;
	both = ptrace(PTRACE_PEEKTEXT, tid, (void *)(uintptr_t)(pc - 4), NULL);
	if (errno != 0)
		both = 0;
	memcpy(words, &both, 2 * sizeof(words[0]));
}

static uint64_t zero_block(void)
{
	uint64_t dczid;

	__asm__("mrs %0, dczid_el0" : "=r"(dczid));
	return dczid;
}

/*
 * Unlike elsewhere, the kernel has settled the system call before ptrace looks (do_signal() in
 * arch/arm64/kernel/signal.c): NT_ARM_SYSTEM_CALL always reads -1, and a call to be made again
 * has its pc on the svc and its arguments back. So the code tells who was in the kernel.
 */
int walker_get_registers(pid_t tid, struct walker_registers *registers)
{
	struct user_regs_struct regs;
	struct iovec area = {&regs, sizeof(regs)};
	uint64_t tls = 0;
	struct iovec tls_area = {&tls, sizeof(tls)};
	uint32_t code[2];

	*registers = (struct walker_registers){0};
	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &area) != 0)
		return -errno;
	registers->foreign = area.iov_len != sizeof(regs);
	if (registers->foreign)
		return 0;
	ptrace(PTRACE_GETREGSET, tid, NT_ARM_TLS, &tls_area);
	read_code(tid, regs.pc, code);
	registers->interrupted = code[0] == SVC_0 && (long)regs.regs[0] == -EINTR;
	registers->in_kernel = code[1] == SVC_0 || registers->interrupted;
	memcpy(registers->general.general, regs.regs, sizeof(regs.regs));
	registers->general.general[31] = regs.sp;
	registers->general.pc = regs.pc;
	registers->general.flags = regs.pstate;
	registers->general.fs_base = tls;
	registers->general.dczid = zero_block();
	return 0;
}

int walker_restart_syscall(pid_t tid)
{
	/* x0 of before the call, orig_x0 of the kernel, is not shown to anybody */
	(void)tid;
	return -ENOSYS;
}

ssize_t walker_get_vectors(pid_t tid, void *bytes, size_t size_bytes)
{
	struct iovec area = {bytes, size_bytes};

	if (ptrace(PTRACE_GETREGSET, tid, NT_PRFPREG, &area) != 0)
		return -errno;
	return (ssize_t)area.iov_len;
}

#else
#error "the walker knows x86-64 and AArch64"
#endif
