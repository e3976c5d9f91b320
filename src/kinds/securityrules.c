/* Rules across the fields of a pod's and its containers' securityContext (upstream: validation.go validateSysctls,
 * validateSeccompProfileField, ValidateAppArmorProfileField). */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/checks.h"
#include "kinds/podspec.h"
#include "kinds/rules.h"

#define SYSCTL_NAME_MAX 253
#define APPARMOR_NAME_MAX 4095 /* a path's length */

/* --- sysctls --- */

static bool is_small(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Parts of small letters and digits, with - and _ inside, separated by '.' or '/'. */
static bool is_sysctl_name(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++) {
        bool inside =
            i > 0 && i + 1 < len && strchr("-_", name[i]) && !strchr("./", name[i - 1]) && !strchr("./", name[i + 1]);
        bool between = i > 0 && i + 1 < len && strchr("./", name[i]) && is_small(name[i - 1]) && is_small(name[i + 1]);
        if (!is_small(name[i]) && !inside && !between)
            return false;
    }
    return len > 0 && len <= SYSCTL_NAME_MAX;
}

static void check_sysctls(const json_t *list, const char *path, struct status_causes *c)
{
    struct map names = {0};
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item) {
        const char *name = jstr_or(item, "name", "");
        if (!*name)
            rule_broken(c, CAUSE_REQUIRED, NULL, "", "%s.securityContext.sysctls[%zu].name", path, i);
        else if (!is_sysctl_name(name))
            rule_broken_text(c, CAUSE_INVALID, name,
                             "must have at most 253 characters and match regex "
                             "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$",
                             "%s.securityContext.sysctls[%zu].name", path, i);
        else if (map_put(&names, name, item))
            rule_broken_text(c, CAUSE_DUPLICATE, name, "", "%s.securityContext.sysctls[%zu].name", path, i);
    }
    map_done(&names);
}

/* --- profiles --- */

static void check_seccomp(const json_t *profile, const char *path, struct status_causes *c)
{
    const char *file = jstr(profile, "localhostProfile");
    bool local = streq(jstr_or(profile, "type", ""), "Localhost");
    if (local && !file)
        rule_broken(c, CAUSE_REQUIRED, NULL, "must be set when seccomp type is Localhost",
                    "%s.seccompProfile.localhostProfile", path);
    else if (local)
        rule_check_text(c, check_relative_path, file, "%s.seccompProfile.localhostProfile", path);
    else if (file)
        rule_broken(c, CAUSE_INVALID, profile, "can only be set when seccomp type is Localhost",
                    "%s.seccompProfile.localhostProfile", path);
}

static void check_apparmor(const json_t *profile, const char *path, struct status_causes *c)
{
    const char *name = jstr(profile, "localhostProfile");
    bool local = streq(jstr_or(profile, "type", ""), "Localhost");
    size_t len = strlen(str_or(name, ""));
    if (local && len == 0)
        rule_broken(c, CAUSE_REQUIRED, NULL, "must be set when AppArmor type is Localhost",
                    "%s.appArmorProfile.localhostProfile", path);
    else if (local && (isspace((unsigned char)name[0]) || isspace((unsigned char)name[len - 1])))
        rule_broken_text(c, CAUSE_INVALID, name, "must not be padded with whitespace",
                         "%s.appArmorProfile.localhostProfile", path);
    else if (local && len > APPARMOR_NAME_MAX)
        rule_broken(c, CAUSE_TOO_LONG, NULL, "may not be more than 4095 bytes", "%s.appArmorProfile.localhostProfile",
                    path);
    else if (!local && name)
        rule_broken_text(c, CAUSE_INVALID, name, "can only be set when AppArmor type is Localhost",
                         "%s.appArmorProfile.localhostProfile", path);
}

static void check_profiles(const json_t *owner, const char *path, struct status_causes *c)
{
    char context[RULE_PATH_SIZE];
    const json_t *security = jget(owner, "securityContext");
    snprintf(context, sizeof(context), "%s.securityContext", path);
    if (jget(security, "seccompProfile"))
        check_seccomp(jget(security, "seccompProfile"), context, c);
    if (jget(security, "appArmorProfile"))
        check_apparmor(jget(security, "appArmorProfile"), context, c);
}

void pod_security_validate(const json_t *spec, const char *path, struct status_causes *c)
{
    static const char *const lists[] = {"initContainers", "containers", "ephemeralContainers"};
    char at[RULE_PATH_SIZE];
    check_sysctls(jget(spec, "securityContext.sysctls"), path, c);
    check_profiles(spec, path, c);
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t i;
        json_t *container;
        json_array_foreach(jget(spec, lists[l]), i, container) {
            snprintf(at, sizeof(at), "%s.%s[%zu]", path, lists[l], i);
            check_profiles(container, at, c);
        }
    }
}
