# SPDX-License-Identifier: GPL-2.0
# Objects of the oracle, for whoever builds them in, and what rcu.o has to be told.
oracle-objs := judge.o ctx.o recorder.o verdict.o frozen.o external.o zap.o transition.o \
	       rcu.o tlb.o accounting.o progress.o splat.o meet.o split.o dirty.o excuse.o life.o \
	       tracepoints.o

# The state of a grace period has been renamed.
oracle-rcutree = $(srctree)/include/linux/rcutree.h
oracle-rcu-flags = -DTDPS_GP_STATE=$(if $(shell grep -w rcu_gp_seq $(oracle-rcutree)),rcu_gp_seq,rcu_gp_oldstate)

# <trace/define_trace.h> looks for the file that it was included by.
oracle-tracepoints-flags := -I$(dir $(lastword $(MAKEFILE_LIST)))
