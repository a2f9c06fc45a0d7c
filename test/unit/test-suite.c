#include <stdio.h>
#include <string.h>

#include "common/suite.h"
#include "unit.h"

enum { VALUE_MAX = SUITE_VALUE_MAX };

/* Octets of hexadecimal text; fails the test when it is not len octets. */
static const unsigned char *hex(const char *text, size_t len)
{
    static unsigned char ring[8][VALUE_MAX];
    static unsigned next;
    unsigned char *out = ring[next++ % 8];

    CU_ASSERT_EQUAL_FATAL(strlen(text), 2 * len);
    for (size_t i = 0; i < len; i++) {
        unsigned octet;

        CU_ASSERT_EQUAL_FATAL(sscanf(text + 2 * i, "%2x", &octet), 1);
        out[i] = (unsigned char)octet;
    }
    return out;
}

static struct suite_key *generate(const struct suite *s)
{
    struct suite_key *k;

    CU_ASSERT_EQUAL_FATAL(suite_generate(s, &k, NULL), 0);
    return k;
}

static struct suite_peer *peer(const struct suite *s, const unsigned char *pub)
{
    struct suite_peer *p = NULL;
    struct err e = {0, ""};

    CU_ASSERT_EQUAL_FATAL(suite_peer_new(s, pub, suite_pub_len(s), &p, &e), 0);
    return p;
}

static int is_candidate(const struct suite *s, const unsigned char *candidates, const unsigned char *secret)
{
    int found = 0;

    for (size_t i = 0; i < suite_candidates(s); i++)
        found |= !memcmp(candidates + i * suite_value_len(s), secret, suite_value_len(s));
    return found;
}

/* Whole key and split key see the same secret at this ephemeral public value. */
static int opens(const struct suite_key *a, const struct suite_key *r, const struct suite_key *b,
                 const struct suite_peer *p)
{
    const struct suite *s = suite_key_suite(a);
    unsigned char whole[VALUE_MAX], from_service[VALUE_MAX], from_member[VALUE_MAX], out[2 * VALUE_MAX];

    CU_ASSERT_EQUAL_FATAL(suite_agree(a, p, whole, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(suite_agree(r, p, from_service, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(suite_agree(b, p, from_member, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(suite_combine(s, from_service, from_member, out, NULL), 0);
    return is_candidate(s, out, whole);
}

static void test_round_trip(void)
{
    const struct suite *s;

    for (size_t i = 0; (s = suite_at(i)) != NULL; i++) {
        int rounds = strcmp(suite_kty(s), "DH") ? 100 : 10, opened = 0;

        for (int n = 0; n < rounds; n++) {
            struct suite_key *a = generate(s), *t = generate(s), *r, *b, *back;
            struct suite_peer *epk = peer(s, suite_key_public(t)), *group = peer(s, suite_key_public(a));
            unsigned char mine[VALUE_MAX], theirs[VALUE_MAX];

            CU_ASSERT_EQUAL(suite_agree(a, epk, mine, NULL), 0);
            CU_ASSERT_EQUAL(suite_agree(t, group, theirs, NULL), 0);
            CU_ASSERT_EQUAL(memcmp(mine, theirs, suite_value_len(s)), 0);
            CU_ASSERT_EQUAL_FATAL(suite_split(a, &r, &b, NULL), 0);
            opened += opens(a, r, b, epk);
            /* The halves are ordinary private keys. */
            CU_ASSERT_EQUAL(
                suite_key_from_private(s, suite_key_private(b), suite_priv_len(s), suite_key_public(b), &back, NULL),
                0);
            suite_key_free(&back);
            CU_ASSERT_NOT_EQUAL(memcmp(suite_key_private(r), suite_key_private(b), suite_priv_len(s)), 0);
            suite_peer_free(&epk);
            suite_peer_free(&group);
            suite_key_free(&a);
            suite_key_free(&t);
            suite_key_free(&r);
            suite_key_free(&b);
        }
        CU_ASSERT_EQUAL(opened, rounds);
    }
}

static void test_clamped_halves(void)
{
    static const char *const names[] = {"X25519", "X448"};

    for (int i = 0; i < 2; i++) {
        const struct suite *s = suite_by_name(names[i]);
        size_t last = suite_priv_len(s) - 1;
        struct suite_key *a = generate(s), *r, *b;

        for (int n = 0; n < 50; n++) {
            CU_ASSERT_EQUAL_FATAL(suite_split(a, &r, &b, NULL), 0);
            for (int k = 0; k < 2; k++) {
                const unsigned char *x = suite_key_private(k ? r : b);

                CU_ASSERT_EQUAL(x[0] & (i ? 3 : 7), 0);
                CU_ASSERT_EQUAL(x[last] & (i ? 0x80 : 0xc0), i ? 0x80 : 0x40);
            }
            suite_key_free(&r);
            suite_key_free(&b);
        }
        suite_key_free(&a);
    }
}

/* For a at either end and in the middle of its range, the high and low free bits of both halves are even coins: each of
 * 1000 tosses is within six standard deviations of 500. (Without the random sign, b would crowd at the top for an a in
 * the middle.) */
static void test_halves_say_nothing(void)
{
    enum { ROUNDS = 1000, BOUND = 95, BITS = 6 };
    static const int places[BITS] = {253, 252, 251, 130, 4, 3};
    static const unsigned char places_of_a[3][3] = {{0x00, 0x00, 0x40}, {0xf8, 0xff, 0x7f}, {0x08, 0x00, 0x60}};
    const struct suite *s = suite_by_name("X25519");

    for (int at = 0; at < 3; at++) {
        unsigned char priv[32];
        int count[2][BITS] = {{0}};
        struct suite_key *a, *half[2];

        memset(priv, places_of_a[at][1], 32);
        priv[0] = places_of_a[at][0];
        priv[31] = places_of_a[at][2];
        CU_ASSERT_EQUAL_FATAL(suite_key_from_private(s, priv, 32, NULL, &a, NULL), 0);
        for (int n = 0; n < ROUNDS; n++) {
            CU_ASSERT_EQUAL_FATAL(suite_split(a, &half[0], &half[1], NULL), 0);
            for (int h = 0; h < 2; h++) {
                for (int i = 0; i < BITS; i++)
                    count[h][i] += suite_key_private(half[h])[places[i] / 8] >> places[i] % 8 & 1;
                suite_key_free(&half[h]);
            }
        }
        for (int h = 0; h < 2; h++)
            for (int i = 0; i < BITS; i++)
                CU_ASSERT(count[h][i] > ROUNDS / 2 - BOUND && count[h][i] < ROUNDS / 2 + BOUND);
        suite_key_free(&a);
    }
}

/* All bits set: not clamped, and for X448 above 4L once clamped. */
static void test_unclamped_group_key(void)
{
    static const char *const names[] = {"X25519", "X448"};

    for (int i = 0; i < 2; i++) {
        const struct suite *s = suite_by_name(names[i]);
        size_t len = suite_priv_len(s);
        unsigned char priv[SUITE_PRIV_MAX];
        struct suite_key *a, *r, *b, *t = generate(s);
        struct suite_peer *epk = peer(s, suite_key_public(t));

        memset(priv, 0xff, len);
        CU_ASSERT_EQUAL_FATAL(suite_key_from_private(s, priv, len, NULL, &a, NULL), 0);
        CU_ASSERT_EQUAL(memcmp(suite_key_private(a), priv, len), 0);
        for (int n = 0; n < 20; n++) {
            CU_ASSERT_EQUAL_FATAL(suite_split(a, &r, &b, NULL), 0);
            CU_ASSERT(opens(a, r, b, epk));
            suite_key_free(&r);
            suite_key_free(&b);
        }
        suite_peer_free(&epk);
        suite_key_free(&a);
        suite_key_free(&t);
    }
}

struct agreement {
    const char *suite, *priv, *pub, *shared;
};

static void check_agreement(const struct agreement *v)
{
    const struct suite *s = suite_by_name(v->suite);
    size_t len = suite_priv_len(s);
    unsigned char value[VALUE_MAX];
    struct suite_key *k;
    struct suite_peer *p = peer(s, hex(v->pub, len));

    CU_ASSERT_EQUAL_FATAL(suite_key_from_private(s, hex(v->priv, len), len, NULL, &k, NULL), 0);
    CU_ASSERT_EQUAL(suite_agree(k, p, value, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(value, hex(v->shared, len), len), 0);
    suite_key_free(&k);
    suite_peer_free(&p);
}

/* RFC 7748 section 6.1, both ways, and the whole-key part of the published recryption vectors. */
static void test_published_agreements(void)
{
    static const struct agreement vectors[] = {
        {"X25519", "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
         "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
         "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
        {"X25519", "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
         "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
         "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
        {"X25519", "c07451b10a11f3aae9e85c99a2292f7888a8fc3d09690660c2b4957185484548",
         "85f9ab1e1f070ff99a619f3ac834c5a244202a927c06d854e756834f2add223a",
         "5885fb7025dbedfbf43fc21165a7b6fa1b2f02b73634a37bf3a02b9027cfd83f"},
        {"X25519", "20c08bf4badbd29a694745734f348e35b57824abf6852951370acb381e43076d",
         "3be7d111ea090281c788e9597a44d1d534ae12e23c59329941d199b69dd99806",
         "5885fb7025dbedfbf43fc21165a7b6fa1b2f02b73634a37bf3a02b9027cfd83f"},
        {"X448",
         "18abbd69f6b71623724eb5287ef8f14edbb56cef00cd514aadf624af730bcc37e46601c0b4351899ca31d07e5dc6869f4f333395bb90b"
         "4b4",
         "d12ca96b5e97f8f0182abf33e8146523a9f1069bd5f0db0601e51f87077d69630afd05fb7a654cd581fc63115bd640a1402fa5feb3c17"
         "fc6",
         "b67f79432a134358eba5f57e0e589baabbd7b17e073e42f1edf4c0090c5c4e88c98121e53153402fde7b91fee447a2a79bf8e8b0ac7a7"
         "ca4"},
        {"X448",
         "c43c4759cde71795b47b93aa69b8b6b7edfe18d7f47f6065f189c7358db543371b7f293ec2deef30b6c6b55317c55334e186a988607b1"
         "c84",
         "1d215389f7d878adf54f66aef6e43557a42d0f29d7ed64135a155d0c5a9d788e30aad7ed94d30afd5fc9ebc46e78cbec6710de1af7411"
         "644",
         "b67f79432a134358eba5f57e0e589baabbd7b17e073e42f1edf4c0090c5c4e88c98121e53153402fde7b91fee447a2a79bf8e8b0ac7a7"
         "ca4"},
    };

    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        check_agreement(&vectors[i]);
}

struct combination {
    const char *suite, *v1, *v2, *secret;
    int found;
};

/* draft-hallambaker-threshold-06's contributions. Its second contribution is that of a + k1, not of a - k1 as labelled
 * (u being blind to the sign, the secret is a root for either); the octets that it prints after each contribution are
 * those of the ephemeral key and combine to nothing of use. */
static void test_published_combinations(void)
{
    static const struct combination vectors[] = {
        {"X25519", "4643b5e30cb20e9c47d84cea2f9b21fb7eb5f3079e28cd72fadb5a6b5ee4a976",
         "2e2fb8fd6b24a7ab8296c6eb82c9169539da83e9a10737d261375b5b7ac06878",
         "5885fb7025dbedfbf43fc21165a7b6fa1b2f02b73634a37bf3a02b9027cfd83f", 1},
        {"X25519", "4643b5e30cb20e9c47d84cea2f9b21fb7eb5f3079e28cd72fadb5a6b5ee4a976",
         "463ad4ff5120b47369d22bd1c4fa11132349219bbe389ece6b2957a7778bd045",
         "5885fb7025dbedfbf43fc21165a7b6fa1b2f02b73634a37bf3a02b9027cfd83f", 1},
        {"X25519", "4643b5e30cb20e9c47d84cea2f9b21fb7eb5f3079e28cd72fadb5a6b5ee4a976",
         "85f9ab1e1f070ff99a619f3ac834c5a244202a927c06d854e756834f2add223a",
         "5885fb7025dbedfbf43fc21165a7b6fa1b2f02b73634a37bf3a02b9027cfd83f", 0},
        {"X448",
         "d49fe0a4da93f89abcb32c51ba617082a9545d8d9ed03fabea670b109993a5717b27f4f8d9bc687ed1d78b531503d51bffb96828c8a79"
         "7d7",
         "810b2702e129a11bc9d072819b75b81727ca92b76eff5a46598000f649a5b9404274c7ac415d9699181d7ece923846dc463bcde77cfd2"
         "a79",
         "b67f79432a134358eba5f57e0e589baabbd7b17e073e42f1edf4c0090c5c4e88c98121e53153402fde7b91fee447a2a79bf8e8b0ac7a7"
         "ca4",
         1},
        {"X448",
         "d49fe0a4da93f89abcb32c51ba617082a9545d8d9ed03fabea670b109993a5717b27f4f8d9bc687ed1d78b531503d51bffb96828c8a79"
         "7d7",
         "a244979dddc6ab724d25d8a1b1cb3fd2f1cce849c47eccfc6a7cc241e08f80f06393ce5c4db98f062125ad3c968bca40fdcf7aabf0185"
         "566",
         "b67f79432a134358eba5f57e0e589baabbd7b17e073e42f1edf4c0090c5c4e88c98121e53153402fde7b91fee447a2a79bf8e8b0ac7a7"
         "ca4",
         1},
    };

    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const struct suite *s = suite_by_name(vectors[i].suite);
        size_t len = suite_value_len(s);
        unsigned char out[2 * VALUE_MAX];
        int r = suite_combine(s, hex(vectors[i].v1, len), hex(vectors[i].v2, len), out, NULL);

        CU_ASSERT_EQUAL(r == 0 && is_candidate(s, out, hex(vectors[i].secret, len)), vectors[i].found);
    }
}

/* "Recryption" vector of November 2017 (RFC 3526 group 14): a service's share and its public value, here big-endian and
 * the share reduced modulo (p - 1) / 2. */
static void test_published_dh(void)
{
    static const char share[] =
        "1590e4a014012d19b586a2184ead07bcd120820d31cbe4a29ccd277803635af6bdcefe2e52da3f40aab61506cce944531911"
        "013f546757cc01404b8992cf3eb8a44dcfbc5f4dc357741e1e338c3b6057b4da4f1df82d7d0b9e1d1c5415e5bb3139795a8a"
        "a71256a0bc3fdbaf2cfb8f8f587204ea6e89220e45d9884912cef7c3e8fc5a66fb45efa2e7dca95d9081eddf1dfb5bda599b"
        "0b0d63bc713077dbed694e9cb8eeea34645c3672a3a8e42498ec46086d7cf9567a32762e2242277e991a57b93f98f4478764"
        "92e7921fc980d8bad008e507718263922a922217aa7512c063784ba68e48f36a199eeb4c74280fd4126ac0ee2ffc04af7f00"
        "77d851cb1e85";
    static const char public_value[] =
        "0cd43ba2ae81eb8371f782b5583bc9258234ac7b5c681993192982aa4ddc2cc9f07b60caeff1f435f2124086341dde33f9c0"
        "7e77f8070d02f77d878ebf3cafddf3f38dc8e34819f78f5ba1ceda08c7e9de502227899bfeec95ea0475797869f260be8fb7"
        "bc0fee6f13b63bfa9c398240a8512a70d3fc6a02039c91dffdfc58c6fd3ee601a5b04ae855bca4c660e90a7f3b34303b6f55"
        "aa0002ae4e4717167e8d9bf4687d939a1d1f2c1002a19396011c48397b3f4607a42405729af6f255417570149c472e657bed"
        "500fab5f704e875e23bc4ae4a60644bbe8ece5d33dc6b8ec9ec32a305d282855cd8adadd5c59b1b13f13ab9995a0427e9328"
        "f3a981902098";
    const struct suite *s = suite_by_name("modp2048");
    struct suite_key *k;

    CU_ASSERT_EQUAL_FATAL(suite_key_from_private(s, hex(share, 256), 256, hex(public_value, 256), &k, NULL), 0);
    suite_key_free(&k);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"split, recrypt, combine in every suite", test_round_trip},
        {"halves are clamped", test_clamped_halves},
        {"halves say nothing about the whole", test_halves_say_nothing},
        {"a group key that is not clamped", test_unclamped_group_key},
        {"published key agreements", test_published_agreements},
        {"published contributions", test_published_combinations},
        {"published DH share", test_published_dh},
    };
    return unit_main("suite", tests, sizeof tests / sizeof *tests);
}
