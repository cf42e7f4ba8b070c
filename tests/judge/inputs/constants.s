/* SPDX-License-Identifier: MIT */
/* Hand-written code with constants behind it that no symbol names: used by it, or by nobody. */
	.text
	.globl main
	.type main,@function
main:	.cfi_startproc
	call used
	call unused
	xor %eax,%eax
	ret
	.cfi_endproc
	.size main,.-main
	.p2align 4
	.globl used
	.type used,@function
used:	.cfi_startproc
	mov $3,%ecx
	movdqu .Lconstant(%rip),%xmm0
again:	dec %ecx
	jne again
	ret
	.cfi_endproc
	.size used,.-used
	.p2align 4
.Lconstant: .quad 0x1122334455667788,0x99aabbccddeeff00
	.p2align 4
	.globl unused
	.type unused,@function
unused:	.cfi_startproc
	mov $3,%ecx
once_more: dec %ecx
	jne once_more
	ret
	.cfi_endproc
	.size unused,.-unused
	.p2align 4
	.quad 0x1122334455667788,0x99aabbccddeeff00
	.p2align 4
	.globl last
	.type last,@function
last:	ret
	.size last,.-last
	.section .note.GNU-stack,"",@progbits
