# SPDX-License-Identifier: GPL-2.0
# The QEMU home: all suites that fit here, as one module (out of tree) or built in.
# The external backend, its module and the oracles are compiled once more: an object
# may be part of one module only.
qemu-tdps := $(src)/../tdp_stress
include $(qemu-tdps)/core/core.mk
include $(qemu-tdps)/oracle/oracle.mk
include $(qemu-tdps)/kvm/extsig.mk

qemu-module := $(if $(KBUILD_EXTMOD),m)
qemu-live-$(CONFIG_TDP_STRESS_KUNIT_LIVE) := suites/live.o qemu/live.o
qemu-objs := home.o vcpu.o files.o frames.o hooks.o points.o pause.o $(if $(qemu-module),names.o)
qemu-kvm-objs := symbols.o names.o chain.o external.o td.o sept.o walk.o vm.o host.o lock.o

obj-$(or $(qemu-module),$(CONFIG_TDP_STRESS_KUNIT)) += tdp_stress_kunit.o
tdp_stress_kunit-y := $(addprefix qemu/,$(qemu-objs)) $(kunit-objs) \
		      $(addprefix qemu/core/,$(core-objs) $(kunit-core-y)) \
		      $(addprefix qemu/oracle/,$(oracle-objs)) \
		      $(addprefix qemu/kvm/,$(qemu-kvm-objs)) $(qemu-live-y)

$(obj)/qemu/core/%.o: $(qemu-tdps)/core/%.c FORCE
	$(call if_changed_rule,cc_o_c)
$(obj)/qemu/oracle/%.o: $(qemu-tdps)/oracle/%.c FORCE
	$(call if_changed_rule,cc_o_c)
$(obj)/qemu/kvm/%.o: $(qemu-tdps)/kvm/%.c FORCE
	$(call if_changed_rule,cc_o_c)

# as in stress.mk
qemu-kvm-src := $(or $(KVM_SRC),$(srctree))
qemu-extsig := $(call extsig-flags,$(qemu-kvm-src)/arch/x86/include/asm/kvm_host.h)
ccflags-y += -I$(qemu-kvm-src)/arch/x86/kvm -DTDPS_MIRROR_ROOTS=1 \
	     $(or $(qemu-extsig),$(call extsig-unknown,$(qemu-kvm-src)))
CFLAGS_qemu/oracle/rcu.o := $(oracle-rcu-flags)
CFLAGS_qemu/oracle/tracepoints.o := $(oracle-tracepoints-flags)
