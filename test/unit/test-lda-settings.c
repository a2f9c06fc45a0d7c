#include "lda/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static char path[] = "/tmp/recrypt-settings.XXXXXX";

static int load(const char *text, struct settings *s, struct err *e)
{
    FILE *f = fopen(path, "w");

    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
    return settings_load(path, s, e);
}

static void test_defaults(void)
{
    struct settings s;
    struct err e;

    CU_ASSERT(load("", &s, &e) == 0);
    CU_ASSERT_STRING_EQUAL(s.maildir, "%d/%n/Maildir");
    CU_ASSERT_STRING_EQUAL(s.archive_maildir, "archives/%u");
    CU_ASSERT(s.archive.dir == 0750 && s.archive.file == 0640 && s.archive.group == (gid_t)-1);
    CU_ASSERT(s.route.kind == ROUTE_MAILDIR && s.fields == FIELDS_LMTP && s.grants == GRANTS_ON_FETCH &&
              s.max_message == 60 << 20);
    CU_ASSERT(s.lmtp_mode == 0660 && s.lmtp_connections == 20 && s.lmtp_timeout == 300 && !s.log_stderr);
    settings_clear(&s);
}

static void test_routes(void)
{
    struct settings s;
    struct err e;

    CU_ASSERT(load("deliver = \"lmtp:unix:/run/x\"\n"
                   "domain \"Example.NET\" { deliver = \"smtp:127.0.0.1:25\" }\n"
                   "domain \"example.org\" { deliver = maildir }\n",
                   &s, &e) == 0);
    CU_ASSERT(settings_route(&s, "example.com")->kind == ROUTE_LMTP);
    CU_ASSERT_STRING_EQUAL(settings_route(&s, "example.com")->address, "unix:/run/x");
    CU_ASSERT(settings_route(&s, "example.net")->kind == ROUTE_SMTP);
    CU_ASSERT_STRING_EQUAL(settings_route(&s, "example.net")->address, "inet:127.0.0.1:25");
    CU_ASSERT(settings_route(&s, "example.org")->kind == ROUTE_MAILDIR);
    CU_ASSERT(settings_knows(&s, "example.net") && !settings_knows(&s, "example.com"));
    settings_clear(&s);
}

static void test_bad(void)
{
    static const struct {
        const char *text, *says;
    } bad[] = {{"deliver = pigeon", "deliver"},
               {"deliver = \"smtp:nowhere\"", "nowhere"},
               {"domain x { deliver = \"lmtp:\" }", "host:port"},
               {"mail_root = relative", "mail_root"},
               {"maildir = \"/abs/%n\"", "maildir"},
               {"maildir = \"%d/%n/../x\"", "maildir"},
               {"maildir = \"same\"", "one mailbox for all"},
               {"archive_maildir = \"%h/%n\"", "archive_maildir"},
               {"archive_dir_mode = 0777", "archive_dir_mode"},
               {"archive_file_mode = 0689", "archive_file_mode"},
               {"archive_group = \"no such group\"", "archive_group"},
               {"max_message = 1G", "max_message"},
               {"max_message = much", "max_message"},
               {"timeout = 0s", "timeout"},
               {"user = \"no such user\"", "user"}, {"user = root", "as root"},
               {"delivery_fields = perhaps", "delivery_fields"},
               {"grants = sometimes", "grants"},
               {"log = paper", "log"},
               {"lmtp_connections = 0", "lmtp_connections"},
               {"lmtp_mode = rw", "lmtp_mode"},
               {"unheard_of = 1", "unheard_of"}};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct settings s;
        struct err e;
        int r = load(bad[i].text, &s, &e);

        CU_ASSERT(r == ERR_USAGE);
        if (r == 0)
            printf("# accepted: %s\n", bad[i].text);
        else if (!strstr(e.text, bad[i].says) || !strstr(e.text, path))
            CU_FAIL("the error does not name file and option");
        settings_clear(&s);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {{"defaults", test_defaults},
                                             {"routes by domain", test_routes},
                                             {"mistakes are named", test_bad}};
    int fd = mkstemp(path), r;

    if (fd < 0)
        return 99;
    close(fd);
    r = unit_main("lda-settings", tests, sizeof tests / sizeof *tests);
    unlink(path);
    return r;
}
