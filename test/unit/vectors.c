#include "vectors.h"

#include <stdio.h>
#include <unistd.h>

#include "unit.h"

struct json_object *vectors_load(const char *path)
{
    const char *dir = unit_vectors();
    char full[4400];

    snprintf(full, sizeof full, "%s/%s", dir ? dir : "", path);
    return dir && access(full, R_OK) == 0 ? json_object_from_file(full) : NULL;
}

void vectors_hex(const char *hex, struct buf *out)
{
    unsigned v;

    for (; hex && sscanf(hex, "%2x", &v) == 1; hex += 2) {
        unsigned char c = (unsigned char)v;

        CU_ASSERT_EQUAL_FATAL(buf_append(out, &c, 1), 0);
    }
}
