/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What must come of a trial.  It is what the model says; where a backend failed,
 * the record of its calls tells what must be lost.
 */
#ifndef TESTS_EXHAUST_EXPECT_H
#define TESTS_EXHAUST_EXPECT_H

#include "exhaust-trial.h"

/*
 * Of the trial in hand: outcome->got, calls and refused are known; fill in want
 * and after, and wrong if something is already.
 */
void expect(const struct trial *trial, struct outcome *outcome);

#endif /* TESTS_EXHAUST_EXPECT_H */
