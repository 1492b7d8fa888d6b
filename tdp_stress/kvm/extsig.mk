# SPDX-License-Identifier: GPL-2.0
# For whoever compiles what KVM calls for mirror roots: which shapes of extsig.h the
# tree's external ops have.
extsig-room := $(dir $(lastword $(MAKEFILE_LIST)))

# $(call extsig-flags,kvm_host.h): options of the compiler, or nothing
extsig-flags = $(strip $(shell awk -f $(extsig-room)extsig.awk $(extsig-room)extsig.h $(1) \
		 2>/dev/null))

# $(call extsig-unknown,tree): end, for there is nothing
extsig-unknown = $(error tdp_stress: KVM of $(1) declares set_external_spte or free_external_spt in a way that is not known: add it to $(realpath $(extsig-room)extsig.h))
