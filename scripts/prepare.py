# SPDX-License-Identifier: GPL-2.0
"""make kernel: everything that make run does before it boots.

With KIT=folder all that is left there, for make run KIT=folder.
"""

from common.say import main, say
from common.settings import Values, memory_mib
from kernel import kit
from qemu import initramfs, setup, stale
from uml import stress as in_uml


def _in_uml(values, folder):
    """The kernel that is a program."""
    tree = setup.get_tree(values)
    if folder:
        return kit.leave_uml(folder, lambda new: in_uml.prepare(values, tree, new),
                             memory_mib(values))
    kernel = in_uml.prepare(values, tree)
    say("kernel: %s (%s, %s)" % (kernel.binary, kernel.config_name, kernel.how))
    return None


def _for_a_machine(values, folder):
    kernel, built = setup.prepare(values)
    say("kernel: %s (%s, %s)" % (kernel.image, kernel.config_name, kernel.how))
    for path in (*built.modules.values(), *built.programs.values()):
        say("built:  %s" % path)
    if not folder:
        return None
    replaced = setup.get_variant(values, kernel)
    return kit.leave(folder, kernel, built, initramfs.kernel_modules(kernel, replaced), replaced,
                     stale.build(kernel, values.jobs), memory_mib(values))


def prepare():
    values = Values()
    # made here, not taken
    folder, values.kit = values.kit, None
    made = (_in_uml if values.where == "uml" else _for_a_machine)(values, folder)
    if made:
        say("kit:    %s" % made)


if __name__ == "__main__":
    main(prepare)
