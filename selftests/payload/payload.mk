# SPDX-License-Identifier: GPL-2.0
# The guest's code: assembled, linked to where it lies in the guest, and taken out of its
# ELF file, for whoever embeds it (payload/image.S).

PAYLOAD := $(O)/payload
# no variable to relocate, no register that a TD would have to ask for, one place for each
# instruction that somebody looks for
PAYLOAD_CFLAGS := -std=gnu11 -Wall -Wextra -Werror -Os -m64 -ffreestanding -fpie \
	-fvisibility=hidden -mgeneral-regs-only -mno-red-zone -fno-stack-protector -fcf-protection=none \
	-fno-inline -fno-jump-tables -fno-asynchronous-unwind-tables -fno-ipa-sra -fno-ipa-cp \
	-fno-toplevel-reorder -isystem $(KHDR)

$(shell mkdir -p $(PAYLOAD))

$(PAYLOAD)/%.o: payload/%.c payload/payload.mk $(FLAGS_FILE)
	$(if $(V),,@echo "  CC      $@")
	$(Q)$(CC) $(PAYLOAD_CFLAGS) -MMD -c -o $@ $<

$(PAYLOAD)/%.o: payload/%.S payload/payload.mk $(FLAGS_FILE)
	$(if $(V),,@echo "  AS      $@")
	$(Q)$(CC) $(PAYLOAD_CFLAGS) -MMD -c -o $@ $<

$(PAYLOAD)/payload.elf: $(PAYLOAD)/entry.o $(PAYLOAD)/payload.o payload/payload.lds
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(LD) -m elf_x86_64 -static -no-pie -z noexecstack -z max-page-size=4096 \
		--no-warn-rwx-segments -T payload/payload.lds -o $@ $(filter %.o,$^)

$(PAYLOAD)/payload.bin: $(PAYLOAD)/payload.elf
	$(Q)objcopy -O binary $< $@
	@echo "  IMAGE   $@: $$((0x$$(nm $< | sed -n 's/ . payload_code_end//p') - 0xfffff000))" \
		"bytes of code and constants, $$(($$(wc -c < $@) / 4096)) pages"

-include $(PAYLOAD)/entry.d $(PAYLOAD)/payload.d
