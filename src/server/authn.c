/* See authn.h. The TLS layer has verified the certificate against the cluster's CA. */
#include "server/authn.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"

/* A certificate of ours names one or two organisations. */
#define GROUPS_MAX 32

/* last_group NULL: none. */
static struct user *make(const char *name, const char *const *groups, const char *last_group)
{
    struct user *u = NEW(struct user);
    u->name = xstrdup(name);
    size_t n = 0, size = 0;
    for (const char *const *g = groups; g && *g; g++, n++)
        size += strlen(*g) + 1;
    size += last_group ? strlen(last_group) + 1 : 0;
    u->groups = xmalloc((n + 2) * sizeof(*u->groups) + size);
    char *text = (char *)(u->groups + n + 2);
    memset(u->groups, 0, (n + 2) * sizeof(*u->groups));
    for (size_t i = 0; i < n + (last_group != NULL); i++) {
        u->groups[i] = text;
        text = stpcpy(text, i < n ? groups[i] : last_group) + 1;
    }
    return u;
}

/* The idx-th entry's text as UTF-8; NULL when it cannot be, or hides a NUL. */
static char *entry_text(X509_NAME *subject, int idx)
{
    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, idx)));
    if (len < 0)
        return NULL;
    char *text = memchr(utf8, '\0', (size_t)len) ? NULL : xstrndup((char *)utf8, (size_t)len);
    OPENSSL_free(utf8);
    return text;
}

struct user *user_from_cert(X509 *cert)
{
    X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;
    int cn = subject ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1) : -1;
    _cleanup_free_ char *name = cn >= 0 ? entry_text(subject, cn) : NULL;
    if (!name || !*name)
        return make("system:anonymous", NULL, "system:unauthenticated");
    char *groups[GROUPS_MAX + 1] = {0};
    size_t n = 0;
    for (int at = -1; n < GROUPS_MAX;) {
        at = X509_NAME_get_index_by_NID(subject, NID_organizationName, at);
        if (at < 0)
            break;
        groups[n] = entry_text(subject, at);
        n += groups[n] != NULL;
    }
    struct user *u = make(name, (const char *const *)groups, "system:authenticated");
    for (size_t i = 0; i < n; i++)
        free(groups[i]);
    return u;
}

struct user *user_new(const char *name, const char *const *groups)
{
    return make(name, groups, "system:authenticated");
}

struct user *user_exactly(const char *name, const char *const *groups)
{
    return make(name, groups, NULL);
}

void user_free(struct user *u)
{
    if (!u)
        return;
    free(u->name);
    free(u->groups);
    free(u->uid);
    json_decref(u->extra);
    free(u);
}

bool user_in_group(const struct user *u, const char *group)
{
    for (char **g = u->groups; *g; g++)
        if (streq(*g, group))
            return true;
    return false;
}

json_t *user_info(const struct user *u)
{
    json_t *groups = json_array(), *info = json_pack("{s:s, s:o}", "username", u->name, "groups", groups);
    for (char **g = u->groups; *g; g++)
        json_array_append_new(groups, json_string(*g));
    if (u->uid)
        jset_str(info, "uid", u->uid);
    if (u->extra)
        json_object_set(info, "extra", u->extra);
    return info;
}
