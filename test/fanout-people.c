/* fanout-people COUNT DOMAIN - makes people for tests with large lists: a line each on standard output, her address,
 * her key id and her profile. Their private keys are thrown away. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/statement.h"

static int make(const char *address, struct err *e)
{
    struct profile p = {.kind = PROFILE_PERSON, .epoch = 1, .issued = (int64_t)time(NULL)}, back;
    struct buf text = BUF_INIT;
    struct jwk *sign = NULL;
    int r;

    memset(&back, 0, sizeof back);
    snprintf(p.account, sizeof p.account, "%s", address);
    snprintf(p.owner, sizeof p.owner, "%s", address);
    if ((r = jwk_generate("Ed25519", &sign, e)) == 0 && (r = jwk_generate("X25519", &p.key, e)) == 0 &&
        (r = profile_sign(&p, sign, &text, e)) == 0 && (r = profile_read(text.data, text.len, &back, e)) == 0)
        printf("%s %s %s\n", address, back.keyid, buf_str(&text));
    profile_clear(&back);
    jwk_free(&sign);
    jwk_free(&p.key);
    buf_free(&text);
    return r;
}

int main(int argc, char **argv)
{
    long n = argc == 3 ? atol(argv[1]) : 0;
    struct err e = {0};

    for (long i = 1; i <= n; i++) {
        char address[ADDRESS_SIZE];

        snprintf(address, sizeof address, "m%05ld@%s", i, argv[2]);
        if (make(address, &e) < 0) {
            fprintf(stderr, "fanout-people: %s\n", e.text);
            return 1;
        }
    }
    return n > 0 ? 0 : 64;
}
