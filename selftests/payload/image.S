/* SPDX-License-Identifier: GPL-2.0 */
/* The guest's code, for the program that puts it into a TD: struct td_image, lib/td.h. */
	.section .rodata
	.balign	4096
payload:
	.incbin	"payload.bin"
payload_end:
	.section .data.rel.ro, "aw"
	.balign	8
	.globl	payload_image
payload_image:
	.quad	payload
	.quad	payload_end - payload
	.section .note.GNU-stack, "", @progbits
