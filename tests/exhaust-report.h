/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The report of a disagreement: all that is needed to make it happen again.
 */
#ifndef TESTS_EXHAUST_REPORT_H
#define TESTS_EXHAUST_REPORT_H

#include "exhaust-trial.h"

/* Print the trial in hand, and what is wrong with it, on standard error. */
void report(const struct trial *trial, const char *wrong);

#endif /* TESTS_EXHAUST_REPORT_H */
