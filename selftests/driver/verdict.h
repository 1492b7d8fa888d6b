/* SPDX-License-Identifier: GPL-2.0 */
/* What counts as a failure once the threads have stopped. */
#ifndef DRIVER_VERDICT_H
#define DRIVER_VERDICT_H

#include "stress.h"

void verdict_progress(struct stress *s);
void verdict_idle(struct stress *s);
void verdict_modules(struct stress *s);

#endif
