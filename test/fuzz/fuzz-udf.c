/* Addresses and key identifiers.
 * identity: the canonical form is its own canonical form; what was taken apart goes together again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/udf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char address[ADDRESS_SIZE], again[ADDRESS_SIZE], base[ADDRESS_SIZE], udf[64], udf_again[64], id[KEYID_SIZE], *text;
    const char *ext;
    size_t ext_len;

    if (address_canonical((const char *)data, size, address, NULL) == 0) {
        if (address_canonical(address, strlen(address), again, NULL) < 0 || strcmp(address, again) != 0)
            abort();
        address_split(address, base, &ext, &ext_len);
        if (address_canonical(base, strlen(base), again, NULL) < 0 ||
            strcmp(address_domain(base), address_domain(address)) != 0)
            abort();
    }
    if (!(text = malloc(size + 1)))
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    if (keyid_parse(text, address, udf, NULL) == 0 &&
        (keyid_make(address, udf, id, NULL) < 0 || keyid_parse(id, again, udf_again, NULL) < 0 ||
         strcmp(address, again) != 0 || strcmp(udf, udf_again) != 0))
        abort();
    free(text);
    return 0;
}
