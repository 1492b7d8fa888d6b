// SPDX-License-Identifier: GPL-2.0
/*
 * Where in KVM a thread is: its stack's return addresses, those in KVM's text, each
 * different chain of them kept once, so that an event has a number for it. Knows nothing
 * of what KVM does there.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/jhash.h>
#include <linux/kallsyms.h>
#include <linux/stacktrace.h>

#include "insight.h"

#define DEEP	24	/* frames that are looked at: hooks and traps are on the stack, too */
#define KEPT	8	/* of KVM's, the innermost ones */
#define CHAINS	512	/* what is not kept any more has no number */

enum { FREE, TAKEN, READY };

/* Claimed by @state, which is set to READY when the rest is there, for ever. */
static struct chain {
	int state;
	u32 hash;
	u32 nr;
	unsigned long ip[KEPT];
} chains[CHAINS];

/* In User Mode Linux KVM is no module: its functions could not be told from this project's. */
#if defined(CONFIG_STACKTRACE) && !defined(CONFIG_UML)

static bool in_kvm(unsigned long ip)
{
	char name[KSYM_SYMBOL_LEN];

	sprint_symbol(name, ip);
	return strstr(name, " [kvm");
}

static bool fill(struct chain *c, const unsigned long *ip, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr && c->nr < KEPT; i++)
		if (ip[i] && in_kvm(ip[i]))
			c->ip[c->nr++] = ip[i];
	return c->nr;
}

/* Set by a handler of a function's return: the stack no longer has whom it returns to. */
static DEFINE_PER_CPU(unsigned long, returning_to);

/**
 * tdps_calls_return() - the hook of a function's return begins, or ends
 * @ip: where in its caller it returns to; 0: that is over
 *
 * Context: preemption disabled.
 */
void tdps_calls_return(unsigned long ip)
{
	this_cpu_write(returning_to, ip);
}

static u16 number_of(const unsigned long *ip, unsigned int nr)
{
	u32 hash = jhash(ip, nr * sizeof(ip[0]), 0), i;

	for (i = 0; i < CHAINS; i++) {
		u32 n = (hash + i) % CHAINS;
		struct chain *c = &chains[n];
		int state;

		/* pairs with the release below */
		state = smp_load_acquire(&c->state);
		if (state == FREE && cmpxchg(&c->state, FREE, TAKEN) == FREE) {
			c->hash = hash;
			fill(c, ip, nr);
			/* the chain is complete; pairs with the acquire above */
			smp_store_release(&c->state, READY);
			return c->nr ? n + 1 : 0;
		}
		/* two numbers for one chain, if another thread is at it, do no harm */
		if (state == READY && c->hash == hash)
			return c->nr ? n + 1 : 0;
	}
	return 0;
}

/**
 * tdps_calls_here() - the chain of KVM's functions that the current thread is in
 *
 * Context: any; takes no lock.
 *
 * Return: its number, 0 if there is none or no room for one more.
 */
u16 tdps_calls_here(void)
{
	unsigned long ip[DEEP];

	ip[0] = in_task() ? this_cpu_read(returning_to) : 0;
	return number_of(ip, stack_trace_save(ip + 1, ARRAY_SIZE(ip) - 1, 1) + 1);
}

/**
 * tdps_calls_site() - where the function was called from that returns now
 *
 * Much quicker than the whole chain.
 *
 * Context: preemption disabled.
 *
 * Return: the number of a chain of one, 0 if nothing returns.
 */
u16 tdps_calls_site(void)
{
	unsigned long ip = this_cpu_read(returning_to);

	return ip ? number_of(&ip, 1) : 0;
}

#else

void tdps_calls_return(unsigned long ip)
{
}

u16 tdps_calls_here(void)
{
	return 0;
}

u16 tdps_calls_site(void)
{
	return 0;
}

#endif

/**
 * tdps_calls_str() - put a chain into words, the innermost function first
 * @calls: what tdps_calls_here() returned
 * @buf: where to
 * @len: its size
 *
 * Return: how many characters that are, 0 if there is none.
 */
int tdps_calls_str(u16 calls, char *buf, size_t len)
{
	const struct chain *c = calls ? &chains[(calls - 1) % CHAINS] : NULL;
	size_t n = 0;
	u32 i;

	/* pairs with tdps_calls_here() */
	if (!c || smp_load_acquire(&c->state) != READY)
		return 0;
	for (i = 0; i < c->nr; i++)
		n += scnprintf(buf + n, len - n, "%s%pS", i ? ", " : "", (void *)c->ip[i]);
	return n;
}
