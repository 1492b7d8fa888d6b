# SPDX-License-Identifier: GPL-2.0
# tdp_stress.ko: oracle/, kvm/, torture/, stress/ and the core. KVM_SRC is the tree whose private KVM
# headers fit the kernel; the tree that kbuild uses, unless that has only the
# public ones.
obj-m += tdp_stress.o

stress-kvm-objs := kvm/symbols.o kvm/hooks.o kvm/walk.o kvm/vm.o kvm/external.o kvm/td.o \
		   kvm/sept.o kvm/adopt.o \
		   kvm/own.o kvm/life.o kvm/entry.o kvm/run.o
tdp_stress-y := stress/main.o stress/params.o stress/debugfs.o \
		oracle/judge.o oracle/ctx.o oracle/recorder.o oracle/verdict.o \
		oracle/frozen.o oracle/external.o oracle/zap.o oracle/transition.o \
		oracle/rcu.o oracle/tlb.o oracle/accounting.o oracle/progress.o \
		oracle/splat.o oracle/meet.o oracle/split.o oracle/dirty.o \
		torture/ops.o torture/worker.o torture/schedule.o torture/guest.o torture/stats.o \
		$(stress-kvm-objs) $(addprefix stress/core-,$(core-objs))

# The core once more, for this module: an object may be part of one module only.
$(obj)/stress/core-%.o: $(src)/core/%.c FORCE
	$(call if_changed_rule,cc_o_c)

stress-kvm-src := $(or $(KVM_SRC),$(srctree))

# What the tree's headers define decides, not the version.
stress-kvm-flags := -I$(stress-kvm-src)/arch/x86/kvm
stress-kvm-host := $(stress-kvm-src)/arch/x86/include/asm/kvm_host.h
stress-set-spte := (*set_external_spte)(struct kvm *kvm, gfn_t gfn, u64 old_spte
# (a clean, which knows no CONFIG_, needs no KVM)
ifdef CONFIG_X86
ifeq ($(shell grep -cF '$(stress-set-spte)' $(stress-kvm-host) 2>/dev/null),0)
$(error tdp_stress: KVM of $(stress-kvm-src) has no mirror roots (set_external_spte): Linux 7.2 or newer is needed)
endif
endif

# Only these files may see KVM's private headers.
$(foreach o,$(stress-kvm-objs),$(eval CFLAGS_$(o) := $$(stress-kvm-flags)))

# The state of a grace period has been renamed.
stress-rcutree := $(srctree)/include/linux/rcutree.h
CFLAGS_oracle/rcu.o := -DTDPS_GP_STATE=$(if $(shell grep -w rcu_gp_seq $(stress-rcutree)),rcu_gp_seq,rcu_gp_oldstate)
