/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What KVM executes instead of PAUSE where it waits for the owner of a frozen entry:
 * the bed is told, nothing else changes. See points.c.
 */
#include <linux/linkage.h>
#include <asm/frame.h>

SYM_FUNC_START(home_pause)
	FRAME_BEGIN
	pushf
	push	%rax
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	call	home_wait_owner
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rax
	popf
	pause
	FRAME_END
	RET
SYM_FUNC_END(home_pause)
