# SPDX-License-Identifier: GPL-2.0
# Objects of the core, for kbuild and for the user-space build alike. The
# latter adds env_user.o.
core-objs := tdxm.o leaf.o lock.o pamt.o sept.o td.o vcpu.o mem.o split.o phymem.o sys.o \
	     tlb.o walk.o inject.o state.o stats.o
# The host of the core's tests in the kernel.
core-test-objs := tests/tdhost.o tests/machine_kernel.o
