# SPDX-License-Identifier: GPL-2.0
# tdp-judge, for selftests/Makefile: the oracles and the core as the modules have them,
# compiled for user space. Runs on the machine that builds it, any kernel's.
ORACLE_DIR := ../tdp_stress/oracle
CORE_DIR := ../tdp_stress/core
include $(ORACLE_DIR)/oracle.mk

JUDGE := $(addprefix $(O)/judge/,main.o read.o replay.o say.o)
# tracepoints are the kernel's
JUDGE_ORACLE := $(addprefix $(O)/judge/oracle/,$(filter-out tracepoints.o,$(oracle-objs)) env_user.o)
# as the kernel has it: parameters that others need, numbers of either sign
JUDGE_CFLAGS := -std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter \
		-Wno-missing-field-initializers -Wno-sign-compare -Wmissing-prototypes -Wstrict-prototypes \
		-D_GNU_SOURCE $(CFLAGS)
# the same checks with which the core's tests are built, if asked for
JUDGE_CFLAGS += $(SANITIZE)

$(O)/tdp-judge: $(JUDGE) $(JUDGE_ORACLE) $(O)/judge/core/libtdxm.a
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(JUDGE_CFLAGS) -o $@ $^ $(LDFLAGS)

$(O)/judge/core/libtdxm.a: FORCE
	$(Q)$(MAKE) -s -C $(CORE_DIR) O=$(abspath $(O)/judge/core) CFLAGS="$(CFLAGS)" \
		SANITIZE="$(SANITIZE)"

$(O)/judge/oracle/%.o: $(ORACLE_DIR)/%.c $(FLAGS_FILE)
	$(if $(V),,@echo "  CC      $@")
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(JUDGE_CFLAGS) -MMD -c -o $@ $<

$(O)/judge/%.o: judge/%.c $(FLAGS_FILE)
	$(if $(V),,@echo "  CC      $@")
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(JUDGE_CFLAGS) -MMD -c -o $@ $<

-include $(JUDGE:.o=.d) $(JUDGE_ORACLE:.o=.d)

.PHONY: FORCE
