/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside this room only: parameters and the user's view.
 */
#ifndef TDP_STRESS_STRESS_H
#define TDP_STRESS_STRESS_H

#include <linux/types.h>

/**
 * struct stress_params - parameters, checked when they are set
 * @audit_ms: pause between two audits, ms; 0: only on demand
 * @progress_ms: an operation that takes longer is stuck, ms
 * @frozen_max_ms: an SPTE that is frozen longer is frozen for ever, ms
 * @retry_max: a fault that is retried so often, for @progress_ms, makes no progress
 * @flight: events that the recorder keeps for each CPU
 * @checks: the checks asked for, a bit for each
 * @all_checks: all that are possible were asked for
 */
struct stress_params {
	unsigned int audit_ms;
	unsigned int progress_ms;
	unsigned int frozen_max_ms;
	unsigned int retry_max;
	unsigned int flight;
	unsigned long checks;
	bool all_checks;
};

extern struct stress_params stress_params;
extern bool stress_live;	/* hooked: parameters take effect at once */

int stress_plant_start(void);
/* "name=value name=value ..." of all parameters */
void stress_params_str(char *buf, size_t len);

int stress_audit_now(void);

int stress_debugfs_init(void);
void stress_debugfs_exit(void);

#endif
