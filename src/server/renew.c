/* See renew.h. */
#define LOG_AREA "server"
#include "server/renew.h"

#include "base/log.h"
#include "http/http.h"
#include "server/aggregator.h"

#define LOOK_MS (12 * 3600 * 1000)
#define CA_WARN_DAYS 180 /* every machine that joined has to join again under another CA: that takes planning */

static void warn_of_the_end(const struct pki *p)
{
    int days = pki_ca_days(p);
    if (days < CA_WARN_DAYS)
        log_warn("%s ends in %d days, and every certificate of the cluster with it", p->ca_cert, days);
}

/* 1: with other certificates than before. */
static int renew(struct server *s, struct err *err)
{
    const struct pki *p = s->config.pki;
    int made = pki_renew(p, err);
    if (made > 0 && (tls_ctx_use(s->tls, p->server_cert, p->server_key, err) < 0 ||
                     tls_ctx_use(s->agent_tls, p->kubelet_client_cert, p->kubelet_client_key, err) < 0))
        return -1;
    if (made > 0)
        aggregator_renewed(s);
    return made;
}

void renew_certificates(struct server *s)
{
    struct err err;
    int made = renew(s, &err);
    if (made < 0)
        log_error("certificates are not renewed: %s", err.msg);
    warn_of_the_end(s->config.pki);
    if (s->renewed)
        s->renewed(s->renewed_arg, made > 0);
}

void server_on_renewed(struct server *s, void (*fn)(void *arg, bool changed), void *arg)
{
    s->renewed = fn;
    s->renewed_arg = arg;
}

static void on_timer(uv_timer_t *timer)
{
    renew_certificates(timer->data);
}

void renew_init(struct server *s)
{
    uv_timer_init(s->loop, &s->renew_timer);
    s->renew_timer.data = s;
    if (!s->config.pki)
        return;
    warn_of_the_end(s->config.pki);
    uv_timer_start(&s->renew_timer, on_timer, LOOK_MS, LOOK_MS);
}
