/* recryptd-equal.h - what the files of test-recryptd-equal share: the service, and the people who ask it. */
#ifndef RECRYPT_TEST_RECRYPTD_EQUAL_H
#define RECRYPT_TEST_RECRYPTD_EQUAL_H

#include "recryptd-world.h"
#include "unit.h"

enum { MEMBERS = 9, INLINE_MEMBERS = 8 };

extern struct world w;
/* stranger: known here, of no list; other: in another list; nobody: unknown here. Their addresses are equally long. */
extern struct who alice, member[MEMBERS], gone, stranger, other, nobody, list, list2;
/* Devices: of a member, of another who is in the other list, of a stranger, and of a member but parked. */
extern struct who phone, others_phone, strangers_phone, parked_phone;

/* The test of recryptd-equal-work.c. */
void test_work(void);

#endif
