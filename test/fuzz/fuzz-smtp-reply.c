/* An SMTP server's replies, as the fan-out's client reads them.
 * identity: what is taken off does not depend on what follows it, and a reply that was taken is taken again from its
 * own octets.
 * fuzz-sources: lda/smtp-reply.c
 */
#include "../../lda/smtp-reply.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smtp_reply one, two;
    size_t at = 0, used, again;

    while (at < size) {
        int r = smtp_reply_take(data + at, size - at, &one, &used, NULL);

        if (r != 1) {
            if (used)
                abort();
            break;
        }
        if (!used || used > size - at || one.code < 200 || one.code > 599 || strlen(one.text) >= sizeof one.text)
            abort();
        if (smtp_reply_take(data + at, used, &two, &again, NULL) != 1 || again != used || two.code != one.code ||
            strcmp(one.text, two.text) != 0)
            abort();
        if (smtp_reply_take(data + at, used - 1, &two, &again, NULL) == 1)
            abort();
        at += used;
    }
    return 0;
}
