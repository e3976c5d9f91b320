/* See certificate.h. */
#define LOG_AREA "node"
#include "node/certificate.h"

#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "cert/request.h"
#include "http/http.h"
#include "json/json.h"
#include "kinds/csr.h"
#include "kinds/kind.h"

#define PEM_MAX 65536
#define POLL_MS 300 /* until it is signed; a person may have to approve it, so this grows */
#define POLL_MAX_MS 30000
#define CHECK_MS 3600000 /* timers do not count the time that a machine sleeps: look at the clock now and then */
#define RENEW_MIN                                                                                                      \
    0.7 /* of its life; somewhere between the two, so that nodes that joined together do not ask together */
#define RENEW_MAX 0.9
#define DAY_SECONDS 86400.0
#define NAMES_MAX 8

struct certificate {
    struct client *client;
    char *signer, *auth, *common_name, *organization, *cert, *key, *names[NAMES_MAX + 1];
    SSL_CTX *tls;
    uv_timer_t timer;
    EVP_PKEY *new_key; /* of the request that is out */
    char *request;     /* its name; "" until the API has answered; NULL: none is out */
    double renew_part;
    int pause_ms;
    bool waiting; /* for an answer */
    bool closing;
    bool used; /* the pair on the disk was given out */
    void (*ready)(void *arg), (*renewed)(void *arg);
    void *ready_arg, *renewed_arg;
};

/* --- the pair on the disk --- */

static bool load(const char *cert_path, const char *key_path, struct keypair *ret)
{
    struct err ignored;
    _cleanup_free_ char *cert = file_read(cert_path, PEM_MAX, NULL, &ignored);
    _cleanup_free_ char *key = file_read(key_path, PEM_MAX, NULL, &ignored);
    *ret = (struct keypair){0};
    return cert && key && keypair_parse(ret, cert, key);
}

/* Seconds of its life that are over, and that it has in all. */
static void read_life(const X509 *cert, double *ret_over, double *ret_all)
{
    int over_days = 0, over_seconds = 0, days = 0, seconds = 0;
    (void)ASN1_TIME_diff(&over_days, &over_seconds, X509_get0_notBefore(cert), NULL);
    (void)ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(cert), X509_get0_notAfter(cert));
    *ret_over = over_days * DAY_SECONDS + over_seconds;
    *ret_all = days * DAY_SECONDS + seconds;
}

bool certificate_is_there(const char *cert, const char *key)
{
    struct keypair pair;
    bool there = load(cert, key, &pair) && X509_cmp_current_time(X509_get0_notAfter(pair.cert)) > 0;
    keypair_done(&pair);
    return there;
}

/* Until the pair on the disk should be renewed, which is at once when there is none. */
static int ms_left(const struct certificate *c)
{
    struct keypair pair;
    double over = 0, all = 0;
    if (load(c->cert, c->key, &pair))
        read_life(pair.cert, &over, &all);
    keypair_done(&pair);
    double left = 1000 * (c->renew_part * all - over);
    return left <= 0 ? 0 : left < CHECK_MS ? (int)left + 1 : CHECK_MS;
}

static void use(struct certificate *c)
{
    struct err err;
    c->used = true;
    if (c->tls && tls_ctx_use(c->tls, c->cert, c->key, &err) < 0)
        log_error("%s", err.msg);
    void (*ready)(void *) = TAKE(c->ready);
    if (ready)
        ready(c->ready_arg);
}

/* The key first: a certificate that is there has its key. */
static int save(struct certificate *c, const char *cert, struct err *err)
{
    _cleanup_free_ char *key = key_pem(c->new_key);
    if (file_write_atomic(c->key, key, strlen(key), 0600, err) < 0)
        return -1;
    return file_write_atomic(c->cert, cert, strlen(cert), 0644, err);
}

/* --- asking --- */

static void turn(uv_timer_t *t);

static void turn_in(struct certificate *c, int ms)
{
    uv_timer_start(&c->timer, turn, (uint64_t)ms, 0);
}

static void forget_request(struct certificate *c)
{
    EVP_PKEY_free(TAKE(c->new_key));
    free(TAKE(c->request));
}

static void again_later(struct certificate *c)
{
    c->pause_ms = c->pause_ms * 2 > POLL_MAX_MS ? POLL_MAX_MS : c->pause_ms * 2;
    turn_in(c, c->pause_ms);
}

static void destroy(struct certificate *c);

/* False when the answer comes after the end. */
static bool answered(struct certificate *c)
{
    c->waiting = false;
    if (c->closing)
        destroy(c);
    return !c->closing;
}

static double choose_part(void)
{
    return RENEW_MIN + (RENEW_MAX - RENEW_MIN) * rand_below(1000) / 1000;
}

static void take(struct certificate *c, const char *coded)
{
    struct err err = {.msg = "the answer is no certificate"};
    size_t len;
    _cleanup_free_ char *bytes = base64_decode(coded, strlen(coded), &len);
    _cleanup_free_ char *pem = bytes ? xstrndup(bytes, len) : NULL;
    if (!pem || save(c, pem, &err) < 0) {
        log_error("certificate %s: %s", c->cert, err.msg);
        forget_request(c);
        again_later(c);
        return;
    }
    log_info("certificate %s from %s", c->cert, c->signer);
    forget_request(c);
    c->pause_ms = POLL_MS;
    c->renew_part = choose_part();
    int left = ms_left(c);
    if (left == 0)
        log_warn("certificate %s is old already: the clocks of this machine and of the server?", c->cert);
    turn_in(c, left ? left : POLL_MAX_MS);
    use(c);
    if (c->renewed)
        c->renewed(c->renewed_arg);
}

static void on_state(void *arg, int code, const json_t *body)
{
    struct certificate *c = arg;
    if (!answered(c))
        return;
    const char *coded = code == 200 ? jstr(body, "status.certificate") : NULL;
    if (coded) {
        take(c, coded);
        return;
    }
    if (code == 404 || (code == 200 && (csr_has_condition(body, "Denied") || csr_has_condition(body, "Failed")))) {
        log_warn("the request for certificate %s was %s; asking anew", c->cert, code == 404 ? "lost" : "refused");
        forget_request(c);
        c->pause_ms = POLL_MAX_MS;
    }
    again_later(c);
}

static void on_created(void *arg, int code, const json_t *body)
{
    struct certificate *c = arg;
    if (!answered(c))
        return;
    if (code == 201) {
        free(c->request);
        c->request = xstrdup(jstr_or(body, "metadata.name", ""));
        turn_in(c, c->pause_ms);
        return;
    }
    log_warn("asking for certificate %s: %d %s", c->cert, code, jstr_or(body, "message", "no answer"));
    forget_request(c);
    again_later(c);
}

static void ask(struct certificate *c)
{
    const struct cert_spec spec = {
        .common_name = c->common_name, .organization = c->organization, .names = (const char *const *)c->names};
    c->new_key = key_make();
    c->request = xstrdup("");
    _cleanup_free_ char *pem = cert_request_make(c->new_key, &spec), *coded = base64_encode(pem, strlen(pem));
    _cleanup_json_ json_t *csr =
        json_pack("{s:{s:s}, s:{s:s, s:s, s:[s, s]}}", "metadata", "generateName", "csr-", "spec", "request", coded,
                  "signerName", c->signer, "usages", "digital signature", c->auth);
    c->waiting = true;
    client_create(c->client, &kind_certificatesigningrequest, NULL, csr, on_created, c);
}

/* What is to be done now. */
static void turn(uv_timer_t *t)
{
    struct certificate *c = t->data;
    int left = c->request ? 0 : ms_left(c);
    if (c->request) {
        c->waiting = true;
        client_get(c->client, &kind_certificatesigningrequest, NULL, c->request, on_state, c);
    } else if (left == 0) {
        ask(c);
    } else {
        turn_in(c, left);
    }
    if (!c->used && certificate_is_there(c->cert, c->key)) /* also what is being renewed */
        use(c);
}

/* --- life --- */

struct certificate *certificate_new(struct client *client, const struct certificate_config *config,
                                    void (*ready)(void *arg), void *arg)
{
    struct certificate *c = NEW(struct certificate);
    *c = (struct certificate){.client = client,
                              .signer = xstrdup(config->signer),
                              .auth = xstrdup(config->auth),
                              .common_name = xstrdup(config->spec.common_name),
                              .organization = xstrdup_or_null(config->spec.organization),
                              .cert = xstrdup(config->cert),
                              .key = xstrdup(config->key),
                              .tls = config->tls,
                              .renewed = config->renewed,
                              .renewed_arg = config->renewed_arg,
                              .renew_part = choose_part(),
                              .pause_ms = POLL_MS,
                              .ready = ready,
                              .ready_arg = arg};
    for (size_t i = 0; i < NAMES_MAX && config->spec.names && config->spec.names[i]; i++)
        c->names[i] = xstrdup(config->spec.names[i]);
    uv_timer_init(client->loop, &c->timer);
    c->timer.data = c;
    turn_in(c, 0);
    return c;
}

static void on_closed(uv_handle_t *h)
{
    struct certificate *c = h->data;
    char *const texts[] = {c->signer, c->auth, c->common_name, c->organization, c->cert, c->key};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    for (size_t i = 0; i < NAMES_MAX; i++)
        free(c->names[i]);
    forget_request(c);
    free(c);
}

static void destroy(struct certificate *c)
{
    uv_close((uv_handle_t *)&c->timer, on_closed);
}

void certificate_free(struct certificate *c)
{
    if (!c)
        return;
    c->closing = true;
    if (!c->waiting)
        destroy(c);
}
