#include "grants-call.h"

#include <json-c/json.h>
#include <string.h>

#include "common/frame.h"

int grants_call(struct frame_client *c, const char *account, const char *device, const struct grants_item *items,
                size_t n, struct device_grants *out, struct err *e)
{
    size_t done = 0, taken;
    int r = 0;

    memset(out, 0, n * sizeof *out);
    while (r == 0 && done < n) {
        struct json_object *body = NULL, *reply = NULL;

        if ((r = rclient_grants_request(account, device, items + done, n - done, &taken, &body, e)) == 0 &&
            (r = frame_call(c, "Grants", body, &reply, e)) == 0)
            r = rclient_grants_reply(reply, items + done, taken, out + done, e);
        json_object_put(body);
        json_object_put(reply);
        done += r == 0 ? taken : 0;
    }
    if (r < 0)
        device_grants_clear(out, done);
    return r;
}
