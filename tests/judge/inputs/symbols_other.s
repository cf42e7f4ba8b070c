/* SPDX-License-Identifier: MIT */
/* Names that symbols.s has too, from a file of the same name and from another. */
	.text
	.file "first part.c"
	.type local_twin,@function
local_twin: ret
	.size local_twin,1
	.type f1.cold,@function
f1.cold: ret
	.size f1.cold,1
	.type f1x,@function
f1x: jmp f1.cold
	.size f1x,.-f1x
	.file "other.c"
	.type "local_twin/1",@function
"local_twin/1": ret
	.size "local_twin/1",1
	.section .note.GNU-stack,"",@progbits
