/* noop-milter.c - the least that a milter of libmilter can do which reads bodies: recrypt-milter's peer in the
 * benchmark.
 *
 *   noop-milter SOCKET    stays in the foreground */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static unsigned long octets; /* so that a body is really looked at */

static sfsistat on_envfrom(SMFICTX *ctx, char **argv)
{
    (void)ctx, (void)argv;
    return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    (void)ctx, (void)name, (void)value;
    return SMFIS_CONTINUE;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *data, size_t len)
{
    (void)ctx;
    if (memchr(data, 0, len))
        __atomic_add_fetch(&octets, 1, __ATOMIC_RELAXED);
    return SMFIS_CONTINUE;
}

static sfsistat on_eom(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
    static char name[] = "noop-milter";
    struct smfiDesc d;

    if (argc != 2)
        return EX_USAGE;
    memset(&d, 0, sizeof d);
    d.xxfi_name = name;
    d.xxfi_version = SMFI_VERSION;
    d.xxfi_envfrom = on_envfrom;
    d.xxfi_envrcpt = on_envfrom;
    d.xxfi_header = on_header;
    d.xxfi_body = on_body;
    d.xxfi_eom = on_eom;
    if (smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(d) != MI_SUCCESS || smfi_main() != MI_SUCCESS) {
        fprintf(stderr, "noop-milter: cannot run on %s\n", argv[1]);
        return EX_UNAVAILABLE;
    }
    return EX_OK;
}
