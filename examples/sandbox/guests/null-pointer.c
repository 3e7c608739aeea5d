/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Follows a list whose end it does not notice.
 */
#include "guest.h"

struct node {
	long value;
	struct node *next;
};

int main(void)
{
	struct node last = { 1, NULL };
	struct node *volatile node = &last;

	say("Following a NULL pointer ...\n");
	while (node->next != &last)
		node = node->next;
	say("That worked?\n");
	return 1;
}
