// SPDX-License-Identifier: GPL-2.0
/*
 * The "inject" file: one rule per leaf in words, checked and handed to the core.
 * Knows the file's grammar; whether and when a rule fires is the core's.
 */
#include <linux/cleanup.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <asm/shared/tdx_errno.h>

#include "stub.h"

#define STUB_NR_LEAVES	128	/* leaf numbers of the ABI, with room */

/**
 * struct stub_rule - the rule of one leaf as it was last written
 * @status: status to return
 * @value: see enum tdxm_inject_mode
 * @mode: TDXM_INJECT_OFF: no rule
 */
struct stub_rule {
	u64 status;
	u32 value;
	enum tdxm_inject_mode mode;
};

static struct stub_rule stub_rules[STUB_NR_LEAVES];
static DEFINE_MUTEX(stub_rules_lock);

static const char * const stub_modes[] = {
	[TDXM_INJECT_OFF]	= "off",
	[TDXM_INJECT_RANDOM]	= "random",
	[TDXM_INJECT_NTH]	= "nth",
	[TDXM_INJECT_BURST]	= "burst",
	[TDXM_INJECT_ONCE]	= "once",
};

/**
 * stub_inject_show() - print the rules in force, in the form they are written
 * @s: where to
 * @unused: of seq_file
 *
 * A rule of mode burst or once stays listed after it has fired.
 *
 * Return: 0.
 */
int stub_inject_show(struct seq_file *s, void *unused)
{
	int leaf;

	guard(mutex)(&stub_rules_lock);

	for (leaf = 0; leaf < STUB_NR_LEAVES; leaf++) {
		const struct stub_rule *r = &stub_rules[leaf];

		if (r->mode == TDXM_INJECT_OFF)
			continue;
		seq_printf(s, "%s ", tdxm_leaf_name(leaf));
		if (r->status == TDX_OPERAND_BUSY)
			seq_puts(s, "busy");
		else
			seq_printf(s, "0x%llx", r->status);
		seq_printf(s, " %s %u\n", stub_modes[r->mode], r->value);
	}
	return 0;
}

static int stub_inject_set(const char *name, int leaf, const struct stub_rule *r)
{
	int ret;

	guard(mutex)(&stub_rules_lock);

	ret = tdxm_inject(stub_tdxm, leaf, r->status, r->mode, r->value);
	if (ret == -EPERM)
		pr_err("inject: %s burst: KVM relies on the retry of this leaf to succeed, use once, nth or random\n",
		       name);
	else if (ret)
		pr_err("inject: %s 0x%llx %s %u was refused (%d)\n", name, r->status,
		       stub_modes[r->mode], r->value, ret);
	else
		stub_rules[leaf] = *r;
	return ret;
}

/**
 * stub_inject_line() - take one line "LEAF STATUS MODE VALUE"
 * @line: the line, without newline; is cut up
 *
 * VALUE may be left out with mode off.
 *
 * Context: may sleep.
 * Return: 0; -EINVAL for a line that makes no sense, -EPERM for a rule that
 * would break what KVM may rely on; both have printed why.
 */
int stub_inject_line(char *line)
{
	char *word[4], *w;
	struct stub_rule r = {};
	int n = 0, leaf, mode;

	while ((w = strsep(&line, " \t"))) {
		if (!*w)
			continue;
		if (n == ARRAY_SIZE(word)) {
			n++;
			break;
		}
		word[n++] = w;
	}
	if (n != 4 && !(n == 3 && !strcmp(word[2], "off"))) {
		pr_err("inject: LEAF STATUS MODE VALUE is wanted, as in \"TDH.MEM.PAGE.AUG busy random 20\"\n");
		return -EINVAL;
	}

	leaf = tdxm_leaf_by_name(word[0]);
	if (leaf < 0 || leaf >= STUB_NR_LEAVES) {
		pr_err("inject: no leaf is called %s\n", word[0]);
		return -EINVAL;
	}
	if (!strcmp(word[1], "busy")) {
		r.status = TDX_OPERAND_BUSY;
	} else if (kstrtoull(word[1], 16, &r.status)) {
		pr_err("inject: status %s: busy or a hexadecimal number is wanted\n", word[1]);
		return -EINVAL;
	}
	mode = match_string(stub_modes, ARRAY_SIZE(stub_modes), word[2]);
	if (mode < 0) {
		pr_err("inject: mode %s: off, random, nth, burst or once is wanted\n", word[2]);
		return -EINVAL;
	}
	r.mode = mode;
	if (n == 4 && (kstrtou32(word[3], 0, &r.value) ||
		       (!r.value && mode != TDXM_INJECT_OFF))) {
		pr_err("inject: value %s: a number from 1 to %u is wanted\n", word[3], U32_MAX);
		return -EINVAL;
	}
	return stub_inject_set(word[0], leaf, &r);
}
