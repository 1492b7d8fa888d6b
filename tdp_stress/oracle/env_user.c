// SPDX-License-Identifier: GPL-2.0
/*
 * The oracles' environment in user space: what env.h declares and the C library does
 * not have. Knows nothing of what is judged.
 */
#include "env.h"

struct tdps_env tdps_env;

u64 find_next_bit(const unsigned long *map, u64 size, u64 from)
{
	while (from < size && !test_bit(from, map))
		from++;
	return from;
}

void bitmap_zero(unsigned long *map, u64 size)
{
	memset(map, 0, BITS_TO_LONGS(size) * sizeof(*map));
}

void bitmap_clear(unsigned long *map, u64 from, u64 n)
{
	for (; n--; from++)
		map[from / BITS_PER_LONG] &= ~(1UL << from % BITS_PER_LONG);
}

void bitmap_copy(unsigned long *to, const unsigned long *from, u64 size)
{
	memcpy(to, from, BITS_TO_LONGS(size) * sizeof(*to));
}

void bitmap_andnot(unsigned long *to, const unsigned long *a, const unsigned long *b, u64 size)
{
	u64 i;

	for (i = 0; i < BITS_TO_LONGS(size); i++)
		to[i] = a[i] & ~b[i];
}

bool bitmap_empty(const unsigned long *map, u64 size)
{
	return find_first_bit(map, size) >= size;
}

u64 bitmap_weight(const unsigned long *map, u64 size)
{
	u64 bit, n = 0;

	for_each_set_bit(bit, map, size)
		n++;
	return n;
}

/* As vsnprintf(), but for what it returns: how much there is in @buf. */
int vscnprintf(char *buf, size_t len, const char *fmt, va_list args)
{
	int n = vsnprintf(buf, len, fmt, args);

	if (n < 0 || !len)
		return 0;
	return (size_t)n < len ? n : (int)len - 1;
}

int scnprintf(char *buf, size_t len, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vscnprintf(buf, len, fmt, args);
	va_end(args);
	return n;
}
