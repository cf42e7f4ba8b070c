/* SPDX-License-Identifier: MIT */
/* Symbols in every position that decides about a function's name or bounds. */
	.text
	.file "first part.c"
	.globl main
	.type main,@function
main:	.cfi_startproc
	xor %eax,%eax
	call local_twin
	call zero_func
	ret
	.cfi_endproc
	.size main,.-main
	.type local_twin,@function
local_twin: nop
inner_notype_local: nop
	.globl inner_notype_global
inner_notype_global: nop
	.type inner_func,@function
inner_func: nop
	.globl inner_func_global
	.type inner_func_global,@function
inner_func_global: ret
	.size inner_func_global,.-inner_func_global
	.size local_twin,.-local_twin
	.p2align 4
	.globl zero_func
	.type zero_func,@function
zero_func: nop
	.globl zero_next_notype
zero_next_notype: nop
zero_local_label: ret
	.globl zero_func2
	.type zero_func2,@function
zero_func2: nop
	nop
	ret
	.p2align 4
	.type data_in_text,@object
	.globl data_in_text
data_in_text: .quad 1
	.size data_in_text,8
	.type after_data,@function
after_data: .cfi_startproc
	nop
	nop
	ret
	.cfi_endproc
	nop
	.size after_data,1
	.p2align 4
	.globl "we ird"
	.type "we ird",@function
"we ird": ret
	.size "we ird",1
	.globl "back\\slash"
	.type "back\\slash",@function
"back\\slash": ret
	.size "back\\slash",1
	.globl .Lpriv
	.type .Lpriv,@function
.Lpriv: nop
	ret
	.size .Lpriv,2
	.type .Lpl,@function
.Lpl: nop
	ret
	.size .Lpl,2
	.globl overlap1, overlap2
	.type overlap1,@function
	.type overlap2,@function
overlap1: nop
	nop
overlap2: nop
	nop
	ret
	.size overlap1,3
	.size overlap2,3
	.type f1.cold,@function
f1.cold: ret
	.size f1.cold,1
	.globl f1
	.type f1,@function
f1:	nop
	jmp f1.cold
	.size f1,.-f1
	/* no symbol, only an unwind table entry */
	.cfi_startproc
	nop
	ret
	.cfi_endproc
	.p2align 4
	nop
	.cfi_startproc
	nop
	ret
	nop
	.type in_fde,@function
in_fde: ret
	.size in_fde,1
	.cfi_endproc
	.globl g1
	.type g1,@function
g1: nop
	ret
	.size g1,.-g1
	.set g1alias_local,g1
	.globl g1alias
	.set g1alias,g1
	.weak g1weak
	.set g1weak,g1
	.globl bigger
	.type bigger,@object
	.set bigger,g1
	.globl ifn
	.type ifn,@gnu_indirect_function
ifn: lea g1(%rip),%rax
	ret
	.size ifn,.-ifn
	.type g1,@function
	.type last,@function
last:	nop
	.size last,1
end_of_text_label:
	.section .text.hot,"ax",@progbits
	.type hot,@function
hot: ret
hot2: ret
	.globl hot3
hot3: ret
	.section .mydata,"awx",@progbits
	.type wx,@function
wx: ret
	.section .note.GNU-stack,"",@progbits
