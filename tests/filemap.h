/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A backend for areas in a set from vmset_reserve that are pages of a file,
 * shared.  Where it unmaps, it leaves the range inaccessible, as the set wants.
 */
#ifndef TESTS_FILEMAP_H
#define TESTS_FILEMAP_H

#include "vmset.h"

/* Its ctx is a pointer to an int, the file's descriptor. */
extern const struct vmset_backend_ops filemap_ops;

/* The same with a query operation. */
extern const struct vmset_backend_ops filemap_query_ops;

/*
 * A new file of some pages, each byte of which is the page's number, counted
 * from 1; and the file open once more, to be read only.  The caller closes them.
 */
int filemap_file(size_t pages);
int filemap_read_only(int fd);

#endif /* TESTS_FILEMAP_H */
