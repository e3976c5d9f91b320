/* Who asks: the client certificate's subject, CN as the user and every O as a group. */
#pragma once
#include <openssl/x509.h>
#include <stdbool.h>

struct user {
    char *name;
    char **groups; /* NULL-terminated, one allocation */
};

/* cert NULL: system:anonymous. */
struct user *user_from_cert(X509 *cert);
/* groups NULL-terminated or NULL; system:authenticated is added. */
struct user *user_new(const char *name, const char *const *groups);
void user_free(struct user *u);
bool user_in_group(const struct user *u, const char *group);
