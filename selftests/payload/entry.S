/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From the state in which TDH.VP.INIT leaves a vCPU to payload_main(), and the way into
 * and out of payload_ve(). All vCPUs come along here, at any time, and share nothing
 * but what they all write alike.
 *
 * A TD's vCPU begins at the reset vector like any other, but in 32-bit protected mode,
 * with flat segments, paging off and EFER.LME on: RBX is the width of guest physical
 * addresses, RSI the number of the vCPU, R8 the number that the host gave to
 * TDH.VP.INIT (RCX as well, but 64 bits of that do not survive here).
 */
#include "../../tdp_stress/uapi/td_payload.h"

#define CR0_PG		0x80000000
#define CR4_PAE		0x20
#define PTE_TABLE	0x3		/* present, writable */
#define PTE_1G		0x83
#define CODE64		0x08
#define DATA		0x10
#define VE_VECTOR	20
#define GATE		0x8e00		/* interrupt gate, present */
#define STACK_SHIFT	10

	.section .text.entry, "ax"
	.code32
entry:
	cli
	lgdt	gdt_pointer
	/* shared memory is the same memory with the highest address bit */
	movl	%ebx, %ecx
	andl	$0x3f, %ecx
	subl	$33, %ecx
	movl	$1, %eax
	shll	%cl, %eax
	movl	%eax, pdpt_shared + 4
	movl	%eax, pdpt_shared + 12
	movl	%eax, pdpt_shared + 20
	movl	%eax, pdpt_shared + 28
	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	%cr0, %eax
	orl	$CR0_PG, %eax
	movl	%eax, %cr0
	ljmpl	$CODE64, $entry64

	.code64
entry64:
	movl	$DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	lidt	idt_pointer(%rip)
	leaq	stacks(%rip), %rsp
	leal	1(%rsi), %eax
	shll	$STACK_SHIFT, %eax
	addq	%rax, %rsp
	movq	%r8, %rdi
	movl	%ebx, %esi
	andl	$0x3f, %esi
	call	payload_main
1:	jmp	1b

	.globl	ve_entry
ve_entry:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	leaq	9*8(%rsp), %rdi
	call	payload_ve
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rax
	iretq

	.section .rodata.entry, "a"
	.balign	8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* CODE64 */
	.quad	0x00cf93000000ffff	/* DATA */
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt
idt_pointer:
	.word	idt_end - idt - 1
	.quad	idt
	.balign	8
idt:
	.fill	16 * VE_VECTOR, 1, 0
	.word	ve_entry_low, CODE64, GATE, ve_entry_high
	.quad	0
idt_end:

	.section .tables, "aw"
	.balign	4096
pml4:
	.quad	pdpt + PTE_TABLE, pdpt_shared + PTE_TABLE
	.balign	4096
pdpt:
	.quad	PTE_1G, 0x40000000 + PTE_1G, 0x80000000 + PTE_1G, 0xc0000000 + PTE_1G
	.balign	4096
pdpt_shared:
	.quad	PTE_1G, 0x40000000 + PTE_1G, 0x80000000 + PTE_1G, 0xc0000000 + PTE_1G
	.balign	4096
stacks:
	.fill	TD_PAYLOAD_VCPUS << STACK_SHIFT, 1, 0

	.section .reset, "ax"
	.code32
	jmp	entry
	.section .note.GNU-stack, "", @progbits
