/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's fault injection, for one thread: the nth allocation fails. And the
 * kernel log, as far as it says how that went.
 */
#ifndef KSELFTEST_KS_FAULT_H
#define KSELFTEST_KS_FAULT_H

#include "ks.h"

/**
 * struct ks_fault - fault injection of the calling thread
 * @nth_fd: /proc/self/task/<tid>/fail-nth, or -1
 * @kmsg_fd: /dev/kmsg, to be read, or -1
 * @params: the settings of the kernel's that it needs
 */
struct ks_fault {
	int nth_fd;
	int kmsg_fd;
	struct ks_params params;
};

const char *ks_fault_open(struct ks_fault *f);
const char *ks_fault_close(struct ks_fault *f);
const char *ks_fault_begin(struct ks *ks, struct ks_fault *f);
int ks_fault_arm(struct ks_fault *f, unsigned int n);
int ks_fault_disarm(struct ks_fault *f);
void ks_fault_loud(bool loud);
void ks_log_mark(struct ks_fault *f);
bool ks_log_splat(struct ks_fault *f, char *line, size_t size);
void ks_log_print(struct ks_fault *f);

#endif
