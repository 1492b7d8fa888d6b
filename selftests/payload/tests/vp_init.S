/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Brings a CPU from real mode to where TDH.VP.INIT leaves a TD's vCPU: 32-bit protected
 * mode with flat segments, paging off, EFER.LME on, CR0.NE, CR4.MCE; RBX, RSI, RCX and
 * R8 from "params". R8 takes a way through 64-bit mode. Linked and started at 0x60000.
 */
#define CODE64	0x08
#define DATA	0x10
#define CODE32	0x18
#define EFER	0xc0000080

	.text
	.code16
	.globl	start
start:
	cli
	lgdtl	%cs:(gdt_pointer - start)
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$CODE32, $protected

	.code32
protected:
	movl	$DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$stack, %esp
	movl	%cr4, %eax
	orl	$0x20, %eax
	movl	%eax, %cr4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$EFER, %ecx
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000000, %eax
	movl	%eax, %cr0
	ljmpl	$CODE64, $long

	.code64
long:
	movq	params, %r8
	pushq	$CODE32
	pushq	$compatible
	lretq

	.code32
compatible:
	movl	%cr0, %eax
	andl	$0x7fffffff, %eax
	orl	$0x20, %eax
	movl	%eax, %cr0
	xorl	%eax, %eax
	movl	%eax, %cr3
	movl	$0x40, %eax
	movl	%eax, %cr4
	movl	params, %ecx
	movl	params + 8, %ebx
	movl	params + 16, %esi
	xorl	%edx, %edx
	xorl	%esp, %esp
	movl	$0xfffffff0, %eax
	jmp	*%eax

	.balign	8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
	.quad	0x00cf9b000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt
	.balign	8
	.globl	params
params:
	.quad	0, 0, 0
	.fill	64, 8, 0
stack:
	.balign	4096
pml4:
	.quad	pdpt + 3
	.balign	4096
pdpt:
	.quad	0x83
	.balign	4096
	.section .note.GNU-stack, "", @progbits
