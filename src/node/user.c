/* See user.h. */
#include "node/user.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define ID_MAX 4294967294LL

/* Calls visit with the fields of each line until it returns true; that is then the result. */
static bool each_line(const char *text, size_t min_fields, bool (*visit)(void *arg, char **fields), void *arg)
{
    while (*text) {
        size_t len = strcspn(text, "\n"), n;
        _cleanup_free_ char *line = xstrndup(text, len);
        _cleanup_free_ char **fields = str_split(line, ':', &n);
        if (n >= min_fields && visit(arg, fields))
            return true;
        text += len + (text[len] == '\n');
    }
    return false;
}

struct search {
    const char *name; /* either a name… */
    int64_t id;       /* …or, when that is NULL, a number */
    struct user *user;
    char login[256]; /* of the entry found */
};

static bool is_entry(const struct search *s, const char *name, int64_t id)
{
    return s->name ? streq(s->name, name) : s->id == id;
}

static bool visit_passwd(void *arg, char **f)
{
    struct search *s = arg;
    int64_t uid, gid;
    if (!str_to_i64(f[2], 0, ID_MAX, &uid) || !str_to_i64(f[3], 0, ID_MAX, &gid) || !is_entry(s, f[0], uid))
        return false;
    s->user->uid = uid;
    s->user->gid = gid;
    snprintf(s->user->home, sizeof(s->user->home), "%s", f[5]);
    snprintf(s->login, sizeof(s->login), "%s", f[0]);
    return true;
}

static bool visit_group(void *arg, char **f)
{
    struct search *s = arg;
    int64_t gid;
    if (!str_to_i64(f[2], 0, ID_MAX, &gid) || !is_entry(s, f[0], gid))
        return false;
    s->user->gid = gid;
    return true;
}

/* Groups that list the user as a member. */
static bool visit_membership(void *arg, char **f)
{
    struct search *s = arg;
    struct user *u = s->user;
    int64_t gid;
    if (!str_to_i64(f[2], 0, ID_MAX, &gid))
        return false;
    _cleanup_free_ char **members = str_split(f[3], ',', NULL);
    for (char **m = members; *m; m++)
        if (streq(*m, s->login) && gid != u->gid && u->n_groups < GROUPS_MAX)
            u->groups[u->n_groups++] = gid;
    return false;
}

static int resolve_group(const char *text, const char *group, struct user *u, struct err *err)
{
    struct search s = {.name = text, .user = u};
    if (str_to_i64(text, 0, ID_MAX, &u->gid))
        return 0;
    return each_line(group, 3, visit_group, &s) ? 0 : err_set(err, 0, "no group %s in the image", text);
}

int user_resolve(const char *spec, const char *passwd, const char *group, struct user *ret, struct err *err)
{
    *ret = (struct user){0};
    _cleanup_free_ char **parts = str_split(*spec ? spec : "0", ':', NULL);
    struct search s = {.user = ret};
    if (!str_to_i64(parts[0], 0, ID_MAX, &s.id))
        s.name = parts[0];
    if (!each_line(passwd, 6, visit_passwd, &s)) {
        if (s.name)
            return err_set(err, 0, "unable to find user %s: no matching entries in passwd file", s.name);
        ret->uid = s.id;
    }
    if (parts[1])
        return resolve_group(parts[1], group, ret, err);
    if (s.login[0])
        (void)each_line(group, 4, visit_membership, &s);
    return 0;
}
