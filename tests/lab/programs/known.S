/* SPDX-License-Identifier: MIT */
/*
 * A program whose branches can be counted on paper: known.edges does so, by these labels.
 * Each kind of branch is there; the copy of 64 bytes is one repeated instruction on x86-64.
 */
#define FUNCTION(name)                                                                             \
	.type name, %function;                                                                     \
	name
#define END(name) .size name, . - name

	.section .bss
	.balign 16
buffer:
	.zero 128

	.text
	.globl _start
FUNCTION(_start):
#if defined(__x86_64__)
	mov $1000, %ebx
again:
call_work:
	call work
after_work:
	lea even(%rip), %rax
	lea odd(%rip), %rcx
	test $1, %ebx
	cmovnz %rcx, %rax
call_any:
	call *%rax
after_any:
	lea buffer(%rip), %rdi
	lea buffer+64(%rip), %rsi
	mov $64, %ecx
	rep movsb
	test $3, %ebx
skip_branch:
	jz skipped
not_skipped:
	nop
skipped:
	dec %ebx
again_branch:
	jnz again
finish:
	xor %edi, %edi
	mov $60, %eax
	syscall
	ud2
END(_start)

FUNCTION(work):
	mov $3, %ecx
inner:
	dec %ecx
inner_branch:
	jnz inner
tail_jump:
	jmp tail
END(work)

FUNCTION(even):
even_return:
	ret
END(even)

FUNCTION(odd):
	nop
odd_return:
	ret
END(odd)

FUNCTION(tail):
tail_return:
	ret
END(tail)

#elif defined(__aarch64__)
	mov w19, #1000
again:
call_work:
	bl work
after_work:
	adr x0, even
	adr x1, odd
	tst w19, #1
	csel x0, x0, x1, eq
call_any:
	blr x0
after_any:
	tst w19, #3
skip_branch:
	b.eq skipped
not_skipped:
	nop
skipped:
	sub w19, w19, #1
again_branch:
	cbnz w19, again
finish:
	mov x0, #0
	mov x8, #93
	svc #0
	udf #0
END(_start)

FUNCTION(work):
	mov w1, #3
inner:
	subs w1, w1, #1
inner_branch:
	b.ne inner
tail_jump:
	b tail
END(work)

FUNCTION(even):
even_return:
	ret
END(even)

FUNCTION(odd):
	nop
odd_return:
	ret
END(odd)

FUNCTION(tail):
tail_return:
	ret
END(tail)
#endif
	.section .note.GNU-stack, "", %progbits
