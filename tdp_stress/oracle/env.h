/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the oracles live: the kernel or user space, where tdp-judge hands in what a
 * trace has recorded. The only file of this room that knows which, with env_user.c;
 * the rest uses what is defined here.
 */
#ifndef TDP_STRESS_ORACLE_ENV_H
#define TDP_STRESS_ORACLE_ENV_H

#ifdef __KERNEL__

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/hash.h>
#include <linux/irq_work.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/types.h>
#include <linux/vmalloc.h>
#include <trace/events/printk.h>

/* A fact has come in: for whoever traces (tracepoints.h); nothing otherwise. */
#define tdps_trace(event, ...)		trace_tdps_##event(__VA_ARGS__)
#define tdps_tracing(event)		trace_tdps_##event##_enabled()

#else /* user space: one thread, which plays those of the trace one after the other */

#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>

#include "../core/env.h"

typedef __s8 s8;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;
typedef int pid_t;

#define U64_MAX			(~0ULL)
#define BITS_PER_LONG		64
#define NSEC_PER_USEC		1000ULL
#define NSEC_PER_MSEC		1000000ULL
#define NSEC_PER_SEC		1000000000ULL
#define TASK_COMM_LEN		16

#define __printf(f, a)		__attribute__((format(printf, f, a)))
#define __percpu
#define __rcu
#define ____cacheline_aligned	__attribute__((aligned(64)))
#define fallthrough		__attribute__((fallthrough))
#define likely(c)		__builtin_expect(!!(c), 1)

#define min(a, b)							\
({									\
	__auto_type __a = (a);						\
	__auto_type __b = (b);						\
									\
	(__typeof__(__a + __b))(__a < __b ? __a : __b);			\
})
#define max(a, b)							\
({									\
	__auto_type __a = (a);						\
	__auto_type __b = (b);						\
									\
	(__typeof__(__a + __b))(__a > __b ? __a : __b);			\
})

/* --- one thread only: no order has to be kept --- */

#define READ_ONCE(x)			(x)
#define WRITE_ONCE(x, v)		((x) = (v))
#define barrier()			do {} while (0)
#define smp_mb()			do {} while (0)
#define smp_rmb()			do {} while (0)
#define smp_wmb()			do {} while (0)
#define smp_load_acquire(p)		(*(p))
#define smp_store_release(p, v)		(*(p) = (v))
#define cmpxchg(p, old, new)		tdxm_cmpxchg(p, old, new)
#define cmpxchg64(p, old, new)		tdxm_cmpxchg(p, old, new)

typedef struct { int counter; } atomic_t;
typedef struct { s64 counter; } atomic64_t;
typedef struct { long counter; } atomic_long_t;

#define ATOMIC64_INIT(n)		{ n }
#define atomic_read(v)			((v)->counter)
#define atomic_set(v, n)		((v)->counter = (n))
#define atomic_inc(v)			((void)(v)->counter++)
#define atomic_dec(v)			((void)(v)->counter--)
#define atomic_fetch_inc(v)		((v)->counter++)
#define atomic64_read(v)		((v)->counter)
#define atomic64_read_acquire(v)	((v)->counter)
#define atomic64_set(v, n)		((v)->counter = (n))
#define atomic64_inc(v)			((void)(v)->counter++)
#define atomic64_inc_return(v)		(++(v)->counter)
#define atomic_long_read(v)		((v)->counter)
#define atomic_long_add(n, v)		((void)((v)->counter += (n)))

#define preempt_disable_notrace()	do {} while (0)
#define preempt_enable_notrace()	do {} while (0)

typedef struct { char unused; } raw_spinlock_t;
#define DEFINE_RAW_SPINLOCK(name)	raw_spinlock_t name
#define DEFINE_MUTEX(name)		raw_spinlock_t name
#define raw_spin_lock_init(l)		do {} while (0)
#define guard(kind)			tdps_env_guard_##kind
#define tdps_env_guard_rcu()		do {} while (0)
#define tdps_env_guard_mutex(l)		((void)(l))
#define tdps_env_guard_raw_spinlock_irqsave(l)	((void)(l))

#define rcu_access_pointer(p)		(p)
#define rcu_assign_pointer(p, v)	((p) = (v))
#define rcu_dereference(p)		(p)
#define rcu_dereference_protected(p, c)	(p)
#define RCU_INIT_POINTER(p, v)		((p) = (v))
#define lockdep_assert_held(l)		do {} while (0)
#define synchronize_rcu()		do {} while (0)

/* Whether a grace period has passed the trace says. */
struct tdps_env_gp { char unused; };
#define TDPS_GP_STATE			tdps_env_gp
#define get_state_synchronize_rcu_full(gp)	((void)(gp))
#define poll_state_synchronize_rcu_full(gp)	((void)(gp), tdps_env.gp_passed)

struct irq_work { void (*fn)(struct irq_work *work); };
#define DEFINE_IRQ_WORK(name, fn)	struct irq_work name = { fn }
#define irq_work_queue(work)		((work)->fn(work))
#define irq_work_sync(work)		((void)(work))

/* --- who and when: as the trace has it --- */

struct task_struct {
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

/**
 * struct tdps_env - what the event at hand says of its surroundings
 * @task: its thread
 * @ns: its time
 * @in_task: it came from no interrupt
 * @gp_passed: TDPS_EV_TABLE_FREE: a grace period has passed since the table was unlinked
 */
struct tdps_env {
	struct task_struct *task;
	u64 ns;
	bool in_task;
	bool gp_passed;
};

extern struct tdps_env tdps_env;

#define current				(tdps_env.task)
#define in_task()			(tdps_env.in_task)
#define ktime_get_mono_fast_ns()	(tdps_env.ns)

/* --- one CPU --- */

#define DECLARE_PER_CPU(type, name)	extern type name
#define DEFINE_PER_CPU(type, name)	type name
#define for_each_possible_cpu(cpu)	for ((cpu) = 0; (cpu) < 1; (cpu)++)
#define num_possible_cpus()		1
#define per_cpu_ptr(p, cpu)		((void)(cpu), (p))
#define this_cpu_ptr(p)			(p)
#define this_cpu_read(v)		(v)
#define this_cpu_write(v, n)		((v) = (n))
#define this_cpu_add(v, n)		((v) += (n))
#define this_cpu_inc(v)			((void)(v)++)
#define this_cpu_inc_return(v)		(++(v))

/* --- memory --- */

#define vzalloc(size)			calloc(1, size)
#define vzalloc_node(size, node)	calloc(1, size)
#define vcalloc(n, size)		calloc(n, size)
#define vmalloc_array(n, size)		calloc(n, size)
#define kzalloc(size, gfp)		calloc(1, size)
#define vfree(p)			free(p)
#define kfree(p)			free(p)

/* --- numbers and bits --- */

static inline unsigned int ilog2(u64 n)
{
	return 63 - __builtin_clzll(n);
}

static inline int fls64(u64 n)
{
	return n ? 64 - __builtin_clzll(n) : 0;
}

static inline u32 hash_64(u64 val, unsigned int bits)
{
	return val * 0x61C8864680B583EBull >> (64 - bits);
}

#define hash_ptr(p, bits)		hash_64((unsigned long)(p), bits)

#define BITS_TO_LONGS(n)		(((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define DECLARE_BITMAP(name, n)		unsigned long name[BITS_TO_LONGS(n)]

static inline bool test_bit(u64 n, const unsigned long *map)
{
	return map[n / BITS_PER_LONG] >> n % BITS_PER_LONG & 1;
}

static inline void __set_bit(u64 n, unsigned long *map)
{
	map[n / BITS_PER_LONG] |= 1UL << n % BITS_PER_LONG;
}

#define set_bit(n, map)			__set_bit(n, map)

u64 find_next_bit(const unsigned long *map, u64 size, u64 from);
#define find_first_bit(map, size)	find_next_bit(map, size, 0)
#define for_each_set_bit(bit, map, size)				\
	for ((bit) = find_first_bit(map, size); (bit) < (size);		\
	     (bit) = find_next_bit(map, size, (bit) + 1))
#define for_each_andnot_bit(bit, a, b, size)				\
	for ((bit) = 0; (bit) < (size); (bit)++)			\
		if (test_bit(bit, a) && !test_bit(bit, b))

void bitmap_zero(unsigned long *map, u64 size);
void bitmap_clear(unsigned long *map, u64 from, u64 n);
void bitmap_copy(unsigned long *to, const unsigned long *from, u64 size);
void bitmap_andnot(unsigned long *to, const unsigned long *a, const unsigned long *b, u64 size);
bool bitmap_empty(const unsigned long *map, u64 size);
u64 bitmap_weight(const unsigned long *map, u64 size);

/* --- text --- */

struct seq_file {
	FILE *to;
};

#define seq_printf(m, ...)		fprintf((m)->to, __VA_ARGS__)
#define seq_puts(m, s)			fputs(s, (m)->to)

#define KERN_INFO			""
#define pr_err(...)			fprintf(stderr, __VA_ARGS__)
#define pr_warn(...)			fprintf(stderr, __VA_ARGS__)
#define pr_info(...)			fprintf(stderr, __VA_ARGS__)
#define dump_stack_lvl(level)		do {} while (0)

int vscnprintf(char *buf, size_t len, const char *fmt, va_list args);
__printf(3, 4) int scnprintf(char *buf, size_t len, const char *fmt, ...);
#define strscpy_2(to, from)		strscpy_3(to, from, sizeof(to))
#define strscpy_3(to, from, len)	scnprintf(to, len, "%s", from)
#define strscpy_n(a, b, c, name, ...)	name
#define strscpy(...)			strscpy_n(__VA_ARGS__, strscpy_3, strscpy_2)(__VA_ARGS__)
#define strscpy_pad(to, from)		(memset(to, 0, sizeof(to)), strscpy(to, from))

/* @len: of @s, which need not end by NUL */
#define strnstr(s, find, len)	((const char *)memmem(s, len, find, strlen(find)))

#define sort(base, n, size, cmp, swap)	qsort(base, n, size, cmp)

/* --- what is not there --- */

#define symbol_get(name)		NULL
#define symbol_put(name)		do {} while (0)
#define register_trace_console(fn, data)	((void)(fn), 0)
#define unregister_trace_console(fn, data)	do {} while (0)
#define tracepoint_synchronize_unregister()	do {} while (0)
#define tdps_trace(event, ...)		do {} while (0)
#define tdps_tracing(event)		false

#endif /* __KERNEL__ */

#endif
