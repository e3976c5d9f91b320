/* Who asks: the client certificate's subject, CN as the user and every O as a group; for tokens see tokens.h. */
#pragma once
#include <jansson.h>
#include <openssl/x509.h>
#include <stdbool.h>

struct user {
    char *name;
    char **groups;   /* NULL-terminated, one allocation */
    char *uid;       /* NULL: the user is no object */
    json_t *extra;   /* key -> array of texts, or NULL */
    bool in_process; /* a part of this program */
};

/* cert NULL: system:anonymous. */
struct user *user_from_cert(X509 *cert);
/* groups NULL-terminated or NULL; system:authenticated is added. */
struct user *user_new(const char *name, const char *const *groups);
/* Only in these groups. */
struct user *user_exactly(const char *name, const char *const *groups);
void user_free(struct user *u);
/* authentication.k8s.io UserInfo. New reference. */
json_t *user_info(const struct user *u);
bool user_in_group(const struct user *u, const char *group);
