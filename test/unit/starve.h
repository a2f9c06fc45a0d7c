/* starve.h - one allocation of the test program fails: its own or a library's. Not with sanitizers, which have their
 * own. */
#ifndef RECRYPT_TEST_STARVE_H
#define RECRYPT_TEST_STARVE_H

/* The nth allocation from now on fails; 0 = none. */
void starve(long n);
/* Nobody has failed yet since starve: there were fewer allocations. Ends it. */
int starve_spared(void);
/* False: nothing ever fails here. */
int starve_works(void);

#endif
