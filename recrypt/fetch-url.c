/* The URL of an IMAP server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fetch-conf.h"
#include "web.h"

static const struct {
    const char *scheme, *port;
    enum fetch_tls tls;
} schemes[] = {{"imaps://", "993", FETCH_TLS},
               {"imap+starttls://", "143", FETCH_STARTTLS},
               {"imap://", "143", FETCH_CLEAR}};

static int bad_url(const char *text, struct err *e)
{
    return err_set(e, ERR_USAGE, "%s: not the URL of an IMAP server: imaps://HOST or imap+starttls://HOST", text);
}

int fetch_conf_url(const char *text, int cleartext, struct fetch_conf *out, struct err *e)
{
    const char *host = text, *end, *port;
    size_t s = 0, len, skip;

    for (const char *p = text; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f || strchr("?#@\\\"<>%", *p))
            return bad_url(text, e);
    if (strstr(text, "://")) {
        while (s < sizeof schemes / sizeof *schemes &&
               strncasecmp(text, schemes[s].scheme, strlen(schemes[s].scheme)) != 0)
            s++;
        if (s == sizeof schemes / sizeof *schemes)
            return bad_url(text, e);
        host += strlen(schemes[s].scheme);
    }
    len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
    skip = host[0] == '[';
    if (len <= 2 * skip || len - 2 * skip >= sizeof out->host || (skip && host[len - 1] != ']'))
        return bad_url(text, e);
    if (schemes[s].tls == FETCH_CLEAR && !cleartext && !web_this_machine(host, len))
        return err_set(e, ERR_USAGE, "%s: without TLS the password could be read on its way; use imaps:// or "
                       "imap+starttls:// (or write cleartext = true)", text);
    out->tls = schemes[s].tls;
    snprintf(out->host, sizeof out->host, "%.*s", (int)(len - 2 * skip), host + skip);
    port = schemes[s].port;
    end = host + len;
    len = strlen(port);
    if (*end == ':') {
        port = end + 1;
        len = strspn(port, "0123456789");
        end = port + len;
    }
    if (strcmp(end, "/") != 0 && *end != 0)
        return bad_url(text, e);
    if (len == 0 || len > 5 || atoi(port) < 1 || atoi(port) > 65535)
        return bad_url(text, e);
    snprintf(out->port, sizeof out->port, "%.*s", (int)len, port);
    return 0;
}
