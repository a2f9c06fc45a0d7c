/* TLS on both sides of the IMAP filter: nothing that came before it counts behind it. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "imapfilter-world.h"

#define STARTTLS_OK "a OK Begin TLS now\r\n"

static int client_starttls(struct pair *p)
{
    say(&p->client, "a STARTTLS\r\n");
    return hears(&p->client, STARTTLS_OK) && talk_connect_tls(&p->client);
}

static void test_client_starttls(void)
{
    struct pair p = world_pair();

    CU_ASSERT(client_starttls(&p) && hears_nothing(&p.server));
    say(&p.client, "b CAPABILITY\r\nc STARTTLS\r\n");
    CU_ASSERT(hears(&p.server, "b CAPABILITY\r\n"));
    say(&p.server, "* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\nb OK\r\n");
    CU_ASSERT(hears(&p.client, "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nb OK\r\n") &&
              hears_line(&p.client, "c BAD ", NULL));
    say(&p.client, "d LOGIN bob@example.com secret\r\n");
    CU_ASSERT(hears(&p.server, "d LOGIN bob@example.com secret\r\n"));
    say(&p.server, "d OK in\r\n");
    CU_ASSERT(hears(&p.client, "d OK in\r\n"));
    pair_close(&p);
}

/* Octets that come in the clear behind STARTTLS, in the same piece or later, wherever the pieces are cut. */
static void test_client_injection(void)
{
    static const char sent[] = "a STARTTLS\r\nb LOGIN bob@example.com secret\r\n";

    for (size_t cut = strlen("a STARTTLS\r\n") + 1; cut <= strlen(sent); cut++) {
        struct pair p = world_pair();

        say_octets(&p.client, sent, cut);
        CU_ASSERT(hears(&p.client, STARTTLS_OK) && hears_end(&p.client) && hears_end(&p.server));
        pair_close(&p);
    }
    for (size_t cut = 0; cut < strlen("a STARTTLS\r\n"); cut++) {
        struct pair p = world_pair();

        say_octets(&p.client, sent, cut);
        if (cut % 4 == 1)
            CU_ASSERT(hears_nothing(&p.client));
        say(&p.client, sent + cut);
        CU_ASSERT(hears(&p.client, STARTTLS_OK) && hears_end(&p.client) && hears_end(&p.server));
        pair_close(&p);
    }
    {
        struct pair p = world_pair();

        say(&p.client, "a STARTTLS\r\n");
        CU_ASSERT(hears(&p.client, STARTTLS_OK));
        say(&p.client, "b NOOP\r\n");
        (void)hears_nothing(&p.server);
        CU_ASSERT(hears_end(&p.server));
        pair_close(&p);
    }
}

/* Half a command before TLS is nothing behind it. */
static void test_client_half(void)
{
    struct pair p = world_pair();

    say(&p.client, "a LOGIN {3}\r\n");
    CU_ASSERT(hears(&p.client, "+ go on\r\n"));
    say(&p.client, "bob secret\r\na STARTTLS\r\n");
    CU_ASSERT(hears(&p.server, "a LOGIN {3}\r\n"));
    say(&p.server, "a NO\r\n");
    CU_ASSERT(hears(&p.client, "a NO\r\n" STARTTLS_OK) && talk_connect_tls(&p.client));
    say(&p.client, "b NOOP\r\n");
    CU_ASSERT(hears(&p.server, "b NOOP\r\n"));
    pair_close(&p);
}

static void test_implicit(void)
{
    struct pair p;
    char line[4096];

    p.client = world_client(1);
    CU_ASSERT(talk_connect_tls(&p.client));
    p.server = world_server();
    say(&p.server, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN LITERAL+] hello\r\n");
    CU_ASSERT(hears(&p.client, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN LITERAL+] hello\r\n"));
    say(&p.client, "a LOGIN bob@example.com secret\r\nb APPEND x {100000+}\r\n");
    CU_ASSERT(hears(&p.server, "a LOGIN bob@example.com secret\r\n"));
    say(&p.server, "a OK in\r\n");
    CU_ASSERT(hears(&p.client, "a OK in\r\n"));
    {
        char *octets = malloc(100000);

        for (size_t i = 0; i < 100000; i++)
            octets[i] = (char)(i * 7919u >> 3);
        say_octets(&p.client, octets, 100000);
        say(&p.client, "\r\n");
        CU_ASSERT(hears(&p.server, "b APPEND x {100000+}\r\n") && hears_octets(&p.server, octets, 100000) &&
                  hears(&p.server, "\r\n"));
        say(&p.server, "* 1 FETCH (BODY[] {100000}\r\n");
        say_octets(&p.server, octets, 100000);
        say(&p.server, ")\r\n");
        CU_ASSERT(hears(&p.client, "* 1 FETCH (BODY[] {100000}\r\n") && hears_octets(&p.client, octets, 100000) &&
                  hears(&p.client, ")\r\n"));
        free(octets);
    }
    say(&p.server, "* BYE\r\n");
    talk_close(&p.server);
    CU_ASSERT(hears_line(&p.client, "* BYE", line) && hears_end(&p.client));
    pair_close(&p);
    /* Who does not speak TLS reaches no server. */
    p.client = world_client(1);
    say(&p.client, "a NOOP\r\n");
    (void)hears_nothing(&p.client);
    p.server = world_server();
    CU_ASSERT(p.server.fd < 0);
    pair_close(&p);
}

/* ---- towards the server ---- */

/* Up to where the filter begins its handshake. */
static struct pair server_asked(const char *greeting, const char *behind)
{
    struct pair p;
    char line[4096];

    p.client = world_client(0);
    p.server = world_server();
    say(&p.server, greeting);
    if (hears_line(&p.server, "RX", line) && strstr(line, " STARTTLS\r\n")) {
        strcpy(strchr(line, ' '), " OK go\r\n");
        strcat(line, behind);
        say(&p.server, line);
    } else {
        puts("# no STARTTLS");
    }
    return p;
}

static void test_server_starttls(void)
{
    struct pair p = server_asked("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED EVIL] hello\r\n", "");
    char line[4096];

    CU_ASSERT(talk_accept_tls(&p.server));
    CU_ASSERT(hears_line(&p.server, "RX", line) && strstr(line, " CAPABILITY\r\n"));
    strcpy(strchr(line, ' '), " OK done\r\n");
    say(&p.server, "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n");
    say(&p.server, line);
    CU_ASSERT(hears(&p.client, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN STARTTLS] hello\r\n"));
    say(&p.client, "a LOGIN bob secret\r\n");
    CU_ASSERT(hears(&p.server, "a LOGIN bob secret\r\n"));
    pair_close(&p);
}

static void test_server_injection(void)
{
    static const char *const behind[] = {"x", "* CAPABILITY IMAP4rev1 AUTH=EVIL\r\n", "* PREAUTH in\r\n", "RX OK\r\n",
                                         NULL};
    struct pair p;

    for (const char *const *b = behind; *b; b++) {
        p = server_asked("* OK hello\r\n", *b);
        CU_ASSERT(hears_line(&p.client, "* BYE [UNAVAILABLE] ", NULL));
        pair_close(&p);
    }
    p.client = world_client(0);
    p.server = world_server();
    say(&p.server, "* PREAUTH in\r\n");
    CU_ASSERT(hears_line(&p.client, "* BYE [UNAVAILABLE] ", NULL) && hears_end(&p.server));
    pair_close(&p);
    p = server_asked("* OK hello\r\n", "");
    say(&p.server, "* OK no TLS\r\n");
    CU_ASSERT(hears_line(&p.client, "* BYE [UNAVAILABLE] ", NULL));
    pair_close(&p);
    p.client = world_client(0);
    p.server = world_server();
    say(&p.server, "* OK hello\r\nRX OK go\r\n");
    CU_ASSERT(hears_line(&p.client, "* BYE [UNAVAILABLE] ", NULL));
    pair_close(&p);
}

static void restart(const char *settings)
{
    CU_ASSERT(world_stop());
    world_start(settings);
}

static void test_server_name(void)
{
    char settings[300];
    struct pair p;

    /* Another name than the certificate's; then no root that it comes from. */
    snprintf(settings, sizeof settings,
             "backend_tls = \"tls\"\nbackend_name = \"imap.example.com\"\nbackend_ca = \"%s/cert.pem\"", world_dir);
    for (int i = 0; i < 2; i++) {
        restart(i ? "backend_tls = \"tls\"\nbackend_name = \"imap.test\"" : settings);
        p.client = world_client(0);
        p.server = world_server();
        (void)talk_accept_tls(&p.server);
        CU_ASSERT(hears_line(&p.client, "* BYE [UNAVAILABLE] ", NULL));
        pair_close(&p);
    }
    snprintf(settings, sizeof settings,
             "backend_tls = \"tls\"\nbackend_name = \"imap.test\"\nbackend_ca = \"%s/cert.pem\"", world_dir);
    restart(settings);
    p.client = world_client(0);
    p.server = world_server();
    CU_ASSERT(talk_accept_tls(&p.server));
    say(&p.server, "* OK [CAPABILITY IMAP4rev1] hello\r\n");
    CU_ASSERT(hears(&p.client, "* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n"));
    pair_close(&p);
}

static void test_no_plaintext(void)
{
    struct pair p;

    restart("plaintext_login = \"no\"");
    p.client = world_client(0);
    p.server = world_server();
    say(&p.server, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello\r\n");
    CU_ASSERT(hears(&p.client, "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hello\r\n"));
    say(&p.client, "b LOGIN bob secret\r\nc AUTHENTICATE PLAIN AGJvYgBzZWNyZXQ=\r\n");
    CU_ASSERT(hears_line(&p.client, "b NO [PRIVACYREQUIRED] ", NULL) &&
              hears_line(&p.client, "c NO [PRIVACYREQUIRED] ", NULL) && hears_nothing(&p.server));
    CU_ASSERT(client_starttls(&p));
    say(&p.client, "d LOGIN bob secret\r\n");
    CU_ASSERT(hears(&p.server, "d LOGIN bob secret\r\n"));
    pair_close(&p);
}

static void to_starttls(void)
{
    char settings[300];

    snprintf(settings, sizeof settings,
             "backend_tls = \"starttls\"\nbackend_name = \"imap.test\"\nbackend_ca = \"%s/cert.pem\"", world_dir);
    restart(settings);
    test_server_starttls();
}

static void stop(void)
{
    CU_ASSERT(world_stop());
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"STARTTLS by the client", test_client_starttls},
        {"octets behind the client's STARTTLS", test_client_injection},
        {"half a command before TLS", test_client_half},
        {"TLS from the first octet", test_implicit},
        {"STARTTLS to the server", to_starttls},
        {"octets behind the server's OK", test_server_injection},
        {"whose certificate the server has", test_server_name},
        {"no password without TLS", test_no_plaintext},
        {"ends in order", stop},
    };
    int status;

    world_start("");
    status = unit_main("imapfilter-tls", tests, sizeof tests / sizeof *tests);
    world_end();
    return status;
}
