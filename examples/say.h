/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* say: a printf to stderr that a signal handler and a malloc may call. */
#ifndef SAY_H
#define SAY_H

/*
 * Write one line.  format has %s, %p and %zu and no other conversion.  What is
 * beyond 200 bytes is cut off.  Takes no lock, allocates nothing.
 */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* SAY_H */
