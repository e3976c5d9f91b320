/* See pki.h. A pair that is missing, damaged, half written, for other names or near its end is made again; only the CA,
 * which clients trust, is never replaced silently. */
#include "server/pki.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/ip.h"
#include "base/str.h"
#include "cert/cert.h"

#define PEM_MAX 65536 /* bytes: certificates are about one KiB */
#define CA_DAYS 3650
#define LEAF_DAYS 365
#define SPARE_DAYS 30

static void keypair_done_indirect(struct keypair *p)
{
    keypair_done(p);
}
#define _cleanup_keypair_ _cleanup_(keypair_done_indirect)

static bool load(struct keypair *ret, const char *cert_path, const char *key_path)
{
    struct err ignored;
    _cleanup_free_ char *cert = file_read(cert_path, PEM_MAX, NULL, &ignored);
    _cleanup_free_ char *key = file_read(key_path, PEM_MAX, NULL, &ignored);
    *ret = (struct keypair){0};
    return cert && key && keypair_parse(ret, cert, key);
}

/* The key first: a certificate that is there has its key. */
static int save(const struct keypair *p, const char *cert_path, const char *key_path, struct err *err)
{
    _cleanup_free_ char *cert = keypair_cert_pem(p), *key = keypair_key_pem(p);
    if (file_write_atomic(key_path, key, strlen(key), 0600, err) < 0)
        return -1;
    return file_write_atomic(cert_path, cert, strlen(cert), 0644, err);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static int ensure_ca(const struct pki *p, const char *name, const char *cert_path, const char *key_path,
                     struct keypair *ret, struct err *err)
{
    const struct cert_spec spec = {.common_name = name, .ca = true, .days = CA_DAYS};
    time_t now = time(NULL);
    if (!exists(cert_path)) { /* a key alone is what a crash between the two files leaves */
        keypair_make(ret, &spec, NULL, now);
        return save(ret, cert_path, key_path, err);
    }
    if (!load(ret, cert_path, key_path))
        return err_set(err, 0, "%s and %s are not a certificate and its key; remove %s to make new ones", cert_path,
                       key_path, p->dir);
    if (!keypair_serves(ret, &spec, NULL, now, 0))
        return err_set(err, 0, "%s has expired or is not ours; remove %s to make a new one", cert_path, p->dir);
    return 0;
}

/* 1: it was made. */
static int ensure_leaf(const struct keypair *ca, const struct cert_spec *spec, const char *cert_path,
                       const char *key_path, struct err *err)
{
    _cleanup_keypair_ struct keypair pair;
    time_t now = time(NULL);
    if (load(&pair, cert_path, key_path) && keypair_serves(&pair, spec, ca, now, SPARE_DAYS))
        return 0;
    keypair_done(&pair);
    keypair_make(&pair, spec, ca, now);
    return save(&pair, cert_path, key_path, err) < 0 ? -1 : 1;
}

/* Never replaced silently either: every token out there would be void. */
static int ensure_token_key(const struct pki *p, struct err *err)
{
    bool made = !exists(p->sa_key);
    _cleanup_free_ char *old = made ? NULL : file_read(p->sa_key, PEM_MAX, NULL, err);
    if (!made && !old)
        return -1;
    EVP_PKEY *key = made ? key_make() : key_parse(old);
    if (!key)
        return err_set(err, 0, "%s is no private key on the curve P-256; remove it to make a new one", p->sa_key);
    _cleanup_free_ char *private = key_pem(key), *public = key_public_pem(key);
    EVP_PKEY_free(key);
    if (made && file_write_atomic(p->sa_key, private, strlen(private), 0600, err) < 0)
        return -1;
    return made || !exists(p->sa_pub) ? file_write_atomic(p->sa_pub, public, strlen(public), 0644, err) : 0;
}

int pki_renew(const struct pki *p, struct err *err)
{
    _cleanup_keypair_ struct keypair ca = {0}, front_proxy_ca = {0};
    if (dir_make(p->dir, 0700, err) < 0 || ensure_ca(p, "kubernetes", p->ca_cert, p->ca_key, &ca, err) < 0 ||
        ensure_ca(p, "front-proxy-ca", p->front_proxy_ca, p->front_proxy_ca_key, &front_proxy_ca, err) < 0)
        return -1;
    const struct {
        const struct keypair *ca;
        struct cert_spec spec;
        const char *cert, *key;
    } leaves[] = {
        {&ca,
         {.common_name = "kube-apiserver", .names = (const char *const *)p->names, .server = true, .days = LEAF_DAYS},
         p->server_cert,
         p->server_key},
        {&ca,
         {.common_name = "kubernetes-admin", .organization = "system:masters", .client = true, .days = LEAF_DAYS},
         p->admin_cert,
         p->admin_key},
        {&ca,
         {.common_name = "kube-apiserver-kubelet-client",
          .organization = "system:masters",
          .client = true,
          .days = LEAF_DAYS},
         p->kubelet_client_cert,
         p->kubelet_client_key},
        {&front_proxy_ca,
         {.common_name = "front-proxy-client", .client = true, .days = LEAF_DAYS},
         p->front_proxy_cert,
         p->front_proxy_key},
    };
    bool made = false;
    for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
        int result = ensure_leaf(leaves[i].ca, &leaves[i].spec, leaves[i].cert, leaves[i].key, err);
        if (result < 0)
            return -1;
        made |= result > 0;
    }
    return ensure_token_key(p, err) < 0 ? -1 : made;
}

static char **copy_names(const char *const *names)
{
    size_t n = 0;
    while (names[n])
        n++;
    char **copy = xcalloc(n + 1, sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = xstrdup(names[i]);
    return copy;
}

int pki_ca_days(const struct pki *p)
{
    _cleanup_keypair_ struct keypair ca;
    int days = 0, seconds = 0;
    if (load(&ca, p->ca_cert, p->ca_key))
        (void)ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(ca.cert));
    return days;
}

int pki_ensure(struct pki *p, const char *dir, const char *const *names, struct err *err)
{
    *p = (struct pki){
        .dir = xstrdup(dir),
        .ca_cert = xasprintf("%s/ca.crt", dir),
        .ca_key = xasprintf("%s/ca.key", dir),
        .server_cert = xasprintf("%s/apiserver.crt", dir),
        .server_key = xasprintf("%s/apiserver.key", dir),
        .admin_cert = xasprintf("%s/admin.crt", dir),
        .admin_key = xasprintf("%s/admin.key", dir),
        .kubelet_client_cert = xasprintf("%s/apiserver-kubelet-client.crt", dir),
        .kubelet_client_key = xasprintf("%s/apiserver-kubelet-client.key", dir),
        .front_proxy_ca = xasprintf("%s/front-proxy-ca.crt", dir),
        .front_proxy_ca_key = xasprintf("%s/front-proxy-ca.key", dir),
        .front_proxy_cert = xasprintf("%s/front-proxy-client.crt", dir),
        .front_proxy_key = xasprintf("%s/front-proxy-client.key", dir),
        .sa_key = xasprintf("%s/sa.key", dir),
        .sa_pub = xasprintf("%s/sa.pub", dir),
    };
    p->names = copy_names(names);
    if (pki_renew(p, err) >= 0)
        return 0;
    pki_done(p);
    return -1;
}

void pki_done(struct pki *p)
{
    char *const texts[] = {p->dir,
                           p->ca_cert,
                           p->ca_key,
                           p->server_cert,
                           p->server_key,
                           p->admin_cert,
                           p->admin_key,
                           p->kubelet_client_cert,
                           p->kubelet_client_key,
                           p->front_proxy_ca,
                           p->front_proxy_ca_key,
                           p->front_proxy_cert,
                           p->front_proxy_key,
                           p->sa_key,
                           p->sa_pub};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    for (char **name = p->names; name && *name; name++)
        free(*name);
    free(p->names);
    *p = (struct pki){0};
}

int pki_ensure_node(const struct pki *p, const char *node, const char *ips, char **ret_cert, char **ret_key,
                    struct err *err)
{
    if (!*node || *node == '.' || strchr(node, '/'))
        return err_set(err, 0, "\"%s\" is no name for a node", node);
    _cleanup_keypair_ struct keypair ca;
    if (!load(&ca, p->ca_cert, p->ca_key))
        return err_set(err, 0, "cannot read %s and %s", p->ca_cert, p->ca_key);
    /* A folder of their own: a node may be called "ca". */
    _cleanup_free_ char *dir = xasprintf("%s/nodes", p->dir), *common_name = xasprintf("system:node:%s", node);
    _cleanup_free_ char *cert = xasprintf("%s/%s.crt", dir, node), *key = xasprintf("%s/%s.key", dir, node);
    char ip[FAMILIES_MAX][IP_TEXT_SIZE];
    ips_split(ips, ip);
    const char *const names[] = {node, ip[0], *ip[1] ? ip[1] : NULL, NULL};
    const struct cert_spec spec = {
        .common_name = common_name,
        .organization = "system:nodes",
        .names = names,
        .client = true,
        .server = true,
        .days = LEAF_DAYS,
    };
    if (dir_make(dir, 0700, err) < 0 || ensure_leaf(&ca, &spec, cert, key, err) < 0)
        return -1;
    *ret_cert = TAKE(cert);
    *ret_key = TAKE(key);
    return 0;
}
