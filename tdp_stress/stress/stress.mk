# SPDX-License-Identifier: GPL-2.0
# tdp_stress.ko: oracle/, kvm/, torture/, stress/ and the core. KVM_SRC is the tree whose private KVM
# headers fit the kernel; the tree that kbuild uses, unless that has only the
# public ones.
include $(src)/kvm/extsig.mk

obj-m += tdp_stress.o

stress-kvm-objs := kvm/symbols.o kvm/names.o kvm/hooks.o kvm/seamcall.o kvm/walk.o kvm/vm.o kvm/host.o \
		   kvm/lock.o \
		   kvm/external.o kvm/td.o kvm/adopt.o kvm/own.o kvm/own_base.o kvm/life.o \
		   kvm/entry.o kvm/own_entry.o kvm/run.o \
		   kvm/user.o kvm/op.o kvm/look.o kvm/hold.o kvm/fail.o kvm/flight.o kvm/paths.o \
		   kvm/calls.o

stress-kvm-src := $(or $(KVM_SRC),$(srctree))
stress-kvm-host := $(stress-kvm-src)/arch/x86/include/asm/kvm_host.h
# What the tree's headers define decides, not the version: 1, mirror roots; 0, none
# at all (6.12); unknown, mirror roots whose ops have another signature; else those of a
# kernel between, or no KVM.
stress-extsig := $(call extsig-flags,$(stress-kvm-host))
stress-has = $(filter-out 0,$(shell grep -cF '$(1)' $(stress-kvm-host) 2>/dev/null))
stress-mirror := $(if $(stress-extsig),1,$(if \
		   $(call stress-has,link_external_spt),other,$(if \
		   $(call stress-has,external_spt),unknown,$(if \
		   $(call stress-has,pre_fault_allowed),0,other))))
# (a clean, which knows no CONFIG_, needs no KVM)
ifdef CONFIG_X86
ifeq ($(stress-mirror),unknown)
$(call extsig-unknown,$(stress-kvm-src))
endif
ifeq ($(stress-mirror),other)
$(error tdp_stress: KVM of $(stress-kvm-src) does not fit: Linux 7.2 or newer is needed (set_external_spte), or 6.12, which has direct roots only)
endif
endif
# Direct roots only: no external page tables, no operations on them.
stress-kvm-objs += $(if $(filter 1,$(stress-mirror)),kvm/extops.o kvm/chain.o kvm/sept.o)

tdp_stress-y := stress/main.o stress/params.o stress/debugfs.o stress/device.o \
		$(addprefix oracle/,$(oracle-objs)) \
		torture/ops.o torture/worker.o torture/schedule.o torture/guest.o torture/stats.o \
		$(stress-kvm-objs) $(addprefix stress/core-,$(core-objs))

# The core once more, for this module: an object may be part of one module only.
$(obj)/stress/core-%.o: $(src)/core/%.c FORCE
	$(call if_changed_rule,cc_o_c)

stress-kvm-flags := -I$(stress-kvm-src)/arch/x86/kvm -DTDPS_MIRROR_ROOTS=$(stress-mirror) \
		    $(stress-extsig)

# Only these files may see KVM's private headers.
$(foreach o,$(stress-kvm-objs),$(eval CFLAGS_$(o) := $$(stress-kvm-flags)))

CFLAGS_oracle/rcu.o := $(oracle-rcu-flags)
CFLAGS_oracle/tracepoints.o := $(oracle-tracepoints-flags)
