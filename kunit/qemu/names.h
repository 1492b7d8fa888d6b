/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM's functions and variables by their names, where suites are a module.
 */
#ifndef TDP_STRESS_KUNIT_QEMU_NAMES_H
#define TDP_STRESS_KUNIT_QEMU_NAMES_H

#ifdef MODULE
void home_find_names(unsigned long (*lookup)(const char *name));
#else
/* the linker has found them */
static inline void home_find_names(unsigned long (*lookup)(const char *name))
{
}
#endif

#endif
