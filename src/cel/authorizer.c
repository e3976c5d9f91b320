/* The authorizer: an expression says step by step what it wants to know, check() asks. */
#include <string.h>

#include "cel/functions.h"

#define CHECK_COST 350000 /* upstream's: an expression gets two of them, a policy 28 */

/* The same question with one thing more, or another. */
static struct cel_value more(struct cel_run *run, const struct cel_value *a, enum cel_kind kind,
                             struct cel_access **ret)
{
    struct cel_access *access = cel_alloc(&run->arena, 1, sizeof(*access));
    if (a[0].kind == CEL_AUTHORIZER) { /* the resource there is the request's own */
        access->user = a[0].access->user;
        access->user_ns = a[0].access->user_ns;
    } else {
        *access = *a[0].access;
    }
    *ret = access;
    return (struct cel_value){.kind = kind, .access = access};
}

#define STEP(function, kind, member)                                                                                   \
    static struct cel_value function(struct cel_run *run, const struct cel_value *a)                                   \
    {                                                                                                                  \
        struct cel_access *access;                                                                                     \
        struct cel_value v = more(run, a, kind, &access);                                                              \
        access->member = cel_c_text(run, a[1]);                                                                        \
        return v;                                                                                                      \
    }
STEP(path, CEL_PATH_CHECK, path)
STEP(group, CEL_GROUP_CHECK, group)
STEP(resource, CEL_RESOURCE_CHECK, resource)
STEP(subresource, CEL_RESOURCE_CHECK, subresource)
STEP(namespace, CEL_RESOURCE_CHECK, ns)
STEP(name, CEL_RESOURCE_CHECK, name)
STEP(decision, CEL_DECISION, verb)

static struct cel_value service_account(struct cel_run *run, const struct cel_value *a)
{
    struct cel_access *access = cel_alloc(&run->arena, 1, sizeof(*access));
    *access = *a[0].access;
    access->user_ns = cel_c_text(run, a[1]);
    access->user = cel_c_text(run, a[2]);
    return (struct cel_value){.kind = CEL_AUTHORIZER, .access = access};
}

static struct cel_value check(struct cel_run *run, const struct cel_value *a)
{
    if (!cel_charge(run, CHECK_COST))
        return cel_exhausted();
    struct cel_value v = decision(run, a);
    struct cel_access *access = (struct cel_access *)v.access;
    access->reason = "";
    access->allowed = run->allowed && run->allowed(run->allowed_arg, access, &access->reason);
    return v;
}

static struct cel_value allowed(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_bool(a[0].access->allowed);
}

static struct cel_value reason(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_string(a[0].access->reason);
}

/* Nothing here can fail to decide. */
static struct cel_value errored(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    (void)a;
    return cel_bool(false);
}

static struct cel_value error(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    (void)a;
    return cel_string("");
}

const struct cel_function cel_authorizer_functions[] = {
    {".path", "zs:h", path},
    {".group", "zs:g", group},
    {".serviceAccount", "zss:z", service_account},
    {".resource", "gs:k", resource},
    {".subresource", "ks:k", subresource},
    {".namespace", "ks:k", namespace},
    {".name", "ks:k", name},
    {".check", "ks:D", check},
    {".check", "hs:D", check},
    {".allowed", "D:b", allowed},
    {".reason", "D:s", reason},
    {".errored", "D:b", errored},
    {".error", "D:s", error},
    {0},
};
