# SPDX-License-Identifier: GPL-2.0
# For kunit.py run --arch x86_64 --qemu_config=<this file>: a CPU with SVM, emulated,
# on which kvm_amd and its nested page tables run on any machine. phys-bits: the TDP
# MMU's walks end there, and a TD's shared memory is at 1 << 47.
from ..qemu_config import QemuArchParams


class Emulated(list):
	"""Parameters that replace the accelerations which kunit.py asks for before
	them: the first that starts would win, and KVM's guests rarely have SVM.
	"""

	def __radd__(self, before):
		words = iter(before)
		kept = []
		for word in words:
			if word == '-accel':
				next(words)
			else:
				kept.append(word)
		return kept + list(self)


QEMU_ARCH = QemuArchParams(linux_arch='x86_64',
			   kconfig='''
CONFIG_SERIAL_8250=y
CONFIG_SERIAL_8250_CONSOLE=y''',
			   qemu_arch='x86_64',
			   kernel_path='arch/x86/boot/bzImage',
			   kernel_command_line='console=ttyS0 watchdog_thresh=60',
			   # qboot is faster than SeaBIOS and doesn't mess up
			   # the terminal.
			   extra_qemu_params=Emulated(['-bios', 'qboot.rom',
						       '-accel', 'tcg,thread=multi',
						       '-cpu', 'EPYC,phys-bits=48',
						       '-smp', '4']))
