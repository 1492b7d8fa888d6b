// SPDX-License-Identifier: GPL-2.0
// Id: fault-beyond-max-gfn
// Title: a fault at an address that cannot be mapped makes an SPTE for it
// Class: boundary
// Root: D
// File: arch/x86/kvm/mmu/mmu.c
// Expect: SPLAT
// History: "Don't create SPTEs for addresses that aren't mappable", 20260219002241.2908563-1,
//   found by syzkaller with the WARN of 988da7820206; its own check is not in 7.3
// Case: tdp_mmu_fault.no_slot_beyond_host
// Reach: a prefault of a guest address beyond the host's MAXPHYADDR

@@
symbol fault;
@@
 kvm_handle_noslot_fault(...)
 {
	<...
-	if (unlikely(fault->gfn > kvm_mmu_max_gfn()))
-		return RET_PF_EMULATE;
	...>
 }
