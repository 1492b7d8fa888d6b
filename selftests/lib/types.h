/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's short names, for programs that are written in its style. */
#ifndef SELFTESTS_LIB_TYPES_H
#define SELFTESTS_LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

typedef __u8 u8;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;

#ifndef __printf
#define __printf(a, b)	__attribute__((__format__(printf, a, b)))
#endif
#ifndef __section
#define __section(name)	__attribute__((__section__(name)))
#endif
#ifndef __aligned
#define __aligned(x)	__attribute__((__aligned__(x)))
#endif

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif
#ifndef BIT
#define BIT(nr)		(1UL << (nr))
#endif

#endif
