# SPDX-License-Identifier: GPL-2.0
# tdx_stub.ko: stub/ and the core. KVM_SRC is the tree whose private KVM headers
# fit the kernel; the tree that kbuild uses, unless that has only the public ones.
# A kernel without TDX host support has nothing that it could stand in for.
obj-$(if $(CONFIG_INTEL_TDX_HOST),m) += tdx_stub.o

tdx_stub-y := stub/main.o stub/params.o stub/platform.o stub/novmx.o stub/trap.o \
	      stub/guest.o stub/payload.o stub/finding.o stub/view.o stub/inject.o \
	      stub/debugfs.o stub/trace.o \
	      $(addprefix core/,$(core-objs))

# <trace/define_trace.h> looks for the file that it was included by.
CFLAGS_stub/trace.o := -I$(src)/stub

stub-kvm-src := $(or $(KVM_SRC),$(srctree))
CFLAGS_stub/novmx.o := -I$(stub-kvm-src)/arch/x86/kvm
